"""A framework whose training file is JSON: the key tables of YAML, read and edited as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workload.dialects import Detection
from workload.dialects.yaml_dialect import YamlDialect
from workload.source import SourceText
from workload.splice.json_document import JsonDocument, json_keys
from workload.splice.yaml_document import Document
from workload.splice.yaml_values import Loader


@dataclass(frozen=True)
class JsonDialect(YamlDialect):
    """One framework's JSON; fits `workload.dialects.Dialect`."""

    open: Callable[[SourceText, Loader], Document] = JsonDocument

    def detect(self, source: SourceText) -> Detection:
        """By the top-level keys. Raises InputError where the JSON is broken."""
        return self.recognise(json_keys(source))
