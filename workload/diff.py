"""A unified diff of one file that `git apply` takes and that shows no line holding a secret.

It is built from the changes themselves, never by comparing texts. Context shrinks around lines that
hold a secret. git refuses a hunk without context below it (unless the file ends there), so a change
directly above such a line is told in words and carried by `git_delta` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workload.dialects import Change
from workload.git_delta import Replacement, binary_patch
from workload.source import SourceText

CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Block:
    """Old lines [start, end) (0-based) replaced by new lines, each with its line end."""

    start: int
    end: int
    lines: tuple[str, ...]


def unified_diff(
    before: SourceText,
    after: SourceText,
    changes: Sequence[Change],
    secret_lines: frozenset[int],
    path: str | None = None,
) -> str:
    """The diff from `before` to `after`, which `changes` make; '' where nothing changed.

    Args:
        before: the file as uploaded.
        after: the file with `changes` applied.
        changes: in the order of the text, without overlaps.
        secret_lines: 1-based lines of `before` that may not appear; no change touches them.
        path: where `git apply` finds the file, with `/`; None: under its name.
    """
    if before.text == after.text:
        return ""
    old = split_lines(before.text)
    blocks = changed_blocks(before, changes)
    path = path or before.name
    names = _quoted(path)
    hidden = {line - 1 for line in secret_lines}
    shown = _behind_mark(before, old, blocks)
    hunks = _hunks(shown, len(old), hidden)
    unsayable = before.encoding != "utf-8" or (before.bom and not after.text)
    if unsayable or any(_meets_secret(hunk, len(old), hidden) for hunk in hunks):
        pieces = [_as_bytes(before, change) for change in changes]
        told = "".join(_in_words(old, block) for block in blocks)
        return told + binary_patch(names, before.encode(), after.encode(), pieces)
    mark = "\ufeff" if before.bom else ""
    old[0] = mark + old[0]
    tab = "\t" if " " in path else ""
    parts = [f"--- {names[0]}{tab}\n+++ {names[1]}{tab}\n"]
    shift = 0
    for hunk in hunks:
        text, grown = _render(hunk, old, shift, mark)
        parts.append(text)
        shift += grown
    return "".join(parts)


def split_lines(text: str) -> list[str]:
    """Lines with their line feeds, as git counts them."""
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended


def changed_blocks(source: SourceText, changes: Sequence[Change]) -> list[Block]:
    """The runs of whole lines that the changes touch, with their new text."""
    text = source.text
    blocks: list[Block] = []
    at = 0
    while at < len(changes):
        first = source.line_of(changes[at].start) - 1
        last = _last_line(source, changes[at])
        upto = at + 1
        while upto < len(changes) and source.line_of(changes[upto].start) - 1 <= last:
            last = max(last, _last_line(source, changes[upto]))
            upto += 1
        start = source.line_starts[first]
        end = source.line_starts[last] if last < len(source.line_starts) else len(text)
        new = _apply(text, changes[at:upto], start, end)
        blocks.append(_trimmed(first, last, split_lines(text[start:end]), split_lines(new)))
        at = upto
    return blocks


def _last_line(source: SourceText, change: Change) -> int:
    """0-based index behind the last line that a change touches."""
    if change.end > change.start and source.text[change.end - 1] == "\n":
        return source.line_of(change.end) - 1
    whole = change.text.endswith("\n") and source.text[change.start - 1 : change.start] in (
        "\n",
        "",
    )
    if whole and change.start == change.end:
        return source.line_of(change.start) - 1
    return source.line_of(change.end)


def _apply(text: str, changes: Sequence[Change], start: int, end: int) -> str:
    parts, at = [], start
    for change in changes:
        parts += [text[at : change.start], change.text]
        at = change.end
    return "".join([*parts, text[at:end]])


def _trimmed(first: int, last: int, old: list[str], new: list[str]) -> Block:
    """Without the equal lines at both ends."""
    while old and new and old[0] == new[0]:
        first, old, new = first + 1, old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        last, old, new = last - 1, old[:-1], new[:-1]
    return Block(first, max(first, min(last, first + len(old))), tuple(new))


@dataclass(frozen=True, slots=True)
class _Hunk:
    start: int
    """0-based first old line, context included."""
    end: int
    blocks: tuple[Block, ...]


def _hunks(blocks: list[Block], count: int, hidden: set[int]) -> list[_Hunk]:
    """Blocks with up to three lines of context; neighbours joined where nothing hides between."""
    hunks: list[_Hunk] = []
    for block in blocks:
        start = block.start
        while start > 0 and block.start - start < CONTEXT and start - 1 not in hidden:
            start -= 1
        end = block.end
        while end < count and end - block.end < CONTEXT and end not in hidden:
            end += 1
        if hunks and start <= hunks[-1].end:
            last = hunks.pop()
            hunks.append(_Hunk(last.start, end, (*last.blocks, block)))
        else:
            hunks.append(_Hunk(start, end, (block,)))
    return hunks


def _meets_secret(hunk: _Hunk, count: int, hidden: set[int]) -> bool:
    """Whether a hunk ends right above a hidden line, or would have to replace one."""
    replaced = (line for block in hunk.blocks for line in range(block.start, block.end))
    ends = hunk.end == hunk.blocks[-1].end and hunk.end < count
    return ends or any(line in hidden for line in replaced)


def _render(hunk: _Hunk, old: list[str], shift: int, mark: str) -> tuple[str, int]:
    """One hunk as text, and by how many lines it makes the file longer."""
    lines: list[str] = []
    at = hunk.start
    new_count = 0
    for block in hunk.blocks:
        kept = old[at : block.start]
        lines += [_shown(" ", line) for line in kept]
        lines += [_shown("-", line) for line in old[block.start : block.end]]
        added = list(block.lines)
        if added and block.start == 0 and mark:
            added[0] = mark + added[0]
        lines += [_shown("+", line) for line in added]
        new_count += len(kept) + len(added)
        at = block.end
    tail = old[at : hunk.end]
    lines += [_shown(" ", line) for line in tail]
    new_count += len(tail)
    old_count = hunk.end - hunk.start
    old_start = hunk.start + (old_count > 0)
    new_start = hunk.start + shift + (new_count > 0)
    head = f"@@ -{old_start},{old_count} +{new_start},{new_count} @@\n"
    return head + "".join(lines), new_count - old_count


def _shown(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def _behind_mark(source: SourceText, old: list[str], blocks: list[Block]) -> list[Block]:
    """With a byte order mark the new first line carries it: so the first line is replaced."""
    first = blocks[0]
    if not source.bom or first.start > 0 or (first.end > 0 and first.lines):
        return blocks
    kept = (old[first.end],) if first.end < len(old) else ()
    return [Block(0, first.end + len(kept), (*first.lines, *kept)), *blocks[1:]]


def _as_bytes(source: SourceText, change: Change) -> Replacement:
    mark = len("\ufeff".encode(source.encoding)) if source.bom else 0
    start = mark + len(source.text[: change.start].encode(source.encoding))
    length = len(source.text[change.start : change.end].encode(source.encoding))
    return Replacement(start, start + length, change.text.encode(source.encoding))


def _in_words(old: list[str], block: Block) -> str:
    """A change in lines that `git apply` skips as prose."""
    gone = [f"#   - {line.rstrip()}\n" for line in old[block.start : block.end]]
    new = [f"#   + {line.rstrip()}\n" for line in block.lines]
    head = (
        f"# line {block.start + 1} (written as a binary delta, as the next line holds a secret):\n"
    )
    return "".join([head, *gone, *new])


def _quoted(name: str) -> tuple[str, str]:
    """`a/NAME` and `b/NAME`, quoted as git quotes names with unusual characters."""
    if name.isascii() and name.isprintable() and '"' not in name and "\\" not in name:
        return f"a/{name}", f"b/{name}"
    octal = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in (34, 92) else f"\\{byte:03o}"
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f'"a/{octal}"', f'"b/{octal}"'
