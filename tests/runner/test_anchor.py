"""A stated step time: one factor for both arms, told as such, only for the run that it is of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.records.errors import MissingFacts
from audit.records.metrics import Metrics
from audit.records.spec import Anchor, Arm, Spec
from audit.records.upload import Upload
from audit.records.workload import FieldValue, Notice, Workload
from kb.catalog.hardware import find_hardware
from runner.compare import compare_arms
from runner.estimator.anchor import LARGEST, find_anchor
from runner.estimator.estimate import estimate_workload
from runner.estimator.profile import profile_workload
from runner.fake import FakeRunner
from tests.runner.stated_workloads import make_workload
from workload.read import read_workload

CARD = find_hardware("h100-sxm")
RECIPE = Path(__file__).resolve().parents[2] / "examples" / "axolotl-lora-tf32.yml"


def projected_s(workload: Workload) -> float:
    return estimate_workload(workload, CARD, 1, 1).step_s.value


def arms(anchor: Anchor | None, before: Workload, after: Workload) -> tuple[Spec, Metrics, Metrics]:
    runner = FakeRunner()
    both = (Arm(name="baseline", workload=before), Arm(name="patched", workload=after))
    spec = Spec(arms=both, hardware=CARD.id, anchor=anchor)
    bench = runner.collect(runner.submit(spec), "bench_2")
    first, second = bench.arm("baseline"), bench.arm("patched")
    assert first is not None
    assert second is not None
    return spec, first, second


def test_both_arms_are_scaled_alike() -> None:
    before, after = make_workload(), make_workload(gradient_checkpointing=False)
    _, plain_before, plain_after = arms(None, before, after)
    stated = 1.5 * projected_s(before)
    anchor = find_anchor(before, CARD, 1, 1, stated).anchor
    _, first, second = arms(anchor, before, after)
    assert first.anchored
    assert second.anchored
    assert first.step_s is not None
    assert second.step_s is not None
    assert plain_after.step_s is not None
    assert first.step_s.value == pytest.approx(stated)
    assert second.step_s.value == pytest.approx(1.5 * plain_after.step_s.value)
    assert sum(part.value for part in first.breakdown) == pytest.approx(stated)
    assert first.peak_memory_gb == plain_before.peak_memory_gb
    ids = {"before_id": "bench_1", "after_id": "bench_2"}
    one = compare_arms(plain_before, plain_after, **ids)
    two = compare_arms(first, second, **ids)
    assert one.speedup is not None
    assert two.speedup is not None
    assert two.speedup.value == pytest.approx(one.speedup.value)


def test_an_anchor_narrows_the_interval() -> None:
    before, after = make_workload(), make_workload(gradient_checkpointing=False)
    anchor = find_anchor(before, CARD, 1, 1, projected_s(before)).anchor
    _, first, second = arms(anchor, before, after)
    _, loose, _ = arms(None, before, after)
    assert first.step_s is not None
    assert second.step_s is not None
    assert loose.step_s is not None
    widths = (first.step_s, second.step_s, loose.step_s)
    width = [one.high / one.low for one in widths]
    assert width[0] < width[1]
    assert width[0] < width[2]


def test_anchored_and_unanchored_are_never_compared() -> None:
    workload = make_workload()
    anchor = find_anchor(workload, CARD, 1, 1, projected_s(workload)).anchor
    with_it, anchored, _ = arms(anchor, workload, workload)
    without, plain, _ = arms(None, workload, workload)
    compared = compare_arms(plain, anchored, before_id="bench_1", after_id="bench_2")
    assert compared.verdict == "not_comparable"
    assert "anchored" in compared.reason
    assert with_it.conditions != without.conditions


def test_profile_says_that_it_is_anchored() -> None:
    workload = make_workload(lengths=None)
    stated = 2 * projected_s(workload)
    anchor = find_anchor(workload, CARD, 1, 1, stated).anchor
    found = profile_workload(workload, CARD, 1, 1, anchor)
    plain = profile_workload(workload, CARD, 1, 1)
    assert (found.anchored, plain.anchored) == (True, False)
    assert found.step_s is not None
    assert found.step_s.value == pytest.approx(stated)
    assert found.fit == plain.fit
    assert any("no lengths stated" in text for text in plain.assumptions)


@pytest.mark.parametrize("stated", [0.0, -1.0, float("nan"), float("inf"), 1e-9, 1e9])
def test_an_impossible_time_is_refused(stated: float) -> None:
    with pytest.raises(MissingFacts) as caught:
        find_anchor(make_workload(), CARD, 1, 1, stated)
    assert caught.value.missing == ("step_time",)
    assert caught.value.remedy


def logged(step_s: float) -> Workload:
    """A workload with the step time of a log beside it."""
    workload = make_workload()
    log = FieldValue(value=step_s, origin="stated", file="trainer_state.json", line=3)
    return workload.model_copy(update={"fields": {**workload.fields, "step_s": log}})


def test_a_log_of_another_run_is_not_used() -> None:
    fits = 1.2 * projected_s(make_workload())
    used = find_anchor(logged(fits), CARD, 1, 1, None)
    assert used.anchor is not None
    assert used.told is not None
    assert used.told.startswith("anchored to")
    other = find_anchor(logged(2 * LARGEST * fits), CARD, 1, 1, None)
    assert other.anchor is None
    assert "not anchored to trainer_state.json" in str(other.told)
    ranks = FieldValue(value=8, origin="derived", source="the log")
    eight = logged(fits)
    eight = eight.model_copy(update={"fields": {**eight.fields, "num_processes": ranks}})
    assert "a run on 8 GPUs" in str(find_anchor(eight, CARD, 1, 1, None).told)
    assert find_anchor(eight, CARD, 8, 1, None).anchor is not None
    said = Notice(kind="conflict", message="another batch", file="trainer_state.json")
    conflict = logged(fits).model_copy(update={"notices": (said,)})
    assert "another run" in str(find_anchor(conflict, CARD, 1, 1, None).told)
    assert find_anchor(make_workload(), CARD, 1, 1, None) == (None, None)


def test_a_trainer_state_beside_the_file_anchors_it() -> None:
    recipe = Upload(RECIPE.name, RECIPE.read_bytes())
    seconds = 1.3 * projected_s(read_workload([recipe]))
    end = {"step": 100, "epoch": 1.0, "train_runtime": 100 * seconds, "train_loss": 1.0}
    end |= {"train_samples_per_second": 1.0, "train_steps_per_second": 1 / seconds}
    state = {"global_step": 100, "max_steps": 100, "log_history": [{"step": 1, "loss": 2.0}, end]}
    log = Upload("trainer_state.json", json.dumps(state).encode())
    workload = read_workload([recipe, log])
    found = find_anchor(workload, CARD, 1, 1, None)
    assert found.anchor is not None, found.told
    assert found.anchor.step_s == pytest.approx(seconds, rel=1e-4)
    assert found.anchor.source == "trainer_state.json"
