"""Which measurements are kept, under what, and what a cache must never cost."""

from __future__ import annotations

from pathlib import Path

from audit.records.measured import ArmFailure, Manifest, MeasuredRun
from runner.local_box import steady
from runner.result_cache import ResultCache, box_of
from runner.worker.host.machine import variables
from runner.worker.order import Order
from tests.runner.measured_runs import rows, run_of

BOX = Manifest(device="cpu", device_kind="cpu", variables={"OMP_NUM_THREADS": "1"})


def key_of(cache: ResultCache, run: MeasuredRun, box: Manifest = BOX, steps: int = 50) -> str:
    order = Order(translation=run.translation, steps=steps)
    return cache.key(order, "local", box_of(box))


def test_a_finished_run_is_kept_whole(tmp_path: Path) -> None:
    cache, run = ResultCache(tmp_path / "kept"), run_of(rows())
    key = key_of(cache, run)
    assert cache.find(key) is None
    cache.keep(key, run)
    kept = cache.find(key)
    assert kept is not None
    assert kept.from_cache
    assert kept.model_copy(update={"from_cache": False}) == run


def test_what_failed_or_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    failed = run_of(rows(), failure=ArmFailure(kind="killed"))
    short = run_of(rows(rounds=3)).model_copy(update={"stopped": "budget_used"})
    for run in (failed, short):
        cache.keep("key", run)
        assert cache.find("key") is None
    cache.keep("key", run_of(rows(rounds=4)).model_copy(update={"stopped": "budget_used"}))
    assert cache.find("key") is not None


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache, run = ResultCache(blocked / "kept"), run_of(rows())
    cache.keep("key", run)
    assert cache.find("key") is None


def test_a_torn_file_is_as_good_as_absent(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path)
    cache.keep("key", run_of(rows()))
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text()[:200])
    assert cache.find("key") is None


def test_the_key_covers_the_order_and_the_box(tmp_path: Path) -> None:
    cache, run = ResultCache(tmp_path), run_of(rows())
    other = {
        "steps": key_of(cache, run, steps=60),
        "driver": key_of(cache, run, BOX.model_copy(update={"driver": "570.1"})),
        "versions": key_of(cache, run, BOX.model_copy(update={"versions": {"torch": "2.13.0"}})),
        "variables": key_of(cache, run, BOX.model_copy(update={"variables": {}})),
    }
    assert len({key_of(cache, run), *other.values()}) == 1 + len(other)
    busy = BOX.model_copy(update={"load_before": 9.0, "load_after": 3.0})
    assert key_of(cache, run, busy) == key_of(cache, run), "a busy hour is no other box"


def test_variables_of_the_box_tell_no_path_and_no_secret() -> None:
    found = variables(
        {"OMP_NUM_THREADS": "2", "LD_PRELOAD": "/opt/somebody/libmalloc.so", "HOME": "/root",
         "HF_TOKEN": "secret", "CXX": "/usr/bin/g++"}
    )  # fmt: skip
    assert found["OMP_NUM_THREADS"] == "2"
    assert found["LD_PRELOAD"].startswith("sha256 ")
    assert set(found) == {"OMP_NUM_THREADS", "LD_PRELOAD", "CXX"}
    assert "/" not in "".join(found.values())


def test_two_probes_of_one_box_scale_a_model_alike() -> None:
    assert {steady(rate) for rate in (0.086, 0.0912, 0.095, 0.102)} == {steady(0.09)}
    assert steady(0.18) == 2 * steady(0.09)
    assert steady(0.0) == 0.0
