"""Statements that an edit of a training loop adds behind the line that loads the model.

Only where that place is beyond doubt: the model is loaded once, by a statement of its own that is
always reached, into a name. Elsewhere the edit is advice with the line to write.
"""

from __future__ import annotations

import ast

from workload.dialects import CannotEdit, Change
from workload.dialects.script_edits import Script
from workload.dialects.script_models import CHECKPOINTING, COMPILED
from workload.splice import python as splice

_NOT_REENTRANT = 'gradient_checkpointing_kwargs={"use_reentrant": False}'


def enable_checkpointing(script: Script) -> tuple[Change, ...]:
    """`model.gradient_checkpointing_enable()`; under an adapter without reentrance.

    Reentrant checkpointing passes no gradient through frozen embeddings (transformers,
    `enable_input_require_grads`).

    Raises:
        CannotEdit: with the line to write by hand.
    """
    settings = _NOT_REENTRANT if script.run.scene.adapters else ""
    if script.quote == "'":
        settings = settings.replace('"', "'")
    return _behind_loading(script, f"gradient_checkpointing_enable({settings})", CHECKPOINTING)


def compile_model(script: Script) -> tuple[Change, ...]:
    """`model.compile()`, which leaves the names of the saved weights as they are (torch 2.2).

    Raises:
        CannotEdit: with the line to write by hand.
    """
    if script.run.scene.adapters:
        reason = "an adapter changes the model after it is loaded"
        raise CannotEdit(reason, "Write model.compile() behind the adapter, before the loop")
    return _behind_loading(script, "compile()", COMPILED)


def statement_of(tree: ast.Module, node: ast.expr | None) -> ast.stmt | None:
    """The statement that is a call, or assigns just what it gives."""
    for statement in ast.walk(tree):
        if isinstance(statement, (ast.Expr, ast.Assign)) and statement.value is node:
            return statement
    return None


def _behind_loading(script: Script, call: str, key: str) -> tuple[Change, ...]:
    """A statement `NAME.call` on a line of its own, right behind the loading one."""
    model = script.run.model
    advice = f"Write model.{call} behind the line that loads the model, before the loop"
    if model is None or model.merged:
        reason = "the script does not show where the model is loaded"
        raise CannotEdit(reason, advice)
    line = model.node.lineno
    found = _loading(script.run.scene.tree, model.node)
    if found is None or model.node in script.run.scene.doubtful:
        reason = "the model is not loaded by one statement of its own"
        raise CannotEdit(reason, advice, line)
    statement, name = found
    change = splice.insert_behind(script.python, statement, f"{name}.{call}")
    if change is None:
        reason = "other code stands on the line that loads the model"
        raise CannotEdit(reason, f"Write {name}.{call} behind it", line)
    return (change._replace(key=key),)


def _loading(tree: ast.Module, node: ast.expr) -> tuple[ast.Assign, str] | None:
    """The assignment that holds a call, and its name; None inside a branch or a loop."""
    blocks = [tree.body]
    while blocks:
        for statement in blocks.pop():
            if _always_walked(statement):
                blocks.append(getattr(statement, "body", []))
            if isinstance(statement, ast.Assign) and any(
                one is node for one in ast.walk(statement.value)
            ):
                target = statement.targets[0]
                plain = len(statement.targets) == 1 and _is_chain(statement.value, node)
                return (statement, target.id) if plain and isinstance(target, ast.Name) else None
    return None


def _always_walked(statement: ast.stmt) -> bool:
    """Whether a statement holds a block that runs once where it runs at all."""
    if isinstance(statement, ast.If):
        return _is_main(statement)
    return isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.With))


def _is_main(statement: ast.If) -> bool:
    return "__name__" in {one.id for one in ast.walk(statement.test) if isinstance(one, ast.Name)}


def _is_chain(value: ast.expr, node: ast.expr) -> bool:
    """Whether a value is the call itself, or methods of what it gives: `.to(device)`."""
    while value is not node:
        if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
            return False
        value = value.func.value
    return True
