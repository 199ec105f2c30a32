"""docs/formats.md names every format that is read, and its generated parts are fresh."""

from __future__ import annotations

import re

import pytest

from tests.formats_page import ACCURACY, PAGE, part, render, sections
from workload.detect import detect_dialect
from workload.dialects import DIALECTS
from workload.source import SourceText


def test_every_format_has_its_section() -> None:
    assert sections(PAGE.read_text()) == set(DIALECTS)


def test_the_lists_of_fields_are_fresh() -> None:
    text = PAGE.read_text()
    assert render(text) == text, "run: python -m tests.formats_page"


def test_the_table_of_accuracy_is_dated_and_names_formats_that_are_read() -> None:
    table = part(PAGE.read_text(), ACCURACY)
    assert re.search(r"Measured on \d{4}-\d\d-\d\d\.", table)
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) <= set(DIALECTS)


@pytest.mark.parametrize("format_id", DIALECTS)
def test_a_section_says_what_is_read_edited_and_not(format_id: str) -> None:
    text = PAGE.read_text()
    section = text[text.index(f"### `{format_id}`") :].split("\n### ")[0]
    for word in ("Read: ", "Edited: ", "Not: "):
        assert section.count(f"- {word}") == 1


def test_an_example_of_the_page_is_detected() -> None:
    text = PAGE.read_text()
    examples = re.findall(r"```yaml\n(.*?)```", text, re.S)
    assert examples
    for example in examples:
        assert detect_dialect(SourceText("run.yaml", example)).detection.score >= 0.5
