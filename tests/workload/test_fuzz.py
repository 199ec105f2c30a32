"""Damaged files of every dialect are read, edited or refused: nothing crashes, hangs or is opened.

Each example takes a file of the dialect, damages it a few times (lines lost, doubled or swapped,
characters, brackets, references, bytes) and reads and edits what is left, as detected and as if
the user had chosen the dialect.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.workload.opened import forbid_opening
from workload.detect import detect_dialect
from workload.dialects import DIALECTS
from workload.patch import edit_workload
from workload.source import decode_upload

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
SECONDS = 2.0
JUNK = (
    "\t", "\r", "\u2028", "\ufeff", "\u0130", "\U0001f9cc", "'", '"', "[", "{", "]", "}", "((",
    ": ", "- ", "#", "&a ", "*a", "<<: *a\n", "!!int ", "|\n", ">-\n", "? ", "---\n", "${a}",
    "${oc.env:HOME}", "${HOME:x}", "{{ x }}", "null", "~", ".nan", "1e999", "-1", "0", "9" * 5_000,
    "[" * 60, "{a: " * 60, "(" * 300, "\\", "\\\n", "//", ",", "True", "None", "lambda: 0",
    "f'{x}'", "\x00", "\x0c", "yes", "0x1f", "1_0", "2024-01-01", "defaults:\n - a\n", "env:\n",
)  # fmt: skip
EDITS = [
    FieldEdit(field="per_device_train_batch_size", value=3),
    FieldEdit(field="bf16", value=True),
    FieldEdit(field="attn_implementation", value="sdpa"),
    FieldEdit(field="gradient_checkpointing", value=False),
    FieldEdit(field="learning_rate", value=None, remove=True),
    FieldEdit(field="lora_target_modules", value=["q_proj", "v_proj"]),
    FieldEdit(field="optimizer", value="adamw_torch_fused"),
]

Damage = tuple[str, int, int]


def formats() -> dict[str, list[Upload]]:
    """Files of our own writing by the dialect that reads them."""
    found: dict[str, list[Upload]] = {}
    paths = [
        *(HERE / "golden").iterdir(),
        *HERE.glob("scripts/*.py.txt"),
        *HERE.glob("loops/*.py.txt"),
    ]
    for path in sorted(paths):
        record = HERE / "golden" / (path.name + ".json")
        name = path.name.removesuffix(".txt") if path.name.count(".") > 1 else path.name
        if record.exists() or path.name.endswith(".py.txt"):
            upload = Upload(name, path.read_bytes())
            found_format = detect_dialect(decode_upload(upload)).dialect.format
            found.setdefault(found_format, []).append(upload)
    return found


FILES = formats()


def lost(lines: list[str], at: int, other: int) -> list[str]:
    return lines[:at] + lines[at + 1 + other % 3 :]


def doubled(lines: list[str], at: int, other: int) -> list[str]:
    return lines[: at + 1] + lines[at : at + 1 + other % 3] + lines[at + 1 :]


def swapped(lines: list[str], at: int, other: int) -> list[str]:
    other %= len(lines)
    lines = [*lines]
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def moved(lines: list[str], at: int, other: int) -> list[str]:
    return [*lines[:at], " " * (other % 5) + lines[at].lstrip(), *lines[at + 1 :]]


def spoilt(lines: list[str], at: int, other: int) -> list[str]:
    line, junk = lines[at], JUNK[other % len(JUNK)]
    place = (other // len(JUNK)) % (len(line) + 1)
    return [*lines[:at], line[:place] + junk + line[place:], *lines[at + 1 :]]


def replaced(lines: list[str], at: int, other: int) -> list[str]:
    """The value behind a colon or an equals sign becomes something else."""
    line, junk = lines[at], JUNK[other % len(JUNK)]
    for mark in (": ", "="):
        if mark in line:
            end = line[len(line.rstrip("\r\n,")) :]
            return [*lines[:at], line.partition(mark)[0] + mark + junk + end, *lines[at + 1 :]]
    return lines


WAYS: dict[str, Callable[[list[str], int, int], list[str]]] = {
    "lost": lost, "doubled": doubled, "swapped": swapped, "moved": moved, "spoilt": spoilt,
    "replaced": replaced,
}  # fmt: skip
DAMAGES = st.lists(
    st.tuples(st.sampled_from(sorted(WAYS)), st.integers(0, 300), st.integers(0, 5_000)),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, damages: list[Damage], tail: bytes) -> bytes:
    lines = data.decode().splitlines(keepends=True)
    for way, at, other in damages:
        if lines:
            lines = WAYS[way](lines, at % len(lines), other)
    return "".join(lines).encode() + tail


def test_every_dialect_has_a_file_to_damage() -> None:
    assert set(FILES) == set(DIALECTS)


@pytest.mark.parametrize("format_id", DIALECTS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), damages=DAMAGES, tail=st.sampled_from([b"", b"", b"\xff", b"\xc3\xa9\r\n"]),
       choose=st.booleans())  # fmt: skip
def test_a_damaged_file_is_read_edited_or_refused(
    format_id: str, data: st.DataObject, damages: list[Damage], tail: bytes, choose: bool
) -> None:
    upload = data.draw(st.sampled_from(FILES[format_id]))
    upload = Upload(upload.name, damaged(upload.data, damages, tail))
    began = time.process_time()
    with pytest.MonkeyPatch.context() as monkeypatch:
        forbid_opening(monkeypatch)
        try:
            done = edit_workload([upload], EDITS, dialect=format_id if choose else None)
        except InputError:
            done = None
    assert time.process_time() - began < SECONDS
    if done is None:
        return
    json.dumps(done.workload.model_dump(mode="json"), allow_nan=False)
    for outcome in done.outcomes:
        assert outcome.applied or outcome.reason
    if not done.diff:
        assert done.uploads[0].data == upload.data
