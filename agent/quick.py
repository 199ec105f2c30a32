"""The patch or the estimate of a file without a whole audit, for the commands of those names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.api import AuditRequest
from agent.services import make_services
from agent.stages import STAGE
from agent.state import AuditState
from audit.records.base import Record
from audit.records.errors import RunFailed, UnknownName
from audit.records.metrics import Metrics
from audit.records.patch import Patch
from audit.records.spec import Arm, Spec
from audit.records.upload import Upload
from audit.records.workload import DataLengths


def propose(request: AuditRequest, rules: frozenset[str] | None) -> Patch:
    """The patch that an audit of `request` would hold, or that of some rules alone.

    Raises:
        UserError: the input or a name is at fault.
        UnknownName: `rules` names a rule that does not exist.
    """
    if rules is not None:
        _check_rules(rules)
    services = make_services(request, _forget, lambda: False)
    state = AuditState()
    for name in ("parse", "profile", "query"):
        state = STAGE[name](state, services)
    if rules is not None:
        asked = [finding for finding in state.findings or () if finding.rule_id in rules]
        state = state.moved(
            findings=tuple(asked), chosen=frozenset(finding.id for finding in asked)
        )
    patch = STAGE["patch"](state, services).patch
    return patch or Patch()


def _forget(_: Record) -> None:
    """There is no log."""


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
    hardware: str,
    gpus: int = 1,
    nodes: int = 1,
    versions: Mapping[str, str] | None = None,
    lengths: DataLengths | None = None,
    dialect: str | None = None,
) -> Metrics:
    """Speed and memory of a training file as it is written, projected.

    Raises:
        MissingFacts: the file does not say enough; the message says what to state.
        UserError: the input or a name is at fault.
    """
    from kb.catalog.hardware import find_hardware
    from runner.fake import FakeRunner
    from workload.read import read_workload

    workload = read_workload(uploads, versions=versions or None, lengths=lengths, dialect=dialect)
    runner = FakeRunner()
    spec = Spec(
        arms=(Arm(name="baseline", workload=workload),),
        hardware=find_hardware(hardware).id,
        gpus=gpus,
        nodes=nodes,
    )
    found = runner.collect(runner.submit(spec), "bench_1").arm("baseline")
    if found is None:
        message = "the estimator gave no figures"
        raise RunFailed(message)
    return found
