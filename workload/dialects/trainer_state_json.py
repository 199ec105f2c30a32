"""What a Trainer's `trainer_state.json` tells: batch, speed and loss of a run. It is never edited.

Keys: transformers 5.23.0 trainer_callback.py `TrainerState`; the last entry of `log_history` holds
the speed (trainer_utils.py `speed_metrics`), TRL adds `num_tokens` to every entry. The figures are
the user's own log: stated, never measured by us.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from audit.records.base import Json
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.dialects import CannotEdit, Detection, Reading
from workload.normalise import invalid_number
from workload.source import SourceText
from workload.splice.json_document import json_keys, json_object
from workload.splice.json_tree import plain_json
from workload.splice.yaml_tree import Mapping as Block
from workload.splice.yaml_tree import Scalar

PLAIN = {
    "max_steps": "max_steps",
    "num_train_epochs": "num_epochs",
    "train_batch_size": "per_device_train_batch_size",
    "logging_steps": "logging_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
}
"""Key of the state -> field. Its train_batch_size is that of one process."""
RESULTS = frozenset({"train_runtime", "train_samples_per_second", "train_steps_per_second"})
"""The keys of train_results.json and all_results.json, which hold the last entry alone."""


class Log(NamedTuple):
    """What the history says of a whole run; None where it does not."""

    runtime: float | None
    """Seconds."""
    samples_per_s: float | None
    step_s: float | None
    steps: int | None
    """Optimizer steps that the state counted."""
    tokens: float | None
    """Tokens without padding, of all ranks together."""
    loss: float | None
    losses: tuple[float, ...]
    not_finite: int | None
    """The first step whose loss or gradient norm is no finite number."""


class TrainerState:
    """The dialect; fits `workload.dialects.Dialect`."""

    format = "trainer_state_json"
    framework = "hf"

    def detect(self, source: SourceText) -> Detection:
        """By `log_history` with the counters of a state. Raises InputError."""
        keys = json_keys(source)
        own = keys & {"log_history", "global_step", "max_steps", "total_flos", "epoch"}
        if "log_history" in own and len(own) > 1:
            return Detection(0.95, f"trainer state: {', '.join(sorted(own)[:3])}")
        if keys >= RESULTS:
            return Detection(0.9, "results of a Trainer's run: train_runtime")
        return Detection(0.0, "no trainer state")

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The figures of a run. Raises InputError."""
        root = json_object(source)
        state = plain_json(root)
        fields = {"framework": FieldValue(value="hf", origin="stated", file=source.name)}
        fields |= _plain_fields(source, root, state)
        log = read_log(state)
        fields |= _speed_fields(source, log)
        batch = _effective_batch(state, log)
        if batch is not None:
            why = "samples per step of the log, a multiple of its train_batch_size"
            fields["effective_batch"] = FieldValue(value=batch, origin="derived", source=why)
        notices = tuple(_notices(source, log))
        return Reading(fields=fields, versions={}, notices=notices)

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> NoReturn:
        """Never: raises CannotEdit."""
        reason = "the log of a run is evidence, not a training file"
        raise CannotEdit(reason, f"Set {edit.field} in the file that you train with")


def read_log(state: Mapping[str, Json]) -> Log:
    """The history of a state, summed up."""
    history = [row for row in state.get("log_history") or (state,) if isinstance(row, dict)]
    end = next((row for row in reversed(history) if "train_runtime" in row), {})
    losses = [_number(row.get("loss")) for row in history if "loss" in row]
    bad = (row for row in history if _is_not_finite(row))
    step = next((_number(row.get("step")) for row in bad), None)
    tokens = [_number(row.get("num_tokens")) for row in history if "num_tokens" in row]
    runtime = _positive(end.get("train_runtime"))
    counted = _positive(end.get("step")) or _positive(state.get("global_step"))
    rate = _positive(end.get("train_steps_per_second"))
    step_s = runtime / counted if runtime and counted else 1 / rate if rate else None
    return Log(
        runtime=runtime,
        samples_per_s=_positive(end.get("train_samples_per_second")),
        step_s=step_s,
        steps=int(counted) if counted else None,
        tokens=next((one for one in reversed(tokens) if one), None),
        loss=_number(end.get("train_loss")),
        losses=tuple(one for one in losses if one is not None),
        not_finite=None if step is None else int(step),
    )


def _plain_fields(source: SourceText, root: Block, state: Json) -> dict[str, FieldValue]:
    found: dict[str, FieldValue] = {}
    for entry in root.entries:
        key = entry.key.value if isinstance(entry.key, Scalar) else ""
        name, value = PLAIN.get(key), state.get(key)
        if name is None or value is None or invalid_number(name, value) is not None:
            continue
        line = source.line_of(entry.value.start)
        at: dict[str, Any] = {"file": source.name, "line": line, "key": key}
        found[name] = FieldValue(value=value, origin="stated", **at)
    return found


def _speed_fields(source: SourceText, log: Log) -> dict[str, FieldValue]:
    """step_s, samples_per_s, tokens_per_s and train_loss where the run came to its end."""
    if log.runtime is None:
        return {}
    values = {
        "step_s": log.step_s,
        "samples_per_s": log.samples_per_s,
        "tokens_per_s": log.tokens / log.runtime if log.tokens else None,
        "train_loss": log.loss,
    }
    match = re.search(r'"train_runtime"', source.text)
    at: dict[str, Any] = {
        "file": source.name,
        "line": source.line_of(match.start()) if match else None,
        "key": "log_history",
    }
    return {
        name: FieldValue(value=round(value, 6), origin="stated", **at)
        for name, value in values.items()
        if value is not None
    }


def _effective_batch(state: Mapping[str, Json], log: Log) -> int | None:
    """The one multiple of the per-process batch that fits samples and steps of an epoch."""
    micro, epochs = _positive(state.get("train_batch_size")), _positive(state.get("epoch"))
    if not (micro and epochs and log.runtime and log.samples_per_s and log.steps):
        return None
    samples, steps = log.samples_per_s * log.runtime / epochs, log.steps / epochs
    if steps <= 2:
        return None
    least, most = samples / steps * 0.999, samples / (steps - 1) * 1.001
    fitting = [
        number
        for number in range(max(1, math.floor(least / micro)), math.ceil(most / micro) + 1)
        if least <= number * micro <= most
    ]
    return int(fitting[0] * micro) if len(fitting) == 1 else None


def _notices(source: SourceText, log: Log) -> list[Notice]:
    said: list[str] = []
    if log.runtime is None:
        said.append("no speed in it: the state was saved before the run came to its end")
    elif log.step_s:
        over = f" over {log.steps:,} steps" if log.steps else ""
        rate = f", {log.samples_per_s:g} samples/s" if log.samples_per_s else ""
        tokens = f", {log.tokens / log.runtime:,.0f} tokens/s in all" if log.tokens else ""
        said.append(f"your log reports {log.step_s:.3g} s per step{over}{rate}{tokens}")
    if len(log.losses) > 1:
        first, last = log.losses[0], log.losses[-1]
        said.append(f"your log reports a loss from {first:.4g} to {last:.4g}")
    if log.not_finite is not None:
        said.append(f"loss or gradient norm is no finite number at step {log.not_finite:,}")
    return [Notice(kind="note", message=text, file=source.name) for text in said]


def _is_not_finite(row: Mapping[str, Json]) -> bool:
    values = (row.get("loss"), row.get("grad_norm"))
    return any(isinstance(value, float) and not math.isfinite(value) for value in values)


def _number(value: Json) -> float | None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else None


def _positive(value: Json) -> float | None:
    number = _number(value)
    return number if number and number > 0 else None


TRAINER_STATE = TrainerState()
