"""Writes a report where the user wants it: on standard output in one format, or into a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload

FORMATS = ("text", "md", "json", "patch")
REPORT_JSON, REPORT_MD, PATCHED = "report.json", "report.md", "patched"


def as_format(report: Report, name: str) -> str:
    """The report in one of FORMATS."""
    return _writer(name)(report)


def write_folder(folder: str, report: Report, patched: Sequence[Upload]) -> None:
    """report.json, report.md, NAME.patch and patched/NAME for each file that the patch changes.

    Raises:
        UserError: the folder cannot be written.
    """
    changed = {file.name for file in report.patch.files}
    texts = {REPORT_JSON: as_format(report, "json"), REPORT_MD: as_format(report, "md")}
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


def _writer(name: str) -> Callable[[Report], str]:
    from audit.export.json import report_json
    from audit.export.markdown import report_markdown
    from audit.export.patch import patch_file
    from audit.export.text import report_text

    return {
        "text": report_text,
        "md": report_markdown,
        "json": report_json,
        "patch": patch_file,
    }[name]
