"""Real files of the other YAML dialects, where the shared data stands beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.records.upload import Upload
from workload.normalise import same
from workload.read import read_workload

FORMATS = {
    "trl_recipe_yaml": 100,
    "torchtune_yaml": 1000,
    "openinstruct_yaml": 400,
    "litgpt_yaml": 300,
    "nemo_rl_yaml": 60,
    "primus_exp_yaml": 150,
}
"""Format -> how many values must be compared at least."""
OWN_WORDS = frozenset({"framework", "task", "model_id", "datasets"})
"""Compared elsewhere: the label has another word, a class path or a list in another form."""

pytestmark = pytest.mark.shared


def rows(shared: Path, format_id: str) -> list[tuple[dict[str, Any], bytes]]:
    found = []
    for row in json.loads((shared / "reference/config_truth_shown.json").read_text()):
        path = shared / "configs" / row["repo"].replace("/", "__", 1) / row["path"]
        if row["format"] == format_id and row["status"] == "ok" and path.is_file():
            found.append((row, path.read_bytes()))
    return found


@pytest.mark.parametrize(("format_id", "least"), FORMATS.items())
def test_real_files_are_read_as_their_loader_reads_them(
    shared: Path, format_id: str, least: int
) -> None:
    wrong, count = [], 0
    for row, data in rows(shared, format_id):
        workload = read_workload([Upload(Path(row["path"]).name, data)])
        assert workload.format == format_id, row["path"]
        for name, truth in row["truth"].items():
            found = workload.fields.get(name)
            if found is None or found.origin != "stated" or name in OWN_WORDS or truth is None:
                continue
            if name in ("optimizer", "lr_scheduler") and "." in str(truth):
                continue
            count += 1
            if not same(name, truth, found.value):
                wrong.append((row["path"], name, truth, found.value))
    assert count >= least
    assert len(wrong) <= count * 0.01, wrong[:20]
