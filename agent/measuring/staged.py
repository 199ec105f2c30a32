"""Staged re-runs: the run before against the same file with some groups of edits alone, short.

Used where a measured patch failed, slowed down or won; every run is on the audit's own runner and
is compared like the benchmark itself. When the time is used up, no further run starts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.measuring.bench_runs import failed_bench, run_spec, weakest_of
from agent.patching.edit_groups import EditGroup, field_edits, variables
from agent.patching.plan import with_edits
from agent.services import Services
from agent.state import AFTER, AuditState
from audit.records.attribution import StagedRun
from audit.records.comparison import Comparison
from audit.records.errors import MissingFacts, RunFailed
from audit.records.events import LogData
from audit.records.measured import MeasuredRun
from audit.records.metrics import Bench
from audit.records.spec import Arm, Spec, Stop
from audit.records.workload import Workload

RUN_SECONDS = 40.0
"""Budget of one staged run's warm-up and rounds."""
LEAST_SECONDS = 10.0
STOP = Stop(seconds=RUN_SECONDS, half_width=0.04, least_rounds=6)
BAD = ("failed", "slower")


@dataclass(slots=True)
class Staged:
    """The staged runs of one audit."""

    state: AuditState
    services: Services
    baseline: Workload
    seconds: float
    """Wall time that all of them together may take."""
    runs: list[StagedRun] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)
    silent: str | None = None
    """Why a run said nothing of the edits, where one did."""
    _longest: float = 0.0
    _by_the_edits: bool = False
    """Whether the last run failed because of what was edited."""

    @property
    def used(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._start

    def compare(self, groups: Sequence[EditGroup]) -> Comparison | None:
        """The run before against these groups; None where the time does not suffice."""
        if self.used + self._longest > self.seconds:
            return None
        names = ", ".join(group.name for group in groups)
        self.services.record(LogData(text=f"Run again with {names} alone."))
        began = time.monotonic()
        bench = self._bench(groups)
        self._by_the_edits = fails_by_its_edits(bench)
        found = compare_bench(bench, groups)
        self._longest = max(self._longest, time.monotonic() - began)
        self.runs.append(
            StagedRun(
                rule_ids=tuple(rule for group in groups for rule in group.rule_ids),
                verdict=found.verdict,
                speedup=found.speedup,
                reason=found.reason,
            )
        )
        return found

    def is_bad(self, groups: Sequence[EditGroup]) -> bool | None:
        """Whether the run with these groups fails or is slower.

        None where that is not known: no time left, too few rounds, the run before failed as well
        (so the box is at fault, not an edit), or the time limit of a staged run ended it.
        """
        found = self.compare(groups)
        if found is None:
            return None
        silent = found.verdict == "failed" and not self._by_the_edits
        if silent or found.verdict == "not_comparable":
            self.silent = found.reason
            return None
        return found.verdict in BAD

    def _stop(self) -> Stop:
        """Rounds within what is left of the time, and the whole job too."""
        left = max(LEAST_SECONDS, self.seconds - self.used)
        return STOP.model_copy(update={"seconds": min(RUN_SECONDS, left), "limit_s": left})

    def _bench(self, groups: Sequence[EditGroup]) -> Bench:
        state, services = self.state, self.services
        edited = with_edits(self.baseline, field_edits(groups))
        env = dict(state.baseline_env)
        exported = variables(groups, state.patch.env if state.patch else {})
        spec = Spec(
            arms=(
                Arm(name="baseline", workload=self.baseline, env=env),
                Arm(name="patched", workload=edited, env={**env, **exported}),
            ),
            hardware=services.hardware.id,
            gpus=services.request.gpus,
            nodes=services.request.nodes,
            steps=services.request.steps,
            stop=self._stop(),
        )
        try:
            return run_spec(spec, AFTER, services)
        except (RunFailed, MissingFacts) as failed:
            return failed_bench(spec, AFTER, str(failed), services)


def fails_by_its_edits(bench: Bench) -> bool:
    """Whether a failed benchmark says something of the edits.

    The run before has to be well, and what ended the other must not be a limit of time.
    """
    before, after = bench.arm("baseline"), bench.arm("patched")
    if before is None or after is None or after.failure is None:
        return False
    ran = bench.measured.arm("patched") if bench.measured else None
    out_of_time = ran is not None and ran.failure is not None and ran.failure.kind == "time_limit"
    # an arm that shared a process with one that crashed has no figures and no fault
    shared = bench.measured is not None and _no_fault(bench.measured)
    return not out_of_time and (before.failure is None or shared)


def _no_fault(run: MeasuredRun) -> bool:
    arm = run.arm("baseline")
    return arm is not None and arm.failure is None


def compare_bench(bench: Bench, groups: Sequence[EditGroup]) -> Comparison:
    """The verdict on a bench of both arms that holds these groups' edits."""
    from runner.compare import compare_arms

    before, after = bench.arm("baseline"), bench.arm("patched")
    if before is None or after is None:
        message = f"{bench.id} does not hold both arms"
        raise RunFailed(message)
    return compare_arms(
        before,
        after,
        before_id=bench.id,
        after_id=bench.id,
        measured=bench.measured,
        semantics=weakest_of([edit for group in groups for edit in group.edits], bench),
    )
