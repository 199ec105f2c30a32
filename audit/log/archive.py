"""Finished audits outside the local log, one whole file each: in a folder, or in a Hub dataset.

A Space loses its disk at every restart; what stands here outlives it. Files are written whole or
not at all and read back on demand. Never a database: a mounted bucket would tear it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from audit.log.ids import SHAPE, check_audit_id
from audit.records.errors import GoblinError, SetupError

DATASET = re.compile(r"hf://datasets/(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})/?")
SUFFIX = ".json"


class ArchiveFault(GoblinError):
    """The archive could not be read or written; the audit itself is not touched by it."""


class Archive(Protocol):
    """Where finished audits are kept; every method raises ArchiveFault where it cannot be done."""

    pause: float
    """Seconds to leave between two writes, so that several audits share one."""

    def put(self, files: Mapping[str, bytes]) -> None:
        """Keep these files, by audit id; each is there whole, or not at all."""
        ...

    def get(self, audit_id: str) -> bytes | None:
        """One file; None where there is none."""
        ...

    def delete(self, audit_ids: Iterable[str]) -> None:
        """Remove these files; absent ones are no fault."""
        ...

    def older(self, moment: float) -> list[str]:
        """Ids of the files written before `moment`, in seconds since 1970."""
        ...


def open_archive(place: str, *, token: str | None = None, hub: str | None = None) -> Archive:
    """The archive that a setting names: a folder, or `hf://datasets/OWNER/NAME`.

    Raises:
        SetupError: an hf:// address that names no dataset, or no token for it.
    """
    if not place.startswith("hf://"):
        return FolderArchive(Path(place).expanduser())
    found = DATASET.fullmatch(place)
    if found is None:
        message = f"GOBLIN_ARCHIVE is {place!r}"
        raise SetupError(message, remedy="Give a folder, or hf://datasets/OWNER/NAME.")
    if not token:
        message = "there is no HF_TOKEN for the archive in a Hub dataset"
        raise SetupError(message, remedy="Set HF_TOKEN to a token that may write to it.")
    from audit.log.hub_archive import HubArchive

    return HubArchive(found["repo"], token, hub)


class FolderArchive:
    """A folder, such as a mounted storage bucket: `ab/abcdef....json`."""

    pause = 0.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, files: Mapping[str, bytes]) -> None:
        """Written beside its place, then moved there: a reader sees all of it or nothing."""
        with _doing("written"):
            for audit_id, data in files.items():
                self._write(self._place(audit_id), data)

    def get(self, audit_id: str) -> bytes | None:
        """One file; None where there is none."""
        with _doing("read"):
            try:
                return self._place(audit_id).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def delete(self, audit_ids: Iterable[str]) -> None:
        """Remove these files."""
        with _doing("changed"):
            for audit_id in audit_ids:
                self._place(audit_id).unlink(missing_ok=True)

    def older(self, moment: float) -> list[str]:
        """Ids of the files written before `moment`."""
        with _doing("read"):
            return [
                path.stem
                for path in self._folder.glob(f"??/*{SUFFIX}")
                if SHAPE.fullmatch(path.stem) and path.stat().st_mtime < moment
            ]

    def _place(self, audit_id: str) -> Path:
        return self._folder / audit_id[:2] / f"{check_audit_id(audit_id)}{SUFFIX}"

    def _write(self, place: Path, data: bytes) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = place.with_name(f".{place.stem}.{os.getpid()}.draft")
        try:
            with os.fdopen(
                os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb"
            ) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


@contextmanager
def _doing(what: str) -> Iterator[None]:
    """An error of the file system as an ArchiveFault that says what could not be done."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"the archive cannot be {what} ({reason})"
        raise ArchiveFault(message) from error
