"""What a condition is asked of: one workload on one card, every name with its value where known.

It copies values and computes nothing: what must be estimated stands in the profile already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from audit.records.profile import Profile
from audit.records.workload import Workload
from kb.operations import UNKNOWN, Value, read_version


class Card(Protocol):
    """What the rules ask of a catalogue entry; `kb.catalog.hardware.Hardware` is one."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def vendor(self) -> str: ...  # noqa: D102
    @property
    def arch(self) -> str: ...  # noqa: D102
    @property
    def generation(self) -> str: ...  # noqa: D102
    @property
    def memory_gb(self) -> float | None: ...  # noqa: D102
    @property
    def bf16(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Situation:
    """A workload and the values of all names; a name that is absent is not known."""

    workload: Workload
    values: Mapping[str, Value]
    """Field names, `hardware.arch`, `profile.fit.as_written.share`; a variable is `env.NAME`."""
    variables: tuple[str, ...] = ()
    """Environment variables that the files set."""


Question = Callable[[Situation], Value]


def situate(workload: Workload, profile: Profile, hardware: Card) -> Situation:
    """The situation that the rules are matched in."""
    values: dict[str, Value] = {
        name.replace("env:", "env.", 1): UNKNOWN if field.origin == "unknown" else field.value
        for name, field in workload.fields.items()
    }
    values |= {
        "framework": workload.framework,
        "format": workload.format,
        "gpus": profile.gpus,
        "nodes": profile.nodes,
        "versions_stated": workload.versions_origin == "stated",
        "hardware.id": hardware.id,
        "hardware.name": hardware.name,
        "hardware.vendor": hardware.vendor,
        "hardware.arch": hardware.arch,
        "hardware.generation": hardware.generation,
        "hardware.bf16": hardware.bf16,
    }
    figures = {
        "hardware.memory_gb": hardware.memory_gb,
        "profile.micro_batch_max": profile.micro_batch_max,
        "profile.padding_efficiency": profile.padding_efficiency,
    }
    values |= {name: value for name, value in figures.items() if value is not None}
    for variant, fit in profile.fit.items():
        values[f"profile.fit.{variant}.share"] = fit.share
        values[f"profile.fit.{variant}.peak_gb"] = fit.peak_gb
        values[f"profile.fit.{variant}.high_gb"] = fit.high_gb
    if workload.lengths is not None:
        for name in ("p50", "p95", "max", "origin"):
            values[f"lengths.{name}"] = getattr(workload.lengths, name)
    variables = tuple(
        sorted(
            name[4:]
            for name, field in workload.fields.items()
            if name.startswith("env:") and (field.value is not None or field.origin == "unknown")
        )
    )
    return Situation(workload, values, variables)


def stated(name: str) -> Question:
    """Does the file itself give the field a value?"""

    def ask(situation: Situation) -> Value:
        found = situation.workload.fields.get(name)
        return found is not None and found.origin == "stated"

    return ask


def mentioned(name: str) -> Question:
    """Does the file speak of the field, be it with a value that cannot be read?"""

    def ask(situation: Situation) -> Value:
        found = situation.workload.fields.get(name)
        return found is not None and found.origin in ("stated", "unknown")

    return ask


def known(name: str) -> Question:
    """Has the field a value that was read, defaulted, derived or assumed?"""
    return lambda situation: situation.workload.known(name)


def written(name: str, spelling: str) -> Question:
    """Is the field written under this key, whole or as the end of a dotted one?"""

    def ask(situation: Situation) -> Value:
        found = situation.workload.fields.get(name)
        key = found.key if found is not None and found.origin in ("stated", "unknown") else None
        return key is not None and (key == spelling or key.endswith("." + spelling))

    return ask


def version(package: str) -> Question:
    """The version of a package that the file is read for."""

    def ask(situation: Situation) -> Value:
        text = situation.workload.versions.get(package)
        return (read_version(text) if text else None) or UNKNOWN

    return ask


def sets_variable(pattern: str) -> Question:
    """Do the files set an environment variable of this name? `VLLM_*` stands for many."""
    return lambda situation: any(fnmatchcase(name, pattern) for name in situation.variables)
