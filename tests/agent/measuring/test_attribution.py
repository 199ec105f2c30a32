"""Which edit is to blame and which earned what, through the real stages on a scripted runner."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.measuring.guilty import find_guilty
from agent.patching.edit_groups import EditGroup, edit_groups
from agent.report import Made, build_report
from agent.services import Services, make_services
from agent.stages import STAGE
from agent.state import AFTER, AuditState
from audit.records.base import Record
from audit.records.events import STAGES, LogData
from audit.records.workload import Workload
from tests.agent.scripted_runner import ScriptedRunner, Speed
from tests.agent.training_files import AXOLOTL, request_for

TEXT = AXOLOTL.replace("adamw_torch_fused", "adamw_torch")
MICRO, RECOMPUTED = "per_device_train_batch_size", "gradient_checkpointing"


def audited(speed: Speed, **runner: bool) -> tuple[AuditState, ScriptedRunner, list[str]]:
    """An audit of the file on mi300x whose runs are scripted."""
    said: list[str] = []

    def record(event: Record) -> None:
        if isinstance(event, LogData):
            said.append(event.text)

    scripted = ScriptedRunner(speed, **runner)
    request = request_for(TEXT, hardware="mi300x")
    services = replace(make_services(request, record, lambda: False), runner=scripted)
    return run_stages(services), scripted, said


def run_stages(services: Services) -> AuditState:
    state = AuditState()
    for name in STAGES:
        state = STAGE[name](state, services)
        if name == "benchmark" and state.bench(AFTER) is None and state.edited:
            state = STAGE[name](state, services)
    return state


def applied(state: AuditState) -> set[str]:
    assert state.patch is not None
    return {edit.field for edit in state.patch.edits if edit.applied}


def cost(workload: Workload, **factors: float) -> float:
    """Tokens per second: each factor counts where its field is no longer as written."""
    speed = 1000.0
    written = {MICRO: 1, RECOMPUTED: True}
    for name, factor in factors.items():
        speed *= factor if workload.value(name) != written.get(name) else 1.0
    return speed


def test_the_file_has_several_groups() -> None:
    state, _, _ = audited(lambda _: 1000.0)
    assert state.patch is not None
    groups = edit_groups(state.patch)
    assert len(groups) >= 2
    together = next(group for group in groups if MICRO in group.fields)
    assert "gradient_accumulation_steps" in together.fields
    assert state.attribution is None  # no difference: there is nothing to explain


def test_an_edit_that_crashes_is_dropped_and_the_rest_measured_again() -> None:
    def speed(workload: Workload) -> float | str:
        if workload.value(RECOMPUTED) is False:
            return "out of memory at step 3"
        return cost(workload, **{MICRO: 1.5})

    state, runner, said = audited(speed)
    found = state.attribution
    assert found is not None
    assert [one.fields for one in found.dropped] == [(RECOMPUTED,)]
    assert found.dropped[0].verdict == "failed"
    assert "out of memory at step 3" in found.dropped[0].reason
    assert RECOMPUTED not in applied(state)
    assert MICRO in applied(state)
    assert state.patch is not None
    assert "gradient_checkpointing" not in state.patch.diff.replace(" gradient_checkpointing", "")
    assert state.patched is not None
    assert state.patched.value(RECOMPUTED) is True
    assert runner.specs[-1].arms[1].workload == state.patched
    assert state.comparison is not None
    assert state.comparison.verdict == "faster"
    dropped = next(edit for edit in state.patch.edits if edit.field == RECOMPUTED)
    assert not dropped.applied
    assert dropped.reason is not None
    assert "out of memory" in dropped.reason
    assert any("Dropped after measuring" in text for text in said)


def test_a_slow_edit_is_dropped_too() -> None:
    state, _, _ = audited(lambda one: cost(one, **{MICRO: 0.5, RECOMPUTED: 1.2}))
    assert state.attribution is not None
    assert [one.verdict for one in state.attribution.dropped] == ["slower"]
    assert MICRO not in applied(state)
    assert "gradient_accumulation_steps" not in applied(state)
    assert RECOMPUTED in applied(state)
    assert state.comparison is not None
    assert state.comparison.verdict == "faster"


def test_nothing_is_left_where_everything_does_harm() -> None:
    state, _, _ = audited(lambda one: 1000.0 if one.value(MICRO) == 1
                          and one.value(RECOMPUTED) is True
                          and one.value("optimizer") == "adamw_torch" else 500.0)  # fmt: skip
    assert not applied(state)
    assert state.comparison is not None
    assert state.comparison.verdict == "no_difference"
    assert "Dropped after measuring" in state.comparison.reason
    assert "No edit is left" in state.comparison.reason
    bench = state.bench(AFTER)
    assert bench is not None
    assert bench.arm("patched") is None


def test_a_faster_patch_tells_what_each_edit_earns() -> None:
    state, _, _ = audited(lambda one: cost(one, **{MICRO: 1.5, RECOMPUTED: 1.2}))
    found = state.attribution
    assert found is not None
    assert not found.dropped
    factors = {one.fields[0]: one.factor.value for one in found.shares}
    assert factors[RECOMPUTED] == pytest.approx(1.2)
    by_micro = next(one for one in found.shares if MICRO in one.fields)
    assert by_micro.factor.value == pytest.approx(1.5)
    assert by_micro.share == pytest.approx(math.log(1.5) / math.log(1.8))
    assert sum(one.share for one in found.shares) == pytest.approx(1.0)
    assert by_micro.factor.low < 1.5 < by_micro.factor.high


def test_an_edit_that_slows_a_faster_patch_down_is_dropped() -> None:
    state, runner, said = audited(lambda one: cost(one, **{MICRO: 0.8, RECOMPUTED: 2.0}))
    found = state.attribution
    assert found is not None
    assert [(MICRO in one.fields, one.verdict) for one in found.dropped] == [(True, "slower")]
    assert "on top of the edits before it" in found.told
    assert "0.80x" in found.told
    assert RECOMPUTED in applied(state)
    assert MICRO not in applied(state)
    assert runner.specs[-1].arms[1].workload == state.patched
    assert state.comparison is not None
    assert state.comparison.speedup is not None
    assert state.comparison.speedup.value == pytest.approx(2.0)
    assert any("is slower" in text for text in said)


def test_a_run_that_says_nothing_of_the_edits_blames_none() -> None:
    """The box fails whatever is asked of it after the second run."""
    runs: list[Workload] = []

    def speed(workload: Workload) -> float | str:
        runs.append(workload)
        if len(runs) > 3:
            return "the worker is gone"
        return cost(workload, **{MICRO: 0.5})

    state, _, _ = audited(speed)
    assert state.attribution is not None
    assert not state.attribution.dropped
    assert "a staged run says nothing of it" in state.attribution.told
    assert "the worker is gone" in state.attribution.told
    assert MICRO in applied(state)


def test_nobody_pays_for_staged_runs() -> None:
    state, runner, _ = audited(
        lambda one: cost(one, **{MICRO: 1.5, RECOMPUTED: 1.2}), billable=True
    )
    assert state.attribution is None
    assert len(runner.specs) <= 2


def test_the_budget_ends_the_search_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.measuring.attribution.BLAME_SECONDS", -1.0)
    state, runner, _ = audited(lambda one: cost(one, **{MICRO: 0.5}))
    assert state.attribution is not None
    assert not state.attribution.dropped
    assert "not found within" in state.attribution.told
    assert state.comparison is not None
    assert state.comparison.verdict == "slower"
    assert MICRO in applied(state)
    assert len(runner.specs) == 2


def test_the_report_holds_it() -> None:
    request = request_for(TEXT, hardware="mi300x")
    scripted = ScriptedRunner(lambda one: cost(one, **{MICRO: 1.5, RECOMPUTED: 1.2}))
    services = replace(make_services(request, lambda _: None, lambda: False), runner=scripted)
    state = run_stages(services)
    made = build_report(state, services, Made(tier=0, completed_by="rules", seconds=1.0))
    assert made.attribution == state.attribution
    assert made.attribution is not None
    assert any(notice.message == made.attribution.told for notice in made.notices)
    assert json.loads(made.model_dump_json())["attribution"]["shares"]


@given(some.integers(1, 40), some.data())
def test_bisection_finds_the_one_in_few_runs(count: int, data: some.DataObject) -> None:
    guilty = data.draw(some.integers(0, count - 1))
    groups = [EditGroup((f"rule_{number}",), ()) for number in range(count)]
    runs = []

    def is_bad(first: object) -> bool:
        assert isinstance(first, list)
        runs.append(len(first))
        return groups[guilty] in first

    assert find_guilty(groups, is_bad) == groups[guilty]
    assert len(runs) <= math.ceil(math.log2(count)) if count > 1 else not runs


def test_bisection_gives_up_without_budget() -> None:
    groups = [EditGroup((f"rule_{number}",), ()) for number in range(4)]
    assert find_guilty(groups, lambda _: None) is None
    assert find_guilty([], lambda _: True) is None
