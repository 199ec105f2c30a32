"""Translates a spec for the worker: both arms on one scaled model, and every difference named.

"Translated workload" is what the report calls it: the settings are the file's, the model has the
catalogue's dimensions (scaled where said) with random weights, the samples are synthetic at the
stated lengths. Nothing of the user's own code runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from audit.records.errors import MissingFacts
from audit.records.spec import Spec
from audit.records.translated import (
    Recipe,
    Samples,
    Shape,
    TranslatedArm,
    Translation,
    Unmeasured,
)
from audit.records.workload import Workload
from kb.catalog.hardware import Hardware
from kb.catalog.models import Model, find_model
from runner.estimator.from_workload import read_job
from runner.estimator.lengths import ASSUMED
from runner.translation.place import Place
from runner.translation.recipe import FIELDS, Read, Reader, workload_edits
from runner.translation.shrink import shrink

NO_ROLE = "it has no part in a training step, so a step cannot show it"


def translate(spec: Spec, place: Place, hardware: Hardware) -> Translation:
    """What the worker runs for `spec`.

    Raises:
        MissingFacts: the file does not say enough, or trains in a way that the worker does not.
    """
    baseline = spec.arms[0].workload
    model = find_model(str(baseline.value("model_id", "")))
    reads: list[Read] = []
    for arm in spec.arms:
        job = read_job(arm.workload, hardware, spec.gpus, spec.nodes).job
        instead = reads[0].recipe if reads else None
        reads.append(Reader(arm, job, place, hardware, instead).read(job.model))
        model = model or job.model
    if model is None:
        message = "the model is not in the catalogue"
        raise MissingFacts(message, missing=("model_id",))
    samples = _samples(baseline)
    full = full_shape(model)
    scaled = shrink(full, reads[0].recipe, samples, place)
    edits, unmeasured = _edits(spec, reads)
    arms = tuple(
        TranslatedArm(
            name=arm.name,
            workload=arm.workload.fingerprint,
            recipe=_shorter(read.recipe, scaled.divisor),
        )
        for arm, read in zip(spec.arms, reads, strict=True)
    )
    notes = dict.fromkeys(
        (*_notes(model, full, scaled.shape, samples, scaled.divisor),
         *(note for read in reads for note in read.notes))
    )  # fmt: skip
    return Translation(
        model=model.name,
        full=full,
        shape=scaled.shape,
        samples=_divided(samples, scaled.divisor),
        length_divisor=scaled.divisor,
        arms=arms,
        edits=edits,
        unmeasured=unmeasured,
        notes=tuple(notes),
    )


def full_shape(model: Model) -> Shape:
    """The catalogue's dimensions as a decoder that transformers builds.

    A mixture of experts becomes the dense model with as many active weights.
    """
    mlp = model.mlp
    if model.experts:
        mlp = model.top * model.expert + model.shared or model.mlp
    return Shape(
        family=_family(model),
        hidden=model.hidden,
        layers=model.layers,
        heads=model.heads,
        kv_heads=model.kv_heads,
        head=model.head,
        mlp=mlp,
        vocab=model.vocab,
        tied=model.tied,
        bias=model.bias != "none",
    )


def _family(model: Model) -> str:
    """Transformers' class with the same structure: by what sets decoders apart, not by name."""
    if model.qk_norm == "head":
        return "qwen3"
    if model.bias == "qkv":
        return "qwen2"
    if "gemma" in model.name.lower():
        return "gemma"
    return "mistral" if model.window else "llama"


def _samples(workload: Workload) -> Samples:
    lengths = workload.lengths or ASSUMED
    return Samples(p50=lengths.p50, p95=lengths.p95, longest=lengths.max, origin=lengths.origin)


def _divided(samples: Samples, divisor: int) -> Samples:
    if divisor == 1:
        return samples
    parts = {name: max(2, getattr(samples, name) // divisor) for name in ("p50", "p95", "longest")}
    return samples.model_copy(update=parts)


def _shorter(recipe: Recipe, divisor: int) -> Recipe:
    return recipe.model_copy(update={"max_length": max(2, recipe.max_length // divisor)})


def _edits(spec: Spec, reads: list[Read]) -> tuple[dict[str, object], tuple[Unmeasured, ...]]:
    """The patch's edits that the run shows, and those that it cannot, each with its reason."""
    if len(spec.arms) == 1:
        return {}, ()
    before, after = reads
    changed = workload_edits(spec.arms[0].workload, spec.arms[1].workload)
    for name in {*spec.arms[0].env, *spec.arms[1].env}:
        if spec.arms[0].env.get(name) != spec.arms[1].env.get(name):
            changed[f"env:{name}"] = spec.arms[1].env.get(name)
    shown: dict[str, object] = {}
    hidden: list[Unmeasured] = []
    for field, value in changed.items():
        parts = ("env",) if field.startswith("env:") else FIELDS.get(field, ())
        differs = any(attrgetter(one)(before.recipe) != attrgetter(one)(after.recipe)
                      for one in parts)  # fmt: skip
        if field.startswith("env:"):
            name = field[4:]
            differs = before.recipe.env.get(name) != after.recipe.env.get(name)
        if field in after.refused or not differs:
            why = after.refused.get(field) or (
                NO_ROLE if not parts else "on this box it changes nothing in what runs"
            )
            hidden.append(Unmeasured(field=field, reason=why))
        else:
            shown[field] = value
    return shown, tuple(hidden)


def _notes(
    model: Model, full: Shape, shape: Shape, samples: Samples, divisor: int
) -> Iterator[str]:
    yield "Translated workload: the file's settings on random weights and synthetic samples."
    if shape != full:
        yield (
            f"Model scaled from {model.name} to fit the box: hidden {full.hidden:,} to "
            f"{shape.hidden:,}, layers {full.layers} to {shape.layers}, MLP {full.mlp:,} to "
            f"{shape.mlp:,}, vocabulary {full.vocab:,} to {shape.vocab:,}."
        )
    if divisor > 1:
        yield f"All token lengths are divided by {divisor}."
    if samples.origin == "assumed":
        yield f"Token lengths are assumed: {samples.p50} at the median, {samples.p95} at 95%."
    if model.experts:
        yield "The mixture of experts runs as a dense model of its active width."
    if model.mla is not None:
        yield "Latent attention runs as plain attention with the same heads."
    if model.norm != "rms":
        yield "Layer norms run as RMS norms."
    yield "Tokenizing, checkpoints and evaluation are not part of a measured step."
