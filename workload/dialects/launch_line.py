"""Takes a launch line apart: what launches, what is launched, and the options of each.

Launchers that stand before others (`srun`, `env`, `nohup`, containers) are passed over. Nothing
here knows what an option of the launched program means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from workload.dialects.shell_command import Command
from workload.dialects.shell_values import MANY, Field, Piece, resplit

_FLAG = re.compile(r"--?[A-Za-z][\w.:-]*")
_NUMBER = re.compile(r"-\d")
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*$")
_SWITCHES: dict[str, frozenset[str]] = {
    "torchrun": frozenset(
        {"standalone", "no_python", "m", "module", "run_path", "use_env", "virtual_local_rank"}
    ),
    "accelerate": frozenset(
        {
            "multi_gpu", "cpu", "tpu", "use_deepspeed", "use_fsdp", "use_megatron_lm", "use_xpu",
            "ipex", "quiet", "q", "debug", "m", "module", "no_python", "same_network", "mps",
            "enable_cpu_affinity", "use_parallelism_config", "dynamo_use_fullgraph",
            "dynamo_use_dynamic", "dynamo_use_regional_compilation", "tpu_cluster",
        }
    ),
    "deepspeed": frozenset(
        {
            "module", "no_python", "no_local_rank", "no_ssh", "no_ssh_check", "force_multi",
            "save_pid", "bind_cores_to_rank", "elastic_training",
        }
    ),
    "python": frozenset({"u", "m", "O", "OO", "B", "E", "s", "S", "I", "c"}),
    "tune": frozenset({"standalone"}),
}  # fmt: skip
"""Options of the launchers that take no value."""
_BEFORE = frozenset(
    {"exec", "nohup", "sudo", "env", "stdbuf", "numactl", "taskset", "nice", "ionice", "command",
     "uv", "poetry", "pdm", "pipenv", "conda", "mamba", "srun", "mpirun", "mpiexec", "timeout",
     "singularity", "apptainer", "docker", "podman", "enroot", "rocprof", "rocprofv2", "rocprofv3",
     "nsys", "ncu", "ray", "bash", "sh", "eval", "time", "pueue", "xvfb-run", "jsrun", "ibrun"}
)  # fmt: skip
"""Commands that run another command given to them."""
COMMANDS = frozenset(
    {"llamafactory-cli", "lmf", "axolotl", "swift", "megatron", "xtuner", "litgpt", "trl",
     "autotrain"}
)  # fmt: skip
"""Programs of a framework that train by a subcommand."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One option with its values."""

    name: str
    """Without its dashes; a dash inside counts as an underscore."""
    field: Field
    values: tuple[Field, ...]
    joined: bool = False
    """`--name=value` or `name=value` in one word."""
    assigned: bool = False
    """`name=value` without dashes, as Hydra and OmegaConf take it."""
    sign: str = ""
    """`+`, `++` or `~` before such a name."""

    @property
    def start(self) -> int:
        """Offset of the option, or of its value where that stands elsewhere."""
        return self.values[0].start if self.values else self.field.start


@dataclass
class Launch:
    """One launch line."""

    command: Command
    launcher: str
    """torchrun, accelerate, deepspeed, python, tune, or a program of `COMMANDS`."""
    options: list[Flag] = field(default_factory=list)
    """Of the launcher."""
    program: str = ""
    """Path of a script, name of a module, subcommand or recipe."""
    program_field: Field | None = None
    flags: list[Flag] = field(default_factory=list)
    positional: list[Field] = field(default_factory=list)
    opaque: list[Field] = field(default_factory=list)
    """Arguments that may hold options which the text does not show."""
    before: list[str] = field(default_factory=list)
    """Commands that stand before the launcher."""

    def option(self, *names: str) -> Flag | None:
        """The last option of the launcher with one of these names."""
        return next((one for one in reversed(self.options) if one.name in names), None)

    def flag(self, *names: str) -> Flag | None:
        """The last option of the program with one of these names."""
        return next((one for one in reversed(self.flags) if one.name in names), None)


def read_launch(command: Command) -> Launch | None:
    """The launch line that a command is; None where it starts no program in Python."""
    fields = _behind_dashes(list(command.fields))
    before: list[str] = []
    while fields:
        name = (fields[0].text or "").rpartition("/")[2]
        launcher = _launcher(name, fields)
        if launcher is not None:
            launch = _read(command, launcher, fields)
            if launch is not None:
                launch.before = before
            return launch
        if name not in _BEFORE:
            return None
        before.append(name)
        inner = _inner(name, fields)
        if inner is not None:
            fields = inner
            continue
        at = next(
            (at for at, one in enumerate(fields[1:], 1) if _starts(one, fields[at:])), len(fields)
        )
        fields = fields[at:]
    return None


def _behind_dashes(fields: list[Field]) -> list[Field]:
    """What stands behind `--`, where that is a launch line: a job's submitter stands before it."""
    for at, one in enumerate(fields[:-1]):
        if one.text == "--" and _starts(fields[at + 1], fields[at + 1 :]):
            return fields[at + 1 :]
    return fields


def _inner(name: str, fields: list[Field]) -> list[Field] | None:
    """The words of `bash -c "..."` and `eval "..."`, without the variables before them."""
    if name == "eval":
        given = fields[1:]
    elif name in ("bash", "sh") and len(fields) > 2 and (fields[1].text or "").startswith("-"):
        given = fields[2:3] if (fields[1].text or "").endswith("c") else []
    else:
        return None
    words = [word for one in given for word in resplit(one)]
    while words and re.match(r"[A-Za-z_]\w*=", words[0].head):
        words = words[1:]
    return words


def _starts(one: Field, rest: Sequence[Field]) -> bool:
    name = (one.text or "").rpartition("/")[2]
    return name in ("bash", "sh") or _launcher(name, list(rest)) is not None


def _launcher(name: str, fields: list[Field]) -> str | None:
    """The launcher that stands at the head of some arguments."""
    second = fields[1].text if len(fields) > 1 else None
    if name == "torchrun" or name in ("torchrun_npu",):
        return "torchrun"
    if name == "accelerate":
        return "accelerate" if second == "launch" else None
    if name == "accelerate-launch":
        return "accelerate"
    if name == "deepspeed" or name == "ds":
        return "deepspeed"
    if name == "tune":
        return "tune" if second == "run" else None
    if name in COMMANDS:
        return name
    return "python" if _PYTHON.match(name) or name.endswith(".py") else None


def _read(command: Command, launcher: str, fields: list[Field]) -> Launch | None:
    launch = Launch(command, launcher)
    if launcher in COMMANDS:
        if len(fields) < 2 or fields[1].text is None:
            return None
        launch.program, launch.program_field = fields[1].text, fields[1]
        _arguments(launch, fields[2:])
        return launch
    name = (fields[0].text or "").rpartition("/")[2]
    skip = 2 if name in ("accelerate", "tune") else 1
    if name.endswith(".py"):
        skip = 0
    rest = _launcher_options(launch, fields[skip:])
    if rest is None:
        return None
    if launch.launcher == "python" and launch.program in (
        "torch.distributed.run", "torch.distributed.launch"
    ):  # fmt: skip
        launch = Launch(command, "torchrun")
        rest = _launcher_options(launch, rest)
        if rest is None:
            return None
    if launch.launcher == "python" and launch.program in ("accelerate.commands.launch",):
        launch = Launch(command, "accelerate")
        rest = _launcher_options(launch, rest)
        if rest is None:
            return None
    _arguments(launch, rest)
    return launch


def _launcher_options(launch: Launch, fields: list[Field]) -> list[Field] | None:
    """Reads the options before the program; what follows the program, or None without one."""
    switches = _SWITCHES[launch.launcher]
    module, at = False, 0
    while at < len(fields):
        one = fields[at]
        at += 1
        head = _FLAG.match(one.head)
        if one.opaque:
            launch.opaque.append(one)
        elif head is None:
            if one.text is None and not one.head:
                return None
            launch.program, launch.program_field = one.text or one.head, one
            if module or launch.launcher == "tune" or launch.program.endswith(".py") or one.text:
                return fields[at:]
            return None
        else:
            name = head[0].lstrip("-").replace("-", "_")
            if one.head[head.end() : head.end() + 1] == "=":
                value = _cut(one, head.end() + 1)
                launch.options.append(Flag(name, one, (value,), joined=True))
            elif head.end() < len(one.head):
                continue  # the rest of a text that was cut at a blank
            elif name in switches:
                module |= name in ("m", "module")
                launch.options.append(Flag(name, one, ()))
                if launch.launcher == "python" and name == "c":
                    return None
            else:
                values = fields[at : at + 1]
                at += 1
                launch.options.append(Flag(name, one, tuple(values)))
    return None


def _arguments(launch: Launch, fields: list[Field]) -> None:
    """The program's own options; values reach up to the next one."""
    at = 0
    while at < len(fields):
        one = fields[at]
        at += 1
        if one.opaque:
            launch.opaque.append(one)
            continue
        head = _FLAG.match(one.head)
        if head is not None and not _NUMBER.match(one.head) and (one.text or "=" in one.head):
            name = head[0].lstrip("-").replace("-", "_")
            if one.head[head.end() : head.end() + 1] == "=":
                value = _cut(one, head.end() + 1)
                launch.flags.append(Flag(name, one, (value,), joined=True))
                continue
            if head.end() < len(one.head):
                launch.positional.append(one)
                continue
            values: list[Field] = []
            while at < len(fields) and not _is_flag(fields[at]):
                if fields[at].opaque and (values or fields[at].why == MANY):
                    break
                values.append(fields[at])
                at += 1
            launch.flags.append(Flag(name, one, tuple(values)))
            continue
        assigned = re.match(r"(\+{0,2}|~)([A-Za-z_][\w./@-]*)=", one.head)
        if assigned is not None:
            value = _cut(one, assigned.end())
            sign, name = assigned[1], assigned[2]
            launch.flags.append(Flag(name, one, (value,), True, True, sign))
        elif one.head.startswith("~") and one.text and "/" not in one.text:
            launch.flags.append(Flag(one.text[1:], one, (), True, True, "~"))
        else:
            launch.positional.append(one)


def _is_flag(one: Field) -> bool:
    found = _FLAG.match(one.head)
    return found is not None and not _NUMBER.match(one.head)


def _cut(one: Field, count: int) -> Field:
    """The argument without its first characters."""
    found: list[Piece] = []
    end: int | None = None
    for piece in one.pieces:
        gone = min(count, len(piece.text))
        count -= gone
        end = None if piece.at is None else piece.at + gone
        if piece.text[gone:] or piece.why:
            found.append(Piece(piece.text[gone:], end, piece.why))
    return Field(tuple(found) or (Piece("", end),), one.word, one.quoted)
