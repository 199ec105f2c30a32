"""The optimizer and the learning-rate schedule of a training loop of a script's own."""

from __future__ import annotations

import ast

from workload.dialects.class_paths import optimizer_name
from workload.dialects.defaults.hugging_face import Default
from workload.dialects.script_loop import ENGINE, OPTIMIZER, SCHEDULER, part_name
from workload.dialects.script_loop_parts import doubtful, label, parts, says, the_part
from workload.dialects.script_reader import ScriptReader, is_null
from workload.dialects.script_values import OPEN, Items, Known, Slot, Thing, Unknown

_KEYWORDS = {"lr": "learning_rate", "weight_decay": "weight_decay"}
_DECAY = {"torch.optim.AdamW": 0.01, "torch.optim.Adam": 0.0, "torch.optim.SGD": 0.0}
"""Default weight decay of optimizers (torch/optim/*.py); all of these have lr = 1e-3."""
_SCHEDULES = {
    "get_cosine_schedule_with_warmup": "cosine",
    "get_linear_schedule_with_warmup": "linear",
    "get_constant_schedule_with_warmup": "constant_with_warmup",
    "get_constant_schedule": "constant",
    "get_polynomial_decay_schedule_with_warmup": "polynomial",
    "get_cosine_with_hard_restarts_schedule_with_warmup": "cosine_with_restarts",
    "CosineAnnealingLR": "cosine",
    "LinearLR": "linear",
    "ConstantLR": "constant",
}
"""Functions of transformers and classes of torch.optim.lr_scheduler, by transformers' names."""


def read_optimizer(reader: ScriptReader) -> None:
    """Class, learning rate and weight decay of the only kind of optimizer that is made."""
    made = parts(reader, OPTIMIZER)
    if not made:
        return
    part = made[0]
    owner, dotted = label(reader, part), part_name(part)
    several = Slot(Unknown(part.node, "several optimizers are made"), part.node)
    unlike = several if len({part_name(one) for one in made}) > 1 else None
    open_ended = unlike or doubtful(reader, part)
    if open_ended is not None:
        for field in ("optimizer", *_KEYWORDS.values()):
            reader.hide(field, open_ended, owner)
        return
    name = optimizer_name(_known_path(dotted), fused=says(reader, part, "fused"))
    reader.state_value("optimizer", name, Slot(Known(name, part.node), part.node), owner)
    for keyword, field in _KEYWORDS.items():
        if len(made) > 1:
            reader.hide(field, several, owner)
        else:
            _setting(reader, part, keyword, field)


def _setting(reader: ScriptReader, part: Thing, keyword: str, field: str) -> None:
    """A keyword of the optimizer, the same of its first group of parameters, or the default."""
    entries, dotted, owner = reader.run.entries(part), part_name(part), label(reader, part)
    slot = _in_groups(reader, entries.get("params"), keyword) or entries.get(keyword)
    if slot is not None:
        reader.state(field, slot, f"{owner}.{keyword}")
    elif OPEN in entries:
        reader.hide(field, entries[OPEN], f"{owner}.**")
    elif dotted in _DECAY and not _may_be_groups(entries.get("params")):
        default = 1e-3 if keyword == "lr" else _DECAY[dotted]
        reader.default(field, Default(default, dotted))


def _known_path(dotted: str) -> str:
    """`torch.optim.AdamW` for `torch.optim.adamw.AdamW` and for transformers' own of old."""
    package, _, rest = dotted.partition(".")
    name = rest.rpartition(".")[2]
    if package == "transformers":
        return f"torch.optim.{name}" if name == "AdamW" else name
    return f"{package}.optim.{name}" if ".optim." in dotted else name


def _in_groups(reader: ScriptReader, slot: Slot | None, keyword: str) -> Slot | None:
    """The value that the first of several parameter groups has."""
    if slot is None or not isinstance(slot.value, Items) or not slot.value.values:
        return None
    first = slot.value.values[0]
    return reader.run.entries(first).get(keyword) if isinstance(first, Thing) else None


def _may_be_groups(slot: Slot | None) -> bool:
    """Whether the parameters may be groups with settings of their own that are not shown."""
    return slot is None or not (
        isinstance(slot.site, ast.Call)
        and isinstance(slot.site.func, ast.Attribute)
        and slot.site.func.attr in ("parameters", "trainable_parameters")
    )


def read_schedule(reader: ScriptReader) -> None:
    """The schedule by the name of its function or class, and its warm-up."""
    part = the_part(reader, SCHEDULER)
    if part is None:
        if parts(reader, SCHEDULER):
            node = parts(reader, SCHEDULER)[0].node
            slot = Slot(Unknown(node, "several schedules are made"), node)
            reader.hide("lr_scheduler", slot, "lr_scheduler")
        elif not parts(reader, ENGINE) and parts(reader, OPTIMIZER):
            reader.derived("lr_scheduler", "constant", "no schedule is made")
        return
    entries, dotted = reader.run.entries(part), part_name(part)
    last = dotted.rpartition(".")[2]
    if "name" in entries and last == "get_scheduler":
        reader.state("lr_scheduler", entries["name"], f"{last}.name")
    elif last in _SCHEDULES:
        slot = Slot(Known(last, part.node), part.node)
        reader.state_value("lr_scheduler", _SCHEDULES[last], slot, last)
    else:
        slot = Slot(Unknown(part.node, f"a schedule by {last}"), part.node)
        reader.hide("lr_scheduler", slot, last)
    if "num_warmup_steps" in entries and not is_null(entries["num_warmup_steps"]):
        reader.state("warmup_steps", entries["num_warmup_steps"], f"{last}.num_warmup_steps")
