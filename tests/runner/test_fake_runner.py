"""FakeRunner: the protocol kept, projected always, deterministic, memory told as a result."""

from __future__ import annotations

import pytest

from audit.records.base import Json
from audit.records.errors import MissingFacts, SetupError, UnknownName
from audit.records.metrics import Bench
from audit.records.spec import Arm, Spec
from runner.fake import FakeRunner
from runner.protocol import Runner
from tests.runner.stated_workloads import make_workload


def spec(hardware: str = "mi300x", gpus: int = 1, **patched: Json) -> Spec:
    arms = (
        Arm(name="baseline", workload=make_workload()),
        Arm(name="patched", workload=make_workload(**patched)),
    )
    return Spec(arms=arms, hardware=hardware, gpus=gpus)


def run(asked: Spec, runner: Runner | None = None) -> Bench:
    runner = runner or FakeRunner()
    return runner.collect(runner.submit(asked), "bench_1")


def test_both_arms_are_projected() -> None:
    asked = spec(packing=True)
    bench = run(asked)
    assert (bench.id, bench.spec) == ("bench_1", asked.conditions)
    assert [arm.arm for arm in bench.arms] == ["baseline", "patched"]
    for arm, wanted in zip(bench.arms, asked.arms, strict=True):
        assert arm.workload == wanted.workload.fingerprint
        assert (arm.provenance, arm.runner, arm.memory_kind) == ("projected", "fake", "allocated")
        assert arm.samples is None
        assert arm.tokens_per_s is not None
        assert arm.step_s is not None
        assert sum(part.value for part in arm.breakdown) == pytest.approx(arm.step_s.value)


def test_same_spec_same_figures() -> None:
    assert run(spec(packing=True)) == run(spec(packing=True))


def test_protocol() -> None:
    runner = FakeRunner()
    assert runner.capabilities().provenance == "projected"
    assert runner.capabilities().hardware is None
    assert runner.quote(spec()).usd == 0
    run_id = runner.submit(spec())
    assert runner.status(run_id) == "succeeded"
    assert [line.done for line in runner.events(run_id)] == [1, 2]
    runner.cancel(run_id)
    assert runner.status(run_id) == "succeeded"
    with pytest.raises(SetupError):
        runner.collect("fake_99", "bench_1")


def test_an_arm_that_does_not_fit_is_a_result() -> None:
    bench = run(spec("rtx-4090", packing=True))
    for arm in bench.arms:
        assert arm.failure is not None
        assert arm.failure.startswith("projected out of memory: ")
        assert arm.failure.endswith(" GB of 24 GB")
        assert arm.tokens_per_s is None
        assert arm.peak_memory_gb is None
        assert arm.breakdown == ()


def test_one_arm_may_fit() -> None:
    bench = run(spec("rtx-4090", model_id="Qwen/Qwen2.5-0.5B"))
    before, after = bench.arms
    assert before.failure is not None
    assert after.failure is None
    assert after.tokens_per_s is not None


def test_unknown_card_is_refused_before_it_runs() -> None:
    runner = FakeRunner()
    with pytest.raises(UnknownName):
        runner.quote(spec("mi999"))
    with pytest.raises(UnknownName):
        runner.submit(spec("mi999"))


def test_missing_facts_reach_the_caller() -> None:
    with pytest.raises(MissingFacts):
        run(spec(model_id="acme/unheard-of-9b"))
