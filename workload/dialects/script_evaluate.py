"""What an expression of a script is known to be: literals, names, simple arithmetic, dicts.

Calls are `script_calls`; statements are `script_walk`. Whatever is computed otherwise is unknown.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from workload.dialects.script_fold import (
    COMPUTED,
    fold_binary,
    fold_compare,
    fold_text,
    folded,
)
from workload.dialects.script_scene import Scene
from workload.dialects.script_values import (
    OPEN,
    Items,
    Known,
    Local,
    Option,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
    option_of,
    optional,
)

MAX_DEPTH = 60
"""Expressions inside each other that are followed; a deeper one is unknown."""
MAX_ITEMS = 500
"""Elements of a display that are read; a longer one is data, not settings."""
MAX_UNPACKED = 100
"""Entries of a mapping that `**` unpacks; a longer one is data."""
_COMPUTED = COMPUTED


def evaluate(scene: Scene, node: ast.expr, depth: int = 0) -> Value:
    """The value of an expression; calls in it are followed for what they make and set."""
    scene.steps += 1
    if depth > MAX_DEPTH:
        return Unknown(node, "nested too deeply")
    read = _READERS.get(type(node))
    return read(scene, node, depth + 1) if read else Unknown(node, _COMPUTED)


def truth(value: Value) -> bool | None:
    """Whether a condition holds; None where only a run would tell."""
    if isinstance(value, Known):
        return bool(value.value)
    if isinstance(value, Items):
        return bool(value.values)
    made = isinstance(value, Thing) and value.kind not in ("dict", "part")
    return True if made or isinstance(value, Local) else None


def _constant(scene: Scene, node: ast.Constant, depth: int) -> Value:
    value = node.value
    if value is None or isinstance(value, (bool, str)):
        return Known(value, node)
    if isinstance(value, int) and value.bit_length() < 64:
        return Known(value, node)
    if isinstance(value, float) and math.isfinite(value):
        return Known(value, node)
    return Unknown(node, "not a value that a setting can have")


def _name(scene: Scene, node: ast.Name, depth: int) -> Value:
    return scene.look_up(node)


def _attribute(scene: Scene, node: ast.Attribute, depth: int) -> Value:
    return attribute(scene, evaluate(scene, node.value, depth), node.attr, node)


def attribute(scene: Scene, base: Value, name: str, node: ast.expr) -> Value:
    """`base.name`."""
    if isinstance(base, Symbol):
        dotted = f"{base.name}.{name}"
        slot = scene.memory.get(scene.symbols.owner, dotted)
        return slot.value if slot else Symbol(dotted, node, base.imported)
    if isinstance(base, Local) and isinstance(base.node, ast.ClassDef):
        slot = scene.memory.get(base.owner, name)
        return slot.value if slot else Unknown(node, _COMPUTED)
    if isinstance(base, Thing):
        return _entry(scene, base, name, node)
    return Unknown(node, base.why if isinstance(base, Unknown) else _COMPUTED)


def _entry(scene: Scene, thing: Thing, name: str, node: ast.expr) -> Value:
    slot = scene.memory.get(thing.owner, name)
    if slot is not None:
        return slot.value
    rest = scene.memory.get(thing.owner, OPEN)
    if rest is not None and isinstance(rest.value, Unknown):
        return Unknown(node, rest.value.why)
    return Unknown(node, _COMPUTED)


def _subscript(scene: Scene, node: ast.Subscript, depth: int) -> Value:
    base, index = evaluate(scene, node.value, depth), evaluate(scene, node.slice, depth)
    if not isinstance(index, Known):
        return Unknown(node, _COMPUTED)
    if isinstance(base, Items) and type(index.value) is int:
        if -len(base.values) <= index.value < len(base.values):
            return optional(base.values[index.value], index.option)
    elif isinstance(base, Thing) and base.kind == "dict" and isinstance(index.value, str):
        return optional(_entry(scene, base, index.value, node), index.option)
    elif isinstance(base, Symbol) and base.name == "os.environ" and isinstance(index.value, str):
        slot = scene.memory.get(scene.env.owner, index.value)
        return slot.value if slot else Unknown(node, "read from the environment")
    return Unknown(node, _COMPUTED)


def _display(scene: Scene, node: ast.List | ast.Tuple | ast.Set, depth: int) -> Value:
    if len(node.elts) > MAX_ITEMS:
        return Unknown(node, "a long list of data")
    values = tuple(evaluate(scene, one, depth) for one in node.elts)
    if any(isinstance(one, ast.Starred) for one in node.elts):
        return Unknown(node, _COMPUTED)
    return Items(values, node)


def _dict(scene: Scene, node: ast.Dict, depth: int) -> Value:
    if len(node.keys) > MAX_ITEMS:
        return Unknown(node, "a long table of data")
    entries: dict[str, Slot] = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        value = evaluate(scene, value_node, depth)
        if key_node is None:
            entries.update(unpacked(scene, value, value_node))
            continue
        key = evaluate(scene, key_node, depth)
        if isinstance(key, Known):
            entries[str(key.value)] = Slot(value, value_node, node)
        else:
            entries[OPEN] = Slot(Unknown(key_node, "a key is computed"), None)
    return scene.memory.new_thing("dict", "dict", node, entries.items())


def unpacked(scene: Scene, value: Value, node: ast.expr) -> dict[str, Slot]:
    """What `**value` adds."""
    if isinstance(value, Thing) and value.kind == "dict" and len(value.keys) <= MAX_UNPACKED:
        return scene.memory.entries(value)
    return {OPEN: Slot(Unknown(node, "a `**mapping` that the text does not show"), node)}


def _binary(scene: Scene, node: ast.BinOp, depth: int) -> Value:
    left, right = evaluate(scene, node.left, depth), evaluate(scene, node.right, depth)
    return fold_binary(type(node.op), left, right, node)


def _unary(scene: Scene, node: ast.UnaryOp, depth: int) -> Value:
    value = evaluate(scene, node.operand, depth)
    if isinstance(node.op, ast.Not):
        holds = truth(value)
        return (
            Unknown(node, _COMPUTED) if holds is None else Known(not holds, node, option_of(value))
        )
    number = isinstance(value, Known) and isinstance(value.value, (int, float))
    if number and isinstance(value, Known) and not isinstance(node.op, ast.Invert):
        amount: Any = value.value
        signed = -amount if isinstance(node.op, ast.USub) else +amount
        return folded(signed, node, value.option)
    return Unknown(node, _COMPUTED)


def _boolean(scene: Scene, node: ast.BoolOp, depth: int) -> Value:
    """`a or b`: the first operand that decides it, where all before it are known."""
    value: Value = Unknown(node, _COMPUTED)
    decided = False
    option: Option | None = None
    for operand in node.values[:MAX_ITEMS]:
        operand_value = evaluate(scene, operand, depth)
        if decided:
            continue
        value, holds = operand_value, truth(operand_value)
        option = option or option_of(operand_value)
        if holds is None:
            value, decided = Unknown(node, _COMPUTED), True
        elif holds == isinstance(node.op, ast.Or):
            decided = True
    return optional(value, option)


def _compare(scene: Scene, node: ast.Compare, depth: int) -> Value:
    left = evaluate(scene, node.left, depth)
    right = [evaluate(scene, one, depth) for one in node.comparators[:MAX_ITEMS]]
    if len(node.ops) > 1:
        return Unknown(node, _COMPUTED)
    return fold_compare(node.ops[0], left, right[0], node)


def _conditional(scene: Scene, node: ast.IfExp, depth: int) -> Value:
    test = evaluate(scene, node.test, depth)
    holds = truth(test)
    if holds is not None:
        scene.assume(option_of(test), node)
        chosen = evaluate(scene, node.body if holds else node.orelse, depth)
        return optional(chosen, option_of(test))
    values = [evaluate(scene, one, depth) for one in (node.body, node.orelse)]
    return scene.memory.merged(values, node)


def _text(scene: Scene, node: ast.JoinedStr, depth: int) -> Value:
    """An f-string whose parts are all known."""
    values: list[Value] = []
    specs: list[str | None] = []
    for part in node.values[:MAX_ITEMS]:
        spec: str | None = ""
        value: Value = Unknown(node, _COMPUTED)
        if isinstance(part, ast.Constant):
            value = Known(str(part.value), part)
        elif isinstance(part, ast.FormattedValue):
            value = evaluate(scene, part.value, depth)
            spec = _format(part)
        values.append(value)
        specs.append(spec)
    return fold_text(values, specs, node)


def _format(part: ast.FormattedValue) -> str | None:
    """The format of a part of an f-string; None where it is computed or a conversion."""
    if part.conversion != -1:
        return None
    if part.format_spec is None:
        return ""
    texts = getattr(part.format_spec, "values", [])
    if len(texts) == 1 and isinstance(texts[0], ast.Constant):
        return str(texts[0].value)
    return None


def _named(scene: Scene, node: ast.NamedExpr, depth: int) -> Value:
    value = evaluate(scene, node.value, depth)
    scene.bind(node.target.id, Slot(value, node.value))
    return value


def _comprehension(
    scene: Scene, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, depth: int
) -> Value:
    """What its element does is done; the result is data. Its names are its own."""
    outside = scene.scopes
    scene.scopes = (*outside, scene.memory.new_scope())
    for part in node.generators:
        evaluate(scene, part.iter, depth)
        for name in ast.walk(part.target):
            if isinstance(name, ast.Name):
                scene.bind(name.id, Slot(Unknown(name, "changes in a loop"), None))
    scene.open_branches += 1
    for one in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
        evaluate(scene, one, depth)
    scene.open_branches -= 1
    scene.scopes = outside
    return Unknown(node, _COMPUTED)


def _lambda(scene: Scene, node: ast.Lambda, depth: int) -> Value:
    """What its body does is done, as if something calls it with what is not known."""
    outside = scene.scopes
    scene.scopes = (*outside, scene.memory.new_scope())
    for name in ast.walk(node.args):
        if isinstance(name, ast.arg):
            scene.bind(name.arg, Slot(Unknown(name, f"parameter {name.arg}"), None))
    scene.open_branches += 1
    evaluate(scene, node.body, depth)
    scene.open_branches -= 1
    scene.scopes = outside
    return Unknown(node, _COMPUTED)


def _call(scene: Scene, node: ast.Call, depth: int) -> Value:
    return scene.call(scene, node, depth)


def _awaited(scene: Scene, node: ast.Await | ast.Starred, depth: int) -> Value:
    return evaluate(scene, node.value, depth)


_READERS: dict[type[ast.expr], Callable[[Scene, Any, int], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.List: _display,
    ast.Tuple: _display,
    ast.Set: _display,
    ast.Dict: _dict,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.JoinedStr: _text,
    ast.NamedExpr: _named,
    ast.Call: _call,
    ast.Await: _awaited,
    ast.Starred: _awaited,
    ast.Lambda: _lambda,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
}
