"""A Hydra config over the uploaded files of its `defaults:` list, groups at their own place.

`- name` is the file name.yaml at the top level; `- group@package: name` is name.yaml below
`package`. Later entries are stronger, and the file itself is the strongest, as with `_self_` last.
"""

from __future__ import annotations

from typing import NamedTuple

from audit.records.base import Json
from workload.dialects.layers import LayeredDocument
from workload.dialects.references import ReferenceDocument
from workload.source import SourceText
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Mapping
from workload.splice.yaml_values import Loader

SELF = "_self_"
GLOBAL = "_global_"


class Choice(NamedTuple):
    """One entry of a `defaults:` list."""

    name: str
    package: str
    """Where its keys belong; '' is the top level."""


class PackageDocument(Document):
    """A file whose keys stand below a package."""

    def __init__(self, source: SourceText, loader: Loader, package: str) -> None:
        super().__init__(source, loader)
        self.package = package

    def place(self, path: str) -> Place | None:
        """The key at a dotted path that begins with the package."""
        inside = path.startswith(self.package + ".")
        return super().place(path.removeprefix(self.package + ".")) if inside else None


class HydraDocument(ReferenceDocument, LayeredDocument):
    """A file over what its `defaults:` names."""

    def __init__(self, source: SourceText, loader: Loader) -> None:
        super().__init__(source, loader)
        self._add_defaults(self.layers[0], "")

    def roots(self) -> list[Mapping]:
        """Those of all layers."""
        return [layer.root for layer in self.layers]

    def _add_defaults(self, layer: Document, package: str) -> None:
        place = layer.place("defaults")
        if place is None:
            return
        self.owners[id(place.key)] = layer
        for choice in reversed(choices_in(layer.plain(place.value))):
            below = f"{package}.{choice.package}".strip(".")
            added = self.add_named(f"{choice.name}.yaml", place)
            if added is None:
                continue
            if below:
                self.layers[-1] = PackageDocument(added.source, self.loader, below)
            self._add_defaults(added, below)


def choices_in(value: Json) -> list[Choice]:
    """The entries of a `defaults:` list, `_self_` and empty ones left out."""
    found: list[Choice] = []
    for item in value if isinstance(value, list) else []:
        for group, name in item.items() if isinstance(item, dict) else [("", item)]:
            if not isinstance(name, str) or name in (SELF, ""):
                continue
            words = str(group).split()
            path, _, package = (words[-1] if words else "").partition("@")
            package = package or path.replace("/", ".")
            if not group and "@" in name:
                name, _, package = name.partition("@")
            found.append(Choice(name.removesuffix(".yaml"), package.removeprefix(GLOBAL)))
    return found
