"""The cells of a notebook with the exact place of their source in the JSON text, and changes there.

Reads nbformat 3 and 4. A change of a cell's source becomes a change of the JSON text: escapes are
written as the file writes them, a list of lines stays one, outputs, ids and all else stay byte for
byte. It knows nothing of what a cell means; outputs are skipped, never looked into.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from json.decoder import scanstring  # type: ignore[attr-defined]

from audit.records.errors import InputError
from workload.dialects import CannotEdit, Change
from workload.source import SourceText
from workload.splice.json_tree import read_json

_BLANK = re.compile(r"[ \t\n\r]*")
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\."
)
MAX_CELLS = 5_000
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Piece:
    """One JSON string of a cell's source."""

    at: int
    """Offset of its first character in the cell's text."""
    start: int
    end: int
    """What stands between its quotes, as offsets in the JSON text."""
    raw: str
    text_end: int
    """Offset behind its last character in the cell's text."""

    @cached_property
    def _escapes(self) -> list[tuple[int, int]]:
        """(text offset, raw offset) right behind every escape."""
        found, shift = [], 0
        for match in _ESCAPE.finditer(self.raw):
            shift += match.end() - match.start() - 1
            found.append((match.end() - shift, match.end()))
        return found

    def offset(self, inside: int) -> int:
        """Offset in the JSON text of the character `inside` of this piece."""
        if "\\" not in self.raw:
            return self.start + inside
        index = bisect_right(self._escapes, inside, key=lambda pair: pair[0]) - 1
        text, raw = self._escapes[index] if index >= 0 else (0, 0)
        return self.start + raw + inside - text


@dataclass(frozen=True)
class Cell:
    """One cell."""

    number: int
    """1-based, of all cells, as a reader of the notebook counts them."""
    kind: str
    """`code`, `markdown`, `raw`."""
    text: str
    pieces: tuple[Piece, ...]
    listed: bool
    """Its source is a list of lines; else one string."""

    def piece_at(self, offset: int) -> int:
        """Index of the piece that holds the character at `offset`; the last for the end."""
        return bisect_right(self.pieces, offset, key=lambda piece: piece.at) - 1

    def json_offset(self, offset: int) -> int:
        """Offset in the JSON text of the character at `offset` of the cell's text."""
        piece = self.pieces[max(0, self.piece_at(offset))]
        return piece.offset(offset - piece.at)


@dataclass(frozen=True)
class Notebook:
    """The cells of a notebook, in order."""

    source: SourceText
    cells: tuple[Cell, ...]
    language: str
    """The kernel's language in lower case; `python` where none is named."""

    @cached_property
    def ascii_only(self) -> bool:
        """The file writes characters outside ASCII as escapes."""
        return self.source.text.isascii() and "\\u" in self.source.text

    def line(self, cell: Cell, offset: int) -> int:
        """1-based line of the notebook's JSON text that holds a character of a cell."""
        at = cell.json_offset(offset) if cell.pieces else 0
        return self.source.line_of(at)

    def change(self, cell: Cell, change: Change) -> Change:
        """The change of the JSON text that makes `change` of a cell's text.

        Raises:
            CannotEdit: the cell holds no text.
        """
        if not cell.pieces:
            reason, advice = "the cell is empty", "Write it in the notebook by hand"
            raise CannotEdit(reason, advice)
        gone = self._whole_lines(cell, change)
        if gone is not None:
            return gone
        start = cell.json_offset(change.start)
        end = start
        if change.end > change.start:
            last = cell.piece_at(change.end - 1)
            ends_line = cell.pieces[last].text_end == change.end
            whole = ends_line and change.text.endswith("\n")  # lines that stay items of their own
            end = cell.pieces[last].end if whole else cell.json_offset(change.end)
        return Change(start, end, self._written(cell, change), change.key)

    def _whole_lines(self, cell: Cell, change: Change) -> Change | None:
        """The removal of whole list items with their commas; None for any other change."""
        if change.text or not cell.listed or len(cell.pieces) < 2 or change.start == change.end:
            return None
        first, last = cell.piece_at(change.start), cell.piece_at(change.end - 1)
        behind = cell.pieces[last + 1].at if last + 1 < len(cell.pieces) else len(cell.text)
        if cell.pieces[first].at != change.start or behind != change.end:
            return None
        if last + 1 < len(cell.pieces):
            return Change(
                cell.pieces[first].start - 1, cell.pieces[last + 1].start - 1, "", change.key
            )
        if first == 0:
            return None
        return Change(cell.pieces[first - 1].end + 1, cell.pieces[last].end + 1, "", change.key)

    def _written(self, cell: Cell, change: Change) -> str:
        """The new text as JSON writes it, each line an item of its own where the cell has items."""
        parts = change.text.split("\n")
        words = [json.dumps(part, ensure_ascii=self.ascii_only)[1:-1] for part in parts]
        if not cell.listed:
            return "\\n".join(words)
        item = f'"{self._gap(cell)}"'
        at_end = change.end == len(cell.text)
        closes = len(words) > 1 and not words[-1] and (at_end or change.end > change.start)
        text = f"\\n{item}".join(words[:-1] if closes else words) + "\\n" * closes
        begins = at_end and change.start == change.end and cell.text.endswith("\n")
        return item + text if begins else text

    def _gap(self, cell: Cell) -> str:
        """What stands between two items of the cell's list: a comma and the blanks."""
        text = self.source.text
        if len(cell.pieces) > 1:
            return text[cell.pieces[0].end + 1 : cell.pieces[1].start - 1]
        start = cell.pieces[0].start - 1
        line = text.rfind("\n", 0, start) + 1
        indent = text[line:start]
        return f",{self.source.newline}{indent}" if line and not indent.strip() else ", "


def read_notebook(source: SourceText) -> Notebook:
    """The cells of a notebook.

    Raises:
        InputError: no JSON, nested too deeply, JSON with comments, or no notebook.
    """
    _check(source)
    scan = _Scan(source.text)
    top = scan.members(scan.blank(0))
    places = []
    if "cells" in top:
        places = [top["cells"]]
    elif "worksheets" in top and source.text[top["worksheets"]] == "[":
        sheets = (scan.members(at) for at in scan.items(top["worksheets"]))
        places = [sheet["cells"] for sheet in sheets if "cells" in sheet]
    cells: list[Cell] = []
    for place in places:
        if source.text[place] != "[":
            raise _no_notebook(source)
        for at in scan.items(place):
            cells.append(_cell(scan, at, len(cells) + 1))
            if len(cells) > MAX_CELLS:
                reason = f"more than {MAX_CELLS:,} cells"
                raise InputError(reason, file=source.name, remedy="Upload the part that trains")
    if not places:
        raise _no_notebook(source)
    return Notebook(source, tuple(cells), _language(scan, top))


def _check(source: SourceText) -> None:
    """Raises InputError unless the text is JSON as Jupyter reads it, with an object at its top."""
    try:
        top = json.loads(source.text)
    except (ValueError, RecursionError):
        tree = source.parsed(read_json)  # says what is wrong and where
        what = "what Jupyter refuses" if tree.relaxed is None else tree.relaxed.what
        line = None if tree.relaxed is None else source.line_of(tree.relaxed.at)
        reason = f"the notebook's JSON holds {what}"
        remedy = "Remove it, or save the notebook in Jupyter"
        raise InputError(reason, file=source.name, line=line, remedy=remedy) from None
    if not isinstance(top, dict):
        raise _no_notebook(source)


def _no_notebook(source: SourceText) -> InputError:
    reason = "the JSON has no list of cells, so it is no notebook"
    return InputError(reason, file=source.name, remedy="Save it in Jupyter and upload it again")


def _cell(scan: _Scan, at: int, number: int) -> Cell:
    """One cell; `source` of nbformat 4, `input` of the code cells of nbformat 3."""
    members = scan.members(at) if scan.text[at] == "{" else {}
    kind = scan.string(members["cell_type"]) if "cell_type" in members else ""
    place = members.get("source", members.get("input"))
    if place is None or scan.text[place] not in '"[':
        return Cell(number, kind, "", (), False)
    listed = scan.text[place] == "["
    pieces: list[Piece] = []
    texts: list[str] = []
    length = 0
    for start in scan.items(place) if listed else iter([place]):
        if scan.text[start] != '"':
            return Cell(number, kind, "", (), listed)
        value, end = scanstring(scan.text, start + 1)
        raw, behind = scan.text[start + 1 : end - 1], length + len(value)
        pieces.append(Piece(length, start + 1, end - 1, raw, behind))
        texts.append(value)
        length = behind
    return Cell(number, kind, "".join(texts), tuple(pieces), listed)


def _language(scan: _Scan, top: dict[str, int]) -> str:
    metadata = scan.members(top["metadata"]) if "metadata" in top else {}
    for block, name in (("kernelspec", "language"), ("language_info", "name")):
        members = scan.members(metadata[block]) if block in metadata else {}
        if name in members and scan.text[members[name]] == '"':
            return scan.string(members[name]).lower()
    return "python"


class _Scan:
    """Walks over a text that is known to be JSON, reading no more than it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    def blank(self, at: int) -> int:
        """The first character from `at` on that is no blank."""
        found = _BLANK.match(self.text, at)
        return at if found is None else found.end()

    def string(self, at: int) -> str:
        """The string that starts at `at`; '' where none does."""
        return str(scanstring(self.text, at + 1)[0]) if self.text[at] == '"' else ""

    def members(self, at: int) -> dict[str, int]:
        """Key -> offset of the value, of the object at `at`; of a repeated key the last."""
        found: dict[str, int] = {}
        if self.text[at] != "{":
            return found
        at = self.blank(at + 1)
        while self.text[at] != "}":
            key, at = scanstring(self.text, at + 1)
            found[key] = at = self.blank(self.blank(at) + 1)
            at = self.blank(self.skip(at))
            if self.text[at] == ",":
                at = self.blank(at + 1)
        return found

    def items(self, at: int) -> Iterator[int]:
        """Offsets of the items of the list at `at`."""
        at = self.blank(at + 1)
        while self.text[at] != "]":
            yield at
            at = self.blank(self.skip(at))
            if self.text[at] == ",":
                at = self.blank(at + 1)

    def skip(self, at: int) -> int:
        """Offset behind the value at `at`."""
        return _DECODER.raw_decode(self.text, at)[1]
