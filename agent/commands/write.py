"""Writes a report where the user wants it: on standard output in one format, or into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload

WRITERS = {
    "text": "text:report_text",
    "md": "markdown:report_markdown",
    "json": "json:report_json",
    "html": "html:report_html",
    "patch": "patch:patch_file",
    "sarif": "sarif:report_sarif",
}
"""Format -> module and function in audit.export; imported on use."""
FORMATS = tuple(WRITERS)
WRITTEN = ("json", "md", "html", "sarif")
"""A folder gets `report.FORMAT` of each."""
PATCHED = "patched"


def as_format(report: Report, name: str) -> str:
    """The report in one of FORMATS."""
    module, _, function = WRITERS[name].partition(":")
    return str(getattr(import_module(f"audit.export.{module}"), function)(report))


def write_folder(folder: str, report: Report, patched: Sequence[Upload]) -> None:
    """report.FORMAT for each of WRITTEN, NAME.patch, and patched/NAME for each changed file.

    Raises:
        UserError: the folder cannot be written.
    """
    changed = {file.name for file in report.patch.files}
    texts = {f"report.{form}": as_format(report, form) for form in WRITTEN}
    if report.patch.diff:
        texts[f"{report.workload_name}.patch"] = as_format(report, "patch")
    try:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (place / name).write_bytes(text.encode())
        for upload in patched:
            if upload.name in changed:
                (place / PATCHED).mkdir(exist_ok=True)
                (place / PATCHED / upload.name).write_bytes(upload.data)
    except OSError as error:
        message = f"{folder} cannot be written ({error.strerror})"
        raise UserError(message, remedy="Name another folder with --out.") from error
