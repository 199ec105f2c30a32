"""A data sample measured: how long its rows are, what columns they have, whether they fit the task.

Columns as TRL's trainers and LLaMA-Factory's two layouts name them: github:huggingface/trl docs
dataset_formats.md, github:hiyouga/LLaMA-Factory data/README.md.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audit.log.redact import redact
from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import DataLengths, FieldValue, Notice
from workload.data_rows import Rows, read_rows
from workload.source import SourceText

CHARACTERS_PER_TOKEN = 4
"""English text averages about four characters a token (OpenAI help centre, "What are tokens")."""
MOST = 0.95
"""A column counts when this share of the rows has it."""
_TEXT_KEYS = ("content", "value", "text", "output", "completion", "response", "chosen")
_PAIR = frozenset({"chosen", "rejected"})


@dataclass(frozen=True, slots=True)
class Shape:
    """One set of columns that a trainer takes."""

    needs: frozenset[str]
    also: frozenset[str] = frozenset()
    """Further columns whose text is trained on."""


def _shape(needs: str, also: str = "") -> Shape:
    return Shape(frozenset(needs.split()), frozenset(also.split()))


_TUNING = (
    _shape("input_ids"),
    _shape("messages"),
    _shape("conversations", "system"),
    _shape("prompt completion"),
    _shape("instruction output", "input system history"),
    _shape("text"),
)
_PAIRS = (
    _shape("chosen rejected", "prompt instruction input conversations system"),
    _shape("prompt chosen rejected"),
)
_PROMPTS = (_shape("prompt"),)
SHAPES: dict[str, tuple[Shape, ...]] = {
    "sft": _TUNING,
    "pretrain": (_shape("input_ids"), _shape("text")),
    **dict.fromkeys(("dpo", "ipo", "orpo", "simpo", "reward"), _PAIRS),
    **dict.fromkeys(("grpo", "rloo", "online_dpo"), _PROMPTS),
}
"""Task -> the columns that its trainers take; other tasks are not checked."""
_ANY = (*_PAIRS, *_TUNING, *_PROMPTS)
_WORDS = frozenset().union(*(shape.needs | shape.also for shape in _ANY))


@dataclass(frozen=True, slots=True)
class DataSample:
    """What a sample tells of the data."""

    name: str
    rows: int
    whole: bool
    """Every row of the file was read."""
    malformed: int
    first_malformed: int | None
    columns: frozenset[str]
    lengths: DataLengths

    def count(self) -> FieldValue | None:
        """The number of examples, where the whole file was read."""
        if not self.whole:
            return None
        source = f"rows in the sample {self.name}"
        return FieldValue(value=self.rows, origin="stated", file=self.name, source=source)

    def notices(self, task: Json, main: SourceText) -> list[Notice]:
        """Rows that are none, and columns that the task does not take.

        Args:
            task: of the workload; columns are checked for those in `SHAPES`.
            main: the training file: a column that it names is one that it maps by itself.
        """
        found: list[Notice] = []
        if self.malformed:
            rows = f"{self.malformed} of {self.rows + self.malformed} rows are no JSON objects"
            message = f"{self.name}: {rows}; they are left out"
            line = self.first_malformed
            found.append(Notice(kind="note", message=message, file=self.name, line=line))
        shapes = SHAPES.get(task) if isinstance(task, str) else None
        fits = shapes is None or any(shape.needs <= self.columns for shape in shapes)
        if shapes is not None and not fits and not _maps(main, self.columns):
            wanted = " | ".join("+".join(sorted(shape.needs)) for shape in shapes)
            held = redact(", ".join(sorted(self.columns)[:12]))[:300] or "none that all rows share"
            message = f"{self.name} has the columns {held}; {task} takes {wanted}"
            found.append(Notice(kind="conflict", message=message, file=self.name))
        return found


def measure_sample(upload: Upload) -> DataSample:
    """Lengths, columns and number of rows of a sample.

    Raises:
        InputError: half of the rows or more are no objects, or none holds text.
    """
    rows = read_rows(upload)
    if rows.malformed and rows.malformed >= len(rows.good):
        reason = "most rows are no JSON objects; the first such row is here"
        if not rows.good or rows.malformed == 1:
            reason = "the line is no JSON object"
        remedy = "A data sample holds one JSON object per line"
        raise InputError(reason, file=upload.name, line=rows.first_malformed, remedy=remedy)
    columns = _columns(rows)
    shape = next((shape for shape in _ANY if shape.needs <= columns), None)
    tokens = sorted(filter(None, (row_tokens(row, shape) for row in rows.good)))
    if not tokens:
        reason = "no line of the data sample holds text"
        raise InputError(reason, file=upload.name, remedy="Upload lines as they are trained on")
    given = "input_ids" in columns
    how = "tokens as given" if given else f"{CHARACTERS_PER_TOKEN} characters a token"
    lengths = DataLengths(
        p50=_quantile(tokens, 0.5),
        p95=_quantile(tokens, 0.95),
        max=tokens[-1],
        origin="stated",
        source=f"{upload.name}: {len(tokens)} samples, {how}",
    )
    return DataSample(
        name=upload.name,
        rows=len(rows.good),
        whole=rows.whole,
        malformed=rows.malformed,
        first_malformed=rows.first_malformed,
        columns=columns,
        lengths=lengths,
    )


def row_tokens(row: dict[str, Any], shape: Shape | None) -> int:
    """Tokens of one row: counted where they are given, else by its characters.

    Of a pair of answers the longer one counts: a trainer runs each with the prompt.
    """
    given = row.get("input_ids")
    if isinstance(given, list):
        return len(given)
    wanted = row if shape is None else shape.needs | shape.also
    parts = {name: value for name, value in row.items() if name in wanted}
    pair = [_characters([value]) for name, value in parts.items() if name in _PAIR]
    rest = _characters([value for name, value in parts.items() if name not in _PAIR])
    return math.ceil((rest + max(pair, default=0)) / CHARACTERS_PER_TOKEN)


def _columns(rows: Rows) -> frozenset[str]:
    counts = Counter(name for row in rows.good for name, value in row.items() if value is not None)
    return frozenset(name for name, count in counts.items() if count >= MOST * len(rows.good))


def _maps(main: SourceText, columns: Iterable[str]) -> bool:
    """Whether the training file names a column that no trainer knows: it maps the data itself."""
    own = [re.escape(name) for name in columns if name not in _WORDS and len(name) < 60]
    return bool(own) and re.search(rf"(?<!\w)(?:{'|'.join(own)})(?!\w)", main.text) is not None


def _quantile(ordered: list[int], share: float) -> int:
    """The smallest length that at least `share` of the samples do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _characters(parts: list[Json]) -> int:
    """Characters of all text in values, keys and roles left out."""
    total, todo = 0, [*parts]
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
