"""Reads our own YAML through a compiled copy, used only where the hash of the content agrees.

`python -m kb.kept` writes the copies, and only of what was checked whole: who gets one need not
check again. Parsing rules and sources takes 75 ms of CPU, reading their copy 3 ms. A copy that is
out of date is never used; a test says when to write them anew.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOM = Path(__file__).parent
COPIES = {"rules": ROOM / "compiled" / "rules.json", "facts": ROOM / "compiled" / "facts.json"}
"""Folder -> its copy; sources.yaml lies with the rules."""


class Content(NamedTuple):
    """What a file holds, and whether this very content was checked before."""

    value: Any
    checked: bool


def read_content(path: Path) -> Content:
    """The content of one of our own YAML files.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    data = path.read_bytes()
    held = _copies(_copy_of(path)).get(path.name) if ROOM in path.parents else None
    if held is not None and held[0] == _hash(data):
        return Content(held[1], checked=True)
    return Content(_parse(data), checked=False)


def compile_copies() -> dict[Path, str]:
    """The text of every copy as it should be."""
    found: dict[Path, dict[str, list[Any]]] = {copy: {} for copy in COPIES.values()}
    for path in sorted(
        [*ROOM.glob("rules/*.yaml"), *ROOM.glob("facts/*.yaml"), *ROOM.glob("*.yaml")]
    ):
        data = path.read_bytes()
        found[_copy_of(path)][path.name] = [_hash(data), _parse(data)]
    return {
        copy: json.dumps(held, separators=(",", ":"), ensure_ascii=False) + "\n"
        for copy, held in found.items()
    }


def _copy_of(path: Path) -> Path:
    return COPIES.get(path.parent.name, COPIES["rules"])


@cache
def _copies(copy: Path) -> dict[str, list[Any]]:
    try:
        held: dict[str, list[Any]] = json.loads(copy.read_bytes())
    except (OSError, ValueError):
        return {}
    return held


def _parse(data: bytes) -> Any:
    return yaml.load(data, Loader=yaml.CSafeLoader)  # noqa: TID251 (our own file)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Check everything, then write the copies."""
    from kb.factbook import load_facts
    from kb.rulebook import load_rules

    for rule in load_rules():
        rule.compile_all()
    load_facts()
    for copy, text in compile_copies().items():
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text)


if __name__ == "__main__":
    main()
