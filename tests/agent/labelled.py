"""Labelled workloads: well-tuned files of ours, as they are and each with one known fault in it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from tests.kb.faults import FAULTS
from tests.kb.injection import inject, read_files
from tests.kb.situations import upload
from workload.patch import edit_workload

TUNED = Path(__file__).parents[1] / "kb" / "tuned"


AMPERE = "FlashAttention-2 runs on Ampere, Ada and Hopper (its README); this card is older"
RECOMPUTES = "the change switches checkpointing on in a file that fits the card without it"
ACTIVATIONS = (
    "a LoRA without checkpointing keeps about 34 bytes per token, layer and hidden unit "
    "(Korthikanti et al. 2022, section 4.1) and the logits: several times this card's memory"
)
FOLLOWS: dict[str, dict[str, str]] = {
    "bf16 on a T4": {
        "attention.flash_pre_ampere": AMPERE,
        "memory.does_not_fit": "8.03e9 weights of two bytes are 16.1 GB, and the card has 16",
    },
    "8 bits on a V100": {
        "attention.flash_pre_ampere": AMPERE,
        "memory.does_not_fit": ACTIVATIONS,
    },
    "Gemma 3 compiled on Radeon": {"memory.does_not_fit": ACTIVATIONS},
    "reentrant checkpointing": {"memory.checkpointing_not_needed": RECOMPUTES},
    "a search for unused parameters": {"memory.checkpointing_not_needed": RECOMPUTES},
}
"""Workload -> rules that are right beside the label, each judged by hand: a fault that comes with
another card, or with a setting of its own, breaks more than one thing."""


class Labelled(NamedTuple):
    """A file, the card it is for, and the rule that a good audit acts on, if anything is wrong."""

    name: str
    upload: Upload
    hardware: str
    gpus: int
    rule: str | None

    @property
    def follows(self) -> dict[str, str]:
        """Other rules that are right about this workload, and why."""
        return FOLLOWS.get(self.name, {})


def labelled_workloads() -> list[Labelled]:
    """Every fault in the first file that takes it, then the files without one."""
    files = read_files(TUNED)
    found: list[Labelled] = []
    for name, fault in FAULTS.items():
        for path, workload in (
            one for framework in fault.frameworks.split() for one in files.get(framework, [])
        ):
            given = upload(path)
            if inject(fault, (given,), workload) is None:
                continue
            edits = [FieldEdit(field=field, value=value) for field, value in fault.edits.items()]
            (faulty,) = edit_workload((given,), edits).uploads
            found.append(Labelled(name, faulty, fault.hardware, fault.gpus, fault.rule))
            break
    for rows in files.values():
        found += [Labelled(path.name, upload(path), "mi300x", 1, None) for path, _ in rows]
    return found
