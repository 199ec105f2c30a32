"""How long the training samples are: stated by the user, or measured on an uploaded data sample."""

from __future__ import annotations

import json
import math

from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import DataLengths
from workload.source import decode_upload

CHARACTERS_PER_TOKEN = 4
"""English text averages about four characters a token (OpenAI help centre, "What are tokens")."""
MAX_SAMPLES = 20_000
_TEXT_KEYS = ("content", "value", "text", "output", "completion", "response", "chosen")


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
    """Token lengths of a `.jsonl` sample, one sample per line, at four characters a token.

    Raises:
        InputError: a line is no JSON (with its number), or no line holds text.
    """
    source = decode_upload(upload)
    lengths: list[int] = []
    for number, line in enumerate(source.text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
        except (ValueError, RecursionError):
            reason = "the line is no JSON"
            remedy = "A data sample holds one JSON object per line"
            raise InputError(reason, file=source.name, line=number, remedy=remedy) from None
        characters = _characters(sample)
        if characters:
            lengths.append(math.ceil(characters / CHARACTERS_PER_TOKEN))
        if len(lengths) >= MAX_SAMPLES:
            break
    if not lengths:
        reason = "no line of the data sample holds text"
        raise InputError(reason, file=source.name, remedy="Upload lines as they are trained on")
    lengths.sort()
    return DataLengths(
        p50=_quantile(lengths, 0.5),
        p95=_quantile(lengths, 0.95),
        max=lengths[-1],
        origin="stated",
        source=f"{source.name}: {len(lengths)} samples, {CHARACTERS_PER_TOKEN} characters a token",
    )


def _quantile(ordered: list[int], share: float) -> int:
    """The smallest length that at least `share` of the samples do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _characters(sample: Json) -> int:
    """Characters of all text in a sample, keys and roles left out."""
    total, todo = 0, [sample]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            total += len(value)
        elif isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            told = [value[key] for key in _TEXT_KEYS if key in value]
            roles = any(key in value for key in ("role", "from"))
            todo += told if roles and told else value.values()
    return total


def _unclear(reason: str) -> InputError:
    return InputError(f"lengths: {reason}", remedy="Write --lengths p50=310,p95=900,max=2048")
