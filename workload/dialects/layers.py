"""A training file together with the uploaded files that it inherits from, strongest first.

Blocks are merged key by key; any other value hides what the weaker files say below it. A file that
is named but was not uploaded is remembered by its name: it is never opened.
"""

from __future__ import annotations

from collections.abc import Iterable

from audit.records.base import Json
from audit.records.workload import FieldValue
from workload.dialects.yaml_table import FieldReader
from workload.source import SourceText
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Mapping
from workload.splice.yaml_values import Loader

MAX_LAYERS = 12
OVERRIDE = "_override_"
MANDATORY = "???"
"""OmegaConf's word for a value to be given: it hides no value of a weaker file."""


class LayeredDocument(Document):
    """The main file's document over those of its parents."""

    def __init__(self, source: SourceText, loader: Loader) -> None:
        super().__init__(source, loader)
        self.layers: list[Document] = [Document(source, loader)]
        """Strongest first; the main file's own is the first."""
        self.missing: list[tuple[str, Place]] = []
        """Files that are named and were not uploaded, with the place that names them."""
        self.owners: dict[int, Document] = {}
        """Identity of a key's node -> the layer that holds it."""

    @property
    def own(self) -> Document:
        """The main file alone."""
        return self.layers[0]

    @property
    def inherited(self) -> tuple[str, ...]:
        """Names of the uploaded files below the main file."""
        return tuple(layer.source.name for layer in self.layers[1:])

    def add_parents(self, key: str) -> None:
        """Add the files that `key` names, and those that these name in turn."""
        self._add(self.own, key)

    def add_named(self, name: str, place: Place) -> Document | None:
        """Add one uploaded file, weaker than all so far; None where it is there or not uploaded."""
        base = name.replace("\\", "/").rpartition("/")[2]
        held = {layer.source.name for layer in self.layers}
        if base in held or len(self.layers) >= MAX_LAYERS:
            return None
        source = self.source.beside.get(base)
        if source is None:
            self.missing.append((base, place))
            return None
        parent = Document(source, self.loader)
        self.layers.append(parent)
        return parent

    def place(self, path: str) -> Place | None:
        """The key in the strongest file that holds it, unless a stronger one hides it."""
        if "*" in path:
            path = self.expand(path)
        asked: Place | None = None
        for layer in self.layers:
            found = layer.place(path)
            if found is not None:
                self.owners[id(found.key)] = layer
                if layer.plain(found.value) != MANDATORY:
                    return found
                asked = asked or found
            elif self._hides(layer, path):
                break
        return asked

    def file(self, place: Place) -> str:
        """The file that holds a key."""
        return self.owner(place).source.name

    def line(self, place: Place) -> int:
        """1-based line in that file."""
        return Document.line(self.owner(place), place)

    def owner(self, place: Place) -> Document:
        """The layer that holds a key."""
        return self.owners.get(id(place.key), self.own)

    def _add(self, layer: Document, key: str) -> None:
        """Depth first, as the frameworks merge: the last name is stronger than those before it."""
        place = layer.place(key)
        if place is None:
            return
        self.owners[id(place.key)] = layer
        for name in reversed(names_in(layer.plain(place.value))):
            parent = self.add_named(name, place)
            if parent is not None:
                self._add(parent, key)

    @staticmethod
    def _hides(layer: Document, path: str) -> bool:
        """Whether a layer without `path` keeps weaker ones from giving it."""
        steps = path.split(".")
        if layer.value(f"{steps[0]}.{OVERRIDE}") is True:
            return True
        for count in range(len(steps) - 1, 0, -1):
            above = layer.place(".".join(steps[:count]))
            if above is not None:
                node = above.value
                target = getattr(node, "target", node)
                return not isinstance(target, Mapping)
        return False


def names_in(value: Json) -> list[str]:
    """File names of `defaults: parent.yaml` or of a list."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item.strip()]


def tell_missing(reader: FieldReader, missing: list[tuple[str, Place]]) -> None:
    """A notice for every file that is named and was not uploaded."""
    for name, place in missing:
        message = f"{place.path} names {name[:80]}, which was not uploaded and is not read"
        reader.notice("missing_file", message, place)


def leave_open(
    fields: dict[str, FieldValue], names: Iterable[str], missing: list[tuple[str, Place]]
) -> None:
    """Every field that no uploaded file sets is unknown where a file is missing that may set it."""
    if not missing:
        return
    files = ", ".join(name[:80] for name, _ in missing)
    why = f"may be set in {files}, not uploaded"
    method = fields.get("finetune_method")
    full = method is not None and method.value == "full"
    for name in names:
        if full and name.startswith("lora_"):
            continue
        fields.setdefault(name, FieldValue(value=None, origin="unknown", source=why))
