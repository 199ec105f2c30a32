"""JSON: exact positions, exact edits, and what hostile or broken text is told."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.errors import InputError
from tests.ends import ends
from workload.dialects import CannotEdit, Change
from workload.source import SourceText
from workload.splice.json import insert_member, json_text, remove_member, set_member
from workload.splice.json_document import JsonDocument
from workload.splice.json_tree import Mapping, Scalar, plain_json, read_json

names = st.text(
    st.characters(codec="utf-8", exclude_characters=".*", exclude_categories=["Cs"]), min_size=1
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(names, values, min_size=1, max_size=5)
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, 4, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
        "ensure_ascii": st.booleans(),
    }
)
line_ends = st.sampled_from(["\n", "\r\n"])


def document(text: str) -> JsonDocument:
    return JsonDocument(SourceText("config.json", text), "pyyaml")


def applied(text: str, change: Change) -> str:
    return text[: change.start] + change.text + text[change.end :]


def written(value: object, layout: dict[str, object], line_end: str) -> str:
    return json.dumps(value, **layout).replace("\n", line_end)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(objects, layouts, line_ends)
def test_read_as_the_standard_library_reads_it(
    value: dict[str, object], layout: dict[str, object], line_end: str
) -> None:
    text = written(value, layout, line_end)
    found = read_json(SourceText("config.json", text))
    assert plain_json(found.root) == json.loads(text)
    assert found.relaxed is None
    assert found.constant is None


@settings(max_examples=40, deadline=None)
@given(objects, layouts, line_ends)
def test_spans_are_exact(
    value: dict[str, object], layout: dict[str, object], line_end: str
) -> None:
    text = written(value, layout, line_end)
    root = read_json(SourceText("config.json", text)).root
    assert isinstance(root, Mapping)
    for entry in root.entries:
        assert isinstance(entry.key, Scalar)
        assert json.loads(text[entry.key.start : entry.key.end]) == entry.key.value
        inner = json.loads(text[entry.value.start : entry.value.end])
        assert inner == json.loads(text)[entry.key.value]


@settings(max_examples=40, deadline=None)
@given(objects, layouts, line_ends, scalars)
def test_a_scalar_is_replaced_and_nothing_else(
    value: dict[str, object], layout: dict[str, object], line_end: str, new: object
) -> None:
    text = written(value, layout, line_end)
    before = document(text)
    for place in before.places():
        if not isinstance(place.value, Scalar):
            continue
        change = set_member(before, place, new)
        assert (change.start, change.end) == (place.value.start, place.value.end)
        assert json.loads(applied(text, change)) == {**json.loads(text), place.path: new}


@settings(max_examples=40, deadline=None)
@given(objects, layouts, line_ends, scalars, st.data())
def test_a_member_is_added_and_taken_out_again(
    value: dict[str, object],
    layout: dict[str, object],
    line_end: str,
    new: object,
    data: st.DataObject,
) -> None:
    text = written(value, layout, line_end)
    beside = data.draw(st.sampled_from([(), *[(name,) for name in value]]))
    name = data.draw(names.filter(lambda one: one not in value))
    change = insert_member(document(text), name, new, beside)
    longer = applied(text, change)
    assert json.loads(longer) == {**json.loads(text), name: new}
    assert change.start == change.end
    assert longer.count("\n") - text.count("\n") <= 1
    assert "\r\n" in text or "\r\n" not in longer
    after = document(longer)
    place = after.place(name)
    assert place is not None
    shorter = applied(longer, remove_member(after, place))
    assert json.loads(shorter) == json.loads(text)
    if layout["indent"] and layout["separators"] == (",", ":"):
        assert shorter == text


@settings(max_examples=40, deadline=None)
@given(objects.filter(lambda one: len(one) > 1), layouts, line_ends, st.data())
def test_a_member_is_removed_with_its_comma(
    value: dict[str, object], layout: dict[str, object], line_end: str, data: st.DataObject
) -> None:
    text = written(value, layout, line_end)
    name = data.draw(st.sampled_from(sorted(value)))
    before = document(text)
    place = before.place(name)
    assert place is not None
    shorter = json.loads(applied(text, remove_member(before, place)))
    assert shorter == {key: one for key, one in json.loads(text).items() if key != name}


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='{}[]",:\\/#*0123456789.eE+-truefalsn \n\r\tuNaI', max_size=60))
def test_any_text_is_read_or_refused_as_the_standard_library_does(text: str) -> None:
    source = SourceText("config.json", text)
    try:
        expected = json.loads(text)
    except ValueError:
        with suppress(InputError):
            assert read_json(source).relaxed is not None
        return
    found = read_json(source)
    assert repr(plain_json(found.root)) == repr(expected)


BLOCKS = """{
    "bf16": {
        "enabled": true
    },
    "zero_optimization": {
        "stage": 2,

        "overlap_comm": true
    },
    "empty": {},
    "modules": [
        "q_proj",
        "v_proj"
    ]
}
"""


def test_nested_members_follow_the_layout_of_the_file() -> None:
    before = document(BLOCKS)
    path = "zero_optimization.offload_optimizer.device"
    change = insert_member(before, path, "cpu", ["zero_optimization.stage"])
    assert change.text == (
        ',\n        "offload_optimizer": {\n            "device": "cpu"\n        }'
    )
    assert json.loads(applied(BLOCKS, change))["zero_optimization"]["stage"] == 2
    change = insert_member(before, "empty.key", 1)
    assert '"empty": {"key": 1},' in applied(BLOCKS, change)


def test_a_list_is_replaced_in_its_own_layout() -> None:
    before = document(BLOCKS)
    place = before.place("modules")
    assert place is not None
    after = applied(BLOCKS, set_member(before, place, ["o_proj", "k_proj"]))
    assert '"modules": [\n        "o_proj",\n        "k_proj"\n    ]\n}' in after


def test_own_lines_go_whole_and_blank_lines_stay() -> None:
    before = document(BLOCKS)
    place = before.place("zero_optimization.stage")
    assert place is not None
    after = applied(BLOCKS, remove_member(before, place))
    assert '"zero_optimization": {\n\n        "overlap_comm": true\n    },' in after
    place = before.place("bf16.enabled")
    assert place is not None
    assert '"bf16": {},' in applied(BLOCKS, remove_member(before, place))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, // why\n "b": 2}', "a comment at line 1"),
        ('{\n "a": 1, /* two\n lines */ "b": 2}', "a comment at line 2"),
        ('{"a": [1, 2,], "b": 2}', "a trailing comma at line 1"),
        ('{"a": 1,\n "b": 2,\n}', "a trailing comma at line 2"),
    ],
)
def test_no_standard_json_is_read_and_not_edited(text: str, what: str) -> None:
    before = document(text)
    assert before.value("b") == 2
    place = before.place("b")
    assert place is not None
    for edit in (
        lambda: set_member(before, place, 3),
        lambda: insert_member(before, "c", 3),
        lambda: remove_member(before, place),
    ):
        with pytest.raises(CannotEdit) as refused:
            edit()
        assert what in refused.value.reason


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3, "a comma is missing"),
        ("{'a': 1}", 1, 2, "single quotes"),
        ('{\n"a": True}', 2, 6, "True is Python. Write true"),
        ('{"a": {{ rate }} }', 1, 8, "template"),
        ('{"a": BATCH_SIZE}', 1, 7, "template"),
        ('{"a": ${RATE}}', 1, 7, "template"),
        ('{"a": 1}\n{"a": 2}\n', 2, 1, "JSON lines"),
        ('{"a": "x\n"}', 1, 9, "not closed on its line"),
        ('{"a": [1, 2', 1, 7, "never closed"),
        ('{"a": 01}', 1, 7, "no number"),
        ('{"a": "\\ud800"}', 1, 8, "half a character"),
        ('{"a": ' + "9" * 5000 + "}", 1, 7, "5,000 digits"),
        ('{"a": [' + "9" * 5000 + "]}", 1, 8, "5,000 digits"),
        ('{"a": NaN}', 1, 7, "NaN is no finite number"),
        ('{"a": [1, -Infinity]}', 1, 11, "-Infinity is no finite number"),
        ('{"a": 1e999}', 1, 7, "1e999 is no finite number"),
        ("[" * 100_000, 1, 51, "deeper than 50"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", 1, 7, "deeper than 50"),
        ('{"a":' * 100_000, 1, 251, "deeper than 50"),
        ("[1, 2]", 1, None, "the top level is a list"),
        ("true", 1, None, "the top level is a single value"),
        ("{" + ", ".join(f'"k{n}": 1' for n in range(30_000)) + "}", 1, None, "20,000 values"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(
    text: str, line: int, column: int | None, what: str
) -> None:
    with ends(), pytest.raises(InputError) as refused:
        document(text)
    assert what in str(refused.value)
    assert refused.value.line == line
    assert column is None or refused.value.column == column


def test_a_repeated_key_counts_last_and_is_not_edited() -> None:
    before = document('{"stage": 1, "zero": {"stage": 2, "stage": 3}}')
    place = before.place("zero.stage")
    assert place is not None
    assert before.value("zero.stage") == 3
    with pytest.raises(CannotEdit, match="more than once"):
        set_member(before, place, 1)


def test_a_log_of_a_megabyte_is_read() -> None:
    rows = [{"loss": 1.25, "step": step, "learning_rate": 1e-5} for step in range(20_000)]
    text = json.dumps({"log_history": rows, "global_step": 20_000}, indent=2)
    assert document(text).value("global_step") == 20_000


def test_only_finite_numbers_are_written() -> None:
    assert json_text(1e-5) == "1e-05"
    with pytest.raises(CannotEdit, match="finite"):
        json_text(float("nan"))
