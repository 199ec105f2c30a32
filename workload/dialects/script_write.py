"""Writes a field as a plain keyword: where it stands, else in the call that takes it."""

from __future__ import annotations

from audit.records.base import Json
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change
from workload.dialects.defaults.hugging_face import TRL_CLASSES
from workload.dialects.script_edits import (
    Script,
    asked_value,
    cannot,
    insert_entry,
    insert_keyword,
    remove_keyword,
    replace_value,
    stands,
)
from workload.dialects.script_loading import loading_entries
from workload.dialects.script_names import HF_CONFIGS, HF_TRAINERS
from workload.dialects.script_spellings import LORA, PREFERRED, TRAINER, TRL_ONLY
from workload.dialects.script_values import Thing
from workload.versions import is_at_least

_LOADING = {
    "attn_implementation": "attn_implementation",
    "model_load_dtype": "dtype",
    "device_map": "device_map",
    "trust_remote_code": "trust_remote_code",
    "use_kv_cache": "use_cache",
}
_OLD_KEYWORDS = frozenset(
    {"evaluation_strategy", "max_seq_length", "tokenizer", "torch_dtype", "overwrite_output_dir"}
)
"""Keywords that newer releases renamed: a script with one of them was written for an older one."""


def plain_change(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """A field that is one keyword, entry or statement."""
    placed = script.reader.placed.get(edit.field)
    if placed is not None and edit.remove:
        return remove_keyword(script, placed)
    if edit.remove or stands(script, edit):
        return ()
    value = asked_value(edit)
    if placed is None:
        return _insert(script, edit.field, value)
    if not placed.direct:
        raise cannot(script, edit.field, value, "it is set where the text does not show it")
    return replace_value(script, edit.field, placed, value)


def _insert(script: Script, field: str, value: Json) -> tuple[Change, ...]:
    """Adds a field that the script leaves to its framework."""
    run = script.run
    if field in _LOADING:
        return _insert_loading(script, field, value)
    if field in LORA.values():
        adapter = run.adapter.value if run.adapter else None
        spelt = next(word for word, name in LORA.items() if name == field)
        made = adapter if isinstance(adapter, Thing) else None
        return insert_keyword(script, made, spelt, script.words(field, value), field)
    keyword = _keyword(script, field)
    if keyword is None:
        reason = f"{run.config_class} has no keyword for {field}"
        raise CannotEdit(reason, f"Set {field} = {script.words(field, value)} by hand")
    text = script.words(field, value)
    if _takes_itself(script, field):
        return insert_keyword(script, run.trainer, keyword, text, field)
    return insert_keyword(script, run.config, keyword, text, field)


def _takes_itself(script: Script, field: str) -> bool:
    """Whether the trainer of an old TRL takes the field: its config is TrainingArguments."""
    run = script.run
    plain_config = run.config is not None and run.config.name in HF_CONFIGS
    return field in TRL_ONLY and run.framework == "trl" and plain_config and is_old(script)


def _keyword(script: Script, field: str) -> str | None:
    """The keyword that a field has in this script's release."""
    run, keyword = script.run, PREFERRED.get(field)
    if field not in TRL_ONLY:
        return keyword
    if run.framework == "hf" or (run.config_class in HF_CONFIGS and not is_old(script)):
        return None
    if field == "max_seq_len" and is_old(script):
        return "max_seq_length"
    if run.config_class in TRL_CLASSES and not _takes_itself(script, field):
        return keyword if keyword in TRL_CLASSES[run.config_class] else None
    return keyword


def is_old(script: Script) -> bool:
    """Whether the script writes what only older releases took, or states such a release."""
    run = script.run
    trl = script.reader.versions.get("trl", "")
    if run.framework == "trl" and trl and not is_at_least(trl, "0.20"):
        return True
    made = (run.trainer, run.config, run.model)
    written = {name for thing in made for name in run.entries(thing)}
    takes = run.trainer is not None and run.trainer.name not in HF_TRAINERS
    old = written & _OLD_KEYWORDS
    return bool(old) or (takes and bool(set(run.entries(run.trainer)) & set(TRAINER)))


def _insert_loading(script: Script, field: str, value: Json) -> tuple[Change, ...]:
    """A keyword of `from_pretrained`, or an entry of `model_init_kwargs` where TRL loads."""
    run = script.run
    keyword, text = _LOADING[field], script.words(field, value)
    if field == "model_load_dtype" and _takes_torch_dtype(script):
        keyword = "torch_dtype"
    if run.model is not None and run.model.name:
        return insert_keyword(script, run.model, keyword, text, field)
    name = loading_entries(script.reader)[1]
    if not name or run.config is None:
        raise cannot(script, field, value, "the call that loads the model is not in the script")
    slot = run.entries(run.config).get("model_init_kwargs")
    key = f"{run.config_class}.model_init_kwargs"
    if slot is None:
        pair = f"{{{script.words('', keyword)}: {text}}}"
        return insert_keyword(script, run.config, "model_init_kwargs", pair, field)
    if not isinstance(slot.value, Thing):
        raise cannot(script, field, value, "model_init_kwargs is made elsewhere")
    return insert_entry(script, slot.value, keyword, text, key)


def _takes_torch_dtype(script: Script) -> bool:
    """`dtype` came with transformers 4.56; a script that writes old spellings keeps to them."""
    version = script.reader.versions.get("transformers", "")
    return is_old(script) or (bool(version) and not is_at_least(version, "4.56"))
