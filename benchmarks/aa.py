"""Whether two equal runs are called different, and a real difference is found: on recorded steps.

`results/aa_rows.json` holds the steps of real A/A runs, both arms the same workload, made with
`--record N` by the worker. From them come: the verdicts of those runs themselves; 2,000 comparisons
resampled in blocks of four neighbouring rounds, cut where the stop rule would have stopped; and the
same with a true 1.5x put in. By both clocks: CPU time is what decides on a CPU.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from audit.records.comparison import Clock
from audit.records.measured import StepRow
from audit.records.spec import Spec, Stop
from runner.compare import FASTER, SLOWER
from runner.statistics import estimate
from runner.worker.schedule import is_narrow

RESULTS = Path(__file__).resolve().parent / "results"
ROWS = RESULTS / "aa_rows.json"
COMPARISONS, ROUNDS, BLOCK = 2000, 25, 4
TRUE = 1.5
WANTED_ALARMS, WANTED_POWER, WANTED_REAL = 0.05, 0.8, 2
CLOCKS: tuple[Clock, ...] = ("cpu", "wall")
WORKLOAD = """\
base_model: meta-llama/Llama-3.2-1B
sequence_len: 512
micro_batch_size: 4
gradient_accumulation_steps: 2
bf16: false
fp16: false
tf32: false
sdp_attention: true
sample_packing: false
optimizer: adamw_torch
learning_rate: 1.0e-5
dataloader_num_workers: 0
datasets:
  - path: tatsu-lab/alpaca
    type: alpaca
output_dir: out
"""
Rows = list[StepRow]


def main() -> None:
    """Record, or resample what was recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=int, metavar="N", help="make N real A/A runs first")
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    asked = parser.parse_args()
    if asked.record:
        record(asked.record)
    kept = json.loads(ROWS.read_text(encoding="utf-8"))
    runs = [read_rows(one["rows"]) for one in kept["runs"]]
    found: dict[str, Any] = {"real_runs": len(runs), "comparisons": asked.comparisons}
    print(f"{'clock':6} real alarms  resampled alarms  1.5x found  1 in the interval  rounds")
    for clock in CLOCKS:
        found[clock] = tell(clock, runs, asked.comparisons)
    cpu = found["cpu"]
    found["met"] = (
        cpu["alarms"] <= WANTED_ALARMS
        and cpu["power"] >= WANTED_POWER
        and cpu["real_alarms"] <= WANTED_REAL
        and len(runs) >= 20
    )
    whole = {"manifest": kept["manifest"], "summary": found}
    (RESULTS / "aa.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


def tell(clock: Clock, runs: list[Rows], comparisons: int) -> dict[str, Any]:
    """One row of the table."""
    real = sum(verdict(rows, clock) != "no_difference" for rows in runs)
    drawn = random.Random(8)
    counts = {"faster": 0, "slower": 0, "no_difference": 0}
    covered = finds = rounds = 0
    for _ in range(comparisons):
        rows = resampled(runs, drawn)
        cut = stopped(rows, clock)
        rounds += len({row.round for row in cut})
        counts[verdict(cut, clock)] += 1
        span = estimate(cut, clock)
        covered += span is not None and span.low <= 0 <= span.high
        finds += verdict(stopped(sped_up(rows), clock), clock) == "faster"
    alarms = (counts["faster"] + counts["slower"]) / comparisons
    found = {
        "real_alarms": real,
        "alarms": round(alarms, 4),
        "called": counts,
        "power": round(finds / comparisons, 4),
        "coverage": round(covered / comparisons, 4),
        "mean_rounds": round(rounds / comparisons, 1),
    }
    print(
        f"{clock:6} {real:5d} of {len(runs)}  {alarms:16.2%}  {found['power']:10.1%}  "
        f"{found['coverage']:17.1%}  {found['mean_rounds']:6.1f}",
        flush=True,
    )
    return found


def resampled(runs: list[Rows], drawn: random.Random) -> Rows:
    """Blocks of neighbouring rounds of any run, each beginning with an AB round, renumbered."""
    rows: Rows = []
    for start in range(0, ROUNDS + BLOCK, BLOCK):
        source = drawn.choice(runs)
        last = max(row.round for row in source)
        first = 2 * drawn.randrange((last - BLOCK + 1) // 2 + 1)
        rows += [
            row.model_copy(update={"round": row.round - first + start})
            for row in source
            if first <= row.round < first + BLOCK
        ]
    return [row for row in rows if row.round < ROUNDS]


def stopped(rows: Rows, clock: Clock) -> Rows:
    """What a job would have measured: up to the round after which the interval is narrow enough."""
    stop = Stop()
    for done in range(stop.least_rounds, ROUNDS):
        so_far = [row for row in rows if row.round < done]
        if is_narrow(so_far, ("baseline", "patched"), stop, clock):
            return so_far
    return rows


def sped_up(rows: Rows) -> Rows:
    """The same steps with the patched arm truly 1.5 times as fast."""
    return [
        row.model_copy(
            update={"seconds": row.seconds / TRUE, "cpu_seconds": (row.cpu_seconds or 0) / TRUE}
        )
        if row.arm == "patched"
        else row
        for row in rows
    ]


def verdict(rows: Rows, clock: Clock) -> str:
    """As `runner.compare` gives it."""
    found = estimate(rows, clock)
    if found is None:
        return "no_difference"
    if found.low > math.log(FASTER):
        return "faster"
    return "slower" if found.high < math.log(SLOWER) else "no_difference"


def read_rows(kept: list[list[Any]]) -> Rows:
    """Recorded steps: arm, round, place, seconds, CPU seconds, real tokens."""
    return [
        StepRow(
            arm=arm, round=round_, index=number, place=place, seconds=seconds, cpu_seconds=cpu,
            samples=8, real_tokens=tokens, padded_tokens=tokens, loss=0.0, grad_norm=0.0,
            data_wait_s=0.0,
        )
        for number, (arm, round_, place, seconds, cpu, tokens) in enumerate(kept)
    ]  # fmt: skip


def record(count: int) -> None:
    """Real A/A runs at the default number of steps, all rounds, through the worker."""
    from benchmarks.real_pairs import RealPairs, config

    pairs = RealPairs()
    workload = config(WORKLOAD, p50=120, p95=380, most=900)
    kept: dict[str, Any] = {"manifest": pairs.manifest, "workload": WORKLOAD, "runs": []}
    try:
        for number in range(count):
            steps = Spec.model_fields["steps"].default
            whole = Stop(seconds=600.0, half_width=0.0)
            run = pairs.measure(workload, workload, steps=steps, stop=whole, seed=number)
            rows = [
                [row.arm, row.round, row.place, round(row.seconds, 5),
                 round(row.cpu_seconds, 5) if row.cpu_seconds is not None else None,
                 row.real_tokens]
                for arm in run.arms for row in arm.timed
            ]  # fmt: skip
            load = run.manifest.load_before
            kept["runs"].append({"load": load, "rows": rows})
            print(f"A/A run {number + 1} of {count}, load {load}", flush=True)
    finally:
        pairs.close()
    write_rows(kept)


def write_rows(kept: dict[str, Any]) -> None:
    """One line per run."""
    RESULTS.mkdir(exist_ok=True)
    head = json.dumps({"manifest": kept["manifest"], "workload": kept["workload"]})
    runs = ",\n".join(json.dumps(one, separators=(",", ":")) for one in kept["runs"])
    ROWS.write_text(f'{head[:-1]}, "runs": [\n{runs}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
