"""What an assignment of a script sets: a name, an attribute of what was made, an item, several."""

from __future__ import annotations

import ast

from workload.dialects.script_evaluate import evaluate
from workload.dialects.script_scene import Scene
from workload.dialects.script_values import Items, Known, Local, Slot, Symbol, Thing, Unknown


def assign(scene: Scene, target: ast.expr, slot: Slot, statement: ast.stmt) -> None:
    """Gives an assignment's target its value: a name, an attribute, an item, or several."""
    if isinstance(target, ast.Name):
        scene.bind(target.id, slot)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(scene, target, slot, statement)
    elif isinstance(target, ast.Attribute):
        _set_attribute(scene, target, slot)
    elif isinstance(target, ast.Subscript):
        _set_item(scene, target, slot)
    elif isinstance(target, ast.Starred):
        unknown = Unknown(target, "computed when the script runs")
        assign(scene, target.value, Slot(unknown, None), statement)


def _unpack(scene: Scene, target: ast.Tuple | ast.List, slot: Slot, statement: ast.stmt) -> None:
    value = slot.value
    fits = isinstance(value, Items) and len(value.values) == len(target.elts)
    written = slot.site.elts if isinstance(slot.site, (ast.Tuple, ast.List)) else None
    starred = any(isinstance(one, ast.Starred) for one in target.elts)
    for at, one in enumerate(target.elts):
        if isinstance(value, Items) and fits and not starred:
            site = written[at] if written else None
            assign(scene, one, Slot(value.values[at], site, statement), statement)
        else:
            assign(scene, one, Slot(Unknown(one, "computed when the script runs"), None), statement)


def _set_attribute(scene: Scene, target: ast.Attribute, slot: Slot) -> None:
    """`thing.name = value`; what is set on an object that is not followed is kept as loose."""
    base = evaluate(scene, target.value)
    if target.attr in ("pad_token", "pad_token_id"):
        scene.memory.put_in(scene.loose, "pad_token", _padding(slot))
    if isinstance(base, Thing):
        scene.memory.put_in(base, target.attr, slot)
    elif isinstance(base, Symbol):
        scene.memory.put_in(scene.symbols, f"{base.name}.{target.attr}", slot)
    elif isinstance(base, Local):
        scene.memory.put(base.owner, target.attr, slot)
    elif target.attr == "use_cache":
        scene.memory.put_in(scene.loose, "use_cache", slot)


def _padding(slot: Slot) -> Slot | None:
    """Whether the padding token was made the end-of-sequence token."""
    site = slot.site
    if isinstance(site, ast.Attribute) and site.attr in ("eos_token", "eos_token_id"):
        return slot._replace(value=Known(True, site))
    return None if isinstance(slot.value, Known) else slot


def _set_item(scene: Scene, target: ast.Subscript, slot: Slot) -> None:
    base, index = evaluate(scene, target.value), evaluate(scene, target.slice)
    key = index.value if isinstance(index, Known) and isinstance(index.value, str) else None
    if isinstance(base, Thing) and base.kind == "dict":
        open_ended = Slot(Unknown(target, "a key is computed"), None)
        scene.memory.put_in(base, key or "**", slot if key else open_ended)
    elif isinstance(base, Symbol) and base.name == "os.environ" and key:
        scene.memory.put_in(scene.env, key, slot)
