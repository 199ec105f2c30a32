"""The sample files of examples/: listed as they lie there, audited like any other file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agent.api import audit
from agent.card import card_for
from agent.request import AuditRequest
from agent.settings import ROOT, Settings
from audit.records.errors import GoblinError, UnknownName
from audit.records.report import Report
from audit.records.upload import Upload

FOLDER = ROOT / "examples"
ENDINGS = frozenset({".yaml", ".yml", ".py", ".json", ".ipynb", ".sh"})


class Shown(NamedTuple):
    """The audit that is on the page before anyone clicked."""

    name: str
    report: Report
    request: AuditRequest
    """What it was asked: its edits can be switched without a kept upload."""

    @property
    def note(self) -> str:
        """Stands on its verdict instead of the time it took."""
        return f"Sample {self.name}, audited when this page started"


def sample_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of the samples, in the order of the folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if path.suffix in ENDINGS))


def sample(name: str, folder: Path = FOLDER) -> Upload:
    """One sample by its exact name; no path gets through.

    Raises:
        UnknownName: there is no such sample; lists those there are.
    """
    known = sample_names(folder)
    if name not in known:
        message = f'there is no sample "{name[:80]}"'
        raise UnknownName(message, remedy=f"Known: {', '.join(known)}.")
    return Upload(name, (folder / name).read_bytes())


def sample_request(name: str, settings: Settings, hardware: str | None = None) -> AuditRequest:
    """The request that audits a sample."""
    card = card_for(hardware, "fake", settings)
    return AuditRequest(
        uploads=(sample(name),),
        hardware=card.name,
        detected=card.detected,
        backend=settings.backend,
        runner="fake",
    )


def first_audit(settings: Settings, names: Iterable[str] | None = None) -> Shown | None:
    """A finished audit for the first view: of the sample with the most findings, computed now."""
    shown: Shown | None = None
    for name in names if names is not None else sample_names():
        try:
            request = sample_request(name, settings)
            asked = replace(request, backend="rules")
            report = audit(asked)
        except GoblinError:
            continue
        if shown is None or len(report.findings) > len(shown.report.findings):
            shown = Shown(name, report, asked)
    return shown
