"""Diffs are judged by git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workload.dialects import Change
from workload.diff import unified_diff
from workload.git_delta import Replacement, make_delta
from workload.source import SourceText
from workload.splice.replace import apply_changes, order_changes


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def applied(folder: Path, source: SourceText, diff: str) -> bytes:
    path = folder / source.name
    path.write_bytes(source.encode())
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, cwd=folder, input=diff.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + diff
    result = path.read_bytes()
    path.unlink()
    return result


def check(
    folder: Path, source: SourceText, changes: list[Change], secret: frozenset[int] = frozenset()
) -> str:
    ordered = order_changes(changes)
    after = apply_changes(source, ordered)
    diff = unified_diff(source, after, ordered, secret)
    assert applied(folder, source, diff) == after.encode()
    for line in secret:
        assert source.line_text(line) not in diff
    return diff


def line_change(source: SourceText, line: int, text: str | None) -> Change:
    """Replace a whole 1-based line; None removes it."""
    start = source.line_starts[line - 1]
    end = source.line_starts[line] if line < len(source.line_starts) else len(source.text)
    if text is None:
        return Change(start, end, "")
    return Change(start, start + len(source.line_text(line)), text)


TEXT = "".join(f"key_{number}: {number}\n" for number in range(1, 13))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("line", [1, 2, 6, 11, 12])
@pytest.mark.parametrize("text", ["key: changed", None])
def test_a_changed_line_applies(
    repository: Path, newline: str, bom: bool, ended: bool, line: int, text: str | None
) -> None:
    body = TEXT.replace("\n", newline)
    source = SourceText("run.yml", body if ended else body.removesuffix(newline), bom)
    check(repository, source, [line_change(source, line, text)])


@pytest.mark.parametrize("bom", [False, True])
def test_added_lines_apply_at_start_middle_and_end(repository: Path, bom: bool) -> None:
    source = SourceText("run.yml", TEXT, bom)
    middle = source.line_starts[5]
    check(repository, source, [Change(0, 0, "new: 1\n")])
    check(repository, source, [Change(middle, middle, "new: 1\n")])
    check(repository, source, [Change(len(TEXT), len(TEXT), "new: 1\n")])
    bare = SourceText("run.yml", TEXT.rstrip(), bom)
    end = len(bare.text)
    diff = check(repository, bare, [Change(end, end, "\nnew: 1")])
    assert diff.count("\\ No newline at end of file") == 2


def test_far_changes_are_hunks_of_their_own(repository: Path) -> None:
    source = SourceText("run.yml", TEXT)
    near = [line_change(source, 2, "a: 1"), line_change(source, 4, "b: 2")]
    far = [line_change(source, 2, "a: 1"), line_change(source, 11, None)]
    assert check(repository, source, near).count("@@ -") == 1
    assert check(repository, source, far).count("@@ -") == 2


@pytest.mark.parametrize("name", ["a b.yml", "größe.yml", 'quo"te.yml', "back\\slash.yml"])
def test_unusual_names_apply(repository: Path, name: str) -> None:
    source = SourceText(name, TEXT)
    check(repository, source, [line_change(source, 3, "a: 1")])
    check(repository, source, [line_change(source, 3, "a: 1")], frozenset({4}))


SECRET = "hub_token: hf_" + "Q7" * 14


def with_secret(line: int) -> SourceText:
    lines = TEXT.splitlines()
    return SourceText("run.yml", "\n".join([*lines[: line - 1], SECRET, *lines[line:]]) + "\n")


@pytest.mark.parametrize(
    ("secret", "line"), [(a, b) for a in range(1, 13) for b in (1, 2, 6, 11, 12) if a != b]
)
def test_no_line_with_a_secret_is_shown_and_the_diff_applies(
    repository: Path, secret: int, line: int
) -> None:
    source = with_secret(secret)
    diff = check(repository, source, [line_change(source, line, "other: 1")], frozenset({secret}))
    assert "hf_" not in diff
    assert "other: 1" in diff


def test_changes_on_both_sides_of_a_secret_apply(repository: Path) -> None:
    source = with_secret(6)
    both = [line_change(source, 5, "a: 1"), line_change(source, 7, None)]
    assert "hf_" not in check(repository, source, both, frozenset({6}))
    apart = [line_change(source, 4, "a: 1"), line_change(source, 8, "b: 2")]
    diff = check(repository, source, apart, frozenset({6}))
    assert "binary" not in diff


def test_another_encoding_applies(repository: Path) -> None:
    source = SourceText("run.yml", TEXT, True, "utf-16-le")
    check(repository, source, [line_change(source, 3, "a: größer")])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_set_of_line_edits_applies(repository: Path, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    body = newline.join(f"row<{n}>" for n in range(count)) + data.draw(
        st.sampled_from([newline, ""])
    )
    source = SourceText("run.yml", body, data.draw(st.booleans()))
    total = source.line_count
    hidden = data.draw(st.frozensets(st.integers(1, total), max_size=2))
    rows = data.draw(st.lists(st.integers(1, total), unique=True, max_size=4))
    changes = []
    for row in rows:
        if row in hidden:
            continue
        kind = data.draw(st.sampled_from(["set", "remove", "add"]))
        if kind == "add" and source.text[source.line_starts[row - 1] :].count("\n"):
            at = source.text.index("\n", source.line_starts[row - 1]) + 1
            changes.append(Change(at, at, "added" + newline))
        else:
            changes.append(line_change(source, row, "set" if kind == "set" else None))
    if changes:
        check(repository, source, changes, hidden)


def test_a_delta_copies_what_stays() -> None:
    delta = make_delta(70_000, 70_003, [Replacement(65_000, 65_001, b"four")])
    assert b"four" in delta
    assert len(delta) < 30
