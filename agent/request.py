"""What one audit is asked: the request, its checks, and how the log keeps and gives it back.

It stands below the loop and the stages, which all read it; `agent.api` is the way in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from agent.named import BACKENDS, RUNNERS, check_name
from agent.offline import check_offline
from audit.records.base import Json
from audit.records.errors import InputError, UserError
from audit.records.finding import DEFAULT_INCLUDE, Semantics
from audit.records.upload import Upload
from audit.records.workload import DataLengths

DEFAULT_HARDWARE = "mi300x"
"""The card assumed when none is named and none is detected; the report says so."""
"""Edits that keep what is learned; `dynamics` edits are offered unless the user includes them."""
MAX_GPUS, MAX_NODES, MAX_STEPS = 1024, 1024, 10_000
"""Bounds against a slip of the keyboard; larger runs are not in the estimator's experience."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, on a server for others. Neither is ever logged or stored as it is."""

    id: str = field(default="", repr=False)
    """Tells visitors apart, for caps and turns; "": nobody in particular."""
    token: str | None = field(default=None, repr=False)
    """The visitor's own Hugging Face token, where one signed in: it pays for `huggingface`."""


NOBODY = Visitor()


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What one audit is asked to look at, and on which card. Raw bytes stay in `uploads`."""

    uploads: tuple[Upload, ...]
    """The main file first; files that belong to it after."""
    hardware: str | None = None
    """A hardware id in any spelling; None: `mi300x`, origin `assumed`."""
    detected: bool = False
    """`hardware` is the card found on this machine, nobody named it."""
    gpus: int = 1
    """GPUs per node."""
    nodes: int = 1
    lengths: DataLengths | None = None
    """Token lengths of the samples; None: the reader's assumption, marked so."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version whose defaults to read; empty: the reader's, origin `assumed`."""
    dialect: str | None = None
    """Format id that the user insists on; None: detected."""
    include: frozenset[Semantics] = DEFAULT_INCLUDE
    """Semantics of the edits that the patch may hold."""
    keep: frozenset[str] = frozenset()
    """Field names that the patch must leave as they are."""
    backend: str = "rules"
    runner: str = "fake"
    step_s: float | None = None
    """Seconds of one optimizer step of the file as written, stated by the user: projections are
    scaled to it. None: those of a log beside the file, where there is one."""
    steps: int = 50
    """Timed optimizer steps per arm of a benchmark."""
    always: bool = False
    """A standing yes to runs that have a price and fit under `max_usd`."""
    max_usd: float | None = None
    """Dollars that model and runs may cost together; None: no cap."""
    max_turns: int = 16
    """Turns that the backend may take before the rules finish the audit."""
    offline: bool = False
    """Whatever would reach for the network is refused."""
    parent: str = ""
    """Id of the audit whose parse, profile and query this one takes over; "": none."""
    leave_out: frozenset[str] = frozenset()
    """Rule ids of the findings that the patch must not follow."""
    visitor: Visitor = field(default=NOBODY, repr=False, compare=False)
    """Not part of what the log keeps."""

    def as_json(self) -> dict[str, Json]:
        """Everything but the bytes, for the log; `request_from` reads it back."""
        return {
            "hardware": self.hardware,
            "detected": self.detected,
            "gpus": self.gpus,
            "nodes": self.nodes,
            "lengths": self.lengths.model_dump(mode="json") if self.lengths else None,
            "versions": dict(self.versions),
            "dialect": self.dialect,
            "include": sorted(self.include),
            "keep": sorted(self.keep),
            "backend": self.backend,
            "runner": self.runner,
            "step_s": self.step_s,
            "steps": self.steps,
            "max_turns": self.max_turns,
            "always": self.always,
            "max_usd": self.max_usd,
            "offline": self.offline,
            "parent": self.parent,
            "leave_out": sorted(self.leave_out),
        }


def request_from(kept: Mapping[str, Json], uploads: Sequence[Upload]) -> AuditRequest:
    """The request of an earlier audit, from what the log holds of it and the kept bytes."""
    lengths = kept["lengths"]
    return AuditRequest(
        **{
            **kept,
            "uploads": tuple(uploads),
            "lengths": DataLengths.model_validate(lengths) if lengths else None,
            "include": cast("frozenset[Semantics]", frozenset(kept["include"])),
            "keep": frozenset(kept["keep"]),
            "leave_out": frozenset(kept.get("leave_out", ())),
        }
    )


def check_request(request: AuditRequest) -> None:
    """Refuse what can be refused before anything starts; only `keep` is held against the files.

    Raises:
        UserError: no file or too many, an unknown card, backend, runner or field to keep, a count
            out of bounds.
    """
    from agent.kept_fields import with_fields
    from kb.catalog.hardware import find_hardware
    from workload.source import MAX_FILES

    if not request.uploads:
        message = "there is no file to audit"
        raise InputError(message, remedy="Give the file that you train with.")
    if len(request.uploads) > MAX_FILES:
        message = f"{len(request.uploads)} files are too many for one audit"
        raise InputError(message, remedy=f"Give at most {MAX_FILES} that belong together.")
    check_names(request.uploads)
    find_hardware(request.hardware or DEFAULT_HARDWARE)
    check_name("backend", request.backend, BACKENDS)
    check_name("runner", request.runner, RUNNERS)
    if request.offline:
        check_offline(request.backend, request.runner)
    if request.runner == "local" and request.hardware and not request.detected:
        from runner.local_box import refuse_other

        refuse_other(request.hardware)
    unknown = sorted(set(request.include) - set(get_args(Semantics)))
    if unknown:
        message = f"include does not know {', '.join(unknown)}"
        raise UserError(message, remedy=f"Known: {', '.join(get_args(Semantics))}.")
    check_counts(request.gpus, request.nodes)
    for name, value, low, high in (
        ("steps", request.steps, 1, MAX_STEPS),
        ("max_turns", request.max_turns, 0, 100),
        ("max_usd", request.max_usd or 0.0, 0, 1e6),
    ):
        _check_bounds(name, value, low, high)
    with_fields(request)


def check_counts(gpus: int, nodes: int) -> None:
    """Refuse counts of GPUs per machine and of machines that nobody means; raises UserError."""
    _check_bounds("gpus", gpus, 1, MAX_GPUS)
    _check_bounds("nodes", nodes, 1, MAX_NODES)


def _check_bounds(name: str, value: float, low: int, high: float) -> None:
    if not low <= value <= high:
        message = f"{name} is {value}; it must lie between {low} and {high}"
        raise UserError(message)


def check_names(uploads: Sequence[Upload]) -> None:
    """Refuse two files of one name: lines and edits are told apart by it; raises InputError."""
    names = [upload.name for upload in uploads]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"two files are called {', '.join(twice)}"
        raise InputError(message, remedy="Give them different names.")
