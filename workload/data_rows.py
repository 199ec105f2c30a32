"""The rows of an uploaded data sample: JSON lines, a JSON array, or Parquet with pyarrow."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.source import SourceText, decode_sample

MAX_ROWS = 100_000
"""Rows measured; 20 MB of text rows hold fewer, and reading so many takes under a second."""
MAX_TABLE_BYTES = 200_000_000
"""Unpacked bytes of a Parquet table: one of 20 MB may claim far more."""
_PARQUET = b"PAR1"
_MARKS = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Rows:
    """The rows that are objects, and how many were not."""

    good: list[dict[str, Any]] = field(default_factory=list)
    malformed: int = 0
    first_malformed: int | None = None
    """1-based line, or row of an array."""
    whole: bool = True
    """Every row of the file is here."""

    def add(self, number: int, row: Any) -> None:
        """One row; anything but an object is malformed."""
        if isinstance(row, dict):
            self.good.append(row)
            return
        self.malformed += 1
        self.first_malformed = self.first_malformed or number

    @property
    def full(self) -> bool:
        """Whether no further row is wanted."""
        return len(self.good) + self.malformed >= MAX_ROWS


def is_sample(upload: Upload) -> bool:
    """Whether a file holds data rows, by its name and first bytes: no training file does.

    `.jsonl`, Parquet, and `.json` that is an array of objects or one object a line.
    """
    name = upload.name.lower()
    if name.endswith(".jsonl") or upload.data.startswith(_PARQUET):
        return True
    if not name.endswith(".json"):
        return False
    head = upload.data[:100_000].removeprefix(_MARKS).lstrip()
    if head.startswith(b"["):
        return head[1:].lstrip().startswith(b"{")
    first, _, rest = head.partition(b"\n")
    if not rest.startswith(b"{") or not first.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def read_rows(upload: Upload) -> Rows:
    """The rows of a sample.

    Raises:
        InputError: no text, a broken array, or a Parquet table that cannot be read here.
    """
    if upload.data.startswith(_PARQUET):
        return _table_rows(upload)
    source = decode_sample(upload)
    if source.text.lstrip().startswith("["):
        return _array_rows(source)
    rows = Rows()
    for number, line in enumerate(source.text.split("\n"), 1):
        if not line.strip():
            continue
        if rows.full:
            rows.whole = False
            break
        rows.add(number, _parsed(line))
    return rows


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _array_rows(source: SourceText) -> Rows:
    try:
        found = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        reason = "the array of rows is broken JSON"
        remedy = "Upload rows as a JSON array, or one JSON object per line"
        raise InputError(reason, file=source.name, line=line, remedy=remedy) from None
    rows = Rows(whole=len(found) <= MAX_ROWS)
    for number, row in enumerate(found[:MAX_ROWS], 1):
        rows.add(number, row)
    return rows


def _table_rows(upload: Upload) -> Rows:
    remedy = "Upload some thousand rows as .jsonl: one JSON object per line"
    if find_spec("pyarrow") is None:
        reason = "a Parquet table is read only where pyarrow is installed, and here it is not"
        raise InputError(reason, file=upload.name, remedy=remedy)
    parquet = import_module("pyarrow.parquet")
    rows = Rows()
    try:
        table = parquet.ParquetFile(io.BytesIO(upload.data))
        about = table.metadata
        groups = [about.row_group(at).total_byte_size for at in range(about.num_row_groups)]
        if sum(groups) > MAX_TABLE_BYTES:
            reason = f"the Parquet table unpacks to more than {MAX_TABLE_BYTES // 1_000_000} MB"
            raise InputError(reason, file=upload.name, remedy=remedy)
        for number, row in enumerate(_batched(table), 1):
            rows.add(number, row)
            if rows.full:
                break
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's own errors are these
        reason = f"the Parquet table is broken: {str(error)[:80]}"
        raise InputError(reason, file=upload.name, remedy=remedy) from None
    rows.whole = about.num_rows <= MAX_ROWS
    return rows


def _batched(table: Any) -> Iterator[Any]:
    for batch in table.iter_batches(batch_size=1_000):
        yield from batch.to_pylist()
