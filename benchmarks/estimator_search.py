"""How many candidate configurations a second one thread projects, speed and memory together."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy

from kb.catalog.hardware import find_hardware
from kb.catalog.models import find_model
from runner.estimator.job import Adapter, Job, Layout
from runner.estimator.search import Variants, project_variants

ROUNDS = 5
WANTED = 500_000


def main() -> None:
    """Project a grid on several jobs that differ in what is no column; print the rate."""
    grid = numpy.meshgrid(
        numpy.arange(1.0, 65.0),
        numpy.arange(1.0, 33.0),
        numpy.linspace(256, 8192, 32),
        numpy.array([0.0, 1.0]),
        indexing="ij",
    )
    micro, accumulation, length, recomputed = (axis.ravel() for axis in grid)
    variants = Variants(micro, accumulation, length, length, numpy.ones_like(micro), recomputed)
    jobs = list(_jobs())
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for job in jobs:
            found = project_variants(job, variants)
            found.tokens_per_s[found.high_gb < 0.9 * (job.hardware.memory_gb or 0)].max(initial=0)
        rates.append(len(micro) * len(jobs) / (time.perf_counter() - start))
    best = max(rates)
    print(f"{len(micro) * len(jobs):,} configurations of {len(jobs)} jobs, one thread")
    print(f"{best:,.0f} a second at best, {sorted(rates)[ROUNDS // 2]:,.0f} at the median")
    print(json.dumps({"configs_per_s": round(best), "wanted": WANTED, "met": best >= WANTED}))


def _jobs() -> list[Job]:
    jobs = []
    for name in ("meta-llama/Llama-3.1-8B", "mistralai/Mixtral-8x7B-v0.1", "google/gemma-2-9b"):
        model = find_model(name)
        if model is None:
            continue
        for card in ("mi300x", "h100-sxm"):
            adapter = Adapter(16, 20_000_000, 7, 6 * 4096 + 14336)
            for trained, layout in (
                (None, Layout(gpus=8, sharding="fsdp")),
                (adapter, Layout(gpus=8, sharding="ddp")),
            ):
                one = Job(model, find_hardware(card), layout, 1, 1, 1, 1, 1, adapter=trained)
                jobs.append(one)
    return jobs


if __name__ == "__main__":
    main()
