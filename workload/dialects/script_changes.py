"""Which change of a script makes which edit: field by field, in the spelling of its versions."""

from __future__ import annotations

import ast
from collections.abc import Callable

from audit.records.base import Json
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change
from workload.dialects.script_edits import (
    Script,
    asked_value,
    cannot,
    entry_key,
    insert_entry,
    insert_keyword,
    remove_keyword,
    remove_whole,
    replace_value,
    stands,
)
from workload.dialects.script_loading import loading_entries
from workload.dialects.script_models import CHECKPOINTING, COMPILED, KBIT
from workload.dialects.script_names import HF_CONFIGS, HF_TRAINERS
from workload.dialects.script_spellings import LORA, PREFERRED, TRAINER, TRL_ONLY
from workload.dialects.script_values import Known, Thing
from workload.normalise import same
from workload.splice import python as splice
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
_LAUNCH = frozenset({"num_processes", "num_machines"})
_FOLLOWS = frozenset({"compute_dtype", "effective_batch", "task", "framework", "fused_kernels"})


def edit_script(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The changes that make an edit; none where the text already says it.

    Raises:
        CannotEdit: with what to write by hand.
    """
    special = _SPECIALS.get(edit.field)
    if special is not None:
        return special(script, edit)
    if edit.field.startswith("env:"):
        return _variable(script, edit)
    if edit.field in _LAUNCH:
        reason = "the number of processes stands on the launch line"
        raise CannotEdit(reason, f"Launch with {edit.field} = {edit.value}")
    if edit.field in _FOLLOWS:
        reason = f"{edit.field} follows from other settings"
        raise CannotEdit(reason, f"Change the settings that {edit.field} follows from")
    return _plain(script, edit)


def _plain(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """A field that is one keyword, entry or statement."""
    placed = script.reader.placed.get(edit.field)
    if placed is not None and edit.remove:
        return remove_keyword(script, placed)
    if edit.remove or stands(script, edit):
        return ()
    value = asked_value(edit)
    if placed is None:
        return _insert(script, edit.field, value)
    if placed.key.endswith((".**", ".args")) or not placed.direct:
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
    return field in TRL_ONLY and run.framework == "trl" and plain_config and _is_old(script)


def _keyword(script: Script, field: str) -> str | None:
    """The keyword that a field has in this script's release."""
    run, keyword = script.run, PREFERRED.get(field)
    if field not in TRL_ONLY:
        return keyword
    if run.framework == "hf" or (run.config_class in HF_CONFIGS and not _is_old(script)):
        return None
    if field == "max_seq_len" and _is_old(script):
        return "max_seq_length"
    return keyword


def _is_old(script: Script) -> bool:
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
    return _is_old(script) or (bool(version) and not is_at_least(version, "4.56"))


def _checkpointing(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The config's keyword; or the call on the model that turns checkpointing on."""
    placed = script.reader.placed.get("gradient_checkpointing")
    if placed is None or placed.key not in (CHECKPOINTING, KBIT):
        return _plain(script, edit)
    if not edit.remove and stands(script, edit):
        return ()
    off = edit.remove or asked_value(edit) is False
    if not off:
        raise cannot(script, edit.field, edit.value, "a call on the model turns it on")
    if placed.key == KBIT:
        return _unprepare(script, edit)
    statement, node = placed.slot.holder, getattr(placed.slot.value, "node", None)
    alone = isinstance(statement, ast.Expr) and statement.value is node
    change = remove_whole(script, statement) if isinstance(statement, ast.Expr) and alone else None
    if change is None:
        raise cannot(script, edit.field, False, "a call inside other code turns it on")
    return (change._replace(key=CHECKPOINTING), *_switch_off(script))


def _switch_off(script: Script) -> tuple[Change, ...]:
    """TRL's configs have checkpointing on by default: off must be written."""
    run = script.run
    given = run.entries(run.config)
    if (
        run.framework != "trl"
        or run.config_class in HF_CONFIGS
        or "gradient_checkpointing" in given
    ):
        return ()
    return insert_keyword(
        script, run.config, "gradient_checkpointing", "False", "gradient_checkpointing"
    )


def _unprepare(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)`."""
    placed = script.reader.placed["gradient_checkpointing"]
    if placed.slot.holder is not None and placed.slot.within is not None:
        return (*replace_value(script, edit.field, placed, False), *_switch_off(script))
    node = placed.slot.value.node
    if not isinstance(node, ast.Call):
        raise cannot(script, edit.field, False, "the k-bit preparation turns it on")
    group = splice.call_group(script.python, node)
    changes = splice.insert(script.python, group, "use_gradient_checkpointing=False")
    return (*(change._replace(key=KBIT) for change in changes), *_switch_off(script))


def _reentrance(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`use_reentrant` inside `gradient_checkpointing_kwargs`."""
    placed = script.reader.placed.get(edit.field)
    if placed is not None or edit.remove or stands(script, edit):
        return _plain(script, edit)
    run, name = script.run, "gradient_checkpointing_kwargs"
    text = script.words(edit.field, asked_value(edit))
    slot = run.entries(run.config).get(name)
    if slot is not None and isinstance(slot.value, Thing):
        key = f"{run.config_class}.{name}"
        return insert_entry(script, slot.value, "use_reentrant", text, key)
    pair = f"{{{script.words('', 'use_reentrant')}: {text}}}"
    return insert_keyword(script, run.config, name, pair, edit.field)


def _quantization(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """Weights as they are: the keyword that quantises goes, its config stays where it is made."""
    placed = script.reader.placed.get("quant_bits")
    wanted = None if edit.remove else asked_value(edit)
    found = script.reader.fields.get("quant_bits")
    if found is not None and found.origin != "unknown" and found.value == wanted:
        return ()
    if wanted is not None:
        reason = "quantising needs a config object"
        advice = f"Write quantization_config=BitsAndBytesConfig(load_in_{wanted}bit=True)"
        raise CannotEdit(reason, advice, found.line if found else None)
    if placed is None:
        if script.run.unsloth:
            return insert_keyword(script, script.run.model, "load_in_4bit", "False", edit.field)
        raise cannot(script, edit.field, None, "nothing in the script quantises the model")
    if script.run.unsloth and placed.slot.holder is not None:
        direct = placed._replace(direct=True)
        return replace_value(script, edit.field, direct, False)
    if placed.key.endswith(".**"):
        raise cannot(script, edit.field, None, "it is set where the text does not show it")
    return remove_keyword(script, placed)


def _attention(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`use_flash_attention_2=True` becomes `attn_implementation=...`, its newer spelling."""
    placed = script.reader.placed.get(edit.field)
    if placed is None or not placed.key.endswith("use_flash_attention_2") or edit.remove:
        return _plain(script, edit)
    if stands(script, edit):
        return ()
    keyword = placed.slot.holder
    if not isinstance(keyword, ast.keyword):
        raise cannot(script, edit.field, edit.value, "it stands in no keyword of its own")
    start, end = script.python.span(keyword)
    text = f"attn_implementation={script.words(edit.field, asked_value(edit))}"
    name = placed.key.rpartition(".")[0]
    old = Change(start, end, text, placed.key)
    return (old, Change(end, end, "", f"{name}.attn_implementation"))


def _grouping(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`group_by_length` of 4.x, `train_sampling_strategy` from 5 on."""
    placed = script.reader.placed.get(edit.field)
    if edit.remove or stands(script, edit) or (placed is not None and placed.direct):
        return _plain(script, edit)
    by_length = asked_value(edit) is True
    text = literal_word = script.words("", "group_by_length" if by_length else "random")
    if placed is not None:
        node = placed.slot.site
        if node is None:
            raise cannot(script, edit.field, edit.value, "it depends on a condition")
        return (splice.replace(script.python, node, text)._replace(key=entry_key(placed.key)),)
    version = script.reader.versions.get("transformers", "")
    if _is_old(script) or (version and not is_at_least(version, "5.0")):
        return insert_keyword(
            script, script.run.config, "group_by_length", repr(by_length), edit.field
        )
    return insert_keyword(
        script, script.run.config, "train_sampling_strategy", literal_word, edit.field
    )


def _compilation(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The config's keyword, or the statement `model = torch.compile(model)`."""
    placed = script.reader.placed.get(edit.field)
    if placed is None or placed.key != COMPILED:
        return _plain(script, edit)
    if not edit.remove and stands(script, edit):
        return ()
    statement, node = placed.slot.holder, getattr(placed.slot.value, "node", None)
    alone = isinstance(statement, (ast.Expr, ast.Assign)) and statement.value is node
    change = remove_whole(script, statement) if isinstance(statement, ast.stmt) and alone else None
    if change is None:
        raise cannot(script, edit.field, edit.value, "torch.compile is called inside other code")
    return (change._replace(key=COMPILED),)


def _datasets(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """One dataset by its name; several are more than one edit."""
    slots = script.run.moment.datasets
    value = asked_value(edit)
    if edit.remove or len(slots) != 1 or not (isinstance(value, list) and len(value) == 1):
        raise cannot(script, edit.field, edit.value, "datasets are loaded by calls of their own")
    found = script.reader.fields.get("datasets")
    if found is not None and same("datasets", found.value, value):
        return ()
    placed = script.reader.placed["datasets"]
    if not isinstance(placed.slot.value, Known):
        raise cannot(script, edit.field, edit.value, "the name of the dataset is computed")
    return replace_value(script, edit.field, placed._replace(direct=True), value[0])


def _padding(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    found = script.reader.fields.get(edit.field)
    if found is not None and not edit.remove and found.value == edit.value:
        return ()
    reason = "another padding token depends on the tokenizer"
    advice = "Write tokenizer.pad_token = a token of its own, e.g. one that the tokenizer reserves"
    raise CannotEdit(reason, advice, found.line if found else None)


def _method(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    found = script.reader.fields.get(edit.field)
    reason = "an adapter is an object that the trainer is given"
    advice = "Give the trainer peft_config=LoraConfig(...), or take it away"
    raise CannotEdit(reason, advice, found.line if found else None)


def _variable(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """A variable that the script sets; others are exported before the launch."""
    name = edit.field.removeprefix("env:")
    if script.reader.placed.get(edit.field) is not None:
        return _plain(script, edit)
    if edit.remove:
        return ()
    reason = "a variable must be set before Python starts"
    raise CannotEdit(reason, f"export {name}={edit.value}")


_SPECIALS: dict[str, Callable[[Script, FieldEdit], tuple[Change, ...]]] = {
    "gradient_checkpointing": _checkpointing,
    "gradient_checkpointing_reentrant": _reentrance,
    "quant_bits": _quantization,
    "attn_implementation": _attention,
    "group_by_length": _grouping,
    "torch_compile": _compilation,
    "datasets": _datasets,
    "pad_token_is_eos": _padding,
    "finetune_method": _method,
}
