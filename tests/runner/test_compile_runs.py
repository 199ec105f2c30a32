"""torch.compile on this machine for real: long, since its first step compiles C++."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from audit.records.base import Json
from runner.local import LocalRunner
from runner.local_box import local_id
from runner.processes import alive, descendants
from tests.agent.measured_audits import python_with
from tests.runner.test_local_runner import arms_of, bench_of, spec_of, workload

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(local_id() != "cpu", reason="sized for a machine without a GPU"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
]
COMPILED: dict[str, Json] = {"torch_compile": True}


def test_changing_shapes_compile_before_the_timed_rounds() -> None:
    runner = LocalRunner()
    plain = workload(pad_to_max_length=False, per_device_train_batch_size=2)
    try:
        bench = bench_of(runner, spec_of(plain, plain.with_values(COMPILED), steps=12))
    finally:
        runner.close()
    first, second = arms_of(bench)
    assert (first.failure, second.failure) == (None, None)
    slowest = max(row.seconds for row in second.timed)
    assert slowest < 20 * min(row.seconds for row in second.timed), "a timed step compiled"
    later = [row.seen for row in second.readback if row.field == "torch_compile"][-1]
    print(later)
    assert "forward passes" in later
    seen = {row.field for row in second.readback}
    assert {"per_device_train_batch_size", "gradient_accumulation_steps", "compute_dtype"} <= seen
    for one, other in zip(first.rows, second.rows, strict=False):
        assert one.real_tokens == other.real_tokens
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
    assert {arm.memory_kind for arm in bench.arms} == {None}, "unlike kinds are not compared"


def test_a_cancel_while_the_compiler_runs_leaves_no_process(tmp_path: Path) -> None:
    cold = python_with(tmp_path, f"TORCHINDUCTOR_CACHE_DIR={tmp_path}/compiled")
    runner = LocalRunner(python=cold)
    try:
        run_id = runner.submit(spec_of(workload(), workload().with_values(COMPILED)))
        family: set[int] = set()
        end = time.monotonic() + 300
        while time.monotonic() < end and not any(map(is_compiler, family)):
            worker = runner._worker
            family |= {worker.pid, *descendants(worker.pid)} if worker else set()
            time.sleep(0.05)
        assert any(map(is_compiler, family)), "no compiler was seen at work"
        runner.cancel(run_id)
        assert not any(map(alive, family))
        assert runner.status(run_id) == "cancelled"
    finally:
        runner.close()


def is_compiler(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(words[0].decode()).name in ("cc1plus", "g++", "c++")
