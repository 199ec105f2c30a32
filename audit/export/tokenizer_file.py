"""A tokenizer for exports: a `tokenizer.json` on this machine, or plain bytes; none is fetched."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

from audit.export.atropos import Tokenizer, Utf8Bytes
from audit.export.logprobs import Piece
from audit.records.errors import SetupError, UserError

PLAIN = Utf8Bytes.name


def _byte_places(text: str) -> list[int]:
    """Number of a character -> its first byte in UTF-8; one more for the end."""
    return [0, *accumulate(len(character.encode()) for character in text)]


class FileTokenizer:
    """The tokenizer of a `tokenizer.json`, special tokens recognised in the text."""

    def __init__(self, path: Path, loaded: Any) -> None:
        self.name, self._loaded = path.name, loaded

    def pieces(self, text: str) -> list[Piece]:
        """The tokens of a text; nothing is added at its ends.

        Some tokenizers leave a leading space out of a token's offsets: it belongs to it all the
        same. Tokens that share one character have no bytes of their own here: their piece is empty.
        """
        found = self._loaded.encode(text, add_special_tokens=False)
        places = _byte_places(text)
        shared = Counter(found.offsets)
        pieces: list[Piece] = []
        last = 0
        for number, (start, end) in zip(found.ids, found.offsets, strict=True):
            first = last if last < start and text[last:start].isspace() else start
            whole = shared[start, end] == 1 and first >= last and end > start
            span = (places[first], places[end]) if whole else (places[end], places[end])
            pieces.append(Piece(number, *span))
            last = max(last, end)
        return pieces


def load_tokenizer(where: str) -> Tokenizer:
    """The tokenizer of a file, or the plain one by its name.

    Raises:
        SetupError: the package `tokenizers` is absent.
        UserError: the file is absent or no tokenizer.
    """
    if where == PLAIN:
        return Utf8Bytes()
    try:
        from tokenizers import Tokenizer as Loader
    except ImportError as error:
        message = "reading a tokenizer file needs the package tokenizers"
        raise SetupError(message, remedy="pip install tokenizers") from error
    path = Path(where)
    if path.is_dir():
        path /= "tokenizer.json"
    if not path.is_file():
        message = f"{where} is no tokenizer file"
        remedy = f"Give a tokenizer.json on this machine, or {PLAIN}."
        raise UserError(message, remedy=remedy)
    try:
        return FileTokenizer(path, Loader.from_file(str(path)))
    except Exception as error:  # the library raises a bare Exception
        message = f"{where} cannot be read as a tokenizer ({error})"
        raise UserError(message, remedy="Give the tokenizer.json of a model.") from error
