"""The options that a launch line gives a script of one's own: how the script gets them, and edits.

What an option means is the script's affair: it is read with them (`SourceText.with_options`), and
tells which of its fields each of them gives. Here they are found in the line and changed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.dialects import CannotEdit, Change, Detection, Reading
from workload.dialects.launch_line import Flag
from workload.dialects.launcher import LAUNCHER, LaunchReading, spelt
from workload.dialects.launcher_edits import replace_value
from workload.normalise import canonical, number
from workload.source import GivenOption, SourceText

MORE = "**"
"""The line may give more than it shows."""


def given_options(
    reading: Reading, file: str, line_of: Callable[[int], int]
) -> dict[str, GivenOption]:
    """What a launch line gives its script, by name without dashes, `-` as `_`.

    Args:
        reading: the launcher.
        file: the name of the file that the line stands in.
        line_of: 1-based line of an offset of the launcher's text.
    """
    held = reading.tree
    if not isinstance(held, LaunchReading):
        return {}
    found: dict[str, GivenOption] = {}
    for flag in held.run.launch.flags:
        line = line_of(flag.start)
        texts = [value.text for value in flag.values]
        why = next((value.why for value in flag.values if value.why), "")
        words = () if why else tuple(text for text in texts if text is not None)
        found[flag.name] = GivenOption(words, file, line, why, spelt(flag))
    if held.run.launch.opaque or held.run.launch.positional:
        found[MORE] = GivenOption((), file, line_of(held.run.launch.command.start))
    return found


def edit_given(
    source: SourceText, held: LaunchReading, option: str, edit: FieldEdit
) -> tuple[Change, ...]:
    """The change of the value of an option.

    Raises:
        CannotEdit: with what to write by hand.
    """
    flag = _flag(held, option)
    if flag is None or edit.remove or edit.value is None:
        reason = f"{option} is an option of the script itself"
        line = source.line_of(flag.start) if flag is not None else None
        raise CannotEdit(reason, f"Give {option} another value, or none, by hand", line)
    return (replace_value(source, held, flag, edit.value, f"--{flag.name}"),)


def _flag(held: LaunchReading, option: str) -> Flag | None:
    return held.run.launch.flag(option.lstrip("-").replace("-", "_"))


@dataclass(frozen=True, slots=True)
class StartedLauncher:
    """A launcher whose script says which of its fields the options give."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Field -> option."""
    format: str = LAUNCHER.format
    framework: str = LAUNCHER.framework

    def detect(self, source: SourceText) -> Detection:
        """As any launcher."""
        return LAUNCHER.detect(source)

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The launcher, with the fields that the script takes from its options."""
        reading = LAUNCHER.read(source, versions)
        held: LaunchReading = reading.tree
        fields = dict(reading.fields)
        for name, option in self.fields.items():
            flag = _flag(held, option)
            if flag is None:
                continue
            text = flag.values[0].text if len(flag.values) == 1 else None
            value = canonical(name, number(text)) if text is not None else None
            fields[name] = FieldValue(
                value=value,
                origin="stated" if text is not None else "unknown",
                file=source.name,
                line=source.line_of(flag.start),
                key=option,
            )
        return replace(reading, fields=fields)

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`. Raises CannotEdit."""
        option = self.fields.get(edit.field)
        if option is not None and isinstance(reading.tree, LaunchReading):
            return edit_given(source, reading.tree, option, edit)
        return LAUNCHER.changes(source, edit, reading)
