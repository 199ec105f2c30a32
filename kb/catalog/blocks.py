"""Cuts a catalogue file into blocks, so that only the entry asked for is parsed as YAML.

The files stay valid YAML as a whole; a test parses them whole and compares. Parsing all cards costs
9 ms of the start-up budget, one card 0.2 ms.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from audit.records.base import Json

FOLDER = Path(__file__).parent


def read_blocks(name: str) -> dict[str, str]:
    """Top-level key -> text of its block, comments left out, in file order."""
    blocks: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith(" "):
            key = line.split(": ", 1)[0].rstrip(":").strip("'\"")
            current = blocks.setdefault(key, [])
        current.append(line)
    return {key: "\n".join(lines) for key, lines in blocks.items()}


def parse_block(text: str) -> dict[str, Json]:
    """The mapping under the one key of a block."""
    found: dict[str, dict[str, Json]] = yaml.CSafeLoader(text).get_single_data()
    return next(iter(found.values()))
