"""A framework whose training file is YAML: reading by its key table, editing by splicing.

A framework gives its table, how its files are recognised, and the few fields and edits that are no
plain key; everything else is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from audit.records.base import Json
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.dialects import CannotEdit, Change, Detection, Reading
from workload.dialects.defaults.hugging_face import Default, config_defaults, removed_keyword
from workload.dialects.yaml_keys import nearest_key
from workload.dialects.yaml_table import FieldReader, Key
from workload.normalise import LISTS, canonical, invalid_number, same
from workload.source import SourceText
from workload.splice.keys import insert_key, remove_key, set_value
from workload.splice.yaml import scalar_text
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Mapping as YamlMapping
from workload.splice.yaml_tree import Scalar, read_tree
from workload.splice.yaml_values import Loader
from workload.versions import choose_versions

KEYS_FOLDER = Path(__file__).parent / "keys"
MAX_KEY = 60
MAX_UNKNOWN = 20
"""Unknown keys told of; a file with more is no file of this framework."""

Special = Callable[["YamlDialect", Document, FieldEdit, Reading], tuple[Change, ...]]
"""Makes the changes of an edit that is no plain key. Raises CannotEdit."""


def training_arguments(document: Document, versions: Mapping[str, str]) -> Mapping[str, Default]:
    """The defaults of transformers' TrainingArguments by keyword."""
    return config_defaults("TrainingArguments", versions)


def removed_from_transformers(key: str, versions: Mapping[str, str]) -> str | None:
    """Why TrainingArguments refuses a key; None where it takes it, or none is used."""
    version = versions.get("transformers")
    return removed_keyword(key, version) if version is not None else None


@dataclass(frozen=True)
class YamlDialect:
    """One framework's YAML; fits `workload.dialects.Dialect`."""

    format: str
    framework: str
    loader: Loader
    table: tuple[Key, ...]
    packages: tuple[str, ...]
    """Packages whose defaults are read, the framework first."""
    recognise: Callable[[frozenset[str]], Detection]
    """How sure the top-level keys make us."""
    finish: Callable[[FieldReader], None]
    """Adds the fields that are no plain key."""
    specials: Mapping[str, Special]
    key_files: tuple[str, ...]
    """Lists in `keys/` of every key that the framework knows."""
    unknown_keys_stop: bool
    """The framework refuses to start on a key that it does not know."""
    key_prefixes: tuple[str, ...] = ()
    """Keys of plugins that cannot be listed."""
    open: Callable[[SourceText, Loader], Document] = Document
    """How the framework reads the text: its references and what it inherits."""
    keywords: Callable[[Document, Mapping[str, str]], Mapping[str, Default]] = training_arguments
    """The defaults by keyword that `Key.keyword` names."""
    removed: Callable[[str, Mapping[str, str]], str | None] = removed_from_transformers
    """Why these versions refuse a key that others take."""
    unless: str = ""
    """What lets the framework start all the same, as the end of a sentence."""

    def detect(self, source: SourceText) -> Detection:
        """By the top-level keys."""
        return self.recognise(top_keys(source))

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of a file. Raises InputError."""
        document = self.open(source, self.loader)
        chosen = choose_versions(self.packages, versions, self.framework)
        reader = FieldReader(document, self.framework, chosen)
        framework = FieldValue(value=self.framework, origin="stated", file=source.name)
        reader.fields["framework"] = framework
        reader.read_table(self.table, self.keywords(document, chosen))
        self.finish(reader)
        self._notice_keys(reader)
        for place in document.repeated():
            message = f"{place.path} stands more than once; the last one is read"
            reader.notice("conflict", message, place)
        return Reading(
            fields=reader.fields,
            versions=chosen,
            notices=tuple(reader.notices),
            tree=document.own,
            entries=document.own.entries(),
            named_files=tuple(reader.named_files),
            inherited=document.inherited,
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`. Raises CannotEdit."""
        document: Document = reading.tree
        self._check(edit)
        if edit.field in self.specials:
            return self.specials[edit.field](self, document, edit, reading)
        return self.key_changes(document, edit, reading)

    def key_changes(
        self, document: Document, edit: FieldEdit, reading: Reading
    ) -> tuple[Change, ...]:
        """The changes of a field that is one plain key."""
        key = self.key_of(edit.field)
        if key is None:
            reason = f"{self.framework} files hold no key for {edit.field}"
            raise CannotEdit(reason, f"Set {edit.field} where the run is launched")
        place = self.place_of(document, key, reading)
        found = reading.fields.get(edit.field)
        if edit.remove and place is None and found is not None and found.line is not None:
            reason = f"{found.key} stands in {found.file}"
            raise CannotEdit(reason, f"Change {found.key} in {found.file}", found.line)
        if edit.remove:
            return (remove_key(document, place),) if place is not None else ()
        stated = place is not None and found is not None and found.origin == "stated"
        if stated and found is not None and same(edit.field, found.value, edit.value):
            return ()
        return (self.write(document, key, place, edit.value),)

    def write(self, document: Document, key: Key, place: Place | None, value: Json) -> Change:
        """Set a key where it stands, else add it beside its neighbours in the table."""
        written = key.write(value)
        if key.closed and written not in key.words:
            reason = f"{key.names[0]} takes no {written} in {self.framework}"
            raise CannotEdit(reason, f"Write one of: {', '.join(key.words)}")
        if place is not None:
            return set_value(document, place, written)
        paths = [document.expand(name) for name in key.names]
        blocks = (path for path in paths if document.places(path.rpartition(".")[0]))
        beside = [document.expand(name) for name in self.neighbours(key)]
        return insert_key(document, next(blocks, paths[0]), written, beside)

    def place_of(self, document: Document, key: Key, reading: Reading) -> Place | None:
        """Where the file states the field, by the key that was read."""
        found = reading.fields.get(key.field)
        name = found.key if found is not None else None
        if name in key.names:
            return document.place(name)
        places = (document.place(name) for name in key.names)
        return next((place for place in places if place is not None), None)

    def key_of(self, field: str) -> Key | None:
        """The table's row of a field."""
        return next((key for key in self.table if key.field == field), None)

    def neighbours(self, key: Key) -> list[str]:
        """Key names of the table by nearness to `key`: beside which a new line belongs."""
        at = self.table.index(key)
        ordered = sorted(range(len(self.table)), key=lambda row: (abs(row - at), row > at))
        return [name for row in ordered for name in self.table[row].names]

    def _check(self, edit: FieldEdit) -> None:
        if edit.field.startswith("env:"):
            name = edit.field.removeprefix("env:")
            advice = f"unset {name}" if edit.remove else f"export {name}={edit.value}"
            reason = f"{self.framework} files hold no environment variables"
            raise CannotEdit(reason, f"Before the launch: {advice}")
        value = canonical(edit.field, edit.value)
        if isinstance(value, list | dict) and edit.field not in LISTS:
            reason = f"{edit.field} is one value, not several"
            raise CannotEdit(reason, f"Give one value for {edit.field}")
        problem = None if edit.remove else invalid_number(edit.field, value)
        if problem is not None:
            reason = f"{edit.field} {problem}"
            raise CannotEdit(reason, f"Give another value than {scalar_text(value, self.loader)}")

    def _notice_keys(self, reader: FieldReader) -> None:
        """Tells of keys that the framework does not know, or that its transformers dropped."""
        known = known_keys(self.key_files)
        held = [
            place
            for place in reader.document.places()
            if reader.document.plain(place.value) is not None
        ]
        gone: set[str] = set()
        for place in held if self.unknown_keys_stop else ():
            why = self.removed(place.path, reader.versions)
            if why is not None and place.path not in known_keys(self.key_files[:1]):
                gone.add(place.path)
                reader.notice("unknown_key", f"the run does not start: {why}", place)
        unknown = [
            place
            for place in held
            if place.path not in known | gone and not place.path.startswith(self.key_prefixes)
        ]
        for place in unknown[:MAX_UNKNOWN]:
            self._notice_unknown(reader, place, known)

    def _notice_unknown(self, reader: FieldReader, place: Place, known: frozenset[str]) -> None:
        name = place.path[:MAX_KEY]
        near = nearest_key(name, known)
        if near is None and reader.document.place("plugins") is not None:
            return  # a plugin may bring it
        does = "refuses to start with it" if self.unknown_keys_stop else "ignores it"
        does += f" unless {self.unless}" if self.unless else ""
        message = f"{self.framework} knows no key {name} and {does}"
        if near is not None:
            message += f"; did you mean {near}?"
        reader.notice("unknown_key", message, place)


def top_keys(source: SourceText) -> frozenset[str]:
    """Top-level keys that hold a value or a block; empty where the text is no mapping."""
    root = source.parsed(read_tree)
    if not isinstance(root, YamlMapping):
        return frozenset()
    keys = (entry.key for entry in root.entries)
    return frozenset(key.value for key in keys if isinstance(key, Scalar))


@cache
def known_keys(files: tuple[str, ...]) -> frozenset[str]:
    """Every key that the named lists hold."""
    texts = (KEYS_FOLDER.joinpath(name).read_text(encoding="utf-8") for name in files)
    return frozenset(word for text in texts for word in text.split())
