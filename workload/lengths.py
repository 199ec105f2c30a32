"""How long the training samples are: stated by the user, or measured on an uploaded data sample."""

from __future__ import annotations

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import DataLengths


def parse_lengths(text: str) -> DataLengths:
    """`p50=310,p95=900,max=2048` in tokens.

    Raises:
        InputError: a part is missing, no whole number, or out of order.
    """
    found: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in ("p50", "p95", "max") or not value.isdecimal() or len(value) > 9:
            reason = f"{part!r} is none of p50=N, p95=N, max=N"
            raise _unclear(reason)
        found[name] = int(value)
    missing = [name for name in ("p50", "p95", "max") if name not in found]
    if missing:
        reason = f"{', '.join(missing)} missing"
        raise _unclear(reason)
    if not 1 <= found["p50"] <= found["p95"] <= found["max"]:
        reason = "they must rise from p50 over p95 to max, from 1 on"
        raise _unclear(reason)
    return DataLengths(**found, origin="stated", source="--lengths")


def measure_lengths(upload: Upload) -> DataLengths:
    """Token lengths of a data sample: JSON lines, a JSON array, or Parquet.

    Raises:
        InputError: the file holds no rows, or no row holds text.
    """
    from workload.data_sample import measure_sample

    return measure_sample(upload).lengths


def _unclear(reason: str) -> InputError:
    return InputError(f"lengths: {reason}", remedy="Write --lengths p50=310,p95=900,max=2048")
