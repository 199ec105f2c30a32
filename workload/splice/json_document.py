"""A JSON object as a framework reads it: values by dotted path, each with its place in the text."""

from __future__ import annotations

from collections.abc import Iterator

from audit.records.base import Json
from audit.records.errors import InputError
from workload.source import SourceText
from workload.splice.json_faults import fault
from workload.splice.json_tree import Array, Oddity, read_json, scalar_json
from workload.splice.yaml_document import Document, Place
from workload.splice.yaml_tree import Mapping, Node, Scalar, Sequence
from workload.splice.yaml_values import Loader


class JsonDocument(Document):
    """The top-level object of a JSON file, with the places and paths of a YAML mapping.

    Raises:
        InputError: on construction: broken JSON, no object, or a number that is not finite.
    """

    def __init__(self, source: SourceText, loader: Loader) -> None:
        self.source = source
        self.loader = loader
        self.json = source.parsed(read_json)
        self.root = json_object(source)
        self._blocks: dict[int, dict[str, Place]] = {}
        constant = self.json.constant
        if constant is not None:
            reason = f"{constant.what[:40]} is no finite number"
            raise fault(source, constant.at, reason, "Write the number that is meant")

    @property
    def read_only(self) -> Oddity | None:
        """Why the text can be read but not edited: its first comment or trailing comma."""
        return self.json.relaxed

    def repeated(self) -> Iterator[Place]:
        """Keys that stand more than once in their object, at any depth."""
        blocks = [""]
        while blocks:
            for place in self.places(blocks.pop()):
                if place.repeated:
                    yield place
                if isinstance(place.value, Mapping):
                    blocks.append(place.path)

    def plain(self, node: Node) -> Json:
        """A node as plain data."""
        if isinstance(node, Scalar):
            return scalar_json(node)
        if isinstance(node, Array):
            return node.value
        return super().plain(node)


def json_object(source: SourceText) -> Mapping:
    """The top-level object of a JSON text. Raises InputError where there is none."""
    root = source.parsed(read_json).root
    if isinstance(root, Mapping):
        return root
    kind = "a list" if isinstance(root, Sequence) else "a single value"
    reason = f"the top level is {kind}, not an object of settings"
    remedy = 'Upload the training file: {"key": value, ...}'
    line = source.line_of(root.start)
    raise InputError(reason, file=source.name, line=line, remedy=remedy)


def json_keys(source: SourceText) -> frozenset[str]:
    """The keys of the top-level object. Raises InputError."""
    keys = (entry.key for entry in json_object(source).entries)
    return frozenset(key.value for key in keys if isinstance(key, Scalar))
