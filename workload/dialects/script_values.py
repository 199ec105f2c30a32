"""What an expression of a script is known to be, and the memory that holds it branch by branch.

The reader walks a script as Python would run it, without running it. A value is known only where
the text alone settles it; what two branches disagree on is unknown from there on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Option:
    """What may set a value when the script is started: a flag, or a variable of the shell."""

    name: str
    """`--batch_size`, or `$BATCH_SIZE`."""
    place: tuple[str, int] | None = None
    """File and line of a launch line that sets it; None: the script's own default holds."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number, string, boolean or None."""

    value: bool | int | float | str | None
    node: ast.expr
    """The expression that spells it: the literal, wherever a name led from."""
    option: Option | None = None
    """Set where this is a default that the start of the script may replace."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something imported, by its full dotted name: `torch.bfloat16`, `trl.SFTConfig`."""

    name: str
    node: ast.AST
    imported: bool = True
    """False for a well-known name that the text uses without importing it."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list, tuple or set display."""

    values: tuple[Value, ...]
    node: ast.expr


@dataclass(frozen=True, slots=True)
class Thing:
    """An object with entries in the `Memory`: a dict, or what a call made."""

    owner: int
    kind: str
    """dict, config, trainer, model, adapter, quantization, tokenizer, parser, data, part, own."""
    name: str
    """Class or method that made it: `SFTConfig`, `AutoModelForCausalLM`."""
    node: ast.expr
    keys: dict[str, None] = field(default_factory=dict, compare=False, repr=False)
    """Every entry ever written, in order; the memory says which hold."""
    merged: bool = False
    """Made of several that branches made; the text has no one place for it."""


@dataclass(frozen=True, slots=True)
class Local:
    """A function or class of the script itself."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    scopes: tuple[int, ...]
    owner: int = 0
    """Of a class: where its attributes are."""
    base: Symbol | None = None
    """Of a class: the imported class it extends."""
    bases: tuple[Local, ...] = ()
    """Of a class: the classes of the script that it extends."""
    open: bool = False
    """Of a class: it also extends one of another file."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that only running the script would tell."""

    node: ast.AST
    why: str
    choices: tuple[Known | Symbol | Items, ...] = ()
    """What it is one of, where branches that are all shown leave only these."""


Value = Known | Symbol | Items | Thing | Local | Unknown


class Slot(NamedTuple):
    """One entry: its value and where the text writes it."""

    value: Value
    site: ast.expr | None
    """The expression that stands there; None where branches were joined."""
    holder: ast.keyword | ast.stmt | ast.Dict | None = None
    """The keyword, statement or dict display that writes it."""
    within: ast.Call | None = None
    """The call that the keyword belongs to."""


Key = tuple[int, str]
Overlay = dict[Key, Slot | None]
MAX_MERGES = 500
"""Objects of two branches that are compared entry by entry; after that they are unknown."""
MAX_ENTRIES = 1000
MAX_COMPARED = 64
"""Elements of a list that is compared with another; a longer one equals only itself."""
ON_A_CONDITION = "depends on a condition"
MAX_CHOICES = 4
OPEN = "**"
"""Entry of a Thing that may have entries which the text does not show; its value is Unknown."""


class Memory:
    """Names and entries by owner, with one overlay for each branch that is being walked."""

    def __init__(self) -> None:
        self._born: dict[Key, Slot] = {}
        self._overlays: list[Overlay] = [{}]
        self._owners = 0
        self._merges = 0
        self._scopes: set[int] = set()
        self._kin: dict[int, list[Thing]] = {}

    def new_owner(self) -> int:
        """A new object."""
        self._owners += 1
        return self._owners

    def new_scope(self) -> int:
        """A new scope: its entries are names."""
        scope = self.new_owner()
        self._scopes.add(scope)
        return scope

    def new_thing(
        self, kind: str, name: str, node: ast.expr, entries: Iterable[tuple[str, Slot]] = ()
    ) -> Thing:
        """An object with its first entries; those hold in whatever branch it is met again."""
        thing = Thing(self.new_owner(), kind, name, node)
        for key, slot in entries:
            thing.keys[key] = None
            self._born[thing.owner, key] = slot
        return thing

    def get(self, owner: int, key: str) -> Slot | None:
        """What an entry holds now."""
        for overlay in reversed(self._overlays):
            if (owner, key) in overlay:
                return overlay[owner, key]
        return self._born.get((owner, key))

    def put(self, owner: int, key: str, slot: Slot | None) -> None:
        """Writes an entry in the branch being walked; None takes it away."""
        self._overlays[-1][owner, key] = slot

    def put_in(self, thing: Thing, key: str, slot: Slot | None) -> None:
        """Writes an entry of an object; of one with very many, the rest is not shown."""
        if len(thing.keys) >= MAX_ENTRIES and key not in thing.keys:
            key, slot = OPEN, Slot(Unknown(thing.node, "a long table of data"), None)
        thing.keys[key] = None
        self.put(thing.owner, key, slot)
        for kin in self._kin.get(thing.owner, ()):  # may be the same object
            kin.keys[key] = None
            why = Unknown(thing.node, "depends on a condition")
            self.put(kin.owner, key, Slot(why, None))

    def entries(self, thing: Thing) -> dict[str, Slot]:
        """The entries of an object that hold now, in the order of writing."""
        found = ((key, self.get(thing.owner, key)) for key in tuple(thing.keys))
        return {key: slot for key, slot in found if slot is not None}

    @property
    def depth(self) -> int:
        """Branches that are being walked inside each other."""
        return len(self._overlays)

    def written_since(self, depth: int) -> Overlay:
        """All writes of the branches from `depth` on, newest last."""
        written: Overlay = {}
        for overlay in self._overlays[depth - 1 :]:
            written.update(overlay)
        return written

    def fork(self) -> None:
        """Starts a branch."""
        self._overlays.append({})

    def leave(self) -> Overlay:
        """Ends a branch; its writes are given back and no longer seen."""
        return self._overlays.pop()

    def join(self, branches: Sequence[Overlay], node: ast.AST, since: int) -> set[Key]:
        """Keeps what all branches agree on; the rest is unknown at `node`.

        Args:
            branches: the writes of every branch that may have run; an empty one for "none did".
            node: where they part.
            since: `last_owner` before the first branch: later objects live in one branch only.

        Returns:
            The names and entries that hold something else than before.
        """
        keys = {key: None for branch in branches for key in branch}
        for key in [key for key in keys if key[0] > since]:
            self._overlays[-1][key] = next(branch[key] for branch in branches if key in branch)
        changed: set[Key] = set()
        older = [key for key in keys if key[0] <= since]
        for key in sorted(older, key=lambda key: key[0] in self._scopes):  # objects, then names
            before = self.get(*key)
            slots = [branch.get(key, before) for branch in branches]
            joined = self._joined(slots, node, key[0] in self._scopes)
            self._overlays[-1][key] = joined
            if not _alike(before, joined):
                changed.add(key)
        return changed

    def blur(self, keys: Iterable[Key], node: ast.AST) -> None:
        """Makes names and entries unknown."""
        for key in keys:
            self.put(*key, Slot(Unknown(node, "changes in a loop"), None))

    def _joined(self, slots: Sequence[Slot | None], node: ast.AST, name: bool) -> Slot | None:
        """One slot for several branches; a name that only some define can only be theirs."""
        there = [slot for slot in slots if slot is not None]
        if not there:
            return None
        if len(there) < len(slots) and not name:
            return Slot(Unknown(node, ON_A_CONDITION), None)
        if all(same(slot.value, there[0].value) for slot in there[1:]):
            return next((slot for slot in there if option_of(slot.value)), there[0])
        return Slot(self.merged([slot.value for slot in there], node), None)

    @property
    def last_owner(self) -> int:
        """The newest scope or object."""
        return self._owners

    def merged(self, values: Sequence[Value], node: ast.AST, depth: int = 0) -> Value:
        """One value for several: equal ones stay, objects of one class are merged by entry."""
        first = values[0]
        if all(same(value, first) for value in values[1:]):
            return next((value for value in values if option_of(value)), first)
        things = [value for value in values if isinstance(value, Thing)]
        alike = len({(thing.kind, thing.name) for thing in things}) == 1
        self._merges += 1
        if len(things) < len(values) or not alike or depth > 3 or self._merges > MAX_MERGES:
            return Unknown(node, ON_A_CONDITION, _choices(values))
        held = [self.entries(thing) for thing in things]
        entries: dict[str, Slot] = {}
        for key in {key: None for one in held for key in one}:
            slots = [one[key] for one in held if key in one]
            value: Value = Unknown(node, ON_A_CONDITION)
            if len(slots) == len(held):
                value = self.merged([slot.value for slot in slots], node, depth + 1)
            agreed = all(same(slot.value, slots[0].value) for slot in slots)
            site = slots[0].site if agreed and len(slots) == len(held) else None
            entries[key] = Slot(value, site if len({id(s.site) for s in slots}) == 1 else None)
        made = self.new_thing(things[0].kind, things[0].name, things[0].node, entries.items())
        made = replace(made, merged=True)
        for thing in things:
            self._kin.setdefault(thing.owner, []).append(made)
            self._kin.setdefault(made.owner, []).append(thing)
        return made


def option_of(value: Value) -> Option | None:
    """What may replace a value when the script is started; None where nothing can."""
    if isinstance(value, Known):
        return value.option
    if isinstance(value, Items) and len(value.values) <= MAX_COMPARED:
        found = (option_of(one) for one in value.values if isinstance(one, Known))
        return next((option for option in found if option is not None), None)
    return None


def optional(value: Value, option: Option | None) -> Value:
    """The same value as one that `option` may replace."""
    if option is None:
        return value
    if isinstance(value, Known) and value.option is None:
        return replace(value, option=option)
    if isinstance(value, Items):
        return replace(value, values=tuple(optional(one, option) for one in value.values))
    return value


def _choices(values: Sequence[Value]) -> tuple[Known | Symbol | Items, ...]:
    """The different values that branches leave; none where one of them is not known."""
    found: list[Known | Symbol | Items] = []
    for value in values:
        parts = value.choices if isinstance(value, Unknown) else (value,)
        if not parts:
            return ()
        for part in parts:
            if not isinstance(part, (Known, Symbol, Items)):
                return ()
            if not any(same(part, other) for other in found):
                found.append(part)
    return tuple(found) if len(found) <= MAX_CHOICES else ()


def _alike(one: Slot | None, other: Slot | None) -> bool:
    """Whether two slots hold the same, objects made by one call counting as one."""
    if one is None or other is None:
        return one is other
    if isinstance(one.value, Thing) and isinstance(other.value, Thing):
        return one.value.node is other.value.node
    if isinstance(one.value, Unknown) and isinstance(other.value, Unknown):
        return True
    return same(one.value, other.value)


def same(one: Value, other: Value, depth: int = 0) -> bool:
    """Whether two values are equal and, for objects, the same one."""
    if one is other:
        return True
    if isinstance(one, Known) and isinstance(other, Known):
        return type(one.value) is type(other.value) and one.value == other.value
    if isinstance(one, Symbol) and isinstance(other, Symbol):
        return one.name == other.name
    if isinstance(one, Items) and isinstance(other, Items):
        if len(one.values) != len(other.values) or len(one.values) > MAX_COMPARED or depth > 1:
            return False
        pairs = zip(one.values, other.values, strict=True)
        return all(same(mine, theirs, depth + 1) for mine, theirs in pairs)
    return one == other
