"""Parses Python source into a syntax tree; whatever it holds ends in a tree or an InputError.

Nothing is imported, compiled to code or executed.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from contextlib import suppress

from audit.records.errors import InputError
from workload.dialects.script_fstrings import older_fstrings
from workload.source import SourceText

_MAGIC = re.compile(r"[ \t]*[!%]")
_PRINT_STATEMENT = re.compile(r"[ \t]*print[ \t]+[^\s(=.,]")
_WARNINGS = threading.Lock()
"""`warnings.catch_warnings` changes the whole process; parses in two threads take turns."""

CALLS_READ = (
    "TrainingArguments, Seq2SeqTrainingArguments, a TRL config (SFTConfig, DPOConfig, GRPOConfig,"
    " KTOConfig, RewardConfig, ...), a Trainer, or a loop with an optimizer that calls backward()"
)


def parse_script(source: SourceText) -> ast.Module:
    """The syntax tree of a script.

    Deep nesting, huge integers, NUL and lone surrogates all end in an exception of `ast.parse`
    within 0.1 s per MB (measured on CPython 3.11), so nothing is scanned before it.

    Raises:
        InputError: what is no Python 3, with line, column and remedy.
    """
    try:
        return _parse(source.text)
    except SyntaxError as error:
        if "f-string" in error.msg:
            with suppress(SyntaxError):
                return _parse(older_fstrings(source.text))
        raise _syntax_error(source, error) from None
    except (RecursionError, MemoryError):
        reason = "the Python code is nested too deeply to be read"
        remedy = "Upload the training script itself, without generated expressions"
        raise InputError(reason, file=source.name, remedy=remedy) from None
    except UnicodeEncodeError as error:
        reason = "the text holds half of a surrogate pair, which no Python file can"
        raise InputError(
            reason,
            file=source.name,
            line=source.line_of(error.start),
            column=source.column_of(error.start),
            remedy="Save the file as UTF-8 and upload it again",
        ) from None
    except ValueError:
        reason = "Python refuses this text as source code"
        remedy = "Save the file as plain UTF-8 text and upload it again"
        raise InputError(reason, file=source.name, remedy=remedy) from None


def _parse(text: str) -> ast.Module:
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _syntax_error(source: SourceText, error: SyntaxError) -> InputError:
    line = error.lineno if error.lineno and error.lineno > 0 else None
    written = source.line_text(line) if line else ""
    reason, remedy = f"Python cannot read this line: {error.msg}", "Correct it and upload it again"
    if _MAGIC.match(written):
        reason = "a notebook command (! or %) in a Python script"
        remedy = "Put a # before it"
    elif _PRINT_STATEMENT.match(written):
        reason = "this is Python 2: print is a statement"
        remedy = "Convert the script to Python 3"
    return InputError(
        reason,
        file=source.name,
        line=line,
        column=error.offset if line and error.offset and error.offset > 0 else None,
        remedy=remedy,
    )
