"""Times a what-if as the page asks for one: every example on the default cards, counts changed.

`python benchmarks/what_if.py [--rounds 20]` prints a table and, as its last line, one JSON object.
Each round asks anew with another GPU count, so that nothing of the round before answers it; `warm`
is the same question again, as when only a price was changed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
EXAMPLES = sorted(
    path for path in (ROOT / "examples").iterdir() if path.suffix in (".yml", ".yaml", ".py")
)
LIMIT_MS = 300.0
"""p95 on the server, what the page's visitors are promised."""


def p95(times: list[float]) -> float:
    """The 95% point of some milliseconds."""
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def timed(report: object, asked: object) -> float:
    """Milliseconds from the question to the finished rows and the printed table."""
    from agent.finished.what_if import what_if
    from audit.export.what_if import what_if_text

    begin = time.perf_counter()
    what_if_text(what_if(report, asked))
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    from agent.api import audit
    from agent.finished.run_length import RunAsked
    from agent.finished.what_if import WhatIfAsked
    from agent.request import AuditRequest
    from audit.records.upload import Upload
    from audit.records.workload import DataLengths

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="questions per example")
    given = parser.parse_args()
    first: list[float] = []
    cold: list[float] = []
    warm: list[float] = []
    for path in EXAMPLES:
        report = audit(AuditRequest(uploads=(Upload(path.name, path.read_bytes()),)))
        first.append(timed(report, WhatIfAsked()))
        mine: list[float] = []
        for number in range(given.rounds):
            middle = 100 + 37 * number
            lengths = DataLengths(
                p50=middle, p95=3 * middle, max=2048 + 8 * middle, origin="stated", source="here"
            )
            asked = WhatIfAsked(
                gpus=1 + number % 8, lengths=lengths, run=RunAsked(rows=52_000), prices={}
            )
            mine.append(timed(report, asked))
            warm.append(timed(report, asked))
        cold += mine
        print(f"{path.name:34} p50 {statistics.median(mine):7.1f} ms   p95 {p95(mine):7.1f} ms")
    figures = {
        "first_ms": max(first),
        "p50_ms": statistics.median(cold),
        "p95_ms": p95(cold),
        "warm_p95_ms": p95(warm),
    }
    for name, value in figures.items():
        print(f"{name:34} {value:8.1f} ms")
    print(f"limit {LIMIT_MS:g} ms: {'kept' if figures['p95_ms'] <= LIMIT_MS else 'MISSED'}")
    rounded = {name: round(value, 2) for name, value in figures.items()}
    print(json.dumps({**rounded, "questions": len(cold), "limit_ms": LIMIT_MS}))


if __name__ == "__main__":
    main()
