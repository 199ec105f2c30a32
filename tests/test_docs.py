"""What the documentation tells people to type works as it is written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\$ )?(python -m agent [^|\n]*)", re.M)


def commands() -> list[str]:
    blocks = "\n".join(
        block
        for page in PAGES
        for block in re.findall(r"```(?:console)?\n(.*?)```", page.read_text(), re.S)
    )
    return sorted({line.strip() for line in COMMAND.findall(blocks) if "config.yml" not in line})


@pytest.mark.parametrize("line", commands())
def test_a_documented_command_runs(line: str) -> None:
    words = shlex.split(line)
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


INSIDE = {"GOBLIN_MARK", "GOBLIN_PAYLOAD", "GOBLIN_PINS", "GOBLIN_SPACE"}
"""Set by us for our own worker on a rented machine; the start of several names."""


def test_every_variable_that_the_code_names_is_in_the_table() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    table = set(re.findall(r"`(GOBLIN_[A-Z_]+)`", page.partition("## Environment")[2]))
    code = [ROOT / "app.py"]
    for room in ("agent", "audit", "kb", "runner", "ui", "workload"):
        code += sorted((ROOT / room).rglob("*.py"))
    named = {name for path in code for name in re.findall(r"GOBLIN_[A-Z_]*[A-Z]", path.read_text())}
    assert len(named) > 20
    assert named - INSIDE == table


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
