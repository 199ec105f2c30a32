"""How much of the best possible speedup one audit's patch finds, on misconfigured CPU workloads.

Each workload has a grid of at most 24 points over the knobs that the default patch may turn (micro
batch x accumulation, checkpointing, attention, padding; no precision, no thread count). All points
run in turn in one process, step by step; the fastest by CPU time is the winner. Winner and patch
are then built afresh and measured again, interleaved with the file as written: only those count.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from agent.patching.plan import with_edits
from agent.request import AuditRequest
from agent.services import make_services
from agent.stages import STAGE
from agent.state import AuditState
from audit.records.finding import FieldEdit
from audit.records.measured import StepRow
from audit.records.spec import Arm, Spec
from audit.records.translated import Translation
from audit.records.upload import Upload
from audit.records.workload import DataLengths, Workload
from benchmarks.manifest import frozen_at, manifest_of
from benchmarks.oracle_cases import CASES, Case
from benchmarks.oracle_held_out import HELD_OUT
from kb.catalog.hardware import Hardware
from runner.box.system import read_system
from runner.estimator.largest import MARGIN
from runner.estimator.profile import profile_workload
from runner.local_box import calibrated, place_of
from runner.statistics import Estimate, bootstrap
from runner.translation.place import Place
from runner.translation.translate import translate
from runner.worker.host.arm import ArmRun, build_arm, set_matmul
from runner.worker.host.device import Device
from runner.worker.host.machine import describe, probe
from runner.worker.host.ranks import Ranks
from workload.read import read_workload

RESULTS = Path(__file__).resolve().parent / "results"
WARM, GRID_STEPS, FINAL_STEPS = 2, 6, 24
WORTH = 1.3
"""Workloads whose best is at least this count."""
KEEP = frozenset(
    {"bf16", "fp16", "tf32", "compute_dtype", "model_load_dtype", "dataloader_num_workers"}
)
"""Precision is not searched; loader processes would take CPU time that no arm is billed for."""
Point = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Box:
    """This machine, as the worker's own host sees it."""

    device: Device
    ranks: Ranks
    place: Place
    card: Hardware
    manifest: dict[str, Any]


def this_box() -> Box:
    """Probe it once."""
    device = Device()
    ranks = Ranks(device)
    rates = probe(device)
    described = describe(device, 1, 0)
    card = calibrated(rates, read_system().memory_gb)
    return Box(device, ranks, place_of(described, rates), card, manifest_of(described))


def main() -> None:
    """Every workload: grid, patch, final rounds; a table, the results file, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="the number of one workload, from 0")
    parser.add_argument("--plan", action="store_true", help="show grids and patches, run nothing")
    parser.add_argument("--held-out", action="store_true", help="the workloads that shaped no rule")
    parser.add_argument(
        "--fitting",
        action="store_true",
        help="only points at which the file's own model is projected to fit this box",
    )
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    box = this_box()
    every = HELD_OUT if asked.held_out else CASES
    cases = [every[asked.only]] if asked.only is not None else every
    rows = []
    print(f"{'workload':36} points  best   patch  share  greedy (2 calls, whole pass)", flush=True)
    for case in cases:
        if asked.plan:
            print(case.name, audited(case, box)[1], len(list(points(case))), flush=True)
            continue
        solved = solve(case, box, fitting=asked.fitting)
        if solved is None:
            print(f"{case.name:36}    -  as written it is not projected to fit", flush=True)
            continue
        rows.append(solved)
        print(line(solved), flush=True)
    if asked.plan:
        return
    summary = summed(rows)
    if asked.only is None:
        name = "oracle_held_out" if asked.held_out else "oracle"
        name += "_fitting" if asked.fitting else ""
        keep(name, rows, summary, box)
    print(json.dumps(summary))


def keep(name: str, rows: Sequence[dict[str, Any]], summary: dict[str, Any], box: Box) -> None:
    """Write the results file, with what it was made on."""
    manifest: dict[str, Any] = {**box.manifest, "held_out": "held_out" in name}
    if manifest["held_out"]:
        manifest["workloads_frozen_at"] = frozen_at("benchmarks/oracle_held_out.py")
    whole = {"manifest": manifest, "summary": summary, "workloads": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def points(case: Case) -> Iterator[Point]:
    """The whole grid."""
    for values in product(*case.knobs.values()):
        yield dict(zip(case.knobs, values, strict=True))


def edited(workload: Workload, point: Point) -> Workload:
    """The workload at one point of its grid."""
    plain = {name: value for name, value in point.items() if name != "split"}
    if "split" in point:
        plain["per_device_train_batch_size"] = point["split"][0]
        plain["gradient_accumulation_steps"] = point["split"][1]
    return with_edits(workload, [FieldEdit(field=name, value=one) for name, one in plain.items()])


def audited(case: Case, box: Box) -> tuple[Workload, dict[str, Any], Workload]:
    """The file as written, the edits of one audit's default patch, and the patched file."""
    p50, p95, most = case.lengths
    lengths = DataLengths(p50=p50, p95=p95, max=most, origin="stated", source="benchmark")
    request = AuditRequest(
        uploads=(Upload(name=case.file, data=case.text.encode()),),
        hardware="cpu",
        lengths=lengths,
        keep=KEEP,
    )
    services = replace(make_services(request, _forget, lambda: False), hardware=box.card)
    state = AuditState()
    for name in ("parse", "profile", "query", "patch"):
        state = STAGE[name](state, services)
    workload = read_workload(request.uploads, lengths=lengths)
    edits = {edit.field: edit.after for edit in state.patch.edits if edit.applied}
    return workload, edits, state.patched or workload


def _forget(_: object) -> None:
    """There is no log."""


def scaled(before: Workload, after: Workload, box: Box) -> Translation:
    """Both on the model scaled for `before`."""
    arms = (Arm(name="baseline", workload=before), Arm(name="patched", workload=after))
    return translate(Spec(arms=arms, hardware="cpu"), box.place, box.card)


def built(before: Workload, after: Workload, box: Box, seed: int) -> ArmRun:
    """One arm that runs `after` on the model scaled for `before`."""
    translation = scaled(before, after, box)
    return build_arm(translation, translation.arms[1], box.device, box.ranks, seed)


def in_turn(arms: Sequence[ArmRun], steps: int) -> list[list[StepRow]]:
    """`steps` steps of every arm, one each in turn, there and back; rows by arm."""
    rows: list[list[StepRow]] = [[] for _ in arms]
    for number in range(-WARM, steps):
        order = range(len(arms)) if number % 2 == 0 else reversed(range(len(arms)))
        for place, which in enumerate(order):
            torch.manual_seed(number + WARM)
            set_matmul(arms[which].recipe)
            row = arms[which].step(number, min(place, 1), 0)
            if number >= 0:
                rows[which].append(row)
    return rows


def speed(rows: Sequence[StepRow]) -> float:
    """Log of real tokens per second of CPU time, the middle step."""
    return median(math.log(row.real_tokens / (row.cpu_seconds or math.nan)) for row in rows)


def fits(workload: Workload, box: Box) -> bool:
    """Whether the model of the file itself is projected to fit, with the estimator's own margin."""
    fit = profile_workload(workload, box.card, 1, 1).fit["as_written"]
    return fit.share is not None and fit.share <= MARGIN


def solve(case: Case, box: Box, *, fitting: bool = False) -> dict[str, Any] | None:
    """One workload from its grid to the final rounds; None where it does not fit as written."""
    workload, edits, patched = audited(case, box)
    grid = list(points(case))
    if fitting:
        grid = [point for point in grid if fits(edited(workload, point), box)]
        if not fits(workload, box):
            return None
    arms = [built(workload, edited(workload, point), box, seed=1) for point in grid]
    speeds = [speed(rows) for rows in in_turn(arms, GRID_STEPS)]
    shape = scaled(workload, workload, box).shape
    for arm in arms:
        arm.close()
    here = written(workload, grid)
    gains = [one - speeds[here] for one in speeds]
    winner = max(range(len(grid)), key=lambda number: gains[number])
    final = [built(workload, one, box, seed=2)
             for one in (workload, edited(workload, grid[winner]), patched)]  # fmt: skip
    rows = in_turn(final, FINAL_STEPS)
    for arm in final:
        arm.close()
    best, patch = gain(rows[0], rows[1]), gain(rows[0], rows[2])
    top = max(best.value, patch.value)
    return {
        "name": case.name,
        "points": len(grid),
        "shape": f"hidden {shape.hidden}, {shape.layers} layers, vocabulary {shape.vocab}",
        "best_point": {name: str(value) for name, value in grid[winner].items()},
        "edits": edits,
        "best": ratio(best),
        "patch": ratio(patch),
        "share": round(patch.value / top, 3) if top > 0 else None,
        "greedy": greedy(grid, gains, here),
        "grid": [round(math.exp(one), 3) for one in gains],
    }


def written(workload: Workload, grid: Sequence[Point]) -> int:
    """Which point is the file as written."""
    for number, point in enumerate(grid):
        split = point.get("split")
        same = split is None or split == (
            workload.value("per_device_train_batch_size"),
            workload.value("gradient_accumulation_steps"),
        )
        if same and all(
            bool(workload.value(name)) == value if isinstance(value, bool)
            else workload.value(name) == value
            for name, value in point.items() if name != "split"
        ):  # fmt: skip
            return number
    message = "the file as written is no point of its own grid"
    raise SystemExit(message)


def gain(before: Sequence[StepRow], after: Sequence[StepRow]) -> Estimate:
    """Paired log ratio of real tokens per second of CPU time, step by step, in blocks of two."""

    def log(row: StepRow) -> float:
        return math.log(row.real_tokens / (row.cpu_seconds or math.nan))

    pairs = [log(other) - log(one) for one, other in zip(before, after, strict=True)]
    return bootstrap([fmean(pairs[at : at + 2]) for at in range(0, len(pairs) - 1, 2)])


def ratio(found: Estimate) -> dict[str, float]:
    """As a speedup with its 95% interval."""
    return {name: round(math.exp(getattr(found, name)), 3) for name in ("low", "value", "high")}


def greedy(grid: Sequence[Point], gains: Sequence[float], here: int) -> dict[str, float]:
    """One knob at a time, from the file as written, kept where the grid says faster.

    `equal_calls`: as many measurements as the audit makes, two: the file and one change, the mean
    over every change that could be tried first, kept only where faster. `pass`: every knob in turn,
    every value, `calls` measurements in all.
    """

    def moves(at: int, knob: str) -> list[int]:
        rest = {name: value for name, value in grid[at].items() if name != knob}
        return [
            number for number, point in enumerate(grid)
            if number != at and all(point[name] == value for name, value in rest.items())
        ]  # fmt: skip

    first = [one for knob in grid[here] for one in moves(here, knob)]
    at, calls = here, 1
    for knob in grid[here]:
        tried = moves(at, knob)
        calls += len(tried)
        at = max([at, *tried], key=lambda number: gains[number])
    return {
        "equal_calls": round(math.exp(fmean(max(0.0, gains[one]) for one in first)), 3),
        "pass": round(math.exp(gains[at]), 3),
        "calls": calls,
    }


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    return (
        f"{row['name']:36} {row['points']:4d}  {row['best']['value']:5.2f}  "
        f"{row['patch']['value']:5.2f}  {row['share'] if row['share'] is not None else '-':>5}  "
        f"{row['greedy']['equal_calls']:.2f}, {row['greedy']['pass']:.2f} in "
        f"{row['greedy']['calls']} calls  {row['edits']}"
    )


def summed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the issue asks: median and least share, and greedy at equal calls."""
    counted = [row for row in rows if row["best"]["value"] >= WORTH]
    shares = [row["share"] for row in counted if row["share"] is not None]
    theirs = [
        math.log(row["greedy"]["equal_calls"])
        / math.log(max(row["best"]["value"], row["patch"]["value"]))
        for row in counted
    ]
    return {
        "workloads": len(rows),
        "counted": len(counted),
        "median_share": round(median(shares), 3) if shares else None,
        "least_share": round(min(shares), 3) if shares else None,
        "greedy_equal_calls_median_share": round(median(theirs), 3) if theirs else None,
        "met": bool(shares)
        and len(counted) >= 6
        and median(shares) >= 0.8
        and min(shares) >= 0.5
        and median(shares) >= median(theirs),
    }


if __name__ == "__main__":
    main()
