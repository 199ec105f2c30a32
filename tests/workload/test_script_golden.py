"""Every script in `scripts/` reads to exactly the fields that stand in the JSON of its name.

The scripts end in `.txt` so that no tool of ours takes them for code of the project. `python
tests/workload/test_script_golden.py` writes the JSON, which a person then reads line by line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "scripts"
ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(FOLDER.glob("*.py.txt"))


def as_read(path: Path) -> dict[str, Any]:
    from audit.records.upload import Upload
    from workload.read import read_workload

    workload = read_workload([Upload(path.name.removesuffix(".txt"), path.read_bytes())])
    return {
        "format": workload.format,
        "reason": workload.format_reason,
        "versions": [workload.versions, workload.versions_origin],
        "fields": {
            name: [found.value, found.origin, found.line, found.key, found.written, found.source]
            for name, found in sorted(workload.fields.items())
        },
        "notices": [[one.kind, one.line, one.message] for one in workload.notices],
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_script_reads_to_its_golden_fields(path: Path) -> None:
    wanted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(as_read(path))) == wanted


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for file in FILES:
        text = json.dumps(as_read(file), indent=1, ensure_ascii=False)
        text = text.replace("\n   ", " ").replace("\n  ]", "]")
        file.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
