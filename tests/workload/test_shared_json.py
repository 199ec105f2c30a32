"""Real DeepSpeed and accelerate files, where the shared data stands beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from workload.dialects.deepspeed_fields import SCHEDULERS
from workload.normalise import same
from workload.patch import edit_workload
from workload.read import read_workload

FORMATS = ("deepspeed_json", "accelerate_yaml")

pytestmark = pytest.mark.shared


def rows(shared: Path) -> list[tuple[dict[str, Any], Upload]]:
    found = []
    for row in json.loads((shared / "reference/config_truth_shown.json").read_text()):
        path = shared / "configs" / row["repo"].replace("/", "__", 1) / row["path"]
        if row["format"] in FORMATS and path.is_file():
            found.append((row, Upload(path.name, path.read_bytes())))
    return found


def test_every_field_is_read_as_the_loader_reads_it(shared: Path) -> None:
    wrong, count = [], 0
    for row, upload in rows(shared):
        workload = read_workload([upload])
        assert workload.format == row["format"], row["path"]
        for name in set(row["truth"]) & set(workload.fields):
            truth, found = row["truth"][name], workload.fields[name].value
            truth = SCHEDULERS.get(str(truth).lower(), truth)
            count += 1
            if not same(name, truth, found) and (truth, found) != ("none", None):
                wrong.append((row["path"], name, truth, found))
    assert count > 600
    assert wrong == []


def test_a_number_is_edited_and_every_other_byte_stays(shared: Path) -> None:
    edited = 0
    for row, upload in rows(shared):
        name = "num_processes" if row["format"] == "accelerate_yaml" else "train_batch_size"
        found = read_workload([upload]).fields.get(name)
        if found is None or found.origin != "stated" or not isinstance(found.value, int):
            continue
        done = edit_workload([upload], [FieldEdit(field=name, value=found.value + 3)])
        before, after = upload.data.splitlines(), done.uploads[0].data.splitlines()
        changed = [number for number, line in enumerate(before, 1) if line != after[number - 1]]
        assert changed == [found.line], row["path"]
        edited += 1
    assert edited > 50
