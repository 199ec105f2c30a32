"""How an edit changes a shell launcher: an option of the launch line, or a variable around it.

The framework's own dialect says which of its keys an edit sets; here the key becomes the option, at
the place where its value lives, also where that is a variable or an array above the launch line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Reading
from workload.dialects.defaults.hugging_face import config_defaults
from workload.dialects.launch_document import changed_paths
from workload.dialects.launch_line import Flag
from workload.normalise import same
from workload.source import SourceText
from workload.splice.python_literal import literal
from workload.splice.replace import apply_changes, order_changes
from workload.splice.shell import (
    Span,
    insert_export,
    insert_option,
    remove_line,
    remove_prefix,
    remove_words,
    replace_text,
    shell_word,
)

if TYPE_CHECKING:
    from workload.dialects.launcher import LaunchReading

_FOLLOWS = frozenset({"compute_dtype", "effective_batch", "task", "framework", "env"})
_WORLD = {"num_processes": "the number of processes", "num_machines": "the number of machines"}
_NAME = re.compile(r"[A-Za-z_]\w*")


def edit_launcher(source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
    """The changes that make an edit; none where the text already says it.

    Raises:
        CannotEdit: with what to write by hand.
    """
    held: LaunchReading = reading.tree
    if edit.field.startswith("env:"):
        return _variable(source, edit, held)
    if edit.field in _FOLLOWS:
        reason = f"{edit.field} follows from other settings"
        raise CannotEdit(reason, f"Change the settings that {edit.field} follows from")
    if edit.field in _WORLD:
        return _world(source, edit, held)
    found = reading.fields.get(edit.field)
    stated = not edit.remove and found is not None and found.origin == "stated"
    if stated and found is not None and same(edit.field, found.value, edit.value):
        return ()
    document = held.document
    dialect = held.run.program.dialect
    try:
        changes = order_changes(dialect.changes(document.source, edit, held.inner))
        after = dialect.read(apply_changes(document.source, changes), held.inner.versions)
    except InputError as error:
        raise CannotEdit(error.reason, f"Set {edit.field} = {edit.value} by hand") from None
    except CannotEdit as error:
        flag = document.lines.get(error.line or 0)
        line = source.line_of(flag.start) if flag is not None else None
        raise CannotEdit(error.reason, error.advice, line) from None
    paths = {re.sub(r"\[\d+\]", "", path) for path in
             changed_paths(dict(held.inner.entries), dict(after.entries))}  # fmt: skip
    made: list[Change] = []
    for path in sorted(paths):
        made += _option(source, held, path, _value(after, path))
    return tuple(made)


def _value(after: Reading, path: str) -> Json:
    """What a key holds after an edit; `_GONE` where it is gone."""
    entries = after.entries
    if path in entries:
        return entries[path]
    items = [
        value for key, value in entries.items() if re.fullmatch(re.escape(path) + r"\[\d+\]", key)
    ]
    return items if items else _GONE


_GONE = object()


def _option(source: SourceText, held: LaunchReading, path: str, value: Json) -> list[Change]:
    """The change of one option."""
    flag = held.document.paths.get(path)
    if flag is None:
        above = next((name for name in held.document.paths if path.startswith(f"{name}.")), None)
        if above is not None:
            reason = f"{path} stands inside the value of --{above}"
            line = source.line_of(held.document.paths[above].start)
            raise CannotEdit(reason, f"Write {path} = {value} there", line)
        return [] if value is _GONE else [_insert(source, held, path, value)]
    key = f"--{path}"
    if value is _GONE or (not flag.values and value is False and _is_switch(held)):
        return [remove_words(source, _span(source, held, flag), key)]
    return [replace_value(source, held, flag, value, key)]


def _is_switch(held: LaunchReading) -> bool:
    """Whether a bare option has no `False` to write: plain argparse of a program of its own."""
    return held.run.program.framework == "openrlhf"


def replace_value(
    source: SourceText, held: LaunchReading, flag: Flag, value: Json, key: str
) -> Change:
    """The value of an option, at the place where it lives. Raises CannotEdit."""
    if not flag.values:
        end = flag.field.span[1] if flag.field.span is not None else flag.field.word.end
        return Change(end, end, f" {_written(held, value, '')}", key)
    if len(flag.values) > 1 or isinstance(value, list):
        return _replace_list(source, held, flag, value, key)
    one = flag.values[0]
    if one.span is None:
        reason = f"the value of {key} is put together from several places"
        raise CannotEdit(reason, f"Write {key} {value}", source.line_of(flag.start))
    old = source.text[one.span[0] : one.span[1]]
    new = _written(held, value, old)
    word = source.text[one.word.start : one.word.end].strip("'\"")
    return replace_text(source, Span(*one.span), new, alone=word == old, key=key)


def _replace_list(
    source: SourceText, held: LaunchReading, flag: Flag, value: Json, key: str
) -> Change:
    """Several values: the words between the option and the next one."""
    items = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    first, last = flag.values[0], flag.values[-1]
    command = held.run.launch.command
    own = command.start <= first.word.start < command.end and not flag.joined
    if len(flag.values) == 1 and first.span is not None and (first.text or "").count(",") >= 1:
        return replace_text(source, Span(*first.span), ",".join(items), alone=True, key=key)
    text = source.text[first.word.start : last.word.end]
    if not own or "\n" in text or any(one.span is None for one in flag.values):
        reason = f"the values of {key} stand in several places"
        raise CannotEdit(reason, f"Write {key} {' '.join(items)}", source.line_of(flag.start))
    separator = "," if held.run.program.framework in ("llamafactory", "hf", "trl") else " "
    words = shell_word(",".join(items)) if separator == "," else " ".join(map(shell_word, items))
    return Change(first.word.start, last.word.end, words, key)


def _insert(source: SourceText, held: LaunchReading, path: str, value: Json) -> Change:
    """A new option, in the style of the line's others."""
    launch, program = held.run.launch, held.run.program
    options = launch.flags
    if program.scripted:
        known = config_defaults("TrainingArguments", held.inner.versions)
        if path not in known or launch.flag("per_device_train_batch_size") is None:
            reason = f"the script may know no --{path}"
            line = source.line_of(launch.command.start)
            raise CannotEdit(reason, f"Pass --{path} {value} if it does", line)
    if isinstance(value, list):
        joint = "," if program.framework in ("llamafactory", "hf", "trl") else " "
        words = joint.join(shell_word(str(item)) for item in value)
    else:
        words = _written(held, value, "")
        words = shell_word(words) if words else "''"
    assigned = any(flag.assigned for flag in options) and not any(
        not flag.assigned for flag in options
    )
    bare = value is True and any(not flag.values for flag in options) and not _says_true(held)
    joined = any(flag.joined for flag in options) and not any(
        flag.values and not flag.joined for flag in options
    )
    text = f"--{path}" if bare else f"--{path}{'=' if joined else ' '}{words}"
    if assigned:
        text = f"{path}={words}"
    last: Span | None = None
    own = [flag for flag in options if _is_own(held, flag)]
    if own:
        last = _span(source, held, own[-1])
    return insert_option(source, last, launch.command.end, text, f"--{path}")


def _says_true(held: LaunchReading) -> bool:
    texts = (value.text for flag in held.run.launch.flags for value in flag.values)
    return any((text or "").lower() in ("true", "false") for text in texts)


def _written(held: LaunchReading, value: Json, like: str) -> str:
    """A value as the line writes such values."""
    if isinstance(value, bool):
        texts = [one.text or "" for flag in held.run.launch.flags for one in flag.values]
        capital = like[:1].isupper() or (
            not like and any(text in ("True", "False") for text in texts)
        )
        scripted = not like and held.run.program.scripted and not _says_true(held)
        return str(value) if capital or scripted else str(value).lower()
    if value is None:
        return "null" if any(flag.assigned for flag in held.run.launch.flags) else "None"
    return literal(value, like) if isinstance(value, int | float) else str(value)


def _is_own(held: LaunchReading, flag: Flag) -> bool:
    """Whether an option stands in the launch line itself, not in a variable."""
    command = held.run.launch.command
    inside = command.start <= flag.field.word.start < command.end
    return inside and flag.field.start == flag.field.word.start


def _span(source: SourceText, held: LaunchReading, flag: Flag) -> Span:
    """The characters of an option with its values.

    Raises:
        CannotEdit: they do not stand side by side.
    """
    last = flag.values[-1] if flag.values and not flag.joined else flag.field
    if _is_own(held, flag) and all(one.word.start >= flag.field.word.start for one in flag.values):
        return Span(flag.field.word.start, last.word.end)
    whole = flag.field.span
    end = last.span
    if whole is None or end is None or end[1] <= whole[0]:
        reason = f"--{flag.name} and its value stand in different places"
        raise CannotEdit(reason, f"Remove --{flag.name} by hand", source.line_of(flag.start))
    return Span(whole[0], end[1])


def _world(source: SourceText, edit: FieldEdit, held: LaunchReading) -> tuple[Change, ...]:
    """Processes and machines, where a number stands for them alone."""
    found = held.world.found.get(edit.field)
    known = found.value if found is not None else held.world.derived.get(edit.field, (None, ""))[0]
    if not edit.remove and known == edit.value:
        return ()
    launch = held.run.launch
    if edit.remove or found is None or found.span is None:
        reason = f"{_WORLD[edit.field]} is no number of its own in this script"
        line = source.line_of(launch.command.start)
        raise CannotEdit(reason, f"Launch with {edit.field} = {edit.value}", line)
    key = f"launcher {found.key}"
    if found.key in held.world.variables:
        key = f"env env:{found.key}"
    return (Change(found.span[0], found.span[1], str(edit.value), key),)


def _variable(source: SourceText, edit: FieldEdit, held: LaunchReading) -> tuple[Change, ...]:
    """A variable that the line or the script exports; a new one is exported above the line."""
    name, command = edit.field.removeprefix("env:"), held.run.launch.command
    key = f"env {edit.field}"
    prefix = next((one for one in command.prefix if one.name == name), None)
    if edit.remove:
        if prefix is not None:
            return (remove_prefix(source, Span(prefix.start, prefix.end), key),)
        if name not in held.world.variables:
            return ()
        at = held.world.variables[name][1]
        line = source.line_text(source.line_of(at)).strip()
        gone = remove_line(source, at, key)
        if gone is None or not re.fullmatch(r"export\s+\w+=\S*(?:\s+#.*)?", line):
            reason = f"{name} is set beside other things"
            raise CannotEdit(reason, f"Take {name} away by hand", source.line_of(at))
        return (gone,)
    value = str(edit.value)
    if name not in held.world.variables:
        if not _NAME.fullmatch(name):
            reason = f"{name} is no name of a variable"
            raise CannotEdit(reason, "Give a name of letters, digits and underscores")
        return (insert_export(source, command.start, name, value, key),)
    text, at = held.world.variables[name]
    pieces = [piece for piece in text if piece.text or piece.why]
    if not pieces and len(text) == 1 and text[0].at is not None:
        return (Change(text[0].at, text[0].at, shell_word(value), key),)
    one = pieces[0] if len(pieces) == 1 else None
    if one is None or one.why or one.at is None:
        reason = f"the value of {name} is put together from several places"
        raise CannotEdit(reason, f"export {name}={shell_word(value)}", source.line_of(at))
    if one.text == value:
        return ()
    span = Span(one.at, one.at + len(one.text))
    return (replace_text(source, span, value, alone=True, key=key),)
