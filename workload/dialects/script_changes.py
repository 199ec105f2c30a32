"""Which change of a script makes which edit: the fields that are no plain keyword, and the rest."""

from __future__ import annotations

import ast
from collections.abc import Callable

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
from workload.dialects.script_fields import defaults_of
from workload.dialects.script_models import CHECKPOINTING, COMPILED, KBIT
from workload.dialects.script_names import HF_CONFIGS
from workload.dialects.script_values import Known, Thing
from workload.dialects.script_write import is_old, plain_change
from workload.normalise import same
from workload.splice import python as splice
from workload.versions import is_at_least

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
    return plain_change(script, edit)


def _checkpointing(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The config's keyword; off also where calls on the model turn it on."""
    if script.run.unsloth:
        return _unsloth_checkpointing(script, edit)
    off = not edit.remove and asked_value(edit) is False
    if off and not stands(script, edit):
        return (*_config_off(script), *call_off(script), *preparation_off(script))
    placed = script.reader.placed.get(edit.field)
    if placed is not None and placed.key in (CHECKPOINTING, KBIT):
        if edit.remove:
            raise cannot(script, edit.field, False, "a call on the model turns it on")
        if stands(script, edit):
            return ()
        return insert_keyword(script, script.run.config, edit.field, "True", edit.field)
    return plain_change(script, edit)


def _unsloth_checkpointing(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """Unsloth's `get_peft_model` decides, whatever the config says."""
    placed = script.reader.placed.get(edit.field)
    adapter = script.run.adapter.value if script.run.adapter else None
    keyword = "use_gradient_checkpointing"
    if (placed and placed.key.endswith(keyword)) or edit.remove or not isinstance(adapter, Thing):
        return plain_change(script, edit)
    if stands(script, edit):
        return ()
    text = script.words(edit.field, asked_value(edit))
    return insert_keyword(script, adapter, keyword, text, edit.field)


def _config_off(script: Script) -> tuple[Change, ...]:
    """`gradient_checkpointing=False`, which TRL's configs need in words: they default to True."""
    run, field = script.run, "gradient_checkpointing"
    placed = script.reader.placed.get(field)
    if placed is not None and placed.key not in (CHECKPOINTING, KBIT):
        return plain_change(script, FieldEdit(field=field, value=False))
    given = run.entries(run.config).get(field)
    default = defaults_of(run.config_class, script.reader.versions).get(field)
    if given is not None or (default is not None and not default.value):
        return ()
    return insert_keyword(script, run.config, field, "False", field)


def call_off(script: Script) -> tuple[Change, ...]:
    """Takes `model.gradient_checkpointing_enable()` away."""
    run = script.run
    slot = run.entries(run.model).get(CHECKPOINTING) or run.moment.loose.get(CHECKPOINTING)
    if slot is None or not (isinstance(slot.value, Known) and slot.value.value):
        return ()
    statement = slot.holder
    alone = isinstance(statement, ast.Expr) and statement.value is slot.value.node
    change = remove_whole(script, statement) if isinstance(statement, ast.Expr) and alone else None
    if change is None:
        why = f"line {slot.value.node.lineno} turns it on inside other code"
        raise cannot(script, "gradient_checkpointing", False, why)
    return (change,)


def preparation_off(script: Script) -> tuple[Change, ...]:
    """`prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)`."""
    run, python = script.run, script.python
    slot = run.entries(run.model).get(KBIT)
    if slot is None or script.reader.value("quant_bits") is None:
        return ()
    if slot.within is not None and slot.site is not None:
        said = isinstance(slot.value, Known) and slot.value.value is False
        return () if said else (splice.replace(python, slot.site, "False"),)
    node = slot.value.node
    if not isinstance(node, ast.Call):
        raise cannot(script, "gradient_checkpointing", False, "the k-bit preparation turns it on")
    group = splice.call_group(python, node)
    return splice.insert(python, group, "use_gradient_checkpointing=False")


def _reentrance(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`use_reentrant` inside `gradient_checkpointing_kwargs`."""
    placed = script.reader.placed.get(edit.field)
    if placed is not None or edit.remove or stands(script, edit):
        return plain_change(script, edit)
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
    if not placed.direct and placed.key.endswith((".**", ".model")):
        raise cannot(script, edit.field, None, "it is set where the text does not show it")
    return (*remove_keyword(script, placed), *_keep_checkpointing(script))


def _keep_checkpointing(script: Script) -> tuple[Change, ...]:
    """The k-bit preparation turns checkpointing on for quantised weights only: said in words."""
    placed = script.reader.placed.get("gradient_checkpointing")
    if placed is None or placed.key != KBIT or script.run.config_class not in HF_CONFIGS:
        return ()
    field = "gradient_checkpointing"
    return insert_keyword(script, script.run.config, field, "True", field)


def _attention(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`use_flash_attention_2=True` becomes `attn_implementation=...`, its newer spelling."""
    placed = script.reader.placed.get(edit.field)
    if placed is None or not placed.key.endswith("use_flash_attention_2") or edit.remove:
        return plain_change(script, edit)
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
        return plain_change(script, edit)
    by_length = asked_value(edit) is True
    text = script.words("", "group_by_length" if by_length else "random")
    if placed is not None:
        node = placed.slot.site
        if node is None or not placed.key.endswith("train_sampling_strategy"):
            raise cannot(
                script, edit.field, edit.value, "it is set where the text does not show it"
            )
        return (splice.replace(script.python, node, text)._replace(key=entry_key(placed.key)),)
    version = script.reader.versions.get("transformers", "")
    if is_old(script) or (version and not is_at_least(version, "5.0")):
        return insert_keyword(
            script, script.run.config, "group_by_length", repr(by_length), edit.field
        )
    return insert_keyword(script, script.run.config, "train_sampling_strategy", text, edit.field)


def _compilation(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The config's keyword, or the statement `model = torch.compile(model)`."""
    placed = script.reader.placed.get(edit.field)
    if placed is None or placed.key != COMPILED:
        return plain_change(script, edit)
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
    """LoRA instead of QLoRA is weights that are not quantised; the rest takes other objects."""
    found = script.reader.fields.get(edit.field)
    value = None if edit.remove else asked_value(edit)
    if found is not None and value is not None and found.value == value:
        return ()
    if found is not None and (found.value, value) == ("qlora", "lora"):
        return _quantization(script, FieldEdit(field="quant_bits", value=None))
    reason = "an adapter is an object that the trainer is given"
    advice = "Give the trainer peft_config=LoraConfig(...), or take it away"
    raise CannotEdit(reason, advice, found.line if found else None)


def _variable(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """A variable that the script sets; others are exported before the launch."""
    name = edit.field.removeprefix("env:")
    if script.reader.placed.get(edit.field) is not None:
        return plain_change(script, edit)
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
