"""Builds the workload, profile and card that a rule's example describes; reads our files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from audit.records.profile import Fit, Profile
from audit.records.upload import Upload
from audit.records.workload import DataLengths, FieldValue, Workload
from kb.catalog.hardware import Hardware, find_hardware
from kb.rule import Example


class Case(NamedTuple):
    workload: Workload
    profile: Profile
    hardware: Hardware


def make_case(example: Example) -> Case:
    card = find_hardware(example.hardware)
    fields = {}
    for line, (name, value) in enumerate(example.fields.items(), start=1):
        key = example.keys.get(name, name.removeprefix("env:"))
        origin = "derived" if name in ("compute_dtype", "effective_batch") else "stated"
        fields[name] = FieldValue(value=value, origin=origin, file="train.yml", line=line, key=key)
    for name, value in example.defaults.items():
        fields[name] = FieldValue(value=value, origin="default", source="somewhere 1.0")
    workload = Workload(
        name="train.yml",
        format="example",
        framework=example.framework,
        files=(),
        fields=fields,
        versions=example.versions,
        versions_origin="stated" if example.versions_stated else "assumed",
        lengths=_lengths(example),
    )
    capacity = card.memory_gb or 1.0
    profile = Profile(
        workload=workload.fingerprint,
        hardware=card.id,
        gpus=example.gpus,
        nodes=example.nodes,
        provenance="projected",
        fit={
            name: Fit(peak_gb=share * capacity * 0.9, high_gb=share * capacity, share=share)
            for name, share in example.fit.items()
        },
        micro_batch_max=example.micro_batch_max,
        padding_efficiency=example.padding_efficiency,
    )
    return Case(workload, profile, card)


def _lengths(example: Example) -> DataLengths | None:
    if example.lengths is None:
        return None
    p50, p95, longest = example.lengths
    return DataLengths(p50=p50, p95=p95, max=longest, origin="stated", source="--lengths")


def upload(path: Path) -> Upload:
    """A file of ours as uploaded; scripts lie as `.py.txt`, so that no tool takes them for code."""
    return Upload(path.name.removesuffix(".txt"), path.read_bytes())
