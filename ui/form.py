"""Turns what stands in the form into an audit request; reads each uploaded file once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.card import card_for
from agent.request import AuditRequest
from agent.settings import Settings
from audit.log.redact import redact
from audit.records.errors import InputError, UserError
from audit.records.events import ErrorData
from audit.records.upload import Upload
from audit.records.workload import DataLengths
from ui.errors import column_of, excerpt

_SCRIPT = re.compile(r"^(?:from|import) [A-Za-z_]", re.MULTILINE)
_SHELL = re.compile(r"^(?:#!.*sh\b|export |accelerate launch|torchrun |deepspeed )", re.MULTILINE)
SAMPLE_OF_DATA = ".jsonl"
"""Ending of a data sample: its lengths are measured, it is no training file."""


Typed = str | float | None
"""A number as it was typed, or nothing."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What stands in the form; None where a field is empty."""

    paths: Sequence[str] = ()
    """Where the page has put the uploaded files."""
    held: Mapping[str, Upload] = field(default_factory=dict)
    """Files read for an earlier audit of this session, by their path."""
    pasted: str = ""
    pasting: bool = False
    """Whether the text is meant, not the files."""
    hardware: str | None = None
    gpus: float | None = 1
    nodes: float | None = 1
    p50: Typed = None
    p95: Typed = None
    longest: Typed = None
    versions: str = ""
    dialect: str = ""
    """Format id; empty: the content decides."""
    runner: str = ""
    """Who measures or projects; empty: the operator's choice."""
    backend: str = ""
    """Who decides the next step; empty: whom the operator chose."""
    max_usd: str = ""
    """Dollars that model and runs may cost together; empty: no cap."""
    trainer: Typed = None
    """Which training run of a script with several; None: the first."""


def pasted_name(text: str) -> str:
    """A file name for pasted text, by its look: the ending decides who reads it first."""
    if _SCRIPT.search(text):
        return "pasted.py"
    if _SHELL.search(text):
        return "pasted.sh"
    return "pasted.json" if text.lstrip().startswith("{") else "pasted.yaml"


def take_files(paths: Sequence[str], held: Mapping[str, Upload]) -> dict[str, Upload]:
    """The uploaded files by path. The page's copy is deleted: the audit's own is the only one.

    Raises:
        InputError: a file is no longer there.
    """
    taken: dict[str, Upload] = {}
    for path in paths:
        if path in held:
            taken[path] = held[path]
            continue
        place = Path(path)
        try:
            taken[path] = Upload(place.name, place.read_bytes())
        except OSError as error:
            message = "the file is no longer here"
            raise InputError(message, file=place.name, remedy="Choose it again.") from error
        place.unlink(missing_ok=True)
    return taken


def lengths_of(filled: Filled) -> DataLengths | None:
    """The data lengths as stated in the form; None where nothing is stated.

    Raises:
        InputError: they are incomplete or out of order.
    """
    from workload.lengths import parse_lengths

    stated = {
        "p50": _whole("Half under", filled.p50),
        "p95": _whole("95% under", filled.p95),
        "max": _whole("Longest", filled.longest),
    }
    parts = [f"{name}={value}" for name, value in stated.items() if value]
    return parse_lengths(",".join(parts)) if parts else None


def _uploads(filled: Filled, files: Mapping[str, Upload]) -> tuple[Upload, ...]:
    if filled.pasting:
        if not filled.pasted.strip():
            message = "there is no text to audit"
            raise InputError(message, remedy="Paste your training file, or upload it.")
        return (Upload(pasted_name(filled.pasted), filled.pasted.encode()),)
    if not files:
        message = "there is no file to audit"
        raise InputError(message, remedy="Choose your training file, or paste its text.")
    return tuple(files.values())


def _whole(label: str, typed: Typed) -> int:
    """The number in a field; 0 where it is empty.

    Raises:
        UserError: something else stands there.
    """
    from agent.finished.run_length import read_amount

    return int(read_amount(label, None if typed is None else str(typed)) or 0)


def _dialect(filled: Filled) -> str | None:
    """The format, and behind a # the number of the training run, where they are chosen."""
    number = _whole("Training run", filled.trainer)
    return (f"{filled.dialect}#{number}" if number > 0 else filled.dialect) or None


def _dollars(text: str) -> float | None:
    """A cap, with or without a dollar sign; None where the field is empty."""
    said = text.strip().removeprefix("$").strip()
    if not said:
        return None
    try:
        return float(said)
    except ValueError:
        message = f"{said[:40]!r} is no amount of dollars"
        raise UserError(message, remedy="Write a number such as 2.50, or nothing.") from None


def request_of(filled: Filled, files: Mapping[str, Upload], settings: Settings) -> AuditRequest:
    """What the form asks for.

    Raises:
        UserError: the form or a data sample is at fault.
    """
    from workload.lengths import measure_lengths
    from workload.versions import parse_versions

    uploads = _uploads(filled, files)
    samples = [upload for upload in uploads if upload.name.endswith(SAMPLE_OF_DATA)]
    others = tuple(upload for upload in uploads if upload not in samples)
    lengths = lengths_of(filled)
    if lengths is None and samples and others:
        lengths = measure_lengths(samples[0])
    runner = filled.runner or settings.default_runner
    chosen = filled.hardware
    if runner == "local" and chosen == settings.hardware:
        chosen = None  # the form's first value, which nobody chose
    card = card_for(chosen, runner, settings)
    return AuditRequest(
        uploads=others or uploads,
        hardware=card.name,
        detected=card.detected,
        gpus=int(filled.gpus or 1),
        nodes=int(filled.nodes or 1),
        lengths=lengths,
        versions=parse_versions(filled.versions) if filled.versions.strip() else {},
        dialect=_dialect(filled),
        backend=filled.backend or settings.backend,
        runner=runner,
        max_usd=_dollars(filled.max_usd),
    )


def fault_excerpt(error: ErrorData, uploads: Sequence[Upload]) -> str:
    """The lines around the one at fault, redacted; empty where there is none to show."""
    for upload in uploads:
        if upload.name == error.file and error.line is not None:
            text = redact(upload.data.decode("utf-8", errors="replace"))
            return excerpt(upload.name, text, error.line, column_of(error))
    return ""
