"""A zip among the uploads becomes the files in it, read in memory after every check on its index.

Nothing is ever written to disk by a name from an archive. Files that no reader takes (images,
notes, weights) are left out by their names; what is hostile is refused with its reason.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from audit.records.errors import InputError
from audit.records.upload import Upload

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

MAX_UNPACKED = 20_000_000
"""Bytes of all files together, the limit of the design; a zip itself may not have more either."""
MAX_MEMBERS = 1_000
MAX_RATIO = 200
"""Unpacked / packed size of one file: JSON logs reach about 30, bombs 1,000 and more."""
SMALL = 100_000
"""Bytes below which a ratio says nothing."""
READ = frozenset(
    {
        ".yaml", ".yml", ".json", ".jsonl", ".txt", ".in", ".toml", ".cfg", ".conf", ".py",
        ".ipynb", ".sh", ".bash", ".slurm", ".sbatch", ".parquet",
    }
)  # fmt: skip
"""Endings of files that may belong to a training run; a file without an ending is tried as well."""
_ZIP = b"PK\x03\x04"
_PACKED = (_ZIP, b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
_PACKED_NAME = re.compile(r"\.(zip|tar|tgz|gz|bz2|xz|7z|rar|zst)$", re.IGNORECASE)
_STORED, _DEFLATED = 0, 8
_FAULTS = (zlib.error, EOFError, RuntimeError, ValueError, OSError, struct.error, OverflowError)
"""What the standard library raises on a damaged zip beside its own error."""


def unpack_uploads(uploads: Sequence[Upload]) -> tuple[Upload, ...]:
    """The uploads with every zip replaced by the files in it, named without their folders.

    Raises:
        InputError: a zip that is broken, encrypted, nested, too large, or whose members point
            outside (absolute paths, `..`, links); a PyTorch checkpoint, which is a zip of pickles.
    """
    found: list[Upload] = []
    for upload in uploads:
        if upload.data[:4] == _ZIP:
            found += _unpack(upload)
        else:
            found.append(upload)
    return tuple(found)


def _unpack(upload: Upload) -> list[Upload]:
    from zipfile import BadZipFile, ZipFile

    if len(upload.data) > MAX_UNPACKED:
        raise _refused(upload, f"the zip has more than {MAX_UNPACKED // 1_000_000} MB")
    try:
        with ZipFile(io.BytesIO(upload.data)) as archive:
            members = _checked(upload, archive)
            return [_read(upload, archive, member) for member in members]
    except (BadZipFile, *_FAULTS) as error:
        raise _refused(upload, f"the zip is broken: {str(error)[:80]}") from None


def _checked(upload: Upload, archive: ZipFile) -> list[ZipInfo]:
    """The members to read; raises where any member is hostile, read or not."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if any(PurePosixPath(name).name == "data.pkl" for name in names):
        reason = "this is a PyTorch checkpoint (training_args.bin is one): pickles are never opened"
        remedy = "Upload the config or script as text: YAML, JSON or Python"
        raise InputError(reason, file=upload.name, remedy=remedy)
    if "[Content_Types].xml" in names:
        raise _refused(upload, "this is an Office document")
    if len(members) > MAX_MEMBERS:
        raise _refused(upload, f"the zip holds more than {MAX_MEMBERS:,} files")
    for member in members:
        _check(upload, member)
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise _refused(upload, f"the zip unpacks to more than {MAX_UNPACKED // 1_000_000} MB")
    wanted = [member for member in members if _wanted(member)]
    bases = [PurePosixPath(member.filename).name for member in wanted]
    twice = sorted({name for name in bases if bases.count(name) > 1})
    if twice:
        raise _refused(upload, f"two files in the zip are called {twice[0][:80]}")
    if not wanted:
        raise _refused(upload, "the zip holds no file that could be a training file")
    return wanted


def _check(upload: Upload, member: ZipInfo) -> None:
    name = member.filename
    shown = ascii(name[:80])
    if not name:
        raise _refused(upload, "the zip is broken: a file without a name")
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise _refused(upload, f"{shown} points outside the zip")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(upload, f"{shown} is a link or a special file")
    if member.flag_bits & 1:
        raise _refused(upload, f"{shown} is encrypted")
    if _PACKED_NAME.search(name):
        raise _refused(upload, f"{shown} is an archive in the archive")
    if member.compress_type not in (_STORED, _DEFLATED):
        raise _refused(upload, f"{shown} is packed by a method that is not read")
    if member.file_size > max(SMALL, member.compress_size * MAX_RATIO):
        raise _refused(upload, f"{shown} would grow more than {MAX_RATIO} times")


def _wanted(member: ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in (READ | {""})


def _read(upload: Upload, archive: ZipFile, member: ZipInfo) -> Upload:
    with archive.open(member) as stream:
        data = stream.read(member.file_size + 1)
    name = PurePosixPath(member.filename).name
    if len(data) != member.file_size:
        raise _refused(upload, f"{name[:80]!a} is larger than the zip says")
    if data.startswith(_PACKED):
        raise _refused(upload, f"{name[:80]!a} is an archive in the archive")
    return Upload(name, data)


def _refused(upload: Upload, reason: str) -> InputError:
    remedy = "Upload the files of one run, loose or in one plain zip"
    return InputError(reason, file=upload.name, remedy=remedy)
