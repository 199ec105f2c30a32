"""Which file each edit belongs to, where several files make one workload.

An edit goes to the file that states the value. A number that the training file and a DeepSpeed
config both name goes to both, because transformers refuses to start where they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.records.finding import FieldEdit
from workload.dialects import Reading
from workload.precedence import FILLED, MATCHED
from workload.read import ReadBundle


@dataclass(frozen=True)
class Places:
    """The edits of the training file, and those of the files beside it by name."""

    main: list[FieldEdit] = field(default_factory=list)
    beside: dict[str, list[FieldEdit]] = field(default_factory=dict)

    def files(self, edit: FieldEdit) -> list[str]:
        """The names of the files beside that an edit changes."""
        return [name for name, edits in self.beside.items() if any(one is edit for one in edits)]


def place_edits(read: ReadBundle, edits: Sequence[FieldEdit]) -> Places:
    """Sort the edits by the files that they change."""
    places = Places()
    for edit in edits:
        held = read.fields.get(edit.field)
        holder = None if held is None else held.file
        launched = holder is not None and read.bundle.formats.get(holder) == "sh_launcher"
        own = _states(read.reading, edit.field) and not (launched and holder in read.beside)
        elsewhere = holder in read.beside and not own
        if not elsewhere:
            places.main.append(edit)
        for name, reading in read.beside.items():
            both = edit.field in MATCHED and _states(reading, edit.field)
            if (elsewhere and name == holder) or (both and not elsewhere):
                places.beside.setdefault(name, []).append(edit)
    return places


def _states(reading: Reading, name: str) -> bool:
    """Whether a file itself gives a field a value of its own."""
    found = reading.fields.get(name)
    return found is not None and found.origin == "stated" and found.value not in (None, FILLED)
