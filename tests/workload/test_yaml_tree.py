"""Hostile and broken YAML: refused before anything is constructed, with a place and a remedy."""

from __future__ import annotations

import time

import pytest

from audit.records.errors import InputError
from workload.source import SourceText
from workload.splice.yaml_document import Document
from workload.splice.yaml_tree import read_tree


def refusal(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        Document(SourceText("run.yml", text), "pyyaml")
    assert caught.value.file == "run.yml"
    assert caught.value.remedy
    return caught.value


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{inner}]")
    return "\n".join(lines)


@pytest.mark.parametrize("levels", [6, 9, 12])
def test_an_alias_bomb_is_refused_at_once(levels: int) -> None:
    start = time.process_time()
    error = refusal(bomb(levels))
    assert "alias" in error.reason
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("text", ["[" * 100_000, "a:\n" + "- " * 5_000, "{a: " * 3_000])
def test_deep_nesting_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    assert "deeper" in refusal(text).reason
    assert time.process_time() - start < 1


def test_a_huge_file_is_refused_early() -> None:
    start = time.process_time()
    assert "20,000" in refusal("".join(f"k{n}: {n}\n" for n in range(60_000))).reason
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system ['true']", "!include other.yml", "!!binary aGk=", "!x y"],
)
def test_tags_beyond_the_core_are_refused(tag: str) -> None:
    error = refusal(f"base_model: x\nvalue: {tag}\n")
    assert "tag" in error.reason
    assert (error.line, error.column) == (2, 8)


def test_core_tags_and_anchors_are_read() -> None:
    text = "a: !!str 12\nb: &x {c: 1}\nd: *x\ne:\n  <<: *x\n  f: 2\n"
    document = Document(SourceText("run.yml", text), "pyyaml")
    assert document.plain(document.root) == {
        "a": "12",
        "b": {"c": 1},
        "d": {"c": 1},
        "e": {"c": 1, "f": 2},
    }


def test_an_alias_of_itself_is_refused() -> None:
    assert "itself" in refusal("a: &x [*x]\n").reason


@pytest.mark.parametrize(
    "text", ["model: {{ model }}\n", "a: {% if x %}\n", "{{ a }}: 1\n", "lr: {{lr}}\nb: 1\n"]
)
def test_a_template_is_named(text: str) -> None:
    error = refusal(text)
    assert "template" in error.reason
    assert error.line == 1


def test_a_quoted_template_is_text() -> None:
    document = Document(SourceText("x", 'chat_template: "{{ bos }}{% if x %}"\n'), "pyyaml")
    assert document.value("chat_template") == "{{ bos }}{% if x %}"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: 1\nb: 2: 3\n", 2, 5),
        ("a: 1\n  b: 2\n", 2, 4),
        ("a: [1, 2\nb: 3\n", 2, 2),
        ("a: 1\nb: 'open\nc: 2\n", 2, 4),
        ("a: 1\n\tb: 2\n", 2, 1),
        ("a:\n  - x\n - y\n", 3, 2),
    ],
)
def test_broken_yaml_has_line_and_column(text: str, line: int, column: int) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (line, column)


def test_tabs_are_named() -> None:
    assert "tab indents" in refusal("a:\n\t- b\n").reason
    assert "tab" in refusal("a: 1\t# note\n").reason


def test_several_documents_are_refused_at_the_second() -> None:
    error = refusal("a: 1\n---\nb: 2\n")
    assert "several" in error.reason
    assert error.line == 2


@pytest.mark.parametrize(
    ("text", "word"),
    [("# only a comment\n", "comments"), ("- a\n- b\n", "list"), ("true\n", "single value")],
)
def test_no_mapping_is_explained(text: str, word: str) -> None:
    assert word in refusal(text).reason


def test_a_number_of_absurd_length_is_refused() -> None:
    document = Document(SourceText("x", "seed: " + "9" * 5_000 + "\n"), "pyyaml")
    with pytest.raises(InputError, match="5,000 digits"):
        document.value("seed")


@pytest.mark.parametrize(
    "text", ["? [a, b]\n: 1\nc: 2\n", "~: 1\nc: 2\n", "1: x\nc: 2\n", "? c\n: 2\n"]
)
def test_odd_keys_do_not_break_reading(text: str) -> None:
    assert Document(SourceText("x", text), "pyyaml").value("c") == 2


def test_repeated_keys_follow_the_loader() -> None:
    source = SourceText("run.yml", "lora_r: 8\nlora_r: 16\n")
    document = Document(source, "pyyaml")
    assert document.value("lora_r") == 16
    assert [document.line(place) for place in document.repeated()] == [2]
    with pytest.raises(InputError, match="twice") as caught:
        Document(SourceText("run.yml", source.text), "omegaconf").value("lora_r")
    assert caught.value.line == 2


def test_positions_are_exact_beyond_ascii() -> None:
    text = "# größe \U0001f600\r\nname: 'würfel \U0001f3b2'\r\nlr: 2e-5 # \U0001f600\r\n"
    source = SourceText("x", text)
    document = Document(source, "pyyaml")
    place = document.place("lr")
    assert place is not None
    assert text[place.value.start : place.value.end] == "2e-5"
    assert document.line(place) == 3
    assert read_tree(source) is not None
