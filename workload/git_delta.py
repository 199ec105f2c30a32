"""A change of a file as a git binary patch: exact bytes, and only the changed ones inside.

For the one case that a unified diff cannot express: a change directly above a line that may not be
shown. The copied parts are offsets into the user's own file, so nothing of them is in the patch.
Format: git Documentation/gitformat-pack.txt (delta), apply.c (`GIT binary patch`, base 85).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_MAX_COPY = 0xFFFFFF
_MAX_INSERT = 127
_LINE = 52


class Replacement(NamedTuple):
    """The bytes [start, end) of the file become `data`."""

    start: int
    end: int
    data: bytes


def binary_patch(
    names: tuple[str, str], before: bytes, after: bytes, pieces: Sequence[Replacement]
) -> str:
    """A patch from `before` to `after` that `git apply` takes, forward only.

    Args:
        names: `a/NAME` and `b/NAME`, quoted where git wants it.
        before: the file.
        after: the file with `pieces` applied.
        pieces: in order, without overlaps.
    """
    delta = make_delta(len(before), len(after), pieces)
    lines = [
        f"diff --git {names[0]} {names[1]}\n",
        f"index {_blob_id(before)}..{_blob_id(after)} 100644\n",
        "GIT binary patch\n",
        f"delta {len(delta)}\n",
        *_encoded(zlib.compress(delta, 9)),
        "\n",
    ]
    return "".join(lines)


def make_delta(size_before: int, size_after: int, pieces: Sequence[Replacement]) -> bytes:
    """Copies of what stays, by offset, and the new bytes between."""
    parts = [_size(size_before), _size(size_after)]
    at = 0
    for piece in pieces:
        parts += _copies(at, piece.start - at)
        for first in range(0, len(piece.data), _MAX_INSERT):
            new = piece.data[first : first + _MAX_INSERT]
            parts.append(bytes([len(new)]) + new)
        at = piece.end
    return b"".join([*parts, *_copies(at, size_before - at)])


def _size(value: int) -> bytes:
    """Seven bits a byte, lowest first, the top bit on all but the last."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _copies(offset: int, size: int) -> list[bytes]:
    found = []
    while size:
        piece = min(size, _MAX_COPY)
        flags, body = 0x80, bytearray()
        for bit in range(4):
            byte = offset >> 8 * bit & 0xFF
            if byte:
                flags |= 1 << bit
                body.append(byte)
        for bit in range(3):
            byte = piece >> 8 * bit & 0xFF
            if byte:
                flags |= 0x10 << bit
                body.append(byte)
        found.append(bytes([flags]) + bytes(body))
        offset, size = offset + piece, size - piece
    return found


def _encoded(data: bytes) -> list[str]:
    """Lines of base 85, each led by its number of bytes: A to Z are 1 to 26, a to z 27 to 52."""
    lines = []
    for at in range(0, len(data), _LINE):
        piece = data[at : at + _LINE]
        count = len(piece)
        length = chr(ord("A") + count - 1) if count <= 26 else chr(ord("a") + count - 27)
        padded = piece + b"\0" * (-count % 4)
        body = "".join(
            _digits(int.from_bytes(padded[i : i + 4], "big")) for i in range(0, len(padded), 4)
        )
        lines.append(length + body + "\n")
    return lines


def _digits(value: int) -> str:
    found = ""
    for _ in range(5):
        value, digit = divmod(value, 85)
        found = _ALPHABET[digit] + found
    return found


def _blob_id(data: bytes) -> str:
    digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return digest.hexdigest()
