"""A Primus experiment over its presets, with Primus's own `${VAR:default}`.

The same look as OmegaConf's references, another meaning: VAR is an environment variable. None is
ever read here; the default in the file is what we assume, and without one the value is unknown.

Source: github:AMD-AGI/Primus@fd1eeab, primus/core/config/yaml_loader.py, core/launcher/parser.py.
"""

from __future__ import annotations

import re

from audit.records.base import Json
from workload.dialects.layers import LayeredDocument, names_in
from workload.source import SourceText
from workload.splice.yaml_document import Document, Place, Reference
from workload.splice.yaml_tree import Alias, Node, Scalar
from workload.splice.yaml_values import Loader

OVERRIDES = ".overrides."
SHOWN = 100
MAX_TEXT = 1000
_VARIABLE = re.compile(r"\$\{([^:{}]+)(?::([^}]*))?\}")
_WHOLE = re.compile(r"-?\d{1,18}")
_FLOAT = re.compile(r"-?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?|\d+[eE][+-]?\d{1,3})")


class PrimusDocument(LayeredDocument):
    """The experiment; below it `extends`, and below the overrides the presets of the module."""

    def __init__(self, source: SourceText, loader: Loader) -> None:
        super().__init__(source, loader)
        self.add_parents("extends")
        self.presets: list[LayeredDocument] = []
        """Uploaded presets of the trainer module: `config` is stronger than `model`."""
        for key in ("config", "model"):
            place = self.place(f"modules.*.{key}")
            name = self.plain(place.value) if place is not None else None
            if place is not None and isinstance(name, str):
                self._add_preset(name, place)

    @property
    def own(self) -> Document:
        """The file as it is written, variables as text."""
        return Document(self.source, self.loader)

    @property
    def inherited(self) -> tuple[str, ...]:
        """Files of `extends`, then presets with theirs."""
        presets = (
            name for preset in self.presets for name in (preset.source.name, *preset.inherited)
        )
        return (*super().inherited, *presets)

    def place(self, path: str) -> Place | None:
        """The key in the experiment, else for an override in the presets."""
        found = super().place(path)
        if found is not None or OVERRIDES not in path:
            return found
        inner = path.partition(OVERRIDES)[2]
        for preset in self.presets:
            found = preset.place(inner)
            if found is not None:
                self.owners[id(found.key)] = preset.owner(found)
                return found
        return None

    def plain(self, node: Node) -> Json:
        """A node as plain data; a variable without a default remains text with `${`."""
        value = super().plain(node)
        if not isinstance(value, str) or "${" not in value or len(value) > MAX_TEXT:
            return value
        replaced = _VARIABLE.sub(lambda found: found[0] if found[2] is None else found[2], value)
        return _typed(replaced) if replaced != value else value

    def reference(self, place: Place) -> Reference | None:
        """Assumed where every variable has a default in the file, else unknown."""
        node = place.value.target if isinstance(place.value, Alias) else place.value
        if not isinstance(node, Scalar) or "${" not in node.value:
            return None
        shown = node.value if len(node.value) <= SHOWN else node.value[:SHOWN] + "..."
        value = self.plain(node)
        if isinstance(value, str) and "${" in value:
            return Reference("unknown", f"{shown} is set where the run is launched")
        return Reference("assumed", f"{shown}, unless the variable is set at the launch")

    def _add_preset(self, name: str, place: Place) -> None:
        base = name.replace("\\", "/").rpartition("/")[2]
        base = base if base.endswith((".yaml", ".yml")) else f"{base}.yaml"
        source = self.source.beside.get(base)
        if source is None:
            self.missing.append((base, place))
            return
        if source.name != self.source.name:
            preset = LayeredDocument(source.with_beside(self.source.beside), self.loader)
            preset.add_parents("extends")
            self.missing += [(name, place) for name, _ in preset.missing]
            self.presets.append(preset)


def preset_names(document: Document) -> tuple[str, ...]:
    """Every file that an experiment names: of `extends`, and the module's presets."""
    named = [*names_in(document.value("extends"))]
    for key in ("config", "model"):
        value = document.value(f"modules.*.{key}")
        named += [value] if isinstance(value, str) else []
    return tuple(named)


def _typed(text: str) -> Json:
    """What Primus makes of a text after replacing variables."""
    lower = text.lower()
    if lower in ("true", "false"):
        return lower == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
