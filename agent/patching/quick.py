"""The patch or the estimate of a file without a whole audit, for the commands of those names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from agent.request import DEFAULT_HARDWARE, AuditRequest, check_counts
from agent.services import Services, make_services
from agent.stages import STAGE
from agent.state import AuditState
from audit.records.errors import RunFailed, SetupError, UnknownName
from audit.records.metrics import Metrics
from audit.records.patch import Patch
from audit.records.report import HardwareUsed
from audit.records.spec import Arm, Spec
from audit.records.upload import Upload
from audit.records.workload import DataLengths

if TYPE_CHECKING:
    from audit.records.workload import Workload
    from kb.catalog.hardware import Hardware
    from runner.estimator.best import Best
    from runner.estimator.largest import Largest


class Projected(NamedTuple):
    """What the estimator says of a file, before anything is changed."""

    hardware: HardwareUsed
    """The card, and who named it."""
    metrics: Metrics
    assumptions: tuple[str, ...]
    """What nobody stated, in plain sentences."""
    largest: Largest | None
    """None where nobody states the card's memory."""
    best: Best | None
    """None where it was not searched for, or nothing fits."""


def propose(request: AuditRequest, rules: frozenset[str] | None) -> Patch:
    """The patch that an audit of `request` would hold, or that of some rules alone.

    Raises:
        UserError: the input or a name is at fault.
        UnknownName: `rules` names a rule that does not exist.
    """
    if rules is not None:
        _check_rules(rules)
    services = make_services(request)
    state = AuditState()
    for name in ("parse", "profile", "query"):
        state = STAGE[name](state, services)
    if rules is not None:
        return _of_rules(state, services, rules)
    return STAGE["patch"](state, services).patch or Patch()


def _of_rules(state: AuditState, services: Services, rules: frozenset[str]) -> Patch:
    """The patch that follows these rules alone, one that fires only behind the others included."""
    from agent.stages import propose as write
    from kb.choose import choose_findings

    request = services.request
    asked = [finding for finding in state.findings or () if finding.rule_id in rules]
    fired = {finding.rule_id for finding in asked}
    later = {rule: f"f_{place}" for place, rule in enumerate(sorted(rules - fired), len(asked) + 1)}
    choices = choose_findings(asked, request.include, request.keep)
    moved = state.moved(findings=tuple(asked))
    return write(moved, services, choices, grown=later).patch or Patch()


def _check_rules(rules: frozenset[str]) -> None:
    from kb.rulebook import load_rules

    known = [rule.id for rule in load_rules()]
    unknown = sorted(rules - set(known))
    if unknown:
        message = f"there is no rule called {', '.join(unknown)}"
        raise UnknownName(message, remedy=f"Known: {', '.join(sorted(known))}.")


def project(
    uploads: Sequence[Upload],
    *,
    hardware: str | None,
    detected: bool = False,
    gpus: int = 1,
    nodes: int = 1,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    dialect: str | None = None,
    step_s: float | None = None,
    search: bool = False,
) -> Projected:
    """Speed and memory of a training file as it is written, projected.

    Args:
        uploads: the file, and what belongs to it.
        hardware: the card, in any spelling; None: `mi300x`, origin `assumed`.
        detected: that card was found on this machine, nobody named it.
        gpus: cards per machine.
        nodes: machines.
        versions: package -> version whose defaults to read.
        lengths: token lengths of the samples.
        dialect: a format id, where detection should not decide.
        step_s: seconds of one optimizer step today; None: those of a log beside the file.
        search: also look for the fastest neutral configuration (imports numpy).

    Raises:
        MissingFacts: the file does not say enough; the message says what to state.
        SetupError: `search` without numpy.
        UserError: the input, a name or a count is at fault.
    """
    from kb.catalog.hardware import find_hardware
    from runner.estimator.anchor import find_anchor
    from runner.estimator.from_workload import read_job
    from runner.estimator.largest import find_largest
    from runner.fake import FakeRunner
    from workload.read import read_workload

    check_counts(gpus, nodes)
    card = find_hardware(hardware or DEFAULT_HARDWARE)
    workload = read_workload(uploads, versions=versions or None, lengths=lengths, dialect=dialect)
    reading = read_job(workload, card, gpus, nodes)
    anchoring = find_anchor(workload, card, gpus, nodes, step_s)
    spec = Spec(
        arms=(Arm(name="baseline", workload=workload),),
        hardware=card.id,
        gpus=gpus,
        nodes=nodes,
        anchor=anchoring.anchor,
    )
    runner = FakeRunner()
    found = runner.collect(runner.submit(spec), "bench_1").arm("baseline")
    if found is None:
        message = "the estimator gave no figures"
        raise RunFailed(message)
    micro = int(workload.value("per_device_train_batch_size"))
    origin: Literal["stated", "detected", "assumed"] = "stated" if hardware else "assumed"
    return Projected(
        hardware=HardwareUsed(
            id=card.id,
            name=card.name,
            memory_gb=card.memory_gb,
            gpus=gpus,
            nodes=nodes,
            origin="detected" if detected else origin,
        ),
        metrics=found,
        assumptions=(*reading.assumptions, *filter(None, (anchoring.told,))),
        largest=find_largest(reading.job, micro, variable=reading.variable),
        best=_best(workload, card, gpus, nodes) if search else None,
    )


def _best(workload: Workload, card: Hardware, gpus: int, nodes: int) -> Best | None:
    from runner.estimator.best import find_best

    try:
        return find_best(workload, card, gpus, nodes)
    except ImportError as error:
        message = "the search for the best configuration needs numpy, which is not installed"
        raise SetupError(message, remedy="pip install numpy, or leave --best out") from error
