"""Edits of a training loop of a script's own: a keyword of the loader, optimizer or Accelerator.

Checkpointing and compiling are statements behind the one that loads the model, where that place
is beyond doubt. What needs more (an autocast block, accumulation) is advice.
"""

from __future__ import annotations

from audit.records.base import Json
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change
from workload.dialects.class_paths import FUSED
from workload.dialects.script_changes import call_off, edit_script, preparation_off
from workload.dialects.script_edits import (
    Script,
    asked_value,
    insert_keyword,
    remove_keyword,
    remove_whole,
    replace_value,
    stands,
)
from workload.dialects.script_loop import ACCELERATOR, OPTIMIZER
from workload.dialects.script_loop_fields import LOADER_KEYWORDS
from workload.dialects.script_loop_parts import label, the_part, training_loader
from workload.dialects.script_loop_statements import (
    compile_model,
    enable_checkpointing,
    statement_of,
)
from workload.dialects.script_reader import Placed
from workload.dialects.script_spellings import LORA
from workload.dialects.script_values import Known, Thing

_OPTIMIZER_KEYWORDS = {"learning_rate": "lr", "weight_decay": "weight_decay"}
_ON_THE_MODEL = frozenset(
    {"attn_implementation", "model_load_dtype", "device_map", "trust_remote_code", "quant_bits",
     "datasets", "model_id", "finetune_method", "pad_token_is_eos", *LORA.values()}
)  # fmt: skip
_ADVICE = {
    "gradient_checkpointing": "Write model.gradient_checkpointing_enable() before the loop",
    "torch_compile": "Write model.compile() before the loop",
    "optimizer": "Make the optimizer of that name before the loop",
    "bf16": "Put the forward pass into: with torch.autocast('cuda', dtype=torch.bfloat16):",
    "gradient_accumulation_steps": "Divide the loss by N and step the optimizer every N batches",
    "max_grad_norm": "Write torch.nn.utils.clip_grad_norm_(model.parameters(), N) before the step",
    "allow_tf32": "Write torch.backends.cuda.matmul.allow_tf32 = True at the start",
}


def edit_loop(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The changes that make an edit; none where the text already says it.

    Raises:
        CannotEdit: with what to write by hand.
    """
    if not edit.remove and stands(script, edit):
        return ()
    if edit.field in ("bf16", "fp16"):
        return _precision(script, edit)
    special = _SPECIALS.get(edit.field)
    if special is not None:
        return special(script, edit)
    if edit.field in _ON_THE_MODEL or edit.field.startswith("env:"):
        return edit_script(script, edit)
    placed = script.reader.placed.get(edit.field)
    if placed is not None and placed.direct:
        if edit.remove:
            return remove_keyword(script, placed)
        return replace_value(script, edit.field, placed, asked_value(edit))
    part, keyword = _takes(script, edit.field)
    if edit.remove or placed is not None or part is None:
        raise _by_hand(script, edit)
    text = script.words(edit.field, asked_value(edit))
    return insert_keyword(script, part, keyword, text, edit.field, label(script.reader, part))


def _switched(script: Script, edit: FieldEdit) -> bool:
    """Whether what is switched stands as asked; raises CannotEdit where nobody knows how it is."""
    found = script.reader.fields.get(edit.field)
    if edit.remove or found is None or found.origin == "unknown":
        raise _by_hand(script, edit)
    return bool(found.value) == (asked_value(edit) is True)


def _checkpointing(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """A call behind the loading of the model comes or goes."""
    if _switched(script, edit):
        return ()
    if asked_value(edit) is True:
        return enable_checkpointing(script)
    changes = (*call_off(script), *preparation_off(script))
    if not changes:
        raise _by_hand(script, edit)
    return changes


def _compilation(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The call that compiles the model comes or goes."""
    placed = script.reader.placed.get(edit.field)
    if _switched(script, edit):
        return ()
    if asked_value(edit) is True:
        return compile_model(script)
    node = getattr(placed.slot.value, "node", None) if placed is not None else None
    statement = statement_of(script.run.scene.tree, node)
    change = remove_whole(script, statement) if statement is not None else None
    if change is None:
        reason = "torch.compile is called inside other code"
        raise CannotEdit(reason, "Take it away by hand", script.reader.fields[edit.field].line)
    return (change._replace(key="torch.compile"),)


def _optimizer(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """`fused=True` of AdamW; another class takes other keywords."""
    part = the_part(script.reader, OPTIMIZER)
    found = script.reader.fields.get(edit.field)
    wanted = None if edit.remove else asked_value(edit)
    pair = {wanted, found.value if found is not None else None}
    if part is None or pair != {"adamw_torch", FUSED}:
        raise _by_hand(script, edit)
    owner, fused = label(script.reader, part), wanted == FUSED
    entries = script.run.entries(part)
    slot = entries.get("fused")
    if "foreach" in entries:
        reason = "foreach and fused exclude each other"
        raise CannotEdit(reason, f"Write fused={fused} in {owner}(...) instead", part.node.lineno)
    if slot is None:
        return insert_keyword(script, part, "fused", str(fused), edit.field, owner)
    return replace_value(script, "", Placed(slot, f"{owner}.fused"), fused)


def _takes(script: Script, field: str) -> tuple[Thing | None, str]:
    """The call that takes a field as a keyword, and the keyword."""
    for keyword, name in LOADER_KEYWORDS.items():
        if name == field:
            return training_loader(script.reader), keyword
    if field in _OPTIMIZER_KEYWORDS:
        return the_part(script.reader, OPTIMIZER), _OPTIMIZER_KEYWORDS[field]
    if field == "gradient_accumulation_steps":
        accumulates = "accelerator.accumulate(" in script.python.text.replace(" ", "")
        return (the_part(script.reader, ACCELERATOR) if accumulates else None), field
    return None, ""


def _precision(script: Script, edit: FieldEdit) -> tuple[Change, ...]:
    """The word of `mixed_precision`, or the dtype of an autocast."""
    wanted: Json = edit.field if asked_value(edit) is True else "no"
    placed = script.reader.placed.get(edit.field)
    found = script.reader.fields.get(edit.field)
    if edit.remove:
        raise _by_hand(script, edit)
    if found is not None and found.origin != "unknown" and bool(found.value) == (wanted != "no"):
        return ()
    if placed is not None and placed.key.endswith(".mixed_precision"):
        if isinstance(placed.slot.value, Known):
            return replace_value(script, "", placed._replace(direct=True), wanted)
        part = the_part(script.reader, ACCELERATOR)
        if part is not None and "mixed_precision" not in script.run.entries(part):
            text = script.words("", wanted)
            name = label(script.reader, part)
            return insert_keyword(script, part, "mixed_precision", text, edit.field, name)
    if placed is not None and placed.key.endswith(".dtype") and wanted != "no":
        field = "model_load_dtype"  # a dtype as the script spells dtypes
        return replace_value(script, field, placed._replace(direct=True), wanted)
    raise _by_hand(script, edit)


_SPECIALS = {
    "gradient_checkpointing": _checkpointing,
    "torch_compile": _compilation,
    "optimizer": _optimizer,
}


def _by_hand(script: Script, edit: FieldEdit) -> CannotEdit:
    found = script.reader.fields.get(edit.field)
    advice = _ADVICE.get(edit.field, f"Set {edit.field} to {edit.value} in the loop")
    reason = "it stands in no one place of the loop that takes it"
    return CannotEdit(reason, advice, found.line if found else None)
