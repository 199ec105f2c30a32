"""Which training run of a script is read: the first trainer that trains, and what it was given."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from audit.records.errors import InputError
from audit.records.workload import Notice
from workload.dialects.script_models import ADAPTER
from workload.dialects.script_names import HF_TRAINERS, UNSLOTH_LOADERS, task_of
from workload.dialects.script_scene import Moment, Scene
from workload.dialects.script_values import Known, Local, Slot, Thing, Unknown

MAX_SHOWN = 8
"""Options that a notice names."""


@dataclass(frozen=True)
class Run:
    """One training run: the trainer and all that it leads to, as of when training started."""

    scene: Scene
    moment: Moment
    trainer: Thing | None
    config: Thing | None
    config_unknown: Unknown | None
    """Set where the trainer's `args` come from somewhere that the text does not show."""
    model: Thing | None
    model_slot: Slot | None
    """The trainer's `model` argument, where it is a hub id or cannot be followed."""
    adapter: Slot | None
    """The PEFT config that is really used; its value may be unknown or None."""
    loop: str = ""
    """accelerate, deepspeed or torch, where the script trains in a loop of its own."""

    @property
    def config_class(self) -> str:
        """Class whose defaults hold: that of the config, else the one the trainer makes itself."""
        if self.config is not None:
            return self.config.name
        if self.trainer is None or self.trainer.name in HF_TRAINERS:
            return "TrainingArguments"
        return self.trainer.name.removesuffix("Trainer") + "Config"

    @property
    def framework(self) -> str:
        """`trl` where a class of TRL (or Unsloth, which patches it) trains, a loop's own, or hf."""
        if self.loop:
            return self.loop
        made = (self.trainer, self.config)
        names = [thing.name for thing in made if thing is not None]
        return "trl" if self.unsloth or any(task_of(name) for name in names) else "hf"

    @property
    def unsloth(self) -> bool:
        """Whether Unsloth loads the model."""
        return self.model is not None and self.model.name in UNSLOTH_LOADERS

    def entries(self, thing: Thing | None) -> dict[str, Slot]:
        """What an object held when training started."""
        if thing is None:
            return {}
        held = self.moment.held.get(thing.owner)
        return self.scene.memory.entries(thing) if held is None else held


def choose_run(scene: Scene, number: int = 0) -> Run | None:
    """The run to read; None where the script makes neither a trainer nor a config.

    Args:
        scene: the script.
        number: of the run, in the order of `list_runs`; 0: the first, or the reinforcement
            learning that supervised runs only prepare.

    Raises:
        InputError: the script has no run of this number; those it has are listed.
    """
    if number > len(scene.moments):
        several = len(scene.moments) > 1
        reason = f"the script has no training run {number}"
        runs = "; ".join(list_runs(scene))
        remedy = f"Choose one of: {runs}" if several else "Leave --trainer out: it has one"
        raise InputError(reason, file=scene.file, remedy=remedy)
    moment = scene.moments[number - 1] if number else _main_run(scene)
    if not (moment.trainer or scene.configs):
        return None
    trainer = moment.trainer
    given = moment.held.get(trainer.owner, {}) if trainer else {}
    config, config_unknown = _config(scene, trainer, given)
    model_slot = given.get("model")
    model = _model(scene, moment, given)
    adapter = given.get("peft_config")
    if model is not None and (adapter is None or _is_none(adapter)):
        held = moment.held.get(model.owner) or scene.memory.entries(model)
        adapter = held.get(ADAPTER, adapter)
    return Run(scene, moment, trainer, config, config_unknown, model, model_slot, adapter)


def _main_run(scene: Scene) -> Moment:
    """The first run; where supervised ones warm up for reinforcement learning, that one."""
    tasks = [task_of(one.trainer.name) if one.trainer else None for one in scene.moments]
    if tasks[0] == "sft":
        for moment, task in zip(scene.moments, tasks, strict=True):
            if task in _BY_GENERATION:
                return moment
    return scene.moments[0]


_BY_GENERATION = frozenset({"grpo", "rloo", "ppo", "online_dpo"})
"""Tasks whose trainer generates what it learns from."""


def choose_loop(scene: Scene) -> Run | None:
    """The training loop of a script's own; None where it has none, or a trainer trains."""
    loop = scene.loop
    trained = any(one.trainer is not None for one in scene.moments)
    engine, accelerator = loop.of("engine"), loop.of("accelerator")
    if trained or loop.moment is None or not (engine or accelerator or loop.of("optimizer")):
        return None
    models = loop.models or loop.moment.models or scene.models
    alone = len({id(model.node) for model in models}) == 1
    model = models[-1] if models and (alone or loop.models) else None
    adapter = None
    if model is not None:
        held = loop.moment.held.get(model.owner) or scene.memory.entries(model)
        adapter = held.get(ADAPTER)
    name = "deepspeed" if engine else "accelerate" if accelerator else "torch"
    return Run(scene, loop.moment, None, None, None, model, None, adapter, name)


def list_runs(scene: Scene) -> list[str]:
    """The training runs of a script as a person tells them apart, in the order of their numbers."""
    return [
        f"{number} {one.trainer.name} (line {one.trainer.node.lineno})"
        for number, one in enumerate(scene.moments, 1)
        if one.trainer is not None
    ]


def _config(
    scene: Scene, trainer: Thing | None, given: dict[str, Slot]
) -> tuple[Thing | None, Unknown | None]:
    if trainer is None:
        return scene.configs[0], None
    slot = given.get("args")
    if slot is None or _is_none(slot):
        return None, None
    if isinstance(slot.value, Thing) and slot.value.kind == "config":
        return slot.value, None
    why = slot.value.why if isinstance(slot.value, Unknown) else "not a config that is read"
    return None, Unknown(slot.site or slot.value.node, why)


def _is_none(slot: Slot) -> bool:
    return isinstance(slot.value, Known) and slot.value.value is None


def _model(scene: Scene, moment: Moment, given: dict[str, Slot]) -> Thing | None:
    """The model that is trained; the only one loaded where the trainer's cannot be followed."""
    slot = given.get("model")
    if slot is not None and isinstance(slot.value, Thing) and slot.value.kind == "model":
        if slot.value.name or len(moment.models) != 1:
            return slot.value
        return _with_adapter_of(scene, moment.models[0], slot.value)
    start = given.get("model_init")
    if start is not None and isinstance(start.value, Local):
        return _loaded_in(scene, start.value.node)
    if slot is None or isinstance(slot.value, Unknown):
        return moment.models[0] if len(moment.models) == 1 else None
    return None


def _with_adapter_of(scene: Scene, model: Thing, wrapped: Thing) -> Thing:
    """The only model loaded, with what was set on the wrapper that could not be followed."""
    entries = {**scene.memory.entries(model), **scene.memory.entries(wrapped)}
    entries.pop("**", None)
    return scene.memory.new_thing("model", model.name, model.node, entries.items())


def _loaded_in(scene: Scene, function: ast.stmt) -> Thing | None:
    end = function.end_lineno or function.lineno
    inside = [one for one in scene.models if function.lineno <= one.node.lineno <= end]
    return inside[0] if len(inside) == 1 else None


def other_notices(run: Run, file: str) -> list[Notice]:
    """What of the script is not read: further trainers and configs, adapters nobody uses."""
    found: list[Notice] = []

    def note(thing: Thing, text: str) -> None:
        line = thing.node.lineno
        found.append(Notice(kind="note", message=f"{thing.name} {text}", file=file, line=line))

    assumed = run.scene.assumed
    if assumed:
        shown = ", ".join(list(assumed)[:MAX_SHOWN]) + (" ..." if len(assumed) > MAX_SHOWN else "")
        message = (
            f"conditions are decided by the script's own defaults of {shown}: started with other "
            "values, other settings may hold"
        )
        line = min(assumed.values())
        found.append(Notice(kind="assumed", message=message, file=file, line=line))
    used = run.adapter.value if run.adapter else None
    others = len(run.scene.moments) - 1
    if others > 0 and run.trainer is not None:
        runs = "; ".join(list_runs(run.scene))
        message = (
            f"{others + 1} training runs are in this script: {runs}. Read is the one of line "
            f"{run.trainer.node.lineno}; choose another with --trainer N"
        )
        line = run.trainer.node.lineno
        found.append(Notice(kind="note", message=message, file=file, line=line))
    passed = [_passed(run, trainer) for trainer in run.scene.trainers]
    for config in run.scene.configs:
        if config is not run.config and not any(config == one for one in passed):
            note(config, "is not given to the trainer that is read")
    for adapter in run.scene.adapters:
        inside = [slot.value for slot in run.scene.memory.entries(adapter).values()]
        if run.trainer is not None and adapter != used and used not in inside:
            note(adapter, "is made but not used by the trainer that is read")
    return found


def _passed(run: Run, trainer: Thing) -> object:
    slot = run.entries(trainer).get("args")
    return slot.value if slot else None
