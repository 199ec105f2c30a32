"""How a PEFT `adapter_config.json` is read and edited: its key table and what follows from it.

Keys and defaults: peft 0.21.2, src/peft/config.py and tuners/lora/config.py. The file describes an
adapter as it was saved: batch, precision and data stand elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change, Detection, Reading
from workload.dialects.defaults.hugging_face import Default, config_defaults
from workload.dialects.json_dialect import JsonDialect
from workload.dialects.yaml_dialect import YamlDialect
from workload.dialects.yaml_table import FieldReader, Key
from workload.normalise import canonical
from workload.source import SourceText
from workload.splice.json_document import json_object
from workload.splice.keys import insert_key, set_value
from workload.splice.yaml_document import Document
from workload.splice.yaml_tree import Scalar

TABLE = (
    Key("model_id", ("base_model_name_or_path",)),
    Key("lora_r", ("r",), keyword="r"),
    Key("lora_alpha", ("lora_alpha",), keyword="lora_alpha"),
    Key("lora_dropout", ("lora_dropout",), keyword="lora_dropout"),
    Key("lora_target_modules", ("target_modules",), keyword="target_modules"),
)
LORA_LIKE = frozenset({"LORA", "ADALORA"})
LORA_FIELDS = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
TASKS = {"SEQ_CLS": "classification", "FEATURE_EXTRACTION": "embedding"}
"""PEFT's task types that name a training objective; CAUSAL_LM fits several."""
_RELEASE = re.compile(r"\d+(?:\.\d+)+")


def recognise(keys: frozenset[str]) -> Detection:
    """`peft_type`, or the base model with keys of an adapter."""
    own = keys & {"peft_type", "base_model_name_or_path", "target_modules", "lora_alpha", "r"}
    if "peft_type" in keys:
        score = min(0.95, 0.7 + 0.05 * len(own))
        return Detection(score, f"PEFT adapter: {', '.join(sorted(own)[:3])}")
    if {"r", "lora_alpha"} <= keys:
        return Detection(0.6, "PEFT adapter: r and lora_alpha")
    return Detection(0.0, "no PEFT keys")


def lora_defaults(document: Document, versions: Mapping[str, str]) -> Mapping[str, Default]:
    """The defaults of LoraConfig; none for adapters of another kind."""
    kind = str(document.value("peft_type") or "LORA").upper()
    return config_defaults("LoraConfig", versions) if kind in LORA_LIKE else {}


def finish(reader: FieldReader) -> None:
    """Method, task, and what a saved adapter does not say."""
    place = reader.document.place("peft_type")
    kind = str(reader.document.value("peft_type") or "LORA").upper()
    word = "dora" if reader.document.value("use_dora") is True else kind.lower()
    if place is not None:
        reader.stated("finetune_method", place, word)
    else:
        reader.default("finetune_method", word)
    task = reader.document.place("task_type")
    objective = TASKS.get(str(reader.document.value("task_type")))
    if task is not None and objective is not None:
        reader.stated("task", task, objective)
    if kind not in LORA_LIKE:
        for name in LORA_FIELDS:
            if not reader.is_stated(name):
                reader.fields.pop(name, None)
    if reader.document.value("inference_mode") is True:
        message = "a saved adapter: batch, precision and data of its training stand elsewhere"
        reader.notice("note", message)


def edit_method(
    dialect: YamlDialect, document: Document, edit: FieldEdit, reading: Reading
) -> tuple[Change, ...]:
    """finetune_method: LoRA and DoRA differ by one switch."""
    wanted, found = canonical("finetune_method", edit.value), reading.fields["finetune_method"]
    if not edit.remove and wanted == found.value:
        return ()
    if edit.remove or {wanted, found.value} != {"lora", "dora"}:
        reason = f"an adapter config cannot become {edit.value}"
        raise CannotEdit(reason, "Write the adapter config of that method")
    place, on = document.place("use_dora"), wanted == "dora"
    if place is not None:
        return (set_value(document, place, on),)
    return (insert_key(document, "use_dora", on, ("lora_dropout", "peft_type")),)


@dataclass(frozen=True)
class PeftDialect(JsonDialect):
    """An adapter config: newer ones name the PEFT release that wrote them."""

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of a file. Raises InputError."""
        written = _written_by(source)
        reading = super().read(source, {**written, **versions})
        return replace(reading, stated_versions=frozenset(written))


def _written_by(source: SourceText) -> dict[str, str]:
    for entry in json_object(source).entries:
        if isinstance(entry.key, Scalar) and entry.key.value == "peft_version":
            value = entry.value.value if isinstance(entry.value, Scalar) else ""
            release = _RELEASE.match(value)
            return {"peft": release[0]} if release else {}
    return {}


PEFT = PeftDialect(
    format="peft_json",
    framework="peft",
    loader="pyyaml",
    table=TABLE,
    packages=("peft",),
    recognise=recognise,
    finish=finish,
    specials={"finetune_method": edit_method},
    key_files=("peft.txt",),
    unknown_keys_stop=False,
    keywords=lora_defaults,
)
