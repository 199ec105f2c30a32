"""Splicing changes the value's characters and nothing else, and reads back as asked."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workload.dialects import CannotEdit
from workload.source import SourceText
from workload.splice.replace import apply_changes, order_changes
from workload.splice.yaml import (
    insert_key,
    insert_lines,
    remove_key,
    set_key_and_value,
    set_value,
)
from workload.splice.yaml_document import Document, Place


def document(text: str) -> Document:
    return Document(SourceText("run.yml", text), "pyyaml")


def place(found: Document, path: str) -> Place:
    at = found.place(path)
    assert at is not None, path
    return at


def after(found: Document, *changes: Any) -> str:
    return apply_changes(found.source, order_changes(changes)).text


def setting(text: str, path: str, value: Any) -> str:
    found = document(text)
    return after(found, set_value(found, place(found, path), value))


def removing(text: str, path: str) -> str:
    found = document(text)
    return after(found, remove_key(found, place(found, path)))


def inserting(text: str, path: str, value: Any, *beside: str) -> str:
    found = document(text)
    return after(found, insert_key(found, path, value, beside))


@pytest.mark.parametrize(
    ("text", "path", "value", "result"),
    [
        ("a: 1  # one\nb: 2\n", "a", 8, "a: 8  # one\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", "b", 0.5, "a: 1\r\nb: 0.5\r\n"),
        ("a: 'x'\n", "a", "it's", "a: 'it''s'\n"),
        ('a: "x"\n', "a", 'q"', 'a: "q\\""\n'),
        ('a: "2e-5"\n', "a", 1e-5, "a: 1.0e-05\n"),
        ("a: sdpa\n", "a", "no", 'a: "no"\n'),
        ("a: sdpa\n", "a", "x: y", 'a: "x: y"\n'),
        ("a:\nb: 2\n", "a", 1, "a: 1\nb: 2\n"),
        ("a: # why\nb: 2\n", "a", True, "a: true # why\nb: 2\n"),
        ("a:", "a", 1, "a: 1"),
        ("a: ~\n", "a", 1, "a: 1\n"),
        ("a: {b: 1, c: 2}\n", "a.c", 3, "a: {b: 1, c: 3}\n"),
        ("a:\n  b:\n    c: 1 # x\n", "a.b.c", None, "a:\n  b:\n    c: null # x\n"),
        ("a: |\n  one\n  two\nb: 2\n", "a", "z", "a: z\nb: 2\n"),
        ("a: one\n  two\nb: 2\n", "a", "z", "a: z\nb: 2\n"),
        ('{"a": 1, "b": "x"}', "b", "y z", '{"a": 1, "b": "y z"}'),
        ("? a\n: 1\nb: 2\n", "a", 5, "? a\n: 5\nb: 2\n"),
    ],
)
def test_a_value_is_replaced(text: str, path: str, value: Any, result: str) -> None:
    assert setting(text, path, value) == result


@pytest.mark.parametrize(
    ("text", "path", "result"),
    [
        ("a: 1\nb: 2 # two\nc: 3\n", "b", "a: 1\nc: 3\n"),
        ("a: 1\nb: 2", "b", "a: 1\n"),
        ("a: 1\r\nb:\r\n  - x\r\n  - y\r\n# note\r\nc: 3\r\n", "b", "a: 1\r\n# note\r\nc: 3\r\n"),
        ("a: 1\nb: |\n  one\n\n  two\n\nc: 3\n", "b", "a: 1\n\nc: 3\n"),
        ("a:\n  b: 1\n  c: 2\nd: 3\n", "a.b", "a:\n  c: 2\nd: 3\n"),
        ("a:\n  b: 1\nd: 3\n", "a.b", "d: 3\n"),
        ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
        ('{"a": 1,\n "b": 2}', "b", '{"a": 1}'),
        ("a:\nb: 2\n", "a", "b: 2\n"),
    ],
)
def test_a_key_is_removed_with_its_lines(text: str, path: str, result: str) -> None:
    assert removing(text, path) == result


@pytest.mark.parametrize(
    ("text", "path", "value", "beside", "result"),
    [
        ("a: 1 # x\nb: 2\n", "n", 3, ["a"], "a: 1 # x\nn: 3\nb: 2\n"),
        ("a: 1\nb: 2\n", "n", 3, ["zz"], "a: 1\nb: 2\nn: 3\n"),
        ("a: 1\nb: 2", "n", 3, [], "a: 1\nb: 2\nn: 3"),
        ("a: 1\r\nb: 2\r\n", "n", "x", ["a"], "a: 1\r\nn: x\r\nb: 2\r\n"),
        ("a:\n    b: 1\nc: 2\n", "a.n", True, [], "a:\n    b: 1\n    n: true\nc: 2\n"),
        ("a:\n  - x\n  # note\nb: 2\n", "n", 3, ["a"], "a:\n  - x\nn: 3\n  # note\nb: 2\n"),
        ("a: {b: 1}\n", "a.n", 3, [], "a: {b: 1, n: 3}\n"),
        ("a: {}\n", "a.n", 3, [], "a: {n: 3}\n"),
        ("a:\nc: 2\n", "a.n", 3, [], "a:\n  n: 3\nc: 2\n"),
        ("c: 2\nd: 1\n", "a.n", False, ["c"], "c: 2\na:\n  n: false\nd: 1\n"),
        ('{"a": 1}', "n", "x", [], '{"a": 1, "n": "x"}'),
        ('{\n  "a": 1\n}\n', "n", 2.5, [], '{\n  "a": 1,\n  "n": 2.5\n}\n'),
        ('{"a": 1}', "b.n", True, [], '{"a": 1, "b": {"n": true}}'),
    ],
)
def test_a_key_is_added_as_one_line(
    text: str, path: str, value: Any, beside: list[str], result: str
) -> None:
    assert inserting(text, path, value, *beside) == result


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x 1\nb: *x\n", "a"),
        ("a: &x 1\nb: *x\n", "b"),
        ("base: &x {c: 1}\nb:\n  <<: *x\n  d: 2\n", "b.c"),
        ("a: 1\na: 2\n", "a"),
        ("a: !!int 1\n", "a"),
        ("a: [1, 2]\n", "a"),
        ("a:\n  b: 1\n", "a"),
    ],
)
def test_what_other_places_share_is_not_touched(text: str, path: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        setting(text, path, 3)
    assert caught.value.advice


@pytest.mark.parametrize("path", ["a"])
def test_the_only_key_stays(path: str) -> None:
    with pytest.raises(CannotEdit):
        removing("a: 1\n", path)


def test_a_key_is_renamed_with_its_value() -> None:
    found = document("x: 1\nflash_attention: true  # fast\n")
    at = place(found, "flash_attention")
    changes = set_key_and_value(found, at, "attn_implementation", "sdpa")
    assert after(found, *changes) == "x: 1\nattn_implementation: sdpa  # fast\n"
    with pytest.raises(CannotEdit):
        set_key_and_value(found, at, "x", 1)


def test_several_lines_are_added_together() -> None:
    found = document("a: 1\nb: 2\n")
    change = insert_lines(found, ["p:", "  - q"], ("a",), "p")
    assert after(found, change) == "a: 1\np:\n  - q\nb: 2\n"


def test_overlapping_changes_are_refused() -> None:
    found = document("a: 1\nb: 2\n")
    at = place(found, "a")
    with pytest.raises(CannotEdit):
        order_changes([set_value(found, at, 5), remove_key(found, at)])
    assert len(order_changes([set_value(found, at, 5), set_value(found, at, 5)])) == 1


KEYS = st.sampled_from(["lr", "seed", "bf16", "optim", "block", "steps", "note"])
SCALARS = st.sampled_from(
    [
        "1",
        "2e-5",
        "0.1",
        "true",
        "no",
        "~",
        "",
        "sdpa",
        "'a b'",
        '"x # y"',
        "${a}",
        "größe \U0001f600",
    ]
)
FILLERS = st.sampled_from(["", "# note: 1", "  # indented", "\n"])


@st.composite
def files(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for key in draw(st.lists(KEYS, min_size=2, max_size=6, unique=True)):
        comment = draw(st.sampled_from(["", "  # why", " #"]))
        if draw(st.integers(0, 4)) == 0:
            lines += [f"{key}:{comment}", f"  inner: {draw(SCALARS)}", "  other: 2"]
        else:
            lines.append(f"{key}: {draw(SCALARS)}{comment}")
        lines += [filler for filler in [draw(FILLERS)] if filler]
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


VALUES = st.sampled_from([3, 0.5, 1e-5, True, False, "sdpa", "no", "a: b", "1e-5", None])


@settings(max_examples=200, deadline=None)
@given(text=files(), data=st.data())
def test_only_the_value_changes(text: str, data: st.DataObject) -> None:
    before = yaml.safe_load(text)
    found = document(text)
    scalars = [p for p in found.places() if not isinstance(before[p.path], dict)]
    assume(scalars)
    target = data.draw(st.sampled_from(scalars))
    value = data.draw(VALUES)
    change = set_value(found, target, value)
    result = after(found, change)
    assert result == text[: change.start] + change.text + text[change.end :]
    assert change.end <= len(text)
    assert yaml.safe_load(result) == {**before, target.path: value}


@settings(max_examples=150, deadline=None)
@given(text=files(), data=st.data())
def test_a_removed_key_takes_only_its_lines(text: str, data: st.DataObject) -> None:
    before = yaml.safe_load(text)
    found = document(text)
    target = data.draw(st.sampled_from(found.places()))
    change = remove_key(found, target)
    result = after(found, change)
    wanted = {key: value for key, value in before.items() if key != target.path}
    assert yaml.safe_load(result) == wanted
    gone = text[change.start : change.end]
    assert result == text[: change.start] + text[change.end :]
    assert change.start == 0 or text[change.start - 1] == "\n"
    assert gone.startswith(target.path)
    assert gone.endswith("\n") or change.end == len(text)
    assert "# note" not in gone


@settings(max_examples=150, deadline=None)
@given(text=files(), value=VALUES, beside=KEYS)
def test_an_added_key_adds_one_line(text: str, value: Any, beside: str) -> None:
    result = inserting(text, "added_key", value, beside)
    assert yaml.safe_load(result) == {**yaml.safe_load(text), "added_key": value}
    assert len(result.splitlines()) == len(text.splitlines()) + 1
    assert result.count("\r\n") - text.count("\r\n") in (0, 1)
    assert ("\r\n" in text) == ("\r\n" in result)
    assert result.endswith("\n") == text.endswith("\n")
