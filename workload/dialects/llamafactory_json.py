"""How a LLaMA-Factory config in JSON is read and edited: by the key table of its YAML.

LLaMA-Factory loads `.json` with OmegaConf as it does YAML (src/llamafactory/hparams/parser.py).
"""

from __future__ import annotations

from dataclasses import fields

from workload.dialects import Detection
from workload.dialects.json_dialect import JsonDialect
from workload.dialects.llamafactory import LLAMAFACTORY
from workload.splice.json_document import JsonDocument

SWIFT = frozenset({"tuner_type", "train_type", "sft_type"})
"""Keys of ms-swift's argument dumps, which share many others with LLaMA-Factory."""


def recognise(keys: frozenset[str]) -> Detection:
    """As for YAML, and no key of ms-swift."""
    if keys & SWIFT:
        return Detection(0.0, "arguments of ms-swift")
    return LLAMAFACTORY.recognise(keys)


_SHARED = {one.name: getattr(LLAMAFACTORY, one.name) for one in fields(LLAMAFACTORY)}

LLAMAFACTORY_JSON = JsonDialect(
    **{**_SHARED, "format": "llamafactory_json", "open": JsonDocument, "recognise": recognise},
)
