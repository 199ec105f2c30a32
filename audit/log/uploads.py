"""The uploaded bytes of each audit, in a folder of its own, outside the log.

Only `agent.jobs` calls it: to start an audit, and to make the patched files for its owner. Names
come from users, so they are kept in a list and never become a path.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from audit.log.ids import check_audit_id
from audit.records.upload import Upload

NAMES = "names.json"


class UploadFolder:
    """`folder/uploads/<audit id>/`: mode 0700, files 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "uploads"

    def save(self, audit_id: str, uploads: Sequence[Upload]) -> None:
        """Keep the bytes of a new audit."""
        place = self._place(audit_id)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700)
        for number, upload in enumerate(uploads):
            _write(place / str(number), upload.data)
        _write(place / NAMES, json.dumps([upload.name for upload in uploads]).encode())

    def read(self, audit_id: str) -> tuple[Upload, ...]:
        """The files as they came; empty when they were deleted."""
        place = self._place(audit_id)
        try:
            names = json.loads((place / NAMES).read_bytes())
            return tuple(
                Upload(name, (place / str(number)).read_bytes())
                for number, name in enumerate(names)
            )
        except FileNotFoundError:
            return ()

    def delete(self, audit_id: str) -> None:
        """Remove the audit's folder; deleting an absent one does nothing."""
        shutil.rmtree(self._place(audit_id), ignore_errors=True)

    def audits(self) -> list[str]:
        """Ids of the audits whose bytes are here."""
        return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []

    def _place(self, audit_id: str) -> Path:
        return self._folder / check_audit_id(audit_id)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
