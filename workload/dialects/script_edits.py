"""How an edit changes a script's text: a literal replaced, a keyword or statement come or gone."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass

from audit.records.base import Json
from audit.records.finding import FieldEdit
from workload.dialects import CannotEdit, Change
from workload.dialects.script_names import FROM_COMMAND_LINE
from workload.dialects.script_option_edits import given_at_launch, option_default
from workload.dialects.script_reader import Placed, ScriptReader
from workload.dialects.script_run import Run
from workload.dialects.script_spellings import PREFERRED
from workload.dialects.script_values import OPEN, Slot, Symbol, Thing, Unknown, option_of
from workload.normalise import canonical, same
from workload.splice import python as splice
from workload.splice.python import PythonText
from workload.splice.python_literal import literal

_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True)
class Script:
    """A script as it was read: what its edits need."""

    run: Run
    python: PythonText
    reader: ScriptReader

    @property
    def quote(self) -> str:
        """The quotes that most texts of the script have."""
        text = self.python.text
        return "'" if text.count("'") > text.count('"') else '"'

    def words(self, field: str, value: Json, like: str = "") -> str:
        """A field's value as this script writes it."""
        if field == "model_load_dtype" and isinstance(value, str):
            return self._dtype(_DTYPES.get(value, value), like)
        return literal(value, like, self.quote)

    def _dtype(self, name: str, like: str) -> str:
        torch = self.run.scene.memory.get(self.run.scene.module, "torch")
        imported = torch is not None and isinstance(torch.value, Symbol)
        quoted = like[-1:] in ("'", '"')
        if name == "auto" or quoted or not (imported or like.startswith("torch.")):
            return literal(name, like, self.quote)
        return f"torch.{name}"


def asked_value(edit: FieldEdit) -> Json:
    """The value of an edit in our vocabulary."""
    return canonical(edit.field, edit.value)


def stands(script: Script, edit: FieldEdit) -> bool:
    """Whether the text already says what the edit asks for."""
    found = script.reader.fields.get(edit.field)
    if found is None or found.origin != "stated":
        return False
    return same(edit.field, found.value, edit.value)


def replace_value(script: Script, field: str, placed: Placed, value: Json) -> tuple[Change, ...]:
    """Replaces the literal of a field: where a constant holds it for this keyword alone, there."""
    slot = placed.slot
    if slot.site is None or not (slot.holder or slot.within):
        raise cannot(script, field, value, "it depends on a condition or stands in no one place")
    option = option_of(slot.value)
    if isinstance(slot.value, Unknown) and slot.value.why.startswith(FROM_COMMAND_LINE):
        raise given_at_launch(field, slot, value)
    if option is not None:
        node = option_default(script, field, slot, option, value)
    else:
        node = _target(script, field, slot)
    old = script.python.source_of(node)
    change = splice.replace(script.python, node, script.words(field, value, old))
    return (change._replace(key=entry_key(placed.key)),)


def entry_key(key: str) -> str:
    """The entry that a key belongs to: of a dict given to a keyword, the keyword."""
    head, _, last = key.rpartition(".")
    return head if last == "use_reentrant" else key


def remove_keyword(script: Script, placed: Placed) -> tuple[Change, ...]:
    """Removes the keyword, dict entry or statement that writes a field."""
    slot, python = placed.slot, script.python
    change: Change | None = None
    if isinstance(slot.holder, ast.AnnAssign) and option_of(slot.value) is not None:
        reason = "it is a field of a dataclass that other code may read"
        raise CannotEdit(reason, f"Remove {placed.key} by hand", slot.holder.lineno)
    if isinstance(slot.holder, ast.keyword) and slot.within is not None:
        group = splice.call_group(python, slot.within)
        start = python.span(slot.holder).start
        index = next(at for at, span in enumerate(group.elements) if span.start == start)
        change = splice.remove(python, group, index)
    elif isinstance(slot.holder, ast.Dict) and slot.site is not None:
        index = next(at for at, one in enumerate(slot.holder.values) if one is slot.site)
        change = splice.remove(python, splice.dict_group(python, slot.holder), index)
    elif isinstance(slot.holder, ast.stmt):
        change = remove_whole(script, slot.holder)
    if change is None:
        line = slot.site.lineno if slot.site else None
        reason = "it stands where nothing can be taken away"
        raise CannotEdit(reason, f"Remove {placed.key} by hand", line)
    return (change._replace(key=entry_key(placed.key)),)


def remove_whole(script: Script, statement: ast.stmt) -> Change | None:
    """Removes a statement; None where its block would be empty without it."""
    for node in ast.walk(script.run.scene.tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and statement in block:
                alone = len(block) == 1 and not isinstance(node, ast.Module)
                return None if alone else splice.remove_statement(script.python, statement)
    return None


def insert_keyword(
    script: Script, thing: Thing | None, keyword: str, text: str, field: str, owner: str = ""
) -> tuple[Change, ...]:
    """Adds a keyword to the call that made `thing`, whose entries are listed under `owner`."""
    value = f"{keyword}={text}"
    if thing is None or not isinstance(thing.node, ast.Call):
        reason = "the script has no call that takes it"
        raise CannotEdit(reason, f"Write {value} by hand")
    line = thing.node.lineno
    advice = f"Write {value} in {thing.name}(...)"
    if thing.merged:
        reason = f"{thing.name} is made in several branches"
        raise CannotEdit(reason, advice, line)
    rest = script.run.entries(thing).get(OPEN)
    if rest is not None:
        reason = f"what is passed to {thing.name} is not shown in full"
        if isinstance(rest.value, Unknown) and rest.value.why == FROM_COMMAND_LINE:
            reason = f"{thing.name} is filled from the command line"
            advice = f"Pass --{keyword} {text} where the script is launched"
        raise CannotEdit(reason, advice, line)
    group = splice.call_group(script.python, thing.node)
    owner = owner or (f"{thing.name}.from_pretrained" if thing.kind == "model" else thing.name)
    return keyed(splice.insert(script.python, group, value), f"{owner}.{keyword}")


def keyed(changes: tuple[Change, ...], key: str) -> tuple[Change, ...]:
    """The changes with the entry they set; a comma alone sets none, and two edits share it."""
    return tuple(one if one.text == "," else one._replace(key=key) for one in changes)


def insert_entry(
    script: Script, settings: Thing, name: str, text: str, key: str
) -> tuple[Change, ...]:
    """Adds an entry to a dict: a display, or a call of `dict`."""
    python = script.python
    if isinstance(settings.node, ast.Dict):
        value = f"{literal(name, '', script.quote)}: {text}"
        changes = splice.insert(python, splice.dict_group(python, settings.node), value)
    elif isinstance(settings.node, ast.Call) and settings.node.keywords:
        changes = splice.insert(python, splice.call_group(python, settings.node), f"{name}={text}")
    else:
        reason = "the dict that takes it is made elsewhere"
        raise CannotEdit(reason, f"Write {name} = {text} there", settings.node.lineno)
    return keyed(changes, key)


def cannot(script: Script, field: str, value: Json, why: str) -> CannotEdit:
    """The refusal of an edit, with what to write instead."""
    found = script.reader.fields.get(field)
    line = found.line if found else None
    placed = script.reader.placed.get(field)
    owner, _, keyword = (placed.key if placed else "").rpartition(".")
    if not owner or keyword in ("**", "args", "model"):
        owner, keyword = script.run.config_class, PREFERRED.get(field, field)
    text = script.words(field, value)
    if found is not None and found.source == FROM_COMMAND_LINE:
        return CannotEdit(why, f"Pass --{keyword} {value} where the script is launched", line)
    return CannotEdit(why, f"Write {keyword}={text} in {owner}(...)", line)


def _target(script: Script, field: str, slot: Slot) -> ast.expr:
    """The expression to replace: the constant's own where the keyword names it and nobody else."""
    site = slot.site
    if site is None:
        message = "a slot without a place"
        raise ValueError(message)
    node = getattr(slot.value, "node", None)
    if isinstance(site, ast.Call) and isinstance(node, ast.Constant) and _is_field(site):
        return node
    if not isinstance(site, ast.Name) or not isinstance(node, ast.expr) or node is site:
        return site
    names = _uses(script.run.scene.tree)
    shared = names[site.id, False] > 1 and field != "model_id"
    if names[site.id, True] != 1 or shared or not _assigns(script.run.scene.tree, site.id, node):
        return site
    return node


def _is_field(call: ast.Call) -> bool:
    """Whether `dataclasses.field(default=...)` stands there."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    return name in ("field", "Field", "HfArg") and any(
        one.arg == "default" for one in call.keywords
    )


def _uses(tree: ast.AST) -> Counter[tuple[str, bool]]:
    """How often each name is read (False) and assigned (True)."""
    return Counter(
        (node.id, not isinstance(node.ctx, ast.Load))
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
    )


def _assigns(tree: ast.AST, name: str, node: ast.expr) -> bool:
    """Whether `name = <node>` stands in the script, alone or as a part of a tuple."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.AnnAssign) and statement.value is node:
            return isinstance(statement.target, ast.Name) and statement.target.id == name
        if isinstance(statement, ast.Assign):
            pairs = [(target, statement.value) for target in statement.targets]
            for target, value in pairs:
                if isinstance(target, ast.Tuple) and isinstance(value, (ast.Tuple, ast.List)):
                    pairs += list(zip(target.elts, value.elts, strict=False))
            if any(value is node and _is_named(target, name) for target, value in pairs):
                return True
    return False


def _is_named(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name
