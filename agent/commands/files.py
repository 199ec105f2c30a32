"""Reads the files named on a command line as uploads; their directories are not kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from audit.records.errors import InputError
from audit.records.upload import Upload

MAX_BYTES = 20_000_000
"""More is not even read: the largest upload of any kind (a data sample) has 20 MB."""
STDIN = "-"


def read_files(names: Sequence[str]) -> tuple[Upload, ...]:
    """One upload per name, in order; `-` reads standard input.

    Raises:
        InputError: a file is absent, a directory, not readable or over the largest limit.
    """
    return tuple(read_file(name) for name in names)


def read_file(name: str) -> Upload:
    """One file as an upload under its last path part."""
    if name == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        _check_size("standard input", len(data))
        return Upload("stdin", data)
    path = Path(name)
    try:
        with path.open("rb") as file:  # not by its size: a device or a pipe has none
            data = file.read(MAX_BYTES + 1)
        _check_size(path.name, len(data))
        return Upload(path.name, data)
    except OSError as error:
        message = _why(error)
        raise InputError(message, file=name, remedy="Check the path.") from error


def _check_size(name: str, size: int) -> None:
    if size > MAX_BYTES:
        message = f"the file is over {MAX_BYTES // 1_000_000} MB"
        raise InputError(message, file=name, remedy="Give the training file, not data or weights.")


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory"
    if isinstance(error, PermissionError):
        return "the file may not be read"
    return f"the file cannot be read ({error.strerror})"
