"""Audit ids and owner tokens: random, checked before they touch the disk, tokens kept as hashes."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from hmac import compare_digest

from audit.records.errors import UnknownName

SHAPE = re.compile(r"[0-9a-f]{32}")


def new_secret() -> str:
    """128 random bits as 32 hex digits: an audit id or an owner token."""
    return os.urandom(16).hex()


def check_audit_id(text: str) -> str:
    """The id itself; it is safe as a file name.

    Raises:
        UnknownName: the text is no audit id at all.
    """
    if SHAPE.fullmatch(text) is None:
        message = "this is no audit id"
        raise UnknownName(message, remedy="An audit id has 32 digits from 0 to 9 and a to f.")
    return text


def hash_token(token: str) -> str:
    """SHA-256 in hex: enough for a random 128-bit token, which no dictionary holds."""
    return sha256(token.encode()).hexdigest()


def same_token(token: str | None, hashed: str) -> bool:
    """Whether `token` is the one that was hashed, in constant time."""
    return token is not None and compare_digest(hash_token(token), hashed)
