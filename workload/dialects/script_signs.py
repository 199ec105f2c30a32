"""Whether a script can hold a training run at all, by the names in it: most Python files cannot.

Only the names are looked at. A script without them makes no config, trainer or backward pass that
the walk could find, and is not walked.
"""

from __future__ import annotations

import ast

from workload.dialects.script_names import (
    HF_CONFIGS,
    HF_TRAINERS,
    TRL_CONFIGS,
    TRL_TRAINERS,
    UNSLOTH_CONFIGS,
    UNSLOTH_TRAINERS,
)

_MAKES = frozenset(
    {*HF_CONFIGS, *HF_TRAINERS, *TRL_CONFIGS, *TRL_TRAINERS, *UNSLOTH_CONFIGS, *UNSLOTH_TRAINERS}
)
_OF_TRL = ("Trainer", "Config")


def may_train(tree: ast.Module) -> bool:
    """Whether the names of a config, a trainer or a backward pass occur."""
    names = _names(tree)
    if "backward" in names or not names.isdisjoint(_MAKES):
        return True
    return "trl" in names and any(name.endswith(_OF_TRL) for name in names)


def _names(tree: ast.Module) -> set[str]:
    """Every name, attribute and part of an imported name."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.update(node.name.split("."))
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(node.module.split("."))
    return found
