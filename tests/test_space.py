"""What a Hugging Face Space reads of this repository: the front matter, and what it installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
KNOWN = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file",
    "fullWidth", "header", "short_description", "license", "tags", "models", "datasets",
    "thumbnail", "pinned", "hf_oauth", "hf_oauth_scopes", "hf_oauth_expiration_minutes",
    "suggested_hardware", "startup_duration_timeout", "preload_from_hub", "disable_embedding",
    "custom_headers",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def front_matter() -> dict[str, object]:
    text = (ROOT / "README.md").read_text()
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert found, "README.md begins with the Space's settings"
    return dict(yaml.safe_load(found[1]))


def test_the_front_matter_is_what_a_space_takes() -> None:
    front = front_matter()
    assert set(front) <= KNOWN
    assert front["sdk"] == "gradio"
    assert (ROOT / str(front["app_file"])).is_file()
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert len(str(front["short_description"])) <= 60
    assert front["license"] == "apache-2.0"
    assert front.get("header", "default") in ("mini", "default")


def test_its_versions_are_those_that_are_tested_and_required() -> None:
    front = front_matter()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = tuple(map(int, str(front["python_version"]).split(".")[:2]))
    assert project["requires-python"] == ">=3.11,<3.14"
    assert (3, 11) <= python < (3, 14)
    required = (ROOT / "requirements.txt").read_text()
    least = re.search(r"^gradio(?:\[\w+\])?>=([\d.]+),<7$", required, re.MULTILINE)
    assert least
    assert str(front["sdk_version"]).startswith(least[1])


def test_sign_in_asks_for_no_more_than_inference() -> None:
    front = front_matter()
    if "hf_oauth" in front:
        assert front["hf_oauth"] is True
        assert front.get("hf_oauth_scopes") == ["inference-api"]


def test_nothing_is_asked_of_the_machine() -> None:
    for name in ("packages.txt", "pre-requirements.txt", "Dockerfile"):
        assert not (ROOT / name).exists(), f"{name}: a Space needs none"
