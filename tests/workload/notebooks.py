"""Notebooks for the tests: built of cell sources, read, edited, and taken apart again."""

from __future__ import annotations

import json
from typing import Any

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import Edited, edit_workload
from workload.read import read_workload

OUTPUT = [{"output_type": "stream", "name": "stdout", "text": ["loss 1.0\n", "per_device: 9\n"]}]


def cell(source: str | list[str], kind: str = "code", **more: Any) -> dict[str, Any]:
    own = {"outputs": OUTPUT, "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": "c1", "metadata": {}, **own, "source": source, **more}


def notebook(*sources: str, listed: bool = True, ascii_only: bool = False, **options: Any) -> str:
    texts = ["# A title\n\nlearning_rate=1 is only prose", *sources]
    cells = [
        cell(text.splitlines(keepends=True) if listed else text, "code" if at else "markdown")
        for at, text in enumerate(texts)
    ]
    options = {"indent": 1, **options}
    body = {"cells": cells, "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4}
    return json.dumps(body, ensure_ascii=ascii_only, **options) + "\n"


def read(text: str) -> Workload:
    return read_workload([Upload("run.ipynb", text.encode())])


def edit(text: str, *edits: FieldEdit, **values: Any) -> Edited:
    asked = [*edits, *(FieldEdit(field=name, value=value) for name, value in values.items())]
    return edit_workload([Upload("run.ipynb", text.encode())], asked)


def code(text: str) -> list[str]:
    """The source of every cell."""
    sources = [one["source"] for one in json.loads(text)["cells"]]
    return [source if isinstance(source, str) else "".join(source) for source in sources]


def without_sources(text: str) -> Any:
    content = json.loads(text)
    for one in content["cells"]:
        del one["source"]
    return content
