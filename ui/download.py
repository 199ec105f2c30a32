"""Files made on demand for the browser: the patch, the report, and the owner's patched file.

They travel inside an event and are saved by the page, so no copy stays in a public file cache.
"""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from audit.export.html import report_html
from audit.export.json import report_json
from audit.export.markdown import report_markdown
from audit.records.report import Report
from audit.records.upload import Upload
from ui.run_it import patch_name

SAVE = """(file) => {
  if (!file) return [];
  const bytes = Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  link.download = file.name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return [];
}"""
"""Runs in the browser on what `as_file` returned."""

File = dict[str, Any]
REPORTS: dict[str, tuple[str, str, Callable[[Report], str]]] = {
    "report": (".audit.json", "application/json", report_json),
    "html": (".audit.html", "text/html", report_html),
    "markdown": (".audit.md", "text/markdown", report_markdown),
}
"""Kind -> ending, media type and what writes it; the command line writes the same."""


def as_file(name: str, data: bytes, kind: str) -> File:
    """A file as the page receives it."""
    return {"name": name, "base64": b64encode(data).decode(), "type": kind}


def patch_file(report: Report) -> File | None:
    """The unified diff, byte for byte what `git apply` takes; None where there is none."""
    if not report.patch.diff:
        return None
    return as_file(patch_name(report.workload_name), report.patch.diff.encode(), "text/x-diff")


def report_file(report: Report, kind: str = "report") -> File:
    """The whole report in one of REPORTS."""
    ending, media, write = REPORTS[kind]
    name = patch_name(report.workload_name).removesuffix(".patch") + ending
    return as_file(name, write(report).encode(), media)


def patched_file(files: Sequence[Upload]) -> File | None:
    """The user's own file with the edits; several files come as a zip."""
    if not files:
        return None
    if len(files) == 1:
        return as_file(files[0].name, files[0].data, "application/octet-stream")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(file.name, file.data)
    return as_file("patched.zip", packed.getvalue(), "application/zip")
