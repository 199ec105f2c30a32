"""Audits killed with signal 9 at random events: the log stays readable and each ends exactly once.

`python benchmarks/kill9.py [--kills 200] [--seed 1]` starts `python -m agent audit` over and over,
by the rules and by a model behind a scripted server, kills it at a random event, opens the log as a
restarted server would, and prints one JSON object as its last line: kills, audits, readable,
ended_once, interrupted (the others ended just before the kill), run_again (every tenth).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.events import TERMINAL, Event, read_data
from tests.agent.model_audits import script
from tests.agent.provider import Answer, Provider
from tests.agent.training_files import STOPS, request_for, wait_for

PAUSE = 0.004
"""Seconds at most between the event and the kill: it falls into whatever comes next."""


def slow(rng: random.Random) -> list[Answer]:
    """The turns of an audit, each after a moment, so that kills fall into requests too."""
    return [
        Answer(text=turn.text, calls=turn.calls, delay=rng.random() * 0.02) for turn in script()
    ]


def killed(folder: Path, url: str, rng: random.Random) -> None:
    """Start one audit as a process of its own and kill it at a random event."""
    environment = {
        **os.environ,
        "GOBLIN_DATA_DIR": str(folder),
        "GOBLIN_OPENAI_BASE_URL": f"{url}/v1",
        "GOBLIN_OPENAI_MODEL": "scripted",
    }
    backend = rng.choice(("rules", "openai"))
    command = [sys.executable, "-m", "agent", "audit", str(folder / "train.yml")]
    process = subprocess.Popen(
        [*command, "--backend", backend, "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    pipe = process.stdout
    for _ in range(rng.randrange(1, 40)):
        if pipe is None or not pipe.readline():
            break
    time.sleep(rng.random() * PAUSE)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def readable(events: list[Event]) -> bool:
    """Numbered without a gap, each of the shape of its type."""
    for event in events:
        read_data(event)
    return [event.seq for event in events] == list(range(1, len(events) + 1))


def looked_at(folder: Path, again: bool) -> Counter[str]:
    """What a restarted server finds of the one audit in the folder."""
    found: Counter[str] = Counter()
    jobs = Jobs(Settings(data_dir=folder))
    try:
        for summary in jobs.list():
            events = jobs.events(summary.audit_id)
            found["audits"] += 1
            found["readable"] += readable(events)
            found["ended_once"] += sum(event.type in TERMINAL for event in events) == 1
            found["interrupted"] += events[-1].data.get("kind") == "interrupted"
        if again:
            started = jobs.start(request_for(STOPS))
            found["run_again"] += wait_for(jobs, started.audit_id)[-1].type == "final_report"
    finally:
        jobs.close()
    return found


def main() -> None:
    """Kill, restart, look."""
    parser = argparse.ArgumentParser(description="audits killed with signal 9")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    total: Counter[str] = Counter()
    server = Provider([])
    start = time.perf_counter()
    for number in range(given.kills):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "train.yml").write_text(STOPS)
            server.script = slow(rng)
            killed(folder, server.url, rng)
            found = looked_at(folder, again=number % 10 == 0)
            total += found
            total["kills"] += 1
            total["without_an_audit"] += not found["audits"]
    server.close()
    names = ("kills", "audits", "readable", "ended_once", "interrupted", "run_again")
    for name in (*names, "without_an_audit"):
        print(f"{name:20} {total[name]}")
    print(f"{'seconds':20} {time.perf_counter() - start:.0f}")
    print(json.dumps({name: total[name] for name in (*names, "without_an_audit")}))


if __name__ == "__main__":
    main()
