"""Packs the worker and one order into a job: a zip in an environment variable, and what unpacks it.

Only the modules that the worker imports travel; none of the user's files and no secret does.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
from base64 import b64encode
from functools import cache
from pathlib import Path

from audit.records.errors import RunFailed
from runner.worker.order import Order

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = ("runner.worker.__main__", "runner.worker.host.__main__")
OURS = ("audit", "workload", "kb", "runner")
VARIABLE = "GOBLIN_PAYLOAD"
MARK = "GOBLIN_MARK"
MOST = 120_000
"""Bytes of the variable: Linux takes 131,072 in one (MAX_ARG_STRLEN)."""
ORDER = "order.json"
PINS = {
    "transformers": "transformers==5.24.0",
    "peft": "peft==0.21.2",
    "pydantic": "pydantic==2.14.4",
}
"""Installed in the job where its image has no package of that name: what the tests run with.

torch is not among them: it has to fit the driver that the service has, so the image brings it.
"""


def command() -> list[str]:
    """The job's command: Python with the bootstrap, which is the same for every job.

    `python3` is what both kinds of PyTorch images have, with Ubuntu's Python and with conda's.
    """
    return ["python3", "-c", (Path(__file__).parent / "bootstrap.py").read_text(encoding="utf-8")]


def packed(order: Order) -> str:
    """The worker and its order as text.

    Raises:
        RunFailed: it is larger than a variable may be.
    """
    files = {name: (ROOT / name).read_text(encoding="utf-8") for name in worker_files()}
    files[ORDER] = order.model_dump_json()
    space = io.BytesIO()
    with zipfile.ZipFile(space, "w", zipfile.ZIP_LZMA) as folder:
        for name, text in files.items():
            folder.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_LZMA)
    text = b64encode(space.getvalue()).decode()
    if len(text) > MOST:
        message = f"the order is too large for a job ({len(text):,} bytes of {MOST:,})"
        raise RunFailed(message)
    return text


@cache
def worker_files() -> tuple[str, ...]:
    """The files, from the checkout's root, of every module of ours that the worker imports."""
    found: set[str] = set()
    todo = list(ENTRIES)
    while todo:
        parts = todo.pop().split(".")
        for length in range(1, len(parts) + 1):
            place = Path(*parts[:length])
            names = (f"{place}/__init__.py", f"{place}.py")
            for name in names:
                if name not in found and (ROOT / name).is_file():
                    found.add(name)
                    todo += _imports(ROOT / name)
    return tuple(sorted(found))


def _imports(file: Path) -> list[str]:
    """Dotted names of ours in the import statements of a file."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in OURS]


def pins_text() -> str:
    """PINS as the bootstrap reads them."""
    return json.dumps(PINS)
