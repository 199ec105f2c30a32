"""Runs one order: builds the arms, warms them up, takes their rounds in turn, keeps every row.

An arm that fails ends the job with its failure as a result; what was measured until then stays. A
knob that was edited and is not found on the built objects is such a failure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from audit.records.base import ArmName
from audit.records.comparison import Clock
from audit.records.measured import (
    ArmFailure,
    Manifest,
    MeasuredArm,
    MeasuredRun,
    Peak,
    Phase,
    ReadBack,
    StepRow,
    StopReason,
)
from audit.records.profile import Part
from runner.statistics import clock_of
from runner.worker.hosts import HostLost, HostProcess, Hosts
from runner.worker.order import Order
from runner.worker.sampling import Sampler
from runner.worker.schedule import is_narrow, is_warm, steps_per_round, turn_of

Emit = Callable[[dict[str, Any]], None]
SHOWN_BY = {"bf16": "compute_dtype", "fp16": "compute_dtype"}
"""Field -> the field under which it is read back."""
SHOWN_LATER = frozenset({"logging_steps"})
"""Fields that are read back after the rounds."""
START_LIMIT = 300.0
"""Seconds for the imports of a host: a cold torch on a network disk takes a minute or more."""


class ArmFailed(Exception):
    """An arm has no more steps to give."""

    def __init__(self, arm: ArmName, failure: ArmFailure) -> None:
        self.arm, self.failure = arm, failure
        super().__init__(failure.message)


class Job:
    """One order under way."""

    def __init__(self, order: Order, hosts: Hosts, emit: Emit) -> None:
        self.order, self.hosts, self.emit = order, hosts, emit
        self.names: tuple[ArmName, ...] = tuple(arm.name for arm in order.translation.arms)
        self.rows: list[StepRow] = []
        self.found: dict[ArmName, dict[str, Any]] = {name: {} for name in self.names}
        self.phases: list[Phase] = []
        self.failures: dict[ArmName, ArmFailure] = {}
        self.bereft: set[ArmName] = set()
        """Arms that lost their process to the other arm: what they measured stays."""
        self.manifest = Manifest(device="unknown", device_kind="cpu")
        self._hosts: dict[str, HostProcess] = {}
        self._start = self._warm = time.monotonic()

    def run(self) -> MeasuredRun:
        """Everything, in order."""
        load = _load()
        stopped: StopReason = "failed"
        sampler = Sampler()
        with self._phase("import"):
            self._each(self._open)
        with self._phase("build"):
            self._each(self._build)
        with self._phase("warm_up"):
            self._each(self._watch)  # compiles, where something is compiled
            self._warm = time.monotonic()
            self._warm_up()
        with self._phase("rounds"), sampler:
            stopped = self._rounds()
            self._each(self._review)
        if self.order.profile:
            with self._phase("profile"):
                self._each(self._profile)
        self._drop()
        manifest = self.manifest.model_copy(
            update={
                "load_before": load,
                "load_after": _load(),
                "seed": self.order.seed,
                "tool": sampler.samples(),
                "driver": sampler.driver or self.manifest.driver,
            }
        )
        return MeasuredRun(
            translation=self.order.translation,
            arms=tuple(self._arm(name) for name in self.names),
            manifest=manifest,
            phases=tuple(self.phases),
            stopped="failed" if self.failures else stopped,
        )

    @property
    def live(self) -> tuple[ArmName, ...]:
        """The arms that can take a step."""
        over = self.failures.keys() | self.bereft
        return tuple(name for name in self.names if name not in over)

    def _each(self, do: Callable[[ArmName], None]) -> None:
        """Do something for every arm; one that fails leaves, the other goes on."""
        for name in self.names:
            if name not in self.live:
                continue
            try:
                do(name)
            except ArmFailed as failed:
                self.failures[failed.arm] = failed.failure

    def _open(self, name: ArmName) -> None:
        if not self._hosts:
            self._tell("starting the worker")
            arms = self.order.translation.arms
            envs: dict[str, dict[str, str]] = {arm.name: arm.recipe.env for arm in arms}
            self._hosts = self.hosts.serve(envs, self.order.ranks, self.order.memory_gb)
        answer = self._ask(name, START_LIMIT, do="hello")
        self.manifest = Manifest.model_validate(answer["manifest"])

    def _build(self, name: ArmName) -> None:
        self._tell(f"building the {name} model")
        whole = self.order.translation.model_dump(mode="json")
        command = {"do": "build", "translation": whole, "arm": name, "seed": self.order.seed}
        self.found[name] |= self._ask(name, None, **command)

    def _watch(self, name: ArmName) -> None:
        """One step seen from below, and what it says of the edits."""
        answer = self._ask(name, None, do="watch", arm=name)
        self.found[name] |= {key: answer[key] for key in ("readback", "counted_gb")}
        self._check_edits(name)

    def _review(self, name: ArmName) -> None:
        """What only shows after many steps: compiled code that was given up, say."""
        later = self._ask(name, None, do="review", arm=name)["readback"]
        self.found[name]["readback"] = [*self.found[name]["readback"], *later]
        self._check_edits(name)

    def _warm_up(self) -> None:
        """Steps in turn until every arm's times have settled."""
        settled: dict[ArmName, list[float]] = {name: [] for name in self.names}

        def step(name: ArmName) -> None:
            settled[name] += [row.seconds for row in self._steps(name, -1, 0, 1)]

        while not all(is_warm(settled[name]) for name in self.live):
            self._each(step)  # ends: an arm is warm after some steps, or gone
            self._tell(f"warming up, step {max(map(len, settled.values()))}")

    def _check_edits(self, name: ArmName) -> None:
        """Raise ArmFailed where an edited knob was not found as wanted."""
        if name != "patched":
            return
        rows = [ReadBack.model_validate(one) for one in self.found[name]["readback"]]
        for field in self.order.translation.edits:
            about = [row for row in rows if row.field == SHOWN_BY.get(field, field)]
            wrong = next((row for row in about if not row.effective), None)
            if wrong is not None:
                what = f"{field} wanted {wrong.wanted}, seen {wrong.seen} ({wrong.how})"
            elif not about and field not in SHOWN_LATER:
                what = f"{field} was found on none of the built objects"
            else:
                continue
            failure = ArmFailure(kind="not_effective", message=f"edit not effective: {what}")
            raise ArmFailed(name, failure)

    def _rounds(self) -> StopReason:
        share = 1.0 if len(self.names) > 1 else 0.5
        budget = min(share * self.order.stop.seconds, self._left())
        per_round = steps_per_round(self.order.steps, self._pair_seconds(), budget)
        total = max(1, self.order.steps // per_round)
        longest = 0.0
        for number in range(total):
            began = time.monotonic()
            self._round(number, per_round, total)
            longest = max(longest, time.monotonic() - began)
            alone = len(self.live) < len(self.names) and number + 1 >= self.order.stop.least_rounds
            if not self.live or alone:
                return "failed"
            if is_narrow(self.rows, self.live, self.order.stop, self._clock()):
                return "narrow_enough"
            used = time.monotonic() - self._warm > share * self.order.stop.seconds
            if used or self._left() < 2 * longest:
                return "rounds_done" if number + 1 == total else "budget_used"
        return "rounds_done"

    def _pair_seconds(self) -> float:
        """One step of every arm, by the last of the warm-up."""
        last = {row.arm: row.seconds for row in self.rows}
        return sum(last[name] for name in self.live if name in last)

    def _clock(self) -> Clock:
        """The time that the verdict will be made of."""
        timed = [row for row in self.rows if row.round >= 0]
        return clock_of(self.manifest, self.order.translation.arms, timed).clock

    def _round(self, number: int, count: int, total: int) -> None:
        """Some steps of every arm, back to back, in this round's order."""
        for place, name in enumerate(turn_of(self.live, number)):
            if name not in self.live:
                continue
            try:
                rows = self._steps(name, number, place, count)
            except ArmFailed as failed:
                self.failures[failed.arm] = failed.failure
            else:
                self._tell_round(rows, number + 1, total)

    def _steps(self, name: ArmName, round_: int, place: int, count: int) -> list[StepRow]:
        answer = self._ask(
            name, None, do="steps", arm=name, round_=round_, place=place, count=count
        )
        return [StepRow.model_validate(row) for row in answer["rows"]]

    def _profile(self, name: ArmName) -> None:
        self._tell(f"profiling one step of the {name} run")
        self.found[name]["parts"] = self._ask(name, None, do="profile", arm=name)["parts"]

    def _drop(self) -> None:
        for host in set(self._hosts.values()):
            try:
                host.ask(30.0, do="drop")
            except HostLost:
                self.hosts.forget(host)

    def _ask(self, name: ArmName, seconds: float | None, **command: Any) -> dict[str, Any]:
        """One command to an arm's host; its rows are kept even where it fails."""
        left = self._left()
        try:
            answer = self._hosts[name].ask(min(left, seconds) if seconds else left, **command)
        except HostLost as lost:
            gone = self._hosts[name]
            self.hosts.forget(gone)
            self.bereft |= {other for other in self.live if self._hosts[other] is gone} - {name}
            step = self._taken(name) if command["do"] in ("steps", "watch") else None
            raise ArmFailed(name, lost.failure.model_copy(update={"step": step})) from lost
        self.rows += [StepRow.model_validate(row) for row in answer.get("rows", ())]
        if "failed" in answer:
            raise ArmFailed(name, ArmFailure.model_validate(answer["failed"]))
        return answer

    def _left(self) -> float:
        """Seconds of the whole job, at least a moment."""
        return max(0.1, self.order.limit_s - (time.monotonic() - self._start))

    def _taken(self, name: ArmName) -> int:
        return sum(row.arm == name for row in self.rows)

    def _arm(self, name: ArmName) -> MeasuredArm:
        found = self.found[name]
        rows = tuple(row for row in self.rows if row.arm == name)
        return MeasuredArm(
            arm=name,
            rows=rows,
            parameters=found.get("parameters"),
            trained_parameters=found.get("trained_parameters"),
            flops_per_token=found.get("flops_per_token"),
            readback=tuple(map(ReadBack.model_validate, found.get("readback", ()))),
            peak=_highest(rows, found.get("counted_gb")),
            breakdown=tuple(map(Part.model_validate, found.get("parts", ()))),
            failure=self.failures.get(name),
        )

    @contextmanager
    def _phase(self, name: str) -> Any:
        start = time.monotonic()
        try:
            yield
        finally:
            self.phases.append(Phase(name=name, seconds=time.monotonic() - start))

    def _tell(self, text: str, done: int | None = None, total: int | None = None) -> None:
        self.emit({"event": "progress", "text": text, "done": done, "total": total})

    def _tell_round(self, rows: list[StepRow], done: int, total: int) -> None:
        seconds = sum(row.seconds for row in rows)
        tokens = sum(row.real_tokens for row in rows)
        last = rows[-1]
        self.emit(
            {
                "event": "progress",
                "text": f"{last.arm}: {seconds / len(rows):.3g} s per step, loss {last.loss:.4f}",
                "done": done,
                "total": total,
                "point": {
                    "arm": last.arm,
                    "index": last.index,
                    "seconds": seconds / len(rows),
                    "tokens_per_s": tokens / seconds,
                    "loss": last.loss,
                },
            }
        )


def _highest(rows: tuple[StepRow, ...], counted: float | None) -> Peak:
    """The highest of each kind over the timed steps."""
    timed = [row.peak for row in rows if row.round >= 0]

    def most(kind: str) -> float | None:
        values = [value for one in timed if (value := getattr(one, kind)) is not None]
        return max(values, default=None)

    highest = {kind: most(kind) for kind in ("allocated", "reserved", "device", "resident")}
    if counted is not None:
        highest["allocated"] = counted
    return Peak(**highest)


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None
