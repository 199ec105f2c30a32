"""Finds the parts of a training loop by what they do: its loader, the only optimizer."""

from __future__ import annotations

from workload.dialects.script_loop import LOADER, part_name
from workload.dialects.script_reader import ScriptReader, plain
from workload.dialects.script_values import ON_A_CONDITION, Slot, Thing, Unknown


def parts(reader: ScriptReader, role: str) -> list[Thing]:
    """The parts of a role that the script makes."""
    return reader.run.scene.loop.of(role)


def doubtful(reader: ScriptReader, part: Thing) -> Slot | None:
    """An unknown value at a part that may not be reached; None where it is."""
    if part.node not in reader.run.scene.doubtful:
        return None
    return Slot(Unknown(part.node, ON_A_CONDITION), part.node)


def label(reader: ScriptReader, part: Thing) -> str:
    """The class or function of a part, numbered where several are made: `DataLoader 2`."""
    name = part_name(part).rpartition(".")[2]
    alike = [
        one.node
        for one in reader.run.scene.loop.of(part.name.split(" ")[0])
        if part_name(one).rpartition(".")[2] == name
    ]
    number = next((at for at, node in enumerate(alike, 1) if node is part.node), 1)
    return name if number == 1 else f"{name} {number}"


def the_part(reader: ScriptReader, role: str) -> Thing | None:
    """The only part of a role; None where there is none or several."""
    found = parts(reader, role)
    return found[0] if len(found) == 1 else None


def training_loader(reader: ScriptReader) -> Thing | None:
    """The loader of the loop around the backward pass, else the only one or one that shuffles."""
    loaders = parts(reader, LOADER)
    for passes in reader.run.scene.loop.enclosing.values():
        value = passes.value if passes else None
        if isinstance(value, Thing) and any(value.node is one.node for one in loaders):
            return value
    if len(loaders) == 1:
        return loaders[0]
    mixing = [one for one in loaders if says(reader, one, "shuffle")]
    return mixing[0] if len(mixing) == 1 else None


def says(reader: ScriptReader, part: Thing, keyword: str) -> bool:
    """Whether a part is given `keyword=True`."""
    slot = reader.run.entries(part).get(keyword)
    return slot is not None and plain(reader.run, slot.value) is True
