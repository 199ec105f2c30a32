"""The package versions that a script itself pins: `# requirements: trl==0.19.1`, PEP 723 blocks."""

from __future__ import annotations

import ast
import re

from workload.dialects.script_parse import parse_script
from workload.source import SourceText
from workload.versions import canonical_name

_PIN = re.compile(
    r"(?<![\w.-])(?P<name>transformers|trl|peft|torch|accelerate|datasets|bitsandbytes|deepspeed"
    r"|flash[-_]attn|unsloth|unsloth[-_]zoo|liger[-_]kernel|kernels|vllm|rocm)"
    r"(?:\[[^\]\n]*\])?\s*==\s*(?P<version>\d[\w.+!-]*)"
)
_COMMENT = re.compile(r"[ \t]*#")
_EXPORTED = re.compile(
    r"[ \t]*get_ipython\(\)\.(?:system|run_line_magic|run_cell_magic|getoutput)\("
)
"""A notebook's command in the script that nbconvert made of it."""


def pinned_versions(source: SourceText) -> dict[str, str]:
    """Package -> version, where a comment of the script pins it with `==` and no other disagrees.

    PEP 723 metadata and lines like `# requirements: trl==0.19.1` or `# !pip install trl==0.19.1`
    are all comments, a notebook's commands are calls of `get_ipython()`; any other text in a string
    is neither.
    """
    found: dict[str, set[str]] = {}
    inside: set[int] | None = None
    for match in _PIN.finditer(source.text):
        line = source.line_of(match.start())
        text = source.line_text(line)
        exported = bool(_EXPORTED.match(text))
        if not exported and not _COMMENT.match(text):
            continue
        inside = _string_lines(source) if inside is None else inside
        if line not in inside:
            found.setdefault(canonical_name(match["name"]), set()).add(match["version"])
    return {name: versions.pop() for name, versions in found.items() if len(versions) == 1}


def _string_lines(source: SourceText) -> set[int]:
    """Lines after the first of every string that spans several."""
    lines: set[int] = set()
    for node in ast.walk(source.parsed(parse_script)):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno:
            lines.update(range(node.lineno + 1, node.end_lineno + 1))
    return lines
