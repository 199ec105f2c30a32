"""The names that a user may give to a field: ours, or the key that stands in the user's own file.

`micro_batch_size` of an axolotl file is `per_device_train_batch_size`; a name that is neither is
refused with the nearest one. Nothing is read or edited here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from audit.records.base import Json
from audit.records.errors import UnknownName
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue
from workload.dialects import DIALECTS, CannotEdit, load_dialect
from workload.dialects.yaml_keys import nearest_key
from workload.dialects.yaml_table import Key
from workload.normalise import FIELDS

_KEYWORDS_OF = {
    "py_trl": "trl_recipe_yaml",
    "ipynb_trl": "trl_recipe_yaml",
    "py_hf_trainer": "training_args_json",
    "ipynb_hf_trainer": "training_args_json",
}
"""Scripts have no key table; their keywords are the keys of these."""
MAX_TOLD = 30


@dataclass(frozen=True, slots=True)
class FieldNames:
    """What the fields of one workload may be called."""

    file: str
    """The training file, for messages."""
    format: str
    """Its format id."""
    fields: Mapping[str, FieldValue]

    def field(self, name: str) -> str:
        """The field that a name means.

        Raises:
            UnknownName: it is neither a field nor a key; the remedy names the nearest one.
        """
        if name in self.fields or name in FIELDS or name[:4] == "env:" != name:
            return name
        meant = {key: field for key, field in self._keys() if key == name}
        meant = meant or dict(_unique(self._keys(), name))
        if meant:
            return next(iter(meant.values()))
        message = f"{self.file} has no field or key called {name[:80]}"
        raise UnknownName(message, remedy=self._remedy(name))

    def fields_of(self, names: Collection[str]) -> frozenset[str]:
        """The fields that several names mean; raises UnknownName for the first that is none."""
        return frozenset(self.field(name) for name in sorted(names))

    def edit(self, edit: FieldEdit) -> FieldEdit:
        """An edit of a key as the edit of its field, its value in our words.

        Raises:
            CannotEdit: no such name, or the key's values are not those of the field.
        """
        try:
            field = self.field(edit.field)
        except UnknownName as error:
            reason = "there is no such field or key"
            raise CannotEdit(reason, error.remedy or "") from None
        if field == edit.field:
            return edit
        value = None if edit.remove else self._value(edit.field, field, edit.value)
        return edit.model_copy(update={"field": field, "value": value})

    def _value(self, name: str, field: str, value: Json) -> Json:
        for key in self._table():
            if key.field == field and name in {name, *map(_last, key.names)} & _spelt(key):
                return key.read(value)
        found = self.fields.get(field)
        if found is None or found.written is not None:
            reason = f"{name} stands for {field}, whose values are other words"
            raise CannotEdit(reason, f"Set {field} instead")
        return value

    def _keys(self) -> Iterator[tuple[str, str]]:
        """Every key with its field: those that the file writes, then those that it might."""
        for field, found in self.fields.items():
            if found.key and found.origin != "default":
                yield found.key, field
        for key in self._table():
            yield from ((name, key.field) for name in key.names)

    def _table(self) -> tuple[Key, ...]:
        format_id = _KEYWORDS_OF.get(self.format, self.format)
        if format_id not in DIALECTS:
            return ()
        table: tuple[Key, ...] = getattr(load_dialect(format_id), "table", ())
        return table

    def _remedy(self, name: str) -> str:
        keys = dict(self._keys())
        known = {*FIELDS, *keys, *map(_last, keys)}
        near = nearest_key(name, sorted(known))
        if near is not None:
            return f"Did you mean {near}?"
        stated = [field for field, found in self.fields.items() if found.origin == "stated"]
        return f"Name a key of the file or a field, such as {', '.join(stated[:MAX_TOLD])}"


def _last(key: str) -> str:
    """`max_length` of `SFTConfig.max_length`, `bf16` of `--bf16`."""
    return key.rpartition(".")[2].lstrip("-")


def _spelt(key: Key) -> set[str]:
    return {*key.names, *map(_last, key.names)}


def _unique(keys: Iterator[tuple[str, str]], name: str) -> Iterator[tuple[str, str]]:
    """The key whose last part is `name`, where all keys of that last part mean one field."""
    fields = {field: key for key, field in keys if _last(key) == name}
    if len(fields) == 1:
        yield from ((key, field) for field, key in fields.items())
