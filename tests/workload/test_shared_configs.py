"""Real files of both YAML dialects, where the shared data stands beside the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from workload.normalise import same
from workload.patch import edit_workload
from workload.read import read_workload

FORMATS = ("axolotl_yaml", "llamafactory_yaml")
KNOWN_TO_DIFFER = {"task", "quant_type"}
"""task: the label of a process reward model says sft."""

pytestmark = pytest.mark.shared


def rows(shared: Path) -> list[tuple[dict[str, Any], bytes]]:
    found = []
    for row in json.loads((shared / "reference/config_truth_shown.json").read_text()):
        path = shared / "configs" / row["repo"].replace("/", "__", 1) / row["path"]
        if row["format"] in FORMATS and row["status"] == "ok" and path.is_file():
            found.append((row, path.read_bytes()))
    return found


def test_what_a_file_states_is_read_as_its_loader_reads_it(shared: Path) -> None:
    wrong, count = [], 0
    for row, data in rows(shared):
        workload = read_workload([Upload(Path(row["path"]).name, data)])
        assert workload.format == row["format"], row["path"]
        for name in set(row["explicit_fields"]) & set(workload.fields) - KNOWN_TO_DIFFER:
            truth, found = row["truth"].get(name), workload.fields[name]
            if truth is None or (name == "optimizer" and found.key != "optim"):
                continue
            count += 1
            if not same(name, truth, found.value):
                wrong.append((row["path"], name, truth, found.value))
    assert count > 2_000
    assert len(wrong) <= count * 0.01, wrong[:20]


def test_an_edit_changes_one_key_of_a_real_file(shared: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for row, data in rows(shared)[::12]:
        upload = Upload("run.yml", data)
        result = edit_workload([upload], [FieldEdit(field="learning_rate", value=1.25e-5)])
        assert result.outcomes[0].applied, row["path"]
        (tmp_path / "run.yml").write_bytes(data)
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, cwd=tmp_path, input=result.diff.encode(), check=True)
        after = (tmp_path / "run.yml").read_bytes()
        assert after == result.uploads[0].data
        old, new = yaml.safe_load(data.decode()), yaml.safe_load(after.decode())
        assert {key for key in old | new if old.get(key) != new.get(key)} == {"learning_rate"}
