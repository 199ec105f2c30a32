"""The hostile files of the specification end as it says: read in the process and by the command.

More of each kind: zips in test_archive, YAML in test_yaml_tree, JSON in test_json_splice,
references in test_references, scripts in test_script_bad_input, binaries in test_source.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.workload.hostile_files import AXOLOTL, HOSTILE, LLAMAFACTORY, SECRET, Hostile
from tests.workload.opened import forbid_opening
from workload.patch import edit_workload
from workload.read import read_workload

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 2.0
"""CPU of one file; the slowest takes about 0.3 s."""
MEMORY = 1_500_000_000
"""Bytes of address space for the command that reads all of them."""
CASES = [
    pytest.param(case, id=f"{case.number}-{case.name}-{at}") for at, case in enumerate(HOSTILE)
]


def judge(case: Hostile, error: str | None, fields: dict[str, Any], notices: list[str]) -> None:
    """The outcome is the one of the table."""
    if case.fields is None:
        assert error is not None, "read, although it should be refused"
        assert case.says in error
        assert "Traceback" not in error
        assert "internal" not in error
        return
    assert error is None, error
    for name, value in case.fields.items():
        assert fields.get(name) == value, name
    assert not case.says or any(case.says in notice for notice in notices), notices


@pytest.fixture
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a file for which the reader has no business fails the test."""
    forbid_opening(monkeypatch)


@pytest.mark.usefixtures("nothing_is_opened")
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_ends_as_the_table_says(case: Hostile) -> None:
    error, fields, notices = None, {}, []
    began = time.process_time()
    try:
        workload = read_workload([Upload(case.name, case.data)])
    except InputError as refused:
        error = str(refused) if refused.remedy else "no remedy"
    else:
        fields = {name: found.value for name, found in workload.fields.items()}
        notices = [notice.message for notice in workload.notices]
        json.dumps(workload.model_dump(mode="json"), allow_nan=False)
    assert time.process_time() - began < SECONDS
    judge(case, error, fields, notices)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """What one command says of all files, under a memory and a time limit, and all of its text."""
    names = []
    for at, case in enumerate(HOSTILE):
        folder = tmp_path_factory.mktemp(f"hostile{at}")
        (folder / case.name).write_bytes(case.data)
        names.append(str(folder / case.name))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    done = subprocess.run(
        [sys.executable, "-m", "agent", "parse", "--each", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    lines = [json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == names
    return lines, done.stdout + done.stderr


@pytest.mark.parametrize("at", range(len(HOSTILE)), ids=lambda at: str(at))
def test_the_command_says_the_same(at: int, answers: tuple[list[dict[str, Any]], str]) -> None:
    line = answers[0][at]
    error = line["error"]["message"] if "error" in line else None
    fields = {name: found["value"] for name, found in line.get("fields", {}).items()}
    notices = [notice["message"] for notice in line.get("warnings", [])]
    judge(HOSTILE[at], error, fields, notices)


def test_no_answer_holds_a_secret_or_the_environment(
    answers: tuple[list[dict[str, Any]], str],
) -> None:
    assert SECRET not in answers[1]
    assert str(Path.home()) + '"' not in answers[1]


def test_every_number_of_the_list_stands_in_the_table() -> None:
    assert {case.number for case in HOSTILE} == set(range(1, 27))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (AXOLOTL + "learning_rate: 1\nlearning_rate: 2\n", "learning_rate"),
        (AXOLOTL + "x: &r 16\nadapter: lora\nlora_r: *r\n", "lora_r"),
    ],
)
def test_a_place_that_is_not_alone_is_used_with_care(text: str, field: str) -> None:
    edit = FieldEdit(field=field, value=3)
    done = edit_workload([Upload("run.yml", text.encode())], [edit])
    (outcome,) = done.outcomes
    if outcome.applied:
        assert "x: &r 16" in done.uploads[0].data.decode()
    else:
        assert outcome.reason
        assert done.uploads[0].data.decode() == text


def test_marks_and_line_ends_outlive_an_edit() -> None:
    data = b"\xef\xbb\xbf" + LLAMAFACTORY.rstrip("\n").replace("\n", "\r\n").encode()
    edit = FieldEdit(field="lora_r", value=64)
    done = edit_workload([Upload("lf.yaml", data)], [edit])
    after = done.uploads[0].data
    assert done.outcomes[0].applied
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert not after.endswith(b"\n")
