"""Writes the tables of docs/why-believe.md from what the calibration stored.

`python benchmarks/estimator_report.py` prints them; `--write` puts them into the page.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runner.estimator.coefficients import fitted

PAGE = Path(__file__).resolve().parents[1] / "docs" / "why-believe.md"
BEGIN, END = "<!-- tables: make calibrate renews them -->", "<!-- end of tables -->"
ERRORS = ("runs", "mean", "median", "within 20%")
TABLES = (
    ("family", "Speed by hardware family", ERRORS),
    ("method", "Speed by method", ERRORS),
    ("card", "Speed by card", ERRORS),
    ("memory_method", "Peak memory by method", ERRORS),
    ("memory_family", "Peak memory by hardware family", ERRORS),
)
LABELS = {
    "core": "speed, dense models",
    "exact": "speed, with mixtures of experts",
    "all": "speed, with unknown sample lengths",
    "amd": "speed, AMD cards",
    "memory": "peak memory, dense models",
    "memory_moe": "peak memory, mixtures of experts",
}


def render() -> str:
    """Every table as Markdown."""
    return "\n".join(_lines()).strip()


def written() -> str:
    """The tables that stand in the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def main() -> None:
    """Print the tables, or write them into the page."""
    if "--write" in sys.argv[1:]:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
        PAGE.write_text(f"{head}\n\n{render()}\n\n{tail}", encoding="utf-8")
    else:
        print(render())
    print(json.dumps({"runs": fitted()["errors"]["all"]["runs"], "fresh": written() == render()}))


def _lines() -> Iterator[str]:
    errors, tables = fitted()["errors"], fitted()["tables"]
    rows = [
        [LABELS[name], *(one[key] for key in ("runs", "mean", "median", "within_20"))]
        for name, one in errors.items()
        if name in LABELS
    ]
    yield from _table("Unseen runs", ERRORS, rows)
    yield f"{errors['coverage']:.1%} of all unseen speeds lay inside their 80% interval."
    yield ""
    for name, title, heads in TABLES:
        yield from _table(title, heads, tables[name])
    left = tables["card_left_out"]
    heads = ("runs", "median", "after one anchor")
    yield from _table("A card that the fit has never seen", heads, left)
    plain, anchored = (statistics.median(row[place] for row in left) for place in (2, 3))
    yield (
        f"The middle card is off by {plain:.1%} unseen and by {anchored:.1%} once one run of the "
        "same model and GPU count anchors the others."
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield from (f"### {title}", "", f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}")
    for row in rows:
        name, runs, *shares = row
        yield f"| {name} | {runs} | {' | '.join(f'{one:.1%}' for one in shares)} |"
    yield ""


if __name__ == "__main__":
    main()
