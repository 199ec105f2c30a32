"""Real runs on this machine: what is measured, what a failure looks like, what a cancel leaves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.records.base import Json
from audit.records.errors import RunFailed, UserError
from audit.records.measured import MeasuredArm, MeasuredRun
from audit.records.metrics import Bench
from audit.records.spec import Arm, Spec, Stop
from audit.records.terms import Terms
from audit.records.workload import DataLengths, Workload
from runner.local import LocalRunner
from runner.local_box import local_id
from runner.processes import alive, descendants
from runner.translation.translate import translate
from runner.worker.hosts import Hosts
from runner.worker.job import Job
from runner.worker.order import Order
from tests.runner.stated_workloads import make_workload

pytestmark = pytest.mark.skipif(local_id() != "cpu", reason="sized for a machine without a GPU")

PLAIN: dict[str, Json] = {
    "model_id": "HuggingFaceTB/SmolLM2-135M", "compute_dtype": "fp32", "model_load_dtype": None,
    "finetune_method": "full", "lora_r": None, "lora_target_modules": None, "max_seq_len": 64,
    "gradient_checkpointing": False, "pad_to_max_length": True, "learning_rate": 1e-3,
    "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4,
}  # fmt: skip
LENGTHS = DataLengths(p50=30, p95=60, max=64, origin="stated", source="test")
RAISED: dict[str, Json] = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}


def workload(**values: Json) -> Workload:
    return make_workload(lengths=LENGTHS, **{**PLAIN, **values})


def spec_of(before: Workload, after: Workload | None = None, **changes: Json) -> Spec:
    arms = [Arm(name="baseline", workload=before)]
    if after is not None:
        arms.append(Arm(name="patched", workload=after))
    given: dict[str, Json] = {"steps": 6, "stop": Stop(least_rounds=3), **changes}
    return Spec(arms=tuple(arms), hardware="cpu", **given)


def bench_of(runner: LocalRunner, spec: Spec) -> Bench:
    run_id = runner.submit(spec)
    for _ in runner.events(run_id):
        pass
    return runner.collect(run_id, "bench_1")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRunner]:
    made = LocalRunner(cache=tmp_path_factory.mktemp("measured"))
    yield made
    made.close()


def arms_of(bench: Bench) -> tuple[MeasuredArm, MeasuredArm]:
    assert bench.measured is not None
    first, second = bench.measured.arm("baseline"), bench.measured.arm("patched")
    assert first is not None
    assert second is not None
    return first, second


def test_one_worker_measures_the_baseline_then_both_arms(runner: LocalRunner) -> None:
    before = workload()
    alone = bench_of(runner, spec_of(before, profile=True))
    worker = runner._worker
    both = bench_of(runner, spec_of(before, before.with_values(RAISED)))
    assert runner._worker is worker, "the imports were paid twice"

    (only,) = alone.arms
    assert (only.provenance, only.runner, only.failure) == ("measured", "local", None)
    assert only.step_s is not None
    assert sum(part.value for part in only.breakdown) == pytest.approx(only.step_s.value)
    first, second = arms_of(both)
    assert [row.index for row in first.timed] == [row.index for row in second.timed]
    places = [(row.round, row.place) for row in first.timed]
    assert places == [(number, number % 2) for number in range(6)], "rounds are ABBA"
    for one, other in zip(first.rows, second.rows, strict=False):
        assert (one.real_tokens, one.samples) == (other.real_tokens, other.samples)
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)
    assert all(row.effective for arm in (first, second) for row in arm.readback)
    seen = {row.field: row.seen for row in second.readback}
    assert (seen["per_device_train_batch_size"], seen["gradient_accumulation_steps"]) == ("4", "1")
    metrics = both.arm("patched")
    assert metrics is not None
    assert metrics.tokens_per_s is not None
    tokens, seconds = (sum(getattr(row, name) for row in second.timed)
                       for name in ("real_tokens", "seconds"))  # fmt: skip
    assert metrics.tokens_per_s.value == pytest.approx(tokens / seconds), "of the timed steps alone"
    assert metrics.memory_kind == "allocated"


def test_the_same_measurement_is_kept_and_says_so(runner: LocalRunner) -> None:
    spec = spec_of(workload())
    first, again = bench_of(runner, spec), bench_of(runner, spec)
    assert first.measured is not None
    assert again.measured is not None
    assert again.measured.from_cache
    assert again.measured.arms == first.measured.arms
    other = bench_of(runner, spec.model_copy(update={"seed": 1}))
    assert other.measured is not None
    assert not other.measured.from_cache


def test_a_price_is_an_upper_bound_and_a_kept_result_is_free(
    runner: LocalRunner, tmp_path: Path
) -> None:
    paid = LocalRunner(cache=tmp_path, usd_per_gpu_hour=3.6)
    paid._box, paid._worker = runner.box(), runner._worker  # one worker for the whole module
    assert paid.capabilities().billable
    spec = spec_of(workload(), seed=11, terms=Terms(steps=6, timeout_s=120))
    quote = paid.quote(spec)
    assert (quote.seconds, quote.usd, quote.free) == (120, pytest.approx(0.12), False)
    assert "1 x $3.6 per GPU hour" in quote.note
    assert paid.quote(spec_of(workload())).usd == pytest.approx(0.6)  # 240 s, 300 s, 60 s
    run_id = paid.submit(spec)
    list(paid.events(run_id))
    paid.collect(run_id, "bench_1")
    assert 0 < (paid.billed(run_id) or 0) < 0.12
    again = paid.quote(spec)
    assert (again.usd, again.free, again.note) == (0, True, "from cache, costs nothing")
    assert not paid.quote(spec.model_copy(update={"terms": Terms(timeout_s=121)})).free
    kept = paid.submit(spec)
    list(paid.events(kept))
    assert paid.billed(kept) == 0
    unshown = workload().with_values({"save_steps": 5})
    assert paid.quote(spec_of(workload(), unshown)).free
    for terms in (Terms(flavor="a10g-large"), Terms(namespace="lab")):
        with pytest.raises(UserError, match="this one machine"):
            paid.quote(spec_of(workload(), terms=terms))


def test_every_kind_of_edit_is_found_on_the_running_objects(runner: LocalRunner) -> None:
    patch: dict[str, Json] = {
        "packing": True, "pad_to_max_length": False, "attn_implementation": "eager",
        "optimizer": "adafactor", "gradient_checkpointing": True, "compute_dtype": "bf16",
        "bf16": True, "finetune_method": "lora", "lora_r": 4, "dataloader_num_workers": 1,
        "env:NCCL_DEBUG": "WARN", "save_steps": 7,
    }  # fmt: skip
    bench = bench_of(runner, spec_of(workload(), workload().with_values(patch), steps=3))
    first, second = arms_of(bench)
    assert (first.failure, second.failure) == (None, None)
    assert bench.measured is not None
    assert [one.field for one in bench.measured.translation.unmeasured] == ["save_steps"]
    seen = {row.field: row.seen for row in second.readback if row.effective}
    assert seen["env:NCCL_DEBUG"] == "WARN"
    assert "Adafactor" in seen["optimizer"]
    assert (seen["lora_r"], seen["finetune_method"]) == ("4", "lora")
    assert {"packing", "attn_implementation", "compute_dtype", "gradient_checkpointing",
            "dataloader_num_workers"} <= set(seen)  # fmt: skip
    assert "env:NCCL_DEBUG" not in {row.field for row in first.readback}
    assert second.timed[0].padded_tokens < 1.35 * second.timed[0].real_tokens


def test_a_patch_that_cannot_be_shown_here_fails_with_the_reason(runner: LocalRunner) -> None:
    after = workload().with_values({"save_steps": 5})
    bench = bench_of(runner, spec_of(workload(), after))
    patched = bench.arm("patched")
    assert patched is not None
    assert patched.tokens_per_s is None
    assert patched.failure is not None
    assert "save_steps" in patched.failure


def test_another_card_is_refused(runner: LocalRunner) -> None:
    with pytest.raises(UserError, match="not on mi300x"):
        runner.quote(spec_of(workload()).model_copy(update={"hardware": "mi300x"}))


def test_a_cancel_leaves_no_process(runner: LocalRunner) -> None:
    run_id = runner.submit(spec_of(workload(), workload().with_values(RAISED), steps=5000, seed=7))
    for progress in runner.events(run_id):
        if progress.point is not None:
            break
    worker = runner._worker
    assert worker is not None
    family = [worker.pid, *descendants(worker.pid)]
    assert len(family) >= 2
    runner.cancel(run_id)
    assert not any(map(alive, family))
    assert runner.status(run_id) == "cancelled"
    with pytest.raises(RunFailed):
        runner.collect(run_id, "bench_1")
    runner.cancel(run_id)


def test_a_worker_that_is_gone_is_a_lost_run(runner: LocalRunner) -> None:
    run_id = runner.submit(spec_of(workload(), steps=5000, seed=8))
    for _ in runner.events(run_id):
        worker = runner._worker
        if worker is not None and descendants(worker.pid):  # its host is about to import torch
            os.kill(worker.pid, signal.SIGKILL)
            break
    end = time.monotonic() + 20
    while runner.status(run_id) == "running" and time.monotonic() < end:
        time.sleep(0.05)
    assert runner.status(run_id) == "lost"
    with pytest.raises(RunFailed, match="gone"):
        runner.collect(run_id, "bench_1")


def ran(runner: LocalRunner, spec: Spec, **changes: Json) -> MeasuredRun:
    """One order through the job itself."""
    box = runner.box()
    order = Order(translation=translate(spec, box.place, box.hardware), steps=spec.steps,
                  ranks=spec.gpus, stop=spec.stop)  # fmt: skip
    hosts = Hosts()
    try:
        return Job(order.model_copy(update=changes), hosts, lambda _: None).run()
    finally:
        hosts.close()


def test_out_of_memory_is_named_and_the_other_arm_keeps_its_figures(runner: LocalRunner) -> None:
    spec = spec_of(workload(), workload().with_values({"per_device_train_batch_size": 12_000}))
    found = ran(runner, spec, memory_gb=1.5)
    first, second = found.arm("baseline"), found.arm("patched")
    assert first is not None
    assert second is not None
    assert second.failure is not None
    assert (second.failure.kind, second.failure.step) == ("out_of_memory", 0)
    assert first.failure is None
    assert len(first.timed) >= 3
    assert found.stopped == "failed"


def test_an_arm_that_loses_its_process_to_the_other_bears_no_failure(runner: LocalRunner) -> None:
    box = runner.box()
    spec = spec_of(workload(), workload().with_values(RAISED), steps=50)
    order = Order(translation=translate(spec, box.place, box.hardware), steps=50)
    hosts = Hosts()
    family: list[int] = []

    def kill_in_the_third_round(event: dict[str, Json]) -> None:
        if event["done"] == 3 and not family:
            family.extend(descendants(os.getpid()))
            for host in hosts._kept.values():
                os.kill(host._process.pid, signal.SIGKILL)

    try:
        found = Job(order, hosts, kill_in_the_third_round).run()
    finally:
        hosts.close()
    failures = {arm.arm: arm.failure for arm in found.arms}
    named = [arm for arm, failure in failures.items() if failure is not None]
    assert len(named) == 1, "one arm was under way, the other only shared its process"
    (failed,) = named
    failure = failures[failed]
    assert failure is not None
    assert (failure.kind, "SIGKILL" in failure.message) == ("killed", True)
    assert all(len(arm.timed) >= 4 for arm in found.arms), "what was measured before stays"
    assert found.stopped == "failed"


@pytest.mark.long
def test_a_job_ends_its_rounds_before_its_limit_ends_it(runner: LocalRunner) -> None:
    box = runner.box()
    spec = spec_of(workload(), workload().with_values(RAISED), steps=6)
    translation = translate(spec, box.place, box.hardware)
    hosts = Hosts()
    try:
        Job(Order(translation=translation, steps=2), hosts, lambda _: None).run()  # imports
        never = Stop(seconds=600.0, half_width=0.0)
        order = Order(translation=translation, steps=5000, stop=never, limit_s=10.0)
        found = Job(order, hosts, lambda _: None).run()
    finally:
        hosts.close()
    assert found.stopped == "budget_used"
    assert [arm.failure for arm in found.arms] == [None, None]
    assert all(len(arm.timed) >= 4 for arm in found.arms)
    assert sum(phase.seconds for phase in found.phases) < 12


def test_loader_processes_run_are_read_back_and_leave_none(runner: LocalRunner) -> None:
    edits: dict[str, Json] = {"dataloader_num_workers": 2, "dataloader_prefetch_factor": 3,
                              "dataloader_pin_memory": True}  # fmt: skip
    bench = bench_of(runner, spec_of(workload(), workload().with_values(edits), steps=8))
    first, second = arms_of(bench)
    assert (first.failure, second.failure) == (None, None)
    assert bench.measured is not None
    assert set(bench.measured.translation.edits) == {
        "dataloader_num_workers", "dataloader_prefetch_factor",
    }  # fmt: skip
    seen = {(row.field, row.how): row.seen for row in second.readback if row.effective}
    assert seen["dataloader_num_workers", "loader processes that run"] == "2"
    assert seen["dataloader_prefetch_factor", "batches asked of the loader processes"] == "6"
    assert all(row.cpu_seconds is None for row in second.timed), "one process's time is not all"
    for one, other in zip(first.rows, second.rows, strict=False):
        assert one.loss == other.loss, "the samples came in the same order"
    worker = runner._worker
    assert worker is not None
    end = time.monotonic() + 10
    while len(descendants(worker.pid)) > 1 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(descendants(worker.pid)) == 1, "the loaders' processes outlived their job"


def test_two_ranks_average_or_shard_and_train_the_same(runner: LocalRunner) -> None:
    spec = spec_of(workload(), workload().with_values({"fsdp": "full_shard"}), gpus=2, steps=3)
    found = ran(runner, spec)
    first, second = found.arm("baseline"), found.arm("patched")
    assert first is not None
    assert second is not None
    assert found.manifest.ranks == 2
    assert (first.failure, second.failure) == (None, None)
    assert {row.seen for arm in (first, second) for row in arm.readback if row.field == "fsdp"} == {
        "ddp", "fsdp",
    }  # fmt: skip
    for one, other in zip(first.rows, second.rows, strict=False):
        assert one.samples == 8
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)


@pytest.mark.path
def test_an_audit_on_this_machine_ends_in_a_measured_verdict(tmp_path: Path) -> None:
    import json
    import subprocess
    import sys

    file = tmp_path / "train.yml"
    file.write_text(
        "base_model: HuggingFaceTB/SmolLM2-135M\ndatasets:\n  - {path: a/b, type: alpaca}\n"
        "sequence_len: 64\npad_to_sequence_len: true\nmicro_batch_size: 1\n"
        "gradient_accumulation_steps: 8\nlearning_rate: 2e-5\noptimizer: adamw_torch_fused\n"
        "bf16: false\nfp16: false\ntf32: false\nflash_attention: false\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "agent", "audit", str(file), "--runner", "local", "--steps", "12",
         "--lengths", "p50=30,p95=60,max=64", "--json"],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "GOBLIN_DATA_DIR": str(tmp_path / "data")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    report = events[-1]["data"]["report"]
    assert report["comparison"]["provenance"] == report["before"]["provenance"] == "measured"
    assert report["comparison"]["verdict"] in ("faster", "no_difference")
    assert report["hardware"]["id"] == "cpu"
    assert any("Translated workload" in notice["message"] for notice in report["notices"])
    points = [event for event in events if event["type"] == "progress" and event["data"]["point"]]
    assert len(points) >= 16
