"""Which launch line of a shell script is read: the first that trains, and what is set before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.records.errors import InputError
from workload.dialects.launch_line import Launch, read_launch
from workload.dialects.launch_programs import Program, find_program
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


def find_launch(source: SourceText) -> LaunchRun | None:
    """The first launch line that trains; None where there is none.

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
        program = find_program(launch) if launch is not None else None
        if launch is None or program is None:
            continue
        if run is None:
            run = LaunchRun(shell, script, launch, program, asked)
        else:
            run.others.append(launch)
    return run


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
