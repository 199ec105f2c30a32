"""The uploads of one workload, sorted by what they are: what merging makes and companions read."""

from __future__ import annotations

from dataclasses import dataclass, field

from workload.data_sample import DataSample
from workload.detect import Found
from workload.source import SourceText

LEADERS = (
    "sh_launcher",
    "accelerate_yaml",
    "deepspeed_json",
    "fsdp_json",
    "peft_json",
    "trainer_state_json",
)
"""Formats that go with a training file, the one first that leads where there is no other."""


@dataclass
class Bundle:
    """The uploads of one workload, sorted by what they are."""

    main: SourceText
    found: Found
    formats: dict[str, str] = field(default_factory=dict)
    """File name -> format id, the main file included."""
    versions: dict[str, str] = field(default_factory=dict)
    sample: DataSample | None = None
    """The uploaded rows of the data, the largest file of them."""
    beside: dict[str, SourceText] = field(default_factory=dict)
    """Other files by name."""
    companions: dict[str, Found] = field(default_factory=dict)
    """Those of them that go with a training file: launch, DeepSpeed, FSDP, adapter, log."""
    unread: dict[str, str] = field(default_factory=dict)
    """Why a file beside is read by nobody, unless the training file names or inherits from it."""


def base_name(path: str) -> str:
    """The last part of a path in either system's writing."""
    return path.replace("\\", "/").rpartition("/")[2]
