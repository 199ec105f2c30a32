"""What docs/agents.md shows works as written, against a running app."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.serving import ROOT, serve

PAGE = (ROOT / "docs" / "agents.md").read_text()
HOME = "http://127.0.0.1:7860"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_examples_run_as_they_stand(tmp_path: Path) -> None:
    with serve(tmp_path) as app:
        patch = tmp_path / "goblin.patch"
        code = block("python").replace(HOME, app.url).replace("/tmp/goblin.patch", str(patch))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "faster projected" in done.stdout
        assert "critical 29 The run stops at start-up" in done.stdout
        assert patch.read_text().startswith("--- a/train.yml")
        address = json.loads(block("json"))["mcpServers"]["gpu-goblin"]["url"]
        asked = f"{address.replace(HOME, app.url)}schema"
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert {tool["name"] for tool in json.load(answer)} >= {"audit", "compare"}


@pytest.mark.parametrize("page", ["space.md", "laptop.md", "gpu-box.md"])
def test_every_variable_that_a_page_names_is_read(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    read = (ROOT / "agent" / "settings.py").read_text()
    for name in set(re.findall(r"GOBLIN_[A-Z_]+", text)):
        stem = re.sub(r"GOBLIN_SPACE_(?:DAILY|VISITOR)_(?:TOKENS|USD)", "GOBLIN_SPACE_", name)
        assert stem in read, f"{page}: {name}"
