"""The text of one uploaded file: decoded once, line ends and byte order mark kept as they are.

Nothing here parses. Detection, dialects and splicing all work on a `SourceText`.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from audit.records.errors import InputError
from audit.records.upload import Upload

Parsed = TypeVar("Parsed")

MAX_BYTES = 1_000_000
MAX_NOTEBOOK_BYTES = 5_000_000
MAX_LOG_BYTES = 5_000_000
MAX_SAMPLE_BYTES = 20_000_000
"""Upload limits of the design; a data sample is a `.jsonl`. A trainer's log (`trainer_state.json`)
of a long run outgrows a config: it may be as large as a notebook."""
MAX_FILES = 20
"""Of one run, those of a zip counted one by one."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAMED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (or a PyTorch checkpoint, which is one)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program (ELF)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a Parquet table"),
    (b"GGUF", "model weights (GGUF)"),
)
"""First bytes of what people upload by mistake, and its name."""


class GivenOption(NamedTuple):
    """An option that a launch line gives a script."""

    words: tuple[str, ...]
    """As the script receives them; none for a flag alone."""
    file: str
    line: int
    why: str = ""
    """Set where the words are not known."""
    name: str = ""
    """The option as the line spells it."""


@dataclass(frozen=True)
class SourceText:
    """One file as text. `text` holds no byte order mark and its line ends exactly as uploaded."""

    name: str
    text: str = field(repr=False)
    bom: bool = False
    encoding: str = "utf-8"
    """`utf-8`, `utf-16-le` or `utf-16-be`."""
    beside: Mapping[str, SourceText] = field(default_factory=dict, repr=False, compare=False)
    """The other uploaded files by name: all that a file can inherit from."""
    trainer: int = 0
    """Which of several training runs of a script is meant, from 1 on; 0: the first."""
    options: Mapping[str, GivenOption] = field(default_factory=dict, repr=False, compare=False)
    """What a launch line gives a script, by name without dashes, `-` as `_`; under `**` where it
    gives more than it shows."""
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line; lines end at a line feed."""
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @property
    def line_count(self) -> int:
        """Lines, a last one without a line feed included."""
        return len(self.line_starts) - (self.line_starts[-1] == len(self.text))

    def line_of(self, offset: int) -> int:
        """1-based line that holds the character at `offset`."""
        return bisect_right(self.line_starts, offset)

    def column_of(self, offset: int) -> int:
        """1-based column of the character at `offset`."""
        return offset - self.line_starts[self.line_of(offset) - 1] + 1

    def line_text(self, line: int) -> str:
        """The 1-based line without its line end; '' outside the file."""
        if not 1 <= line <= len(self.line_starts):
            return ""
        start = self.line_starts[line - 1]
        end = self.line_starts[line] if line < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    @cached_property
    def newline(self) -> str:
        """The line end that most lines use: carriage return and line feed, or line feed alone."""
        pairs = self.text.count("\r\n")
        return "\r\n" if pairs * 2 > self.text.count("\n") else "\n"

    def parsed(self, parse: Callable[[SourceText], Parsed]) -> Parsed:
        """`parse(self)`, computed once for this file: detection and reading share one parse."""
        if parse not in self._memory:
            self._memory[parse] = parse(self)
        found: Parsed = self._memory[parse]
        return found

    def with_text(self, text: str) -> SourceText:
        """The same file with another text."""
        return replace(self, text=text, _memory={})

    def with_trainer(self, number: int) -> SourceText:
        """The same file, of whose training runs the one with this number is meant."""
        return replace(self, trainer=number, _memory={})

    def with_options(self, options: Mapping[str, GivenOption]) -> SourceText:
        """The same script, started with these options."""
        return replace(self, options=options, _memory={})

    def with_beside(self, others: Mapping[str, SourceText]) -> SourceText:
        """The same file with what was uploaded beside it."""
        return replace(self, beside=others)

    def encode(self) -> bytes:
        """The bytes of the file, byte order mark and encoding as uploaded."""
        mark = "\ufeff" if self.bom else ""
        return (mark + self.text).encode(self.encoding)

    def upload(self) -> Upload:
        """The file as an upload again."""
        return Upload(self.name, self.encode())


def decode_upload(upload: Upload) -> SourceText:
    """The text of an uploaded file.

    Raises:
        InputError: empty, too large, binary (named for what it is), not UTF-8 (with the byte), or
            holding control characters (with line and column).
    """
    data, name = upload.data, upload.name
    if not data.strip():
        reason = "the file is empty"
        raise InputError(reason, file=name, remedy="Upload the file that you train with")
    _refuse_binary(name, data)
    _refuse_large(name, data)
    source = _decode(name, data)
    _refuse_control(source)
    return source


def decode_sample(upload: Upload) -> SourceText:
    """The text of a data sample; control characters stay, rows hold what they hold.

    Raises:
        InputError: empty, too large, binary or not UTF-8.
    """
    data, name = upload.data, upload.name
    if not data.strip():
        reason = "the data sample is empty"
        raise InputError(reason, file=name, remedy="Upload rows as they are trained on")
    _refuse_binary(name, data)
    _refuse_large(name, data, MAX_SAMPLE_BYTES)
    return _decode(name, data)


def _refuse_large(name: str, data: bytes, limit: int = MAX_BYTES) -> None:
    if name.lower().endswith(".ipynb"):
        limit = MAX_NOTEBOOK_BYTES
    elif name.lower().endswith("trainer_state.json"):
        limit = MAX_LOG_BYTES
    elif name.lower().endswith(".jsonl"):
        limit = MAX_SAMPLE_BYTES
    if len(data) > limit:
        reason = f"the file has {len(data):,} bytes; the limit is {limit:,}"
        remedy = "Upload the training file itself, without data or outputs in it"
        raise InputError(reason, file=name, remedy=remedy)


def _refuse_binary(name: str, data: bytes) -> None:
    kind = next((text for magic, text in _NAMED if data.startswith(magic)), None)
    if kind is None and data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        kind = "a Python pickle (training_args.bin is one), which is never opened here"
    if kind is None and data[8:10] == b'{"' and b"dtype" in data[:4096]:
        kind = "model weights (safetensors)"
    if kind is not None:
        reason = f"this is {kind}, not a training file"
        remedy = "Upload the config or script as text: YAML or Python"
        raise InputError(reason, file=name, remedy=remedy)


def _decode(name: str, data: bytes) -> SourceText:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            try:
                return SourceText(name, data[2:].decode(encoding), True, encoding)
            except UnicodeDecodeError as error:
                raise _undecodable(name, "UTF-16", error.start + 2) from None
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[3:] if bom else data
    if b"\x00" in body:
        at = body.index(b"\x00") + 3 * bom
        reason = f"the file is binary: byte {at} is NUL"
        raise InputError(reason, file=name, remedy="Upload the config or script as UTF-8 text")
    try:
        return SourceText(name, body.decode("utf-8"), bom)
    except UnicodeDecodeError as error:
        raise _undecodable(name, "UTF-8", error.start + 3 * bom, body, error.start) from None


def _undecodable(
    name: str, encoding: str, at: int, body: bytes = b"", start: int = 0
) -> InputError:
    line = body.count(b"\n", 0, start) + 1 if body else None
    reason = f"the file is not {encoding} text: byte {at} does not decode"
    return InputError(reason, file=name, line=line, remedy="Save it as UTF-8 and upload it again")


def _refuse_control(source: SourceText) -> None:
    text = source.text
    if source.name.lower().endswith(".py"):
        text = text.replace("\f", " ")  # Python's grammar counts a form feed as a blank
    found = _CONTROL.search(text)
    if found is None:
        return
    line = source.line_of(found.start())
    reason = f"control character U+{ord(found.group()):04X} in the text"
    remedy = "Remove it; training frameworks refuse such a file as well"
    raise InputError(
        reason, file=source.name, line=line, column=source.column_of(found.start()), remedy=remedy
    )
