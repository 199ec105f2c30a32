"""Where the default of an option stands: in argparse, a dataclass or a parameter.

Only a literal that one field alone reads is changed; else the advice is the flag to pass.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from audit.records.base import Json
from workload.dialects import CannotEdit
from workload.dialects.script_values import Known, Option, Slot

if TYPE_CHECKING:
    from workload.dialects.script_edits import Script


def option_default(script: Script, field: str, slot: Slot, option: Option, value: Json) -> ast.expr:
    """The literal of an option's default.

    Raises:
        CannotEdit: it is no literal, other code reads the option too, or the launch sets it.
    """
    node = slot.value.node
    line = getattr(node, "lineno", None)
    if option.name.startswith("$"):
        advice = f"export {option.name[1:]}={value}"
    elif isinstance(value, bool) and not isinstance(node, ast.Constant):
        advice = f"Start the script with or without {option.name}, which decides {field}"
    else:
        advice = f"Pass {option.name} {value} where the script is launched"
    if option.place is not None:
        given = f"{option.name} is given in {option.place[0]}"
        raise CannotEdit(given, advice, option.place[1])
    reason = _not_here(script, slot, option)
    if reason is not None or not isinstance(node, ast.expr):
        raise CannotEdit(reason or "it stands in no one place", advice, line)
    return node


def given_at_launch(field: str, slot: Slot, value: Json) -> CannotEdit:
    """The refusal to write over what must be given when the script is started."""
    site = slot.site
    name = site.attr if isinstance(site, ast.Attribute) else field
    line = site.lineno if site is not None else None
    advice = f"Pass --{name} {value} where the script is launched"
    return CannotEdit(f"{field} is read from the command line", advice, line)


def _not_here(script: Script, slot: Slot, option: Option) -> str | None:
    """Why the default cannot be changed where it stands; None where it can."""
    node, site = slot.value.node, slot.site
    if not _is_literal(node) or not isinstance(slot.value, Known):
        return f"{option.name} has no default that stands as one value"
    names = {option.name.lstrip("-$").replace("-", "_")}
    if isinstance(site, ast.Attribute):
        names.add(site.attr)
    elif isinstance(site, ast.Name):
        names.add(site.id)
    elif site is not None and site is not node and not _holds(site, node):
        return f"the field is computed from {option.name}"
    attributes, plain = _reads(script.run.scene.tree, names)
    if attributes > 1 or plain > 1:
        return f"the script reads {option.name} in several places"
    return None


def _is_literal(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant)


def _holds(outer: ast.expr, inner: ast.AST) -> bool:
    return isinstance(outer, ast.Call) and any(node is inner for node in ast.walk(outer))


def _reads(tree: ast.AST, names: set[str]) -> tuple[int, int]:
    """How often one of the names is read as an attribute, and as a name."""
    attributes = plain = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            attributes += node.attr in names
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            plain += node.id in names
    return attributes, plain
