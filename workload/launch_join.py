"""What a launcher makes of the script or config that it launches: its options, ranks and variables.

An option on the launch line wins over a config file, and over the default that a script gives the
same option; what the script writes down itself no option changes. A launcher of another file is
told of and left out.
"""

from __future__ import annotations

import ast

from audit.records.errors import InputError
from audit.records.workload import FieldValue
from workload.bundle import base_name
from workload.dialects import Reading
from workload.dialects.launcher import LaunchReading
from workload.dialects.script_parse import parse_script
from workload.normalise import same
from workload.precedence import Joined
from workload.source import SourceText

KEPT = frozenset({"framework", "task", "effective_batch", "env", "compute_dtype"})
RANKS = ("num_processes", "num_machines")


def launches(launch: Reading, main: str) -> bool:
    """Whether a launcher starts the training file of this name, or hands it over as config."""
    held = launch.tree
    if not isinstance(held, LaunchReading):
        return False
    program = base_name(held.run.launch.program)
    module = f"{program.rpartition('.')[2]}.py"
    return main in (program, held.from_config) or (not program.endswith(".py") and main == module)


def counts_all(launch: Reading | None) -> bool:
    """Whether a launcher counts the processes of all machines, as accelerate does."""
    held = None if launch is None else launch.tree
    return isinstance(held, LaunchReading) and held.run.launch.launcher == "accelerate"


def join_launcher(run: Joined, launch: Reading, source: SourceText) -> None:
    """The fields of the launched file as the launch line changes them.

    Args:
        run: the fields of the training file.
        launch: the launcher.
        source: the training file.
    """
    options = option_lines(source) if source.name.endswith(".py") else None
    for name, found in launch.fields.items():
        if name in KEPT:
            continue
        mine = run.fields.get(name)
        if name.startswith("env:") or name in RANKS:
            if mine is None or mine.origin in ("default", "assumed", "derived"):
                run.fields[name] = found
            continue
        if found.origin == "stated" or (found.origin == "unknown" and found.line is not None):
            _option(run, name, found, options)


def _option(run: Joined, name: str, found: FieldValue, options: frozenset[int] | None) -> None:
    """One option: over a config always, over a script where it takes the option."""
    mine = run.fields.get(name)
    if mine is None and options is not None:
        return  # the script does not use it
    written = mine is not None and mine.origin == "stated" and options is not None
    if mine is not None and written and mine.line not in (options or frozenset()):
        if found.origin == "stated" and not same(name, mine.value, found.value):
            run.disagree(name, found, "the script does not take it from there")
        return
    run.fields[name] = found


def option_lines(source: SourceText) -> frozenset[int]:
    """1-based lines of a script that give options their defaults: argparse, and dataclasses."""
    try:
        tree = source.parsed(parse_script)
    except InputError:
        return frozenset()
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "add_argument" and node.end_lineno:
                found.update(range(node.lineno, node.end_lineno + 1))
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.AnnAssign) and inner.end_lineno:
                    found.update(range(inner.lineno, inner.end_lineno + 1))
    return frozenset(found)
