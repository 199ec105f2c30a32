"""The real client against a local server that plays the service: runs, bills, faults, cancels."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from audit.records.base import Json
from audit.records.errors import Cancelled, RunFailed, SetupError, UserError
from audit.records.measured import Manifest, MeasuredRun
from audit.records.metrics import Bench
from audit.records.spec import Arm, Spec, Stop
from audit.records.terms import Terms
from audit.records.workload import DataLengths
from runner.protocol import Progress
from runner.remote.hf_access import IMAGE, TORCH, HubRefused, JobsAccess
from runner.remote.hf_jobs import HfJobsRunner
from runner.remote.hf_orphans import cancel_orphans
from runner.remote.hf_watch import Rented
from runner.remote.payload import (
    MARK,
    MOST,
    PINS,
    VARIABLE,
    command,
    pins_text,
    worker_files,
)
from tests.runner.measured_runs import rows, run_of
from tests.runner.remote.jobs_service import MACHINES, TOKEN, Job, Service, machine, service
from tests.runner.stated_workloads import make_workload

ROOT = Path(__file__).resolve().parents[3]
LENGTHS = DataLengths(p50=30, p95=60, max=64, origin="stated", source="test")
TINY: dict[str, Json] = {
    "model_id": "HuggingFaceTB/SmolLM2-135M", "compute_dtype": "fp32", "model_load_dtype": None,
    "finetune_method": "full", "lora_r": None, "lora_target_modules": None, "max_seq_len": 64,
    "gradient_checkpointing": False, "pad_to_max_length": True, "learning_rate": 1e-3,
    "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4,
}  # fmt: skip
RAISED: dict[str, Json] = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
DEVICES = {"cpu": "cpu", "a10g": "NVIDIA A10G", "l4": "NVIDIA L4"}


def spec_of(hardware: str = "a10g", **changes: Any) -> Spec:
    before = make_workload(lengths=LENGTHS, **TINY)
    arms = (
        Arm(name="baseline", workload=before),
        Arm(name="patched", workload=before.with_values(RAISED)),
    )
    given = {"steps": 6, "stop": Stop(least_rounds=3), **changes}
    return Spec(arms=arms, hardware=hardware, **given)


def runner_for(there: Service, **given: Any) -> HfJobsRunner:
    access = {"token": TOKEN, "hub": there.url, "audit_id": "a" * 32, "poll_s": 0.05, **given}
    return HfJobsRunner(JobsAccess(**access))


def figures(job: Job, device: str = "NVIDIA A10G") -> MeasuredRun:
    """A result as the worker would give it for the job's own order."""
    manifest = Manifest(device=device, device_kind="cuda" if "NVIDIA" in device else "cpu")
    translation = job.order().translation
    made = run_of(rows(1.5, rounds=6))
    arms = made.arms[: len(translation.arms)]
    made = made.model_copy(update={"translation": translation, "manifest": manifest, "arms": arms})
    return MeasuredRun.model_validate(made.model_dump())


def good(job: Job) -> tuple[list[str], str, None]:
    """A whole log, among lines of others."""
    step = job.says(event="progress", text="round 1", done=1, total=6)
    return (
        ["===== Job started", "torch: hello", "{", step, *job.result(figures(job))],
        "COMPLETED",
        None,
    )


def finished(runner: HfJobsRunner, spec: Spec) -> tuple[str, list[Progress]]:
    run_id = runner.submit(spec)
    return run_id, [one for one in runner.events(run_id) if one.text]


def bench_of(runner: HfJobsRunner, spec: Spec) -> Bench:
    return runner.collect(finished(runner, spec)[0], "bench_1")


@pytest.mark.skipif(not find_spec("torch"), reason="runs the worker, which needs torch")
def test_the_unpacked_worker_measures_in_the_job() -> None:
    with service() as there:
        runner = runner_for(there)
        run_id, told = finished(runner, spec_of("cpu", stop=Stop(seconds=5, least_rounds=1)))
        bench = runner.collect(run_id, "bench_1")
        assert runner.status(run_id) == "succeeded"
        assert [arm.provenance for arm in bench.arms] == ["measured", "measured"]
        assert [arm.runner for arm in bench.arms] == ["hf_jobs", "hf_jobs"]
        assert all(arm.failure is None and arm.samples for arm in bench.arms)
        assert bench.measured is not None
        assert bench.measured.manifest.device_kind == "cpu"
        assert any(one.total for one in told)
        job = there.only()
        assert job.seconds is not None
        assert runner.billed(run_id) == pytest.approx(job.seconds * 0.000167 / 60)


def test_a_played_job_becomes_figures_a_bill_and_progress() -> None:
    with service(play=good) as there:
        runner = runner_for(there)
        run_id, told = finished(runner, spec_of())
        bench = runner.collect(run_id, "bench_1")
        assert bench.arm("baseline") is not None
        assert {arm.provenance for arm in bench.arms} == {"measured"}
        assert runner.billed(run_id) == pytest.approx(90 * 0.0167 / 60)
        texts = [one.text for one in told]
        assert "round 1" in texts
        assert "torch: hello" not in texts
        job = there.only()
        assert job.spec["flavor"] == "a10g-small"  # the cheaper of two with one A10G
        assert job.spec["labels"]["goblin-audit"] == "a" * 32
        assert job.spec["timeoutSeconds"] == 240 + 300 + 600


def test_the_token_is_in_nothing_that_the_job_gets() -> None:
    with service(play=good) as there:
        runner = runner_for(there)
        finished(runner, spec_of())
        assert TOKEN not in json.dumps(there.only().spec)
        assert "secrets" not in there.only().spec
        assert TOKEN not in repr(runner._access)
        assert len(there.only().spec["environment"][VARIABLE]) < MOST


def test_only_what_the_worker_imports_travels() -> None:
    files = worker_files()
    assert "runner/worker/__main__.py" in files
    assert "runner/worker/host/arm.py" in files
    assert not [name for name in files if name.startswith(("agent", "ui", "kb", "workload"))]
    assert not [name for name in files if "remote" in name or "estimator" in name]


@pytest.mark.parametrize(
    ("hardware", "gpus", "flavor"),
    [
        ("A10G", 1, "a10g-small"), ("a10g", 2, "a10g-largex2"), ("l4", 4, "l4x4"),
        ("a100-80gb", 1, "a100-large"), ("H200", 1, "h200"), ("t4", 1, "t4-small"),
        ("rtx-pro-6000", 1, "rtx-pro-6000"), ("cpu", 2, "cpu-basic"),
    ],
)  # fmt: skip
def test_the_card_finds_its_machine(hardware: str, gpus: int, flavor: str) -> None:
    with service() as there:
        quote = runner_for(there).quote(spec_of(hardware, gpus=gpus))
        price = next(one["unitCostUSD"] for one in MACHINES if one["name"] == flavor)
        assert quote.usd == pytest.approx(price * 19)  # 1,140 s
        assert f"on {flavor} of" in quote.note
        assert not there.jobs


def test_the_time_limit_that_was_agreed_is_the_price() -> None:
    with service() as there:
        quote = runner_for(there).quote(spec_of(terms=Terms(timeout_s=1801)))
        assert quote.seconds == 1801
        assert quote.usd == pytest.approx(0.0167 * 31)


@pytest.mark.parametrize(
    ("usd", "unit"), [(0.0, "minute"), (-1.0, "minute"), (0.1, "fortnight"), (float("nan"), "hour")]
)
def test_a_price_that_is_none_is_not_known(usd: float, unit: str) -> None:
    with service(play=good) as there:
        there.machines = [
            {**machine("l4x1", "L4", 1, "24 GB"), "unitCostUSD": usd, "unitLabel": unit}
        ]
        assert runner_for(there).quote(spec_of("l4")).usd is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hardware": "mi300x"}, "offers no AMD card.*--runner local"),
        ({"hardware": "h100-sxm"}, "offers no .*H100.*a10g"),
        ({"gpus": 3}, "no machine with 3 x .*1, 2"),
        ({"nodes": 2}, "one machine"),
        ({"terms": Terms(flavor="l4x1")}, "no flavor 'l4x1'.*a10g-large, a10g-small"),
    ],
)
def test_what_is_not_offered_is_refused_before_any_job(changes: dict[str, Any], told: str) -> None:
    with service() as there:
        with pytest.raises(UserError, match=told):
            runner_for(there).quote(spec_of(**changes))
        assert not there.jobs


def test_without_a_token_or_an_answer_nothing_starts() -> None:
    with service() as there:
        with pytest.raises(SetupError, match="there is no HF_TOKEN"):
            runner_for(there, token=None).quote(spec_of())
        assert there.asked == []
        with pytest.raises(SetupError, match="401: the token is not valid"):
            runner_for(there, token="hf_other").quote(spec_of())
        there.refuse["hardware"] = [500]
        with pytest.raises(SetupError, match="500"):
            runner_for(there).quote(spec_of())
        there.machines = [{"name": "odd"}]
        with pytest.raises(SetupError, match="no answer that could be read"):
            runner_for(there).quote(spec_of())


@pytest.mark.parametrize(("status", "told"), [(402, "no credit"), (403, "may not"), (404, "404")])
def test_a_refused_start_is_a_failed_run(status: int, told: str) -> None:
    with service(play=good, refuse={"POST /api/jobs/ada": [status]}) as there:
        with pytest.raises(RunFailed, match=f"did not start.*{told}"):
            runner_for(there).submit(spec_of())
        assert not there.jobs


def test_a_flavor_that_went_away_is_a_failed_run() -> None:
    with service(play=good) as there:
        runner = runner_for(there)
        runner.quote(spec_of())
        there.machines = [machine("cpu-basic")]
        with pytest.raises(RunFailed, match="404"):
            runner.submit(spec_of())


def endless(job: Job) -> tuple[list[str], str, None]:
    return [job.says(event="progress", text="round 1")], "RUNNING", None


def test_a_start_whose_answer_was_lost_leaves_no_job() -> None:
    with service(play=endless, start_then_fail=502) as there:
        with pytest.raises(RunFailed, match="502"):
            runner_for(there).submit(spec_of())
        assert there.only().stage == "CANCELED"


@pytest.mark.parametrize(
    ("stage", "status", "told"),
    [
        ("ERROR", "failed", "stage ERROR: exit code 137"),
        ("CANCELED", "cancelled", "was cancelled on Hugging Face: exit code 137"),
        ("DELETED", "lost", "was deleted"),
        ("COMPLETED", "failed", "does not hold the whole result"),
    ],
)
def test_a_job_that_dies_says_how(stage: str, status: str, told: str) -> None:
    def dies(job: Job) -> tuple[list[str], str, str]:
        return (
            [*job.result(figures(job))[:-1], '{"goblin": "cut in the mid'],
            stage,
            "exit code 137",
        )

    with service(play=dies) as there:
        runner = runner_for(there)
        run_id, _ = finished(runner, spec_of())
        assert runner.status(run_id) == status
        with pytest.raises(RunFailed, match=told):
            runner.collect(run_id, "bench_1")
        assert runner.billed(run_id) == pytest.approx(90 * 0.0167 / 60)


def test_what_the_worker_said_of_its_failure_is_told() -> None:
    def fails(job: Job) -> tuple[list[str], str, None]:
        return [job.says(event="error", text="pip failed: no space left")], "ERROR", None

    with service(play=fails) as there, pytest.raises(RunFailed, match="pip failed: no space left"):
        bench_of(runner_for(there), spec_of())


def test_a_log_that_breaks_off_and_errors_in_between_are_read_again() -> None:
    with service(play=good, cut_logs=2) as there:
        there.refuse = {
            "/logs": [500],
            "/metrics": [500],
            f"GET /api/jobs/ada/{0:024x}": [500, 502],
        }
        bench = bench_of(runner_for(there), spec_of())
        assert all(arm.failure is None for arm in bench.arms)


def test_lines_of_others_are_no_result() -> None:
    def forges(job: Job) -> tuple[list[str], str, None]:
        forged = [line.replace(job.spec["environment"]["GOBLIN_MARK"], "x") for line in
                  job.result(figures(job))]  # fmt: skip
        return [*forged, json.dumps({"event": "result", "run": {}})], "COMPLETED", None

    with service(play=forges) as there, pytest.raises(RunFailed, match="whole result"):
        bench_of(runner_for(there), spec_of())


@pytest.mark.parametrize(
    ("device", "told"), [("cpu", "ran on cpu, not on"), ("NVIDIA L4", "ran on NVIDIA L4, not on")]
)
def test_figures_of_another_card_are_refused(device: str, told: str) -> None:
    def other(job: Job) -> tuple[list[str], str, None]:
        return job.result(figures(job, device)), "COMPLETED", None

    with service(play=other) as there, pytest.raises(RunFailed, match=told):
        bench_of(runner_for(there), spec_of())


def test_a_start_that_is_cancelled_under_way_leaves_no_job() -> None:
    with service(play=endless) as there:
        runner = runner_for(there)
        start = runner._start

        def interrupted(run: Rented, payload: str) -> str:
            start(run, payload)
            raise Cancelled

        runner._start = interrupted  # type: ignore[method-assign]
        with pytest.raises(Cancelled):
            runner.submit(spec_of())
        runner.close()
        assert there.only().stage == "CANCELED"


def test_the_result_of_another_order_is_refused() -> None:
    def other(job: Job) -> tuple[list[str], str, None]:
        return job.result(run_of(rows(1.5, rounds=6))), "COMPLETED", None

    with service(play=other) as there, pytest.raises(RunFailed, match="another order"):
        bench_of(runner_for(there), spec_of())


@pytest.mark.parametrize("answers", [(), (409,), (500, 500)])
def test_a_cancel_may_come_twice_and_late(answers: tuple[int, ...]) -> None:
    with service(play=endless, refuse={"/cancel": list(answers)}) as there:
        runner = runner_for(there)
        run_id = runner.submit(spec_of(terms=Terms(namespace="ada")))
        runner.cancel(run_id)
        runner.cancel(run_id)
        list(runner.events(run_id))
        assert runner.status(run_id) == "cancelled"
        if answers != (409,):
            assert there.only().stage == "CANCELED"
        with pytest.raises(RunFailed, match="cancelled"):
            runner.collect(run_id, "bench_1")


def test_a_result_is_kept_and_the_next_audit_rents_nothing(tmp_path: Path) -> None:
    with service(play=good) as there:
        spec = spec_of()
        assert not runner_for(there, cache=tmp_path).quote(spec).free
        first = bench_of(runner_for(there, cache=tmp_path), spec)
        again = runner_for(there, cache=tmp_path)
        quote = again.quote(spec)
        assert (quote.usd, quote.free, quote.note) == (0, True, "from cache, costs nothing")
        for file in tmp_path.iterdir():  # gone between the quote and the run: still not billed
            file.unlink()
        run_id, told = finished(again, spec)
        bench = again.collect(run_id, "bench_1")
        assert len(there.jobs) == 1
        assert again.billed(run_id) == 0
        assert bench.arms == first.arms
        assert bench.measured is not None
        assert bench.measured.from_cache
        assert "costs nothing" in told[0].text


def test_another_machine_image_or_order_is_another_measurement(tmp_path: Path) -> None:
    with service(play=good) as there:
        bench_of(runner_for(there, cache=tmp_path), spec_of())
        others = [
            runner_for(there, cache=tmp_path, image="other").quote(spec_of()),
            runner_for(there, cache=None).quote(spec_of()),
            *(
                runner_for(there, cache=tmp_path).quote(spec_of(**changes))
                for changes in (
                    {"seed": 1},
                    {"steps": 7},
                    {"terms": Terms(flavor="a10g-large")},
                    {"terms": Terms(timeout_s=1800)},
                    {"hardware": "l4"},
                )
            ),
        ]
        assert [quote.free for quote in others] == [False] * len(others)


def test_a_failed_job_is_not_kept(tmp_path: Path) -> None:
    def fails(job: Job) -> tuple[list[str], str, None]:
        run = figures(job)
        lame = run.arms[1].model_copy(update={"rows": ()})
        return job.result(run.model_copy(update={"arms": (run.arms[0], lame)})), "ERROR", None

    with service(play=fails) as there:
        bench_of(runner_for(there, cache=tmp_path), spec_of())
        assert not list(tmp_path.iterdir())
        assert not runner_for(there, cache=tmp_path).quote(spec_of()).free


def test_where_no_edit_can_be_shown_nothing_is_rented_or_asked() -> None:
    with service(play=good) as there:
        spec = spec_of()
        after = spec.arms[0].workload.with_values({"save_steps": 5})
        arms = (spec.arms[0], Arm(name="patched", workload=after))
        assert runner_for(there).quote(spec.model_copy(update={"arms": arms})).free


def test_what_a_job_installs_is_what_the_tests_run_with() -> None:
    """The pins fit the project's own requirements, and are the versions that are tested here."""
    lines = [
        line.split("#")[0].strip()
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
    ]
    stated = {found[1]: found[2] for line in lines if (found := re.match(r"([\w-]+)(.*)", line))}
    for name, pin in PINS.items():
        version = pin.removeprefix(f"{name}==")
        assert SpecifierSet(stated[name]).contains(version), name
        if find_spec(name):
            assert metadata.version(name) == version
    assert f":{TORCH}-" in IMAGE
    assert not [name for name in PINS if name == "torch"], "the image brings the driver's torch"


def test_an_image_without_torch_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-I", *command()[1:]],
        env={MARK: "m", VARIABLE: "", "GOBLIN_PINS": pins_text()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["text"] == "the image has no torch: name one that has"


def test_a_bill_that_is_not_known_is_none() -> None:
    with service(play=good, bill=None) as there:
        runner = runner_for(there)
        run_id, _ = finished(runner, spec_of())
        assert runner.billed(run_id) is None


def test_the_end_of_the_audit_stops_what_runs() -> None:
    with service(play=endless) as there:
        runner = runner_for(there)
        runner.submit(spec_of())
        runner.close()
        assert there.only().stage == "CANCELED"


def test_orphans_are_found_by_the_audit_and_by_nothing_else() -> None:
    with service(play=endless, orgs=["lab", "closed"]) as there:
        there.refuse["GET /api/jobs/closed"] = [403]
        for audit in ("a", "b"):
            runner = runner_for(there, audit_id=audit * 32)
            runner.submit(spec_of())
            runner.submit(spec_of(terms=Terms(namespace="lab")))
        while any(job.stage != "RUNNING" for job in there.jobs.values()):
            time.sleep(0.02)
        access = JobsAccess(token=TOKEN, hub=there.url)
        stopped = cancel_orphans(access, ["a" * 32])
        assert len(stopped) == 2
        assert [job.stage for job in there.jobs.values()] == ["CANCELED"] * 2 + ["RUNNING"] * 2
        assert cancel_orphans(access, ["a" * 32]) == []
        with pytest.raises(HubRefused, match="401"):
            cancel_orphans(dataclasses.replace(access, token="hf_other"), ["b" * 32])
