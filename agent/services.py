"""What the stages of one audit may use: the request, card, runner, log and stop sign."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agent.kept_fields import with_fields
from agent.measuring.rented import refuse_space, rented_runner
from agent.money.approvals import Approvals, nobody_to_ask
from agent.money.ledger import Ledger
from agent.request import DEFAULT_HARDWARE, AuditRequest
from agent.settings import Measuring
from audit.records.base import Record
from audit.records.errors import Cancelled

if TYPE_CHECKING:
    from audit.records.lead import Research
    from audit.records.profile import Profile
    from audit.records.spec import Anchor
    from audit.records.workload import Workload
    from kb.catalog.hardware import Hardware
    from kb.match import Matches
    from runner.estimator.anchor import Anchoring
    from runner.local import LocalRunner
    from runner.protocol import Runner


@dataclass(frozen=True, slots=True)
class Services:
    """Made once per audit by the loop."""

    request: AuditRequest
    hardware: Hardware
    hardware_origin: Literal["stated", "detected", "assumed"]
    runner: Runner
    record: Callable[[Record], object]
    """Writes one event into the log."""
    cancelled: Callable[[], bool]
    research: Callable[[str, str], Research]
    """Researches a task for the call of that id."""
    approvals: Approvals
    """Asked before a run that costs money."""

    def check_cancelled(self) -> None:
        """Raise Cancelled when the owner asked to stop; called between all longer steps."""
        if self.cancelled():
            raise Cancelled

    def profile(self, workload: Workload, anchor: Anchor | None = None) -> Profile:
        """What the estimator expects of a workload on the audit's card; never raises."""
        from runner.estimator.profile import profile_workload

        asked = self.request
        return profile_workload(workload, self.hardware, asked.gpus, asked.nodes, anchor)

    def anchoring(self, workload: Workload) -> Anchoring:
        """What a stated step time of the file as written is used for.

        Raises:
            MissingFacts: the time stated by hand cannot be of this run.
        """
        from runner.estimator.anchor import find_anchor

        asked = self.request
        return find_anchor(workload, self.hardware, asked.gpus, asked.nodes, asked.step_s)

    def match(
        self, workload: Workload, profile: Profile, only: Container[str] | None = None
    ) -> Matches:
        """The rules that fire on a workload with that profile; of all, or only of some."""
        from kb.match import match_rules

        return match_rules(workload, profile, self.hardware, only)


def _origin(request: AuditRequest) -> Literal["stated", "detected", "assumed"]:
    if request.detected:
        return "detected"
    return "stated" if request.hardware else "assumed"


def search_only(task: str, call_id: str) -> Research:
    """Research where no model is at hand: the knowledge base is asked."""
    from agent.research.plan import plan_research

    return plan_research(task)


def _forget(_: Record) -> None:
    """There is no log."""


def make_services(
    request: AuditRequest,
    record: Callable[[Record], object] = _forget,
    cancelled: Callable[[], bool] = lambda: False,
    research: Callable[[str, str], Research] = search_only,
    approvals: Approvals | None = None,
    measuring: Measuring = Measuring(),  # noqa: B008 (frozen)
) -> Services:
    """The services of one request, with the fields to keep by our names for them.

    Raises:
        UnknownName: a card, a runner or a field to keep that is not known.
        SetupError: a measuring runner cannot start here.
    """
    from agent.named import RUNNERS, make
    from kb.catalog.hardware import find_hardware

    request = with_fields(request, cancelled)
    local = _local_runner(measuring) if request.runner == "local" else None
    card = local.card() if local else find_hardware(request.hardware or DEFAULT_HARDWARE)
    remote = rented_runner(measuring) if request.runner == "hf_jobs" else None
    return Services(
        request=request,
        hardware=card,
        hardware_origin="detected" if local else _origin(request),
        runner=local or remote or make("runner", request.runner, RUNNERS),
        record=record,
        cancelled=cancelled,
        research=research,
        approvals=approvals or Approvals(Ledger(), record, nobody_to_ask),
    )


def _local_runner(measuring: Measuring) -> LocalRunner:
    """The runner of this machine; refused on a Space, whose machine is not the visitor's."""
    from agent.named import RUNNERS, make

    refuse_space(measuring)
    made: LocalRunner = make(
        "runner", "local", RUNNERS, measuring.cache, measuring.usd_per_gpu_hour
    )
    return made
