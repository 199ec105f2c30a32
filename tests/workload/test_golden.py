"""Every file in `golden/` reads to exactly the fields that stand in the JSON of its name.

A new dialect adds one file here; `python tests/workload/test_golden.py` writes the JSON, which a
person then reads line by line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".json")


def as_read(path: Path) -> dict[str, Any]:
    from audit.records.upload import Upload
    from workload.read import read_workload

    workload = read_workload([Upload(path.name, path.read_bytes())])
    return {
        "format": workload.format,
        "framework": workload.framework,
        "versions": workload.versions,
        "fields": {
            name: [found.value, found.origin, found.line, found.key, found.source]
            for name, found in sorted(workload.fields.items())
        },
        "notices": [[one.kind, one.line, one.message] for one in workload.notices],
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_reads_to_its_golden_fields(path: Path) -> None:
    wanted = json.loads(path.with_name(path.name + ".json").read_text())
    assert json.loads(json.dumps(as_read(path))) == wanted


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for file in FILES:
        lines = json.dumps(as_read(file), indent=1, ensure_ascii=False)
        lines = lines.replace("\n   ", " ").replace("\n  ]", "]")
        file.with_name(file.name + ".json").write_text(lines + "\n")
