"""The state of a walk through a script: names in scope, what was made, and when training starts."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workload.dialects.script_names import well_known
from workload.dialects.script_values import (
    Items,
    Key,
    Known,
    Local,
    Memory,
    Option,
    Overlay,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
)
from workload.source import GivenOption

_BUILTINS = frozenset(dir(builtins))
MAX_STEPS = 60_000
"""Expressions read before calls of the script's own functions are no longer followed: what keeps
functions that call each other in a fan from taking for ever. A long real script has 10,000."""
MAX_RETURNS = 30
"""Returns of one function that are kept apart; one with more gives nothing known back."""
MAX_MADE = 200
"""Configs, trainers, adapters, models or parts of a loop that are told apart."""
MAX_RUNS = 12
"""Training runs of one script that are told apart."""
MAX_CALLS = 12
"""Calls of own functions inside each other that are followed."""


@dataclass
class Exits:
    """The returns of one function: what each gives back, and all that was written before it.

    Args:
        depth: `memory.depth` just inside the function.
    """

    depth: int
    values: list[Value] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    unkept: set[Key] = field(default_factory=set)
    """What was written before the returns that are too many to keep."""

    def add(self, memory: Memory, value: Value) -> None:
        """A return is reached."""
        written = memory.written_since(self.depth)
        if len(self.values) < MAX_RETURNS:
            self.values.append(value)
            self.overlays.append(written)
        else:
            self.unkept.update(written)


@dataclass(frozen=True)
class Moment:
    """What a script had made when training started (or when it ended without training)."""

    trainer: Thing | None
    held: dict[int, dict[str, Slot]]
    """Entries of every object that the trainer, a config or a model led to, by owner."""
    env: dict[str, Slot]
    symbols: dict[str, Slot]
    """Attributes set on imported things: `torch.backends.cuda.matmul.allow_tf32`."""
    loose: dict[str, Slot]
    """What was set on an object that could not be followed: `use_cache`, `pad_token`."""
    models: tuple[Thing, ...]
    datasets: tuple[Slot, ...]
    line: int | None


@dataclass
class Loop:
    """The parts of the loops of one script, in the order in which they are made."""

    parts: list[Thing] = field(default_factory=list)
    backward: list[ast.Call] = field(default_factory=list)
    moment: Moment | None = None
    """What had been made when the first backward pass is reached."""
    enclosing: dict[ast.stmt, Slot | None] = field(default_factory=dict)
    """Loops around the backward pass, innermost first, with what they go over where it is shown."""
    accumulation: list[Slot] = field(default_factory=list)
    """N of `if step % N == 0: optimizer.step()`."""
    models: list[Thing] = field(default_factory=list)
    """Models that were wrapped or prepared for training."""
    casts: list[ast.Call] = field(default_factory=list)
    """`.half()` or `.bfloat16()` on something that is not followed."""

    def of(self, role: str) -> list[Thing]:
        """The parts of a role, each call once."""
        found = {id(one.node): one for one in self.parts if one.name.split(" ")[0] == role}
        return list(found.values())


@dataclass
class Scene:
    """One walk.

    Args:
        call: evaluates a call expression at a depth (`script_calls`).
        enter: calls a function of the script and gives what it returns (`script_walk`).
    """

    call: Callable[[Scene, ast.Call, int], Value]
    enter: Callable[[Scene, Local, Arguments, ast.Call], Value]
    file: str = ""
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))
    memory: Memory = field(default_factory=Memory)
    scopes: tuple[int, ...] = ()
    statement: ast.stmt | None = None
    steps: int = 0
    repeating: bool = False
    """In a further pass of a loop: what is made there was noted in the first."""
    calls: tuple[ast.AST, ...] = ()
    exits: Exits | None = None
    """Returns of the function being walked."""
    entered: set[ast.AST] = field(default_factory=set)
    functions: list[Local] = field(default_factory=list)
    class_scopes: dict[int, Local] = field(default_factory=dict)
    class_of: dict[int, Local] = field(default_factory=dict)
    """Class of an instance, by the owner of its attributes."""
    methods: dict[ast.AST, Thing] = field(default_factory=dict)
    stored: Counter[str] | None = None
    """How often a module name is assigned; set once the module itself has been walked."""
    configs: list[Thing] = field(default_factory=list)
    trainers: list[Thing] = field(default_factory=list)
    adapters: list[Thing] = field(default_factory=list)
    models: list[Thing] = field(default_factory=list)
    datasets: list[Slot] = field(default_factory=list)
    tokenized: list[dict[str, Slot]] = field(default_factory=list)
    splits: list[Slot] = field(default_factory=list)
    open_branches: int = 0
    """Branches around here of which the text does not say whether they run."""
    doubtful: set[ast.AST] = field(default_factory=set)
    """Calls inside such branches."""
    loop: Loop = field(default_factory=Loop)
    given: Mapping[str, GivenOption] = field(default_factory=dict)
    """Options of the launch line that starts the script."""
    assumed: dict[str, int] = field(default_factory=dict)
    """Options whose default decided a condition, with the first line that asked."""
    kernels: list[ast.Call] = field(default_factory=list)
    """Calls that patch Liger kernels into a model class."""
    unimported: dict[str, int] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    """One per training run, in the order in which they start; those never started last."""

    def __post_init__(self) -> None:
        self.module = self.memory.new_scope()
        self.env = self.memory.new_thing("part", "os.environ", ast.Constant(None))
        self.symbols = self.memory.new_thing("part", "symbols", ast.Constant(None))
        self.loose = self.memory.new_thing("part", "loose", ast.Constant(None))
        self.scopes = (self.module,)

    def look_up(self, node: ast.Name) -> Value:
        """The value of a name here."""
        name = node.id
        for scope in reversed(self.scopes):
            slot = self.memory.get(scope, name)
            if slot is None:
                continue
            if scope == self.module and self.stored is not None and self.stored[name] > 1:
                return Unknown(node, f"{name} is assigned more than once")
            return slot.value
        if name == "__name__":  # before the builtins, which have one of their own
            return Known("__main__", node)
        dotted = well_known(name)
        if dotted:
            self.unimported.setdefault(name, node.lineno)
            return Symbol(dotted, node, imported=False)
        if name in _BUILTINS:
            return Symbol(f"builtins.{name}", node)
        return Unknown(node, f"{name} is not defined in this file")

    def bind(self, name: str, slot: Slot) -> None:
        """Gives a name of the innermost scope its value."""
        self.memory.put(self.scopes[-1], name, slot)

    def doubt(self, node: ast.AST) -> None:
        """Notes a call that may not be reached."""
        if self.open_branches:
            self.doubtful.add(node)

    def assume(self, option: Option | None, node: ast.expr) -> None:
        """A condition is decided by the default of an option."""
        if option is not None and option.place is None:
            self.assumed.setdefault(option.name, node.lineno)

    def start_training(self, trainer: Thing, node: ast.expr) -> None:
        """A trainer's `train` is called: what was made so far belongs to this run."""
        started = any(one.trainer and one.trainer.node is trainer.node for one in self.moments)
        if not started and len(self.moments) < MAX_RUNS:
            self.moments.append(self.freeze(trainer, node.lineno))

    def end(self) -> None:
        """The script ends: trainers that were made and not started are runs as well."""
        started = [one.trainer.node for one in self.moments if one.trainer]
        waiting = [one for one in self.trainers if one.node not in started]
        for trainer in waiting[: MAX_RUNS - len(self.moments)]:
            self.moments.append(self.freeze(trainer, None))
        if not self.moments:
            self.moments.append(self.freeze(None, None))

    def note(self, made: list[Thing], thing: Thing) -> None:
        """Keeps a thing among those the script makes."""
        if not self.repeating and len(made) < MAX_MADE:
            made.append(thing)

    def freeze(self, trainer: Thing | None, line: int | None) -> Moment:
        """Everything made so far, safe from what the script does later."""
        held: dict[int, dict[str, Slot]] = {}
        roots = [trainer, *self.trainers, *self.configs, *self.models]
        for root in roots:
            if root is not None:
                self._hold(root, held)
        memory = self.memory
        return Moment(
            trainer,
            held,
            memory.entries(self.env),
            memory.entries(self.symbols),
            memory.entries(self.loose),
            tuple(self.models),
            tuple(self.datasets),
            line,
        )

    def _hold(self, root: Thing, held: dict[int, dict[str, Slot]]) -> None:
        waiting: list[Value] = [root]
        seen: set[int] = set()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Items):
                waiting.extend(() if id(value) in seen else value.values)
                seen.add(id(value))
            elif isinstance(value, Thing) and value.owner not in held:
                held[value.owner] = entries = self.memory.entries(value)
                waiting.extend(slot.value for slot in entries.values())


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call, evaluated."""

    positional: tuple[Slot, ...]
    named: dict[str, Slot]
    open: Unknown | None
    """Set where `*list` or `**mapping` may add arguments that the text does not show."""

    def first(self, *names: str) -> Slot | None:
        """The first positional argument, or the named one."""
        if self.positional:
            return self.positional[0]
        return next((self.named[name] for name in names if name in self.named), None)
