"""The house as the design draws it: who may import whom, what is heavy, how long a file may be."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.file_map import PACKAGES, ROOT, first_line, modules, render, written

LAYERS = ("audit.records", "workload", "kb", "runner", "agent", "ui", "app")
"""Ground floor first: a room may import what stands before it."""
EXTRA = {
    "audit.log": {"audit.records"},
    "audit.export": {"audit.records"},
    "workload": {"audit.log.redact"},
    "runner": {"kb.catalog"},
    "kb.catalog": {"audit.records"},
}
UI_ONLY = {"gradio", "plotly", "pandas"}
INSIDE_FUNCTIONS = {"anthropic", "huggingface_hub", "torch", "transformers", "numpy"}
TORCH_ROOM = ("runner", "worker", "host")
"""The process that holds torch: whatever else needs it asks that process."""
CALIBRATION = {"calibrate", "fit"}
"""Modules of runner/estimator that only `make calibrate` imports: numpy may stand at their top."""
MAX_LINES = 400
VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|managers?|misc)(_|$)")

SOURCES = modules()


def imports(path: Path, *, top_level: bool) -> set[str]:
    """Dotted names that a module imports; with `top_level` only those that run on import."""
    tree = ast.parse((ROOT / path).read_text())
    skip: set[int] = set()
    for node in ast.walk(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if (lazy and top_level) or (typing_only and top_level):
            skip |= {id(inner) for inner in ast.walk(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(name: str) -> str | None:
    """The room a dotted name belongs to."""
    for room in ("audit.records", "audit.log", "audit.export", *LAYERS[1:]):
        if name == room or name.startswith(room + "."):
            return room
    return None


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def allowed(source: str, target: str) -> bool:
    """Whether the module `source` may import the dotted name `target`."""
    room, other = layer(source), layer(target)
    if other is None or room == other:
        return True
    if room in ("audit.log", "audit.export"):
        return any(within(target, name) for name in EXTRA[room])
    if other in ("audit.log", "audit.export"):
        return LAYERS.index(room) >= LAYERS.index("agent") or any(
            within(target, name) or name.startswith(target + ".") for name in EXTRA.get(room, ())
        )
    if room == "runner" and other == "kb":
        return within(target, "kb.catalog") or target == "kb"
    return LAYERS.index(other) < LAYERS.index(room)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_run_one_way(path: Path) -> None:
    source = ".".join(path.with_suffix("").parts)
    wrong = {name for name in imports(path, top_level=False) if not allowed(source, name)}
    assert not wrong, f"{source} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_heavy_packages_stay_where_they_belong(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path, top_level=False)}
    if path.parts[0] not in ("ui", "app.py"):
        assert not roots & UI_ONLY, f"{path} imports {roots & UI_ONLY}: only ui/ may"
    at_start = {name.split(".")[0] for name in imports(path, top_level=True)}
    if path.parts[:3] == TORCH_ROOM:
        return
    calibration = path.parts[:2] == ("runner", "estimator") and path.stem in CALIBRATION
    if not calibration:
        assert not at_start & INSIDE_FUNCTIONS, f"{path}: import {at_start} inside the function"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_nobody_imports_the_room_of_torch(path: Path) -> None:
    room = ".".join(TORCH_ROOM)
    inside = path.parts[:3] == TORCH_ROOM
    assert inside or not any(within(name, room) for name in imports(path, top_level=False))


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_files_are_short_named_and_introduced(path: Path) -> None:
    lines = (ROOT / path).read_text().count("\n")
    assert lines <= MAX_LINES, f"{path} has {lines} lines: split it by idea"
    assert not VAGUE.search(path.stem), f"{path}: name the idea"
    if path.name != "__init__.py" or lines > 1:
        line = first_line(path)
        assert line.endswith((".", "?")), f"{path}: {line!r} is no sentence"
        assert len(line) <= 100, f"{path}: the first line of its docstring is too long"


def test_every_room_of_the_design_is_a_package() -> None:
    for package in PACKAGES:
        assert (ROOT / package / "__init__.py").is_file(), package
    assert len((ROOT / "app.py").read_text().splitlines()) <= 40


def test_first_lines_are_unique() -> None:
    lines = [first_line(path) for path in SOURCES if first_line(path)]
    assert len(set(lines)) == len(lines), "two modules say the same of themselves"


def test_readme_map_matches_the_disk() -> None:
    assert written() == render(), "the file map is stale: run `make fix`"


def test_no_machine_paths_or_vague_words_in_tracked_text() -> None:
    place = "/".join(["", "work", ""])
    for path in [*SOURCES, Path("README.md"), Path("Makefile"), Path(".ci/run")]:
        assert place not in (ROOT / path).read_text(), f"{path} names a machine path"


def test_requirements_and_pyproject_agree() -> None:
    tomllib = __import__("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        named |= set(extra)
    listed = {
        line.strip()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert named == listed


def test_python_is_one_the_project_supports() -> None:
    assert (3, 11) <= sys.version_info[:2] < (3, 14)
