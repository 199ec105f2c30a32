"""Turns what a script wrote into fields, each with its origin, line and spelling."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.records.base import Json
from audit.records.workload import FieldValue, Notice, NoticeKind
from workload.dialects import NamedFile
from workload.dialects.defaults.hugging_face import Default
from workload.dialects.script_models import MODEL_NAME, SET_BY_CALLS
from workload.dialects.script_names import FROM_COMMAND_LINE
from workload.dialects.script_run import Run
from workload.dialects.script_spellings import ENUMERATIONS
from workload.dialects.script_values import (
    OPEN,
    Items,
    Known,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
    option_of,
)
from workload.normalise import SWITCHES, canonical, invalid_number
from workload.splice.python import PythonText

MAX_WRITTEN = 200
MAX_CHOICE = 60
"""Characters of a value that is told as one of several."""
NULL_IS_DEFAULT = frozenset(
    {"bf16", "model_load_dtype", "attn_implementation", "device_map", "use_kv_cache"}
)
"""Fields that a given `None` leaves to the framework, as if the keyword were not there."""
MAX_NESTED, MAX_PARTS, MAX_TEXT = 8, 2000, 2000
"""Depth, values and characters of a setting; what is larger is data."""
_FOLDED = (ast.JoinedStr, ast.Call, ast.BinOp)
NOT_PLAIN = object()


class Placed(NamedTuple):
    """Where a field stands in the script."""

    slot: Slot
    key: str
    direct: bool = True
    """The expression there is the field's value; else the value only follows from it."""


@dataclass
class ScriptReader:
    """Collects the fields of one run of a script."""

    run: Run
    python: PythonText
    file: str
    versions: Mapping[str, str]
    fields: dict[str, FieldValue] = field(default_factory=dict)
    placed: dict[str, Placed] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    entries: dict[str, Json] = field(default_factory=dict)
    named_files: list[NamedFile] = field(default_factory=list)

    def state(self, name: str, slot: Slot, key: str) -> None:
        """A field that the script writes; what only a run would tell is unknown."""
        self.placed[name] = Placed(slot, key)
        raw = plain(self.run, slot.value)
        if raw is None and name in NULL_IS_DEFAULT:
            self.fields.pop(name, None)
            return
        option = option_of(slot.value)
        if raw is NOT_PLAIN:
            self.unknown(name, slot, key)
            return
        if raw is None and option is not None:
            self.unknown(name, slot, key, FROM_COMMAND_LINE)
            return
        value = canonical(name, raw)
        problem = invalid_number(name, value)
        line = line_of(slot)
        if problem is not None:
            self.notice("note", f"{key} {problem}", line)
            self.unknown(name, slot, key, problem)
            return
        if value is None and name in SWITCHES:
            value = False
        written = self._written(slot) if value != raw or isinstance(slot.value, Symbol) else None
        self.fields[name] = self._said(value, slot, key, written)

    def state_value(self, name: str, value: Json, slot: Slot, key: str) -> None:
        """A field whose value follows from what stands at `slot`."""
        self.placed[name] = Placed(slot, key, direct=False)
        self.fields[name] = self._said(value, slot, key, None)

    def _said(self, value: Json, slot: Slot, key: str, written: str | None) -> FieldValue:
        """A value of the script; of an option, the default that a launch line may replace."""
        option, line = option_of(slot.value), line_of(slot)
        if option is None:
            return FieldValue(
                value=value, origin="stated", file=self.file, line=line, key=key, written=written
            )
        if option.place is not None:
            file, line = option.place
            return FieldValue(value=value, origin="stated", file=file, line=line, key=option.name)
        return FieldValue(
            value=value,
            origin="default",
            file=self.file,
            line=line,
            key=key,
            source=f"the script's own default of {option.name}",
        )

    def hide(self, name: str, slot: Slot, key: str) -> None:
        """A field that something at `slot` may set, which the text does not show."""
        self.unknown(name, slot, key)
        self.placed[name] = Placed(slot, key, direct=False)

    def unknown(self, name: str, slot: Slot, key: str, why: str | None = None) -> None:
        """A field that only a run would tell, with the line that says so."""
        self.placed[name] = Placed(slot, key)
        reason = self._reason(slot.value)
        self.fields[name] = FieldValue(
            value=None,
            origin="unknown",
            file=self.file,
            line=line_of(slot),
            key=key,
            written=self._written(slot),
            source=why or reason,
        )

    def _reason(self, value: Value) -> str:
        """Why a value is unknown; of one that branches decide, all that it may be."""
        if not isinstance(value, Unknown):
            return "not a plain value"
        told = []
        for choice in value.choices:
            shown = plain(self.run, choice)
            if shown is NOT_PLAIN or len(str(shown)) > MAX_CHOICE:
                return value.why
            line = getattr(choice.node, "lineno", None)
            told.append(f"{shown} (line {line})" if line else f"{shown}")
        return f"{value.why}: {' or '.join(told)}" if told else value.why

    def default(self, name: str, default: Default) -> None:
        """A field that the script leaves to its framework; one that is stated stays."""
        if name not in self.fields:
            value = canonical(name, default.value)
            self.fields[name] = FieldValue(value=value, origin="default", source=default.source)

    def derived(self, name: str, value: Json, source: str) -> None:
        """A field that follows from the script as a whole."""
        self.fields[name] = FieldValue(value=value, origin="derived", source=source)

    def assumed(self, name: str, value: Json, source: str) -> None:
        """A field that we assume, shown as such."""
        self.fields[name] = FieldValue(value=value, origin="assumed", source=source)

    def value(self, name: str) -> Json:
        """The value of a field read so far; None where it is absent or unknown."""
        found = self.fields.get(name)
        return None if found is None or found.origin == "unknown" else found.value

    def notice(self, kind: NoticeKind, message: str, line: int | None) -> None:
        """Something that the file's owner should know."""
        self.notices.append(Notice(kind=kind, message=message, file=self.file, line=line))

    def list_entries(self, thing: Thing | None, name: str) -> None:
        """Every entry of a call by its own key: what an edit may not touch by accident."""
        for keyword, slot in self.run.entries(thing).items():
            if keyword in SET_BY_CALLS:
                continue
            raw = plain(self.run, slot.value)
            if isinstance(slot.value, Thing) and raw is NOT_PLAIN:
                raw = slot.value.name  # its own entries are listed apart
            node = slot.value.node
            if isinstance(slot.value, Known) and isinstance(
                node, (ast.JoinedStr, ast.Call, ast.BinOp)
            ):
                raw = self.python.source_of(node)[:MAX_WRITTEN]  # follows from what is in it
            written = self._written(slot) if raw is NOT_PLAIN else raw
            self.entries[name if keyword == MODEL_NAME else f"{name}.{keyword}"] = written

    def _written(self, slot: Slot) -> str | None:
        node = slot.site
        if node is None or not hasattr(node, "end_lineno") or node.end_lineno is None:
            return None
        return self.python.source_of(node).split("\n", 1)[0][:MAX_WRITTEN]


def plain(run: Run, value: Value) -> Json:
    """A value as JSON; `NOT_PLAIN` where it is unknown, no setting, too large, or holds itself."""
    return _plain(run, value, [MAX_PARTS], 0)


def _plain(run: Run, value: Value, left: list[int], depth: int) -> Json:
    left[0] -= 1
    if left[0] < 0 or depth > MAX_NESTED:
        return NOT_PLAIN
    if isinstance(value, Known):
        long = isinstance(value.value, str) and len(value.value) > MAX_TEXT
        return NOT_PLAIN if long else value.value
    if isinstance(value, Symbol):
        return _symbol(value)
    if isinstance(value, Items):
        items: list[Json] = []
        for item in value.values:
            items.append(_plain(run, item, left, depth + 1))
            if items[-1] is NOT_PLAIN:
                return NOT_PLAIN
        return items
    if isinstance(value, Thing) and value.kind == "dict":
        return _plain_dict(run, value, left, depth)
    return NOT_PLAIN


def _plain_dict(run: Run, thing: Thing, left: list[int], depth: int) -> Json:
    entries: dict[str, Json] = {}
    for key, slot in run.entries(thing).items():
        entries[key] = NOT_PLAIN if key == OPEN else _plain(run, slot.value, left, depth + 1)
        if entries[key] is NOT_PLAIN:
            return NOT_PLAIN
    return entries


def _symbol(symbol: Symbol) -> Json:
    owner, _, name = symbol.name.rpartition(".")
    if owner == "torch":
        return name
    if owner.rpartition(".")[2] in ENUMERATIONS:
        return name.lower()
    return NOT_PLAIN


def is_null(slot: Slot) -> bool:
    """Whether None is written there."""
    return isinstance(slot.value, Known) and slot.value.value is None


def line_of(slot: Slot) -> int | None:
    """1-based line of a value: of its literal, wherever a name led from; else where it is used."""
    node: ast.AST | None = slot.value.node
    if isinstance(slot.value, (Symbol, Unknown)) or getattr(node, "lineno", None) is None:
        node = slot.site or node
    line = getattr(node, "lineno", None)
    return line if isinstance(line, int) else None
