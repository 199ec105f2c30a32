"""One uploaded file as raw bytes. It never enters the log, an event, a prompt or an export."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Upload:
    """A user's file: its own name (no directories) and its bytes, which `repr` does not show."""

    name: str
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return sha256(self.data).hexdigest()
