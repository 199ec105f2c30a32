"""The options of a launch line as a YAML document that a framework's key table reads.

Options and config keys of a framework are the same dataclass fields, so one table serves both. The
document holds one line per option, in their order; a map leads from its lines back to the options.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.records.base import Json
from workload.dialects.launch_line import Flag
from workload.source import SourceText

UNKNOWN = "__unknown__"
"""What stands in the document for a value that only a run would tell."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MAX_FLAGS = 2_000


@dataclass
class LaunchDocument:
    """The document and its map."""

    source: SourceText
    lines: dict[int, Flag] = field(default_factory=dict)
    """1-based line -> option."""
    paths: dict[str, Flag] = field(default_factory=dict)
    """Dotted key -> option, the last of several."""
    unknown: set[int] = field(default_factory=set)
    """Lines whose value is not known."""
    repeated: tuple[Flag, ...] = ()
    """Options that a later one of the same name overrides."""


def make_document(
    name: str, flags: Sequence[Flag], *, nested: bool, leave_out_unknown: bool = False
) -> LaunchDocument:
    """The document of some options.

    Args:
        name: the launcher's file name.
        flags: the options, in their order.
        nested: dots in names are blocks inside blocks.
        leave_out_unknown: as if options of unknown value were not given.
    """
    last: dict[str, Flag] = {}
    repeated: list[Flag] = []
    for flag in flags[:MAX_FLAGS]:
        if flag.name in last:
            repeated.append(last.pop(flag.name))
        last[flag.name] = flag
    last = {key: flag for key, flag in last.items() if flag.sign != "~"}
    made = LaunchDocument(SourceText(name, ""), repeated=tuple(repeated))
    tree: dict[str, Any] = {}
    for path, flag in last.items():
        if leave_out_unknown and is_unknown(flag):
            continue
        made.paths[path] = flag
        _put(tree, path.split(".") if nested else [path], flag)
    text: list[str] = []
    _write(tree, 0, text, made)
    made.source = SourceText(name, "".join(text) or "{}\n")
    return made


def is_unknown(flag: Flag) -> bool:
    """Whether only a run would tell the option's value."""
    return any(value.text is None for value in flag.values)


def flag_value(flag: Flag) -> Json:
    """The value of an option: true for a bare one, a list for several."""
    if not flag.values:
        return True
    if is_unknown(flag):
        return UNKNOWN
    texts = [value.text or "" for value in flag.values]
    if len(texts) > 1:
        return [typed(text) for text in texts]
    return typed(texts[0], lists=flag.assigned)


def typed(text: str, *, lists: bool = False) -> Json:
    """The value that a text on the command line stands for."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if lists and text.lower() in ("null", "none"):
        return None
    if _NUMBER.fullmatch(text) and len(text) < 40:
        return int(text) if re.fullmatch(r"[-+]?\d{1,18}", text) else float(text)
    if text[:1] in "{[":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            if lists and text.startswith("[") and text.endswith("]"):
                parts = [part.strip().strip("'\"") for part in text[1:-1].split(",")]
                return [part for part in parts if part]
    return text


def _put(tree: dict[str, Any], steps: list[str], flag: Flag) -> None:
    for step in steps[:-1]:
        inner = tree.get(step)
        if not isinstance(inner, dict):
            inner = tree[step] = {}
        tree = inner
    tree[steps[-1]] = flag


def _write(tree: dict[str, Any], depth: int, text: list[str], made: LaunchDocument) -> None:
    for key, held in tree.items():
        shown = key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else json.dumps(key)
        if isinstance(held, dict):
            text.append(f"{'  ' * depth}{shown}:\n")
            _write(held, depth + 1, text, made)
            continue
        value = flag_value(held)
        written = json.dumps(value, ensure_ascii=True)
        text.append(f"{'  ' * depth}{shown}: {written}\n")
        made.lines[len(text)] = held
        if is_unknown(held):
            made.unknown.add(len(text))


def changed_paths(before: dict[str, Json], after: dict[str, Json]) -> dict[str, Json | None]:
    """Dotted key -> its new value, of the keys that differ; None where it is gone."""
    found: dict[str, Json | None] = {}
    for path in (*before, *after):
        if before.get(path) != after.get(path) or (path in before) != (path in after):
            found[path] = after.get(path)
    return found


def names_of(flags: Iterable[Flag]) -> frozenset[str]:
    """The names of some options."""
    return frozenset(flag.name for flag in flags)
