"""Statements of a script that set names and hold no others: assignments, imports, `del`, `global`.

Those that hold blocks are `script_walk`. Each tells whether the next statement is reached.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from workload.dialects.script_assign import assign
from workload.dialects.script_evaluate import evaluate
from workload.dialects.script_scene import Scene
from workload.dialects.script_values import Slot, Symbol, Unknown

Flow = bool
"""Whether the next statement is reached."""


def _assignment(scene: Scene, statement: ast.Assign) -> Flow:
    slot = Slot(evaluate(scene, statement.value), statement.value, statement)
    for target in statement.targets:
        assign(scene, target, slot, statement)
    return True


def _annotated(scene: Scene, statement: ast.AnnAssign) -> Flow:
    if statement.value is not None:
        slot = Slot(evaluate(scene, statement.value), statement.value, statement)
        assign(scene, statement.target, slot, statement)
    return True


def _augmented(scene: Scene, statement: ast.AugAssign) -> Flow:
    target: Any = statement.target
    whole = ast.copy_location(ast.BinOp(target, statement.op, statement.value), statement)
    assign(scene, statement.target, Slot(evaluate(scene, whole), None, statement), statement)
    return True


def _import(scene: Scene, statement: ast.Import) -> Flow:
    for name in statement.names:
        bound = name.asname or name.name.partition(".")[0]
        dotted = name.name if name.asname else bound
        scene.bind(bound, Slot(Symbol(dotted, statement), None, statement))
    return True


def _import_from(scene: Scene, statement: ast.ImportFrom) -> Flow:
    for name in statement.names:
        if name.name != "*":
            dotted = f"{statement.module or ''}.{name.name}"
            symbol = Symbol(dotted, statement)
            scene.bind(name.asname or name.name, Slot(symbol, None, statement))
    return True


def _delete(scene: Scene, statement: ast.Delete) -> Flow:
    for target in statement.targets:
        if isinstance(target, ast.Name):
            scene.memory.put(scene.scopes[-1], target.id, None)
    return True


def _global(scene: Scene, statement: ast.Global | ast.Nonlocal) -> Flow:
    """Names assigned from here on reach outside: they are no longer known anywhere."""
    for name in statement.names:
        unknown = Unknown(statement, f"{name} is changed by a function")
        for scope in scene.scopes:
            if scene.memory.get(scope, name) is not None:
                scene.memory.put(scope, name, Slot(unknown, None))
    return True


PLAIN_STEPS: dict[type[ast.stmt], Callable[[Scene, Any], Flow]] = {
    ast.Assign: _assignment,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Delete: _delete,
    ast.Global: _global,
    ast.Nonlocal: _global,
}
