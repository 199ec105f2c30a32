"""One uploaded file as raw bytes. It never enters the log, an event, a prompt or an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Upload:
    """A user's file: its own name (no directories) and its bytes, which `repr` does not show."""

    name: str
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return sha256(self.data).hexdigest()


def plainly_named(upload: Upload) -> Upload:
    """The upload under its last path part alone, without control characters."""
    last = upload.name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    plain = "".join(letter if letter.isprintable() else "_" for letter in last)[-MAX_NAME:]
    return Upload(plain if plain.strip(". ") else "upload", upload.data)
