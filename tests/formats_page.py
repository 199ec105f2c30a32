"""Writes the generated parts of docs/formats.md: the list of fields, and the table of accuracy.

`python -m tests.formats_page` renews the fields from the key tables.
`python -m tests.formats_page --scores FILE.json` puts new figures in: FILE holds
`{"date": "2026-01-31", "parsing": {...}, "patching": {...}}`, each the last line of its scorer.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from workload.dialects import DIALECTS, load_dialect

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "formats.md"
FIELDS = "fields of {}"
ACCURACY = "accuracy"
HEAD = (
    "| format | files | stated fields right | all fields right | of claims, wrong | left open "
    "| edits made | of these exact |\n|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


def begin(name: str) -> str:
    return f"<!-- generated: {name} -->"


def end(name: str) -> str:
    return f"<!-- end of {name} -->"


def part(text: str, name: str) -> str:
    """What stands between the marks of a generated part."""
    return text[text.index(begin(name)) + len(begin(name)) : text.index(end(name))].strip()


def with_part(text: str, name: str, body: str) -> str:
    """The page with one generated part anew."""
    head = text[: text.index(begin(name)) + len(begin(name))]
    return f"{head}\n{body}\n{text[text.index(end(name)) :]}"


def fields_of(format_id: str) -> str:
    """The fields that the key table of a dialect reads, with the key of each."""
    table = getattr(load_dialect(format_id), "table", ())
    pairs = [
        f"{key.field}" if key.names[0] == key.field else f"{key.field} (`{key.names[0]}`)"
        for key in table
    ]
    return f"Keys read: {', '.join(pairs)}." if pairs else "No key table: see above."


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def accuracy(scores: dict[str, Any]) -> str:
    """The table of accuracy: formats with files, then all of them."""
    parsing, patching = scores["parsing"], scores["patching"]
    names = [name for name, row in parsing["by_format"].items() if row["files"]]
    rows = [*((name, parsing["by_format"][name]) for name in names), ("all", parsing)]
    lines = []
    for name, row in rows:
        edits = patching if name == "all" else patching["by_format"].get(name, {})
        cells = [
            f"`{name}`" if name != "all" else "**all**",
            str(row["files"]),
            f"{share(row['stated_accuracy'])} of {row['stated_n']:,}",
            f"{share(row['all_accuracy'])} of {row['all_n']:,}",
            share(row["false_certainty"]),
            str(row["abstained"]),
            f"{edits['edited']:,} of {edits['jobs']:,}" if edits.get("jobs") else "–",
            share(edits.get("exact_share")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    wrong = parsing["crashes"], parsing["user_errors_on_ok"], patching["crashes"]
    unmeasured = ", ".join(f"`{name}`" for name in DIALECTS if name not in names)
    told = (
        f"Measured on {scores['date']}. Crashes while reading: {wrong[0]}; files refused that "
        f"their own framework takes: {wrong[1]}; crashes while editing: {wrong[2]}. Of the edits "
        f"made, `git apply` takes {share(patching['applies_share'])} and "
        f"{share(patching['bytes_kept_share'])} leave every other byte alone. No such "
        f"files stand beside this checkout for {unmeasured}: their tests hold files of our own."
    )
    return HEAD + "\n".join(lines) + f"\n\n{told}"


def render(text: str) -> str:
    """The page with its lists of fields anew; the table of accuracy stays."""
    for format_id in DIALECTS:
        text = with_part(text, FIELDS.format(format_id), fields_of(format_id))
    return text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scores", type=Path, help="figures of the two scorers")
    given = parser.parse_args()
    text = render(PAGE.read_text())
    if given.scores is not None:
        text = with_part(text, ACCURACY, accuracy(json.loads(given.scores.read_text())))
    PAGE.write_text(text)


def sections(text: str) -> set[str]:
    """The format ids that have a section."""
    return set(re.findall(r"^### `(\w+)`", text, re.M))


if __name__ == "__main__":
    main()
