"""A framework's YAML keys as a table, and the reader that turns a document into fields by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any

from audit.records.base import Json
from audit.records.workload import FieldValue, Notice, NoticeKind
from workload.dialects import NamedFile
from workload.dialects.defaults.hugging_face import Default, default_source
from workload.normalise import SWITCHES, canonical, invalid_number
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Scalar

ABSENT: Any = object()
"""No default: the field is absent where the file does not set it."""
MAX_WRITTEN = 200


@dataclass(frozen=True, slots=True)
class Key:
    """One field and the keys that set it."""

    field: str
    names: tuple[str, ...]
    """Dotted keys; the first that holds a value counts, and the first is the one inserted."""
    default: Json = ABSENT
    """The framework's own default."""
    keyword: str | None = None
    """Instead of `default`: the TrainingArguments keyword whose default holds, by version."""
    words: Mapping[str, Json] = member(default_factory=dict)
    """The file's word -> our value, where they differ; used backwards to write."""
    closed: bool = False
    """The framework takes no other values than `words`."""
    inverted: bool = False
    deprecated: Mapping[str, str] = member(default_factory=dict)
    """Old name -> what to write today."""

    def read(self, value: Json) -> Json:
        """Our value of a file's value."""
        if isinstance(value, str) and value.lower() in self.words:
            return self.words[value.lower()]
        found = canonical(self.field, value)
        return not found if self.inverted and isinstance(found, bool) else found

    def write(self, value: Json) -> Json:
        """The file's value for ours."""
        value = canonical(self.field, value)
        if self.inverted and isinstance(value, bool):
            return not value
        for word, meant in self.words.items():
            if meant == value and type(meant) is type(value):
                return word
        return value


class FieldReader:
    """Collects the fields, notices and named files of one document."""

    def __init__(self, document: Document, framework: str, versions: Mapping[str, str]) -> None:
        self.document = document
        self.framework = framework
        self.versions = versions
        package = next(iter(versions), None)
        self.source = default_source(package, versions) if package else framework
        self.fields: dict[str, FieldValue] = {}
        self.notices: list[Notice] = []
        self.named_files: list[NamedFile] = []

    def read_table(self, table: tuple[Key, ...], keywords: Mapping[str, Default]) -> None:
        """Every field of the table: as stated, else its default."""
        for key in table:
            place = self.stated_place(key)
            if place is not None:
                self.stated(key.field, place, key.read(self.document.plain(place.value)))
            elif key.keyword is not None and key.keyword in keywords:
                default = keywords[key.keyword]
                value = canonical(key.field, default.value)
                self.fields[key.field] = FieldValue(
                    value=value, origin="default", source=default.source
                )
            elif key.default is not ABSENT:
                self.default(key.field, key.default)

    def stated_place(self, key: Key) -> Place | None:
        """Where the file states a field: the first name with a value, else one that is null."""
        found = [place for name in key.names if (place := self.document.place(name)) is not None]
        held = [place for place in found if self.document.plain(place.value) is not None]
        for place in held:
            if place.path in key.deprecated:
                message = f"{place.path} is deprecated: write {key.deprecated[place.path]}"
                self.notice("deprecated", message, place)
        values = [key.read(self.document.plain(place.value)) for place in held]
        if any(value != values[0] for value in values):
            names = " and ".join(place.path for place in held)
            message = f"{names} disagree; {held[0].path} is read"
            self.notice("conflict", message, held[0])
        places = held or found
        return places[0] if places else None

    def held(self, path: str) -> Place | None:
        """The place of a key that is set to something else than null, false or empty."""
        place = self.document.place(path)
        return place if place is not None and self.document.plain(place.value) else None

    def stated(self, name: str, place: Place, value: Json) -> None:
        """A field that the file states at `place`; an invalid number is unknown, with a notice."""
        raw = self.document.plain(place.value)
        line, file = self.document.line(place), self.document.file(place)
        at: dict[str, Any] = {"file": file, "line": line, "key": place.path}
        reference = self.document.reference(place)
        if reference is not None and reference.origin == "unknown":
            self.fields[name] = FieldValue(
                value=None, origin="unknown", source=reference.source, **at
            )
            return
        if self.document.loader == "omegaconf" and (_refers(raw) or _refers(value)):
            why = "an interpolation, which is not resolved here"
            self.fields[name] = FieldValue(value=None, origin="unknown", source=why, **at)
            return
        problem = invalid_number(name, value)
        if problem is not None:
            self.notice("note", f"{place.path} {problem}", place)
            self.fields[name] = FieldValue(value=None, origin="unknown", source=problem, **at)
            return
        if value is None and name in SWITCHES:
            value = False
        if reference is not None:
            at |= {"origin": reference.origin, "source": reference.source}
            self.fields[name] = FieldValue(value=value, **at)
            return
        written = self._written(place, value)
        self.fields[name] = FieldValue(value=value, origin="stated", written=written, **at)

    def default(self, name: str, value: Json, source: str | None = None) -> None:
        """A field at the framework's own default."""
        self.fields[name] = FieldValue(value=value, origin="default", source=source or self.source)

    def derived(self, name: str, value: Json, source: str) -> None:
        """A field that follows from others."""
        self.fields[name] = FieldValue(value=value, origin="derived", source=source)

    def assumed(self, name: str, value: Json, source: str) -> None:
        """A field that we assume, shown as such."""
        self.fields[name] = FieldValue(value=value, origin="assumed", source=source)

    def unknown(self, name: str, source: str) -> None:
        """A field that cannot be known from the uploaded files."""
        self.fields[name] = FieldValue(value=None, origin="unknown", source=source)

    def is_stated(self, name: str) -> bool:
        """Whether the file itself gives the field a value."""
        found = self.fields.get(name)
        return found is not None and found.origin == "stated" and found.value is not None

    def is_open(self, name: str) -> bool:
        """Whether the field has no value yet and none is hidden behind something unknown."""
        found = self.fields.get(name)
        return found is None or (found.origin != "unknown" and found.value is None)

    def value(self, name: str) -> Json:
        """The value of a field read so far; None where it is absent or unknown."""
        found = self.fields.get(name)
        return None if found is None or found.origin == "unknown" else found.value

    def notice(self, kind: NoticeKind, message: str, place: Place | None = None) -> None:
        """Something that the file's owner should know."""
        line = self.document.line(place) if place else None
        file = self.document.file(place) if place else self.document.source.name
        self.notices.append(Notice(kind=kind, message=message, file=file, line=line))

    def names_file(self, place: Place) -> None:
        """The value at `place` is a path of another file."""
        path = str(self.document.plain(place.value))
        self.named_files.append(NamedFile(path, place.path, self.document.line(place)))

    def _written(self, place: Place, value: Json) -> str | None:
        node = place.value
        if not isinstance(node, Scalar) or node.style in ("|", ">"):
            return None
        text = node.value
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        plain = isinstance(value, int | float | str) and text.lower() == shown.lower()
        if plain or (
            isinstance(value, int | float) and canonical(self._kind(value), text) == value
        ):
            return None
        return text[:MAX_WRITTEN] or None

    @staticmethod
    def _kind(value: Json) -> str:
        return "bf16" if isinstance(value, bool) else "seed"


def _refers(value: Json) -> bool:
    """Whether a text, or one in a list, still holds a reference."""
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and "${" in item for item in items)
