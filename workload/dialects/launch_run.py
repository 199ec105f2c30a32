"""Which launch line of a shell script is read: the first that trains, and what is set before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.records.errors import InputError
from workload.bundle import base_name
from workload.dialects.launch_line import Launch, read_launch
from workload.dialects.launch_programs import Program, find_program, find_script
from workload.dialects.launch_world import Set, slurm
from workload.dialects.shell_command import Script
from workload.dialects.shell_values import Piece, Value
from workload.dialects.shell_walk import walk_shell
from workload.source import SourceText
from workload.splice.shell_text import ShellText, read_shell

_SLURM = {
    "SLURM_NNODES": "nodes",
    "SLURM_JOB_NUM_NODES": "nodes",
    "SLURM_NTASKS_PER_NODE": "ntasks-per-node",
    "SLURM_GPUS_PER_NODE": "gpus-per-node",
    "SLURM_GPUS_ON_NODE": "gpus-per-node",
    "SLURM_NTASKS": "ntasks",
    "SLURM_CPUS_PER_TASK": "cpus-per-task",
}
"""Variables that Slurm sets from the directives of a job."""


@dataclass
class LaunchRun:
    """The launch line of a script that trains, and what it trains with."""

    shell: ShellText
    script: Script
    launch: Launch
    program: Program
    asked: dict[str, Set]
    others: list[Launch] = field(default_factory=list)
    """Further lines that train."""


def find_launch(source: SourceText, name: str = "") -> LaunchRun | None:
    """The first launch line that trains; None where there is none.

    Args:
        source: the shell script.
        name: only lines that launch this file, or hand it over as config.

    Raises:
        InputError: the script is too long to be read to its end.
    """
    shell = read_shell(source.text)
    script, asked = _walk(shell)
    cut = shell.cut if shell.cut is not None else script.cut
    if cut is not None:
        reason = "the script has too many words or blocks to be read to its end"
        remedy = "Upload the launch line with the variables that it uses, without generated lines"
        raise InputError(reason, file=source.name, line=source.line_of(cut), remedy=remedy)
    run: LaunchRun | None = None
    for command in script.commands:
        launch = read_launch(command)
        if launch is None or (name and not takes(launch, name)):
            continue
        program = find_program(launch) or (find_script(launch) if name else None)
        if program is None:
            continue
        if run is None:
            run = LaunchRun(shell, script, launch, program, asked)
        else:
            run.others.append(launch)
    return run


def takes(launch: Launch, name: str) -> bool:
    """Whether a line launches a file of this name, or hands it over."""
    program = base_name(launch.program)
    given = [value.text or "" for flag in launch.flags for value in flag.values]
    given += [one.text or "" for one in launch.positional]
    module = f"{program.rpartition('.')[2]}.py"
    started = name == program or (not program.endswith(".py") and name == module)
    return started or any(base_name(text) == name for text in given)


def _walk(shell: ShellText) -> tuple[Script, dict[str, Set]]:
    """Walks a script in which Slurm's variables are what its directives say."""
    script = walk_shell(shell)
    asked = slurm(script.directives)
    held = {
        name: Value((Piece(str(asked[option].value), asked[option].at),))
        for name, option in _SLURM.items()
        if option in asked
    }
    return (walk_shell(shell, held) if held else script), asked
