"""How many processes and machines a launch line starts, and the variables that it sets.

`num_processes` counts those of one machine, except where accelerate launches: there it counts all,
as its own option does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from audit.records.base import Json
from audit.records.workload import FieldValue
from workload.dialects.launch_line import Flag, Launch
from workload.dialects.shell_values import Text, whole
from workload.source import SourceText

_DIRECTIVE = re.compile(
    r"--(?P<name>[\w-]+)[= \t]+(?P<value>\S+)|-(?P<short>[NnG])[ \t]*(?P<count>\d+)"
)
_SHORT = {"N": "nodes", "n": "ntasks", "G": "gpus"}
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


@dataclass(frozen=True, slots=True)
class Set:
    """A value with the place that it stands at."""

    value: Json
    """None: it is not known."""
    at: int | None
    key: str
    span: tuple[int, int] | None = None
    why: str = ""


def slurm(directives: list[tuple[str, int]]) -> dict[str, Set]:
    """What `#SBATCH` lines ask for: nodes, tasks and cards, by the option's long name."""
    found: dict[str, Set] = {}
    for line, start in directives:
        if "SBATCH" not in line:
            continue
        for match in _DIRECTIVE.finditer(line.partition("#SBATCH")[2]):
            offset = start + line.index("#SBATCH") + len("#SBATCH")
            group = "value" if match["name"] else "count"
            name = match["name"] or _SHORT[match["short"]]
            text = match[group].strip("\"'")
            count = re.search(r"(?:^|:)(\d+)(?:\(.*)?$", text)
            span = (offset + match.start(group), offset + match.end(group))
            if count is not None and name != "time":
                begin = span[0] + count.start(1)
                span = (begin, begin + len(count[1]))
                found[name] = Set(int(count[1]), span[0], f"#SBATCH --{name}", span)
    if "gres" in found and "gpus-per-node" not in found:
        found["gpus-per-node"] = found["gres"]
    return found


class World:
    """The processes of one launch line."""

    def __init__(self, source: SourceText, launch: Launch, asked: dict[str, Set]) -> None:
        self.source, self.launch, self.asked = source, launch, asked
        self.variables: dict[str, tuple[Text, int]] = dict(launch.command.exported)
        for one in launch.command.prefix:
            self.variables[one.name] = (one.value, one.start)
        self.found: dict[str, Set] = {}
        self.derived: dict[str, tuple[Json, str]] = {}
        reader = _LAUNCHERS.get(launch.launcher, _by_environment)
        reader(self)
        if "srun" in launch.before or "mpirun" in launch.before:
            self.by_slurm()

    def fields(self) -> dict[str, FieldValue]:
        """`num_processes` and `num_machines`, as far as the line tells."""
        made: dict[str, FieldValue] = {}
        for name, (value, why) in self.derived.items():
            made[name] = FieldValue(value=value, origin="derived", source=why)
        for name, one in self.found.items():
            line = None if one.at is None else self.source.line_of(one.at)
            at = {"file": self.source.name, "line": line, "key": one.key}
            if isinstance(one.value, int) and one.value > 0:
                made[name] = FieldValue(value=one.value, origin="stated", **at)
            else:
                why = one.why or "not a number"
                made[name] = FieldValue(value=None, origin="unknown", source=why, **at)
        return made

    def option(self, field: str, *names: str) -> bool:
        """A field from an option of the launcher."""
        flag = self.launch.option(*names)
        if flag is None:
            return False
        self.found[field] = as_set(flag)
        return True

    def variable(self, field: str, *names: str) -> bool:
        """A field from a variable that the line or the script sets."""
        for name in names:
            if name in self.variables:
                text, at = self.variables[name]
                self.found[field] = _from_text(text, at, name)
                return True
        return False

    def count_visible(self, field: str = "num_processes") -> bool:
        """As many processes as cards are made visible."""
        for name in _VISIBLE:
            text = whole(self.variables[name][0]) if name in self.variables else None
            if text and re.fullmatch(r"\d+(?:,\d+)*", text):
                self.derived[field] = (len(text.split(",")), f"{name}={text}")
                return True
        return False

    def by_slurm(self) -> None:
        """`srun` starts the line once per task, on every node."""
        if "nodes" in self.asked and "num_machines" not in self.found:
            self.found["num_machines"] = self.asked["nodes"]
            self.derived.pop("num_machines", None)
        tasks = self.asked.get("ntasks-per-node")
        if tasks is not None and self.launch.launcher == "python":
            self.found["num_processes"] = tasks
            self.derived.pop("num_processes", None)


def as_set(flag: Flag) -> Set:
    """The whole number that an option gives."""
    value = flag.values[0] if flag.values else None
    if value is None:
        return Set(None, flag.start, f"--{flag.name}", None, "no value is given")
    text = value.text
    number = int(text) if text is not None and text.isdigit() and len(text) < 9 else None
    why = value.why or f"{text} is settled when it starts"
    return Set(number, value.start, f"--{flag.name}", value.span, "" if number else why)


def _from_text(text: Text, at: int, name: str) -> Set:
    words = whole(text)
    number = int(words) if words is not None and words.isdigit() and len(words) < 9 else None
    place = text[0].at if text and text[0].at is not None else at
    held = [piece for piece in text if piece.text]
    one = held[0] if len(held) == 1 and held[0].at is not None else None
    span = None if one is None or one.at is None else (one.at, one.at + len(one.text))
    why = next((piece.why for piece in text if piece.why), "not a number")
    return Set(number, place, name, span, "" if number else why)


def _torchrun(world: World) -> None:
    if not world.option("num_processes", "nproc_per_node"):
        _one_each(world, "torchrun starts one process unless told otherwise")
    if not world.option("num_machines", "nnodes"):
        world.derived["num_machines"] = (1, "torchrun runs on one machine unless told otherwise")


def _accelerate(world: World) -> None:
    world.option("num_processes", "num_processes")
    world.option("num_machines", "num_machines")


def _deepspeed(world: World) -> None:
    world.option("num_machines", "num_nodes")
    if world.option("num_processes", "num_gpus"):
        return
    include = world.launch.option("include", "i")
    text = include.values[0].text if include is not None and include.values else None
    if include is not None:
        nodes = (text or "").split("@")
        lists = [node.partition(":")[2] for node in nodes]
        counts = {len(one.split(",")) for one in lists if re.fullmatch(r"\d+(?:,\d+)*", one)}
        if text and len(counts) == 1 and all(lists):
            where = include.values[0].start
            world.found["num_processes"] = Set(counts.pop(), where, "--include")
        return
    if "hostfile" not in {one.name for one in world.launch.options}:
        world.count_visible()


def _python(world: World) -> None:
    _one_each(world, "python starts one process")


def _one_each(world: World, why: str) -> None:
    world.derived["num_processes"] = (1, why)


def _by_environment(world: World) -> None:
    """Programs that start torchrun themselves, by variables."""
    if not world.variable("num_processes", "NPROC_PER_NODE"):
        if world.launch.launcher in ("swift", "megatron"):
            _one_each(world, "without NPROC_PER_NODE one process is started")
        else:
            world.count_visible()
    world.variable("num_machines", "NNODES")


_LAUNCHERS: dict[str, Callable[[World], None]] = {
    "torchrun": _torchrun,
    "tune": _torchrun,
    "accelerate": _accelerate,
    "deepspeed": _deepspeed,
    "python": _python,
}
