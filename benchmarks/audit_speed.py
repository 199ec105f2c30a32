"""Times an audit: the CPU of a whole command, and warm audits of the examples in one process.

`python benchmarks/audit_speed.py [--rounds 7] [--warm 9]` prints a table and, as its last line, one
JSON object. The command and the bare import of its three packages are run alternately, so that a
busy machine slows both; CPU is user plus system time of the child, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
EXAMPLES = sorted(
    path
    for path in (ROOT / "examples").iterdir()
    if path.suffix in (".yml", ".yaml", ".py", ".ipynb")
)
BARE = [sys.executable, "-c", "import pydantic, yaml, numpy"]
LIMITS = {"ratio": 3.0, "warm_median_ms": 60.0, "warm_slowest_ms": 150.0, "first_finding_ms": 40.0}


@dataclass(frozen=True)
class Warm:
    """Milliseconds of one example, medians over the rounds."""

    example: str
    audit_ms: float
    first_finding_ms: float
    """From the start to the event that holds the findings."""


def child_cpu(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of CPU of one child process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = subprocess.DEVNULL
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=quiet, stderr=quiet)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def cold(rounds: int, folder: Path) -> dict[str, float]:
    """Medians of the whole command and of the bare import, taken in turns."""
    environment = {**os.environ, "GOBLIN_DATA_DIR": str(folder)}
    files = [path for path in EXAMPLES if path.suffix in (".yml", ".yaml")]
    audits, bares = [], []
    for number in range(rounds + 1):
        bare = child_cpu(BARE, environment)
        command = [sys.executable, "-m", "agent", "audit", str(files[number % len(files)])]
        audit = child_cpu(command, environment)
        if number:  # the first round fills the caches of the disk
            bares.append(bare)
            audits.append(audit)
    bare, audit = statistics.median(bares), statistics.median(audits)
    return {"bare_cpu_s": bare, "audit_cpu_s": audit, "ratio": audit / bare}


def warm(rounds: int, folder: Path) -> list[Warm]:
    """Every example again and again in this process, as the page runs them."""
    from agent.jobs import Jobs
    from agent.request import AuditRequest
    from agent.settings import Settings
    from audit.records.upload import Upload

    jobs = Jobs(Settings(data_dir=folder))

    def once(path: Path) -> tuple[float, float]:
        request = AuditRequest(uploads=(Upload(path.name, path.read_bytes()),))
        return timed(jobs.start, jobs.follow, request)

    results = []
    for path in EXAMPLES:
        once(path)
        times = [once(path) for _ in range(rounds)]
        results.append(
            Warm(
                path.name,
                statistics.median(whole for whole, _ in times),
                statistics.median(first for _, first in times),
            )
        )
    jobs.close()
    return results


def timed(start: Callable, follow: Callable, request: object) -> tuple[float, float]:
    """Milliseconds to the report and to the findings of one audit."""
    begin, found, after = time.perf_counter(), 0.0, 0
    audit_id = start(request).audit_id
    while True:
        for event in follow(audit_id, after, 1.0):
            after = event.seq
            if event.type == "stage" and event.data["stage"] == "query" and event.data["result"]:
                found = found or time.perf_counter() - begin
            if event.terminal:
                if event.type != "final_report":
                    sys.exit(f"the audit failed: {event.data}")
                return (time.perf_counter() - begin) * 1000, found * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="of the whole command")
    parser.add_argument("--warm", type=int, default=9, help="of each example in one process")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = cold(given.rounds, Path(folder) / "cold")
        examples = warm(given.warm, Path(folder) / "warm")
    figures |= {
        "warm_median_ms": statistics.median(example.audit_ms for example in examples),
        "warm_slowest_ms": max(example.audit_ms for example in examples),
        "first_finding_ms": max(example.first_finding_ms for example in examples),
    }
    for example in examples:
        print(
            f"{example.example:34} {example.audit_ms:8.1f} ms   {example.first_finding_ms:8.1f} ms"
        )
    for name, value in figures.items():
        limit = LIMITS.get(name)
        kept = (
            "" if limit is None else f"   limit {limit:g}: {'kept' if value <= limit else 'MISSED'}"
        )
        print(f"{name:34} {value:8.3f}{kept}")
    rounded = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps({**rounded, "examples": [asdict(example) for example in examples]}))


if __name__ == "__main__":
    main()
