"""What the loop itself costs: time of a turn beyond backend and tools, and how soon a cancel ends.

`python benchmarks/loop_speed.py [--audits 40] [--cancels 40]` prints one JSON object as its last
line: overhead_ms (mean and 95th percentile of a turn, on a log on disk) and cancel_s (median and
95th percentile from the cancel to the terminal event, in streams, waits and tools by turns).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent import stages
from agent.backends import Message, ToolFace, Turn
from agent.backends.rules import RulesBackend
from agent.drive import drive
from agent.jobs import Jobs
from agent.loop import run_audit
from agent.services import Services
from agent.settings import Settings
from agent.state import AuditState
from audit.log.ids import new_secret
from audit.log.store import Store
from tests.agent.model_audits import WIRES, script, settings_for
from tests.agent.provider import Answer, Provider
from tests.agent.training_files import STOPS, request_for

BUSY = Answer(status=429, error=("rate_limit_error", ""), headers={"retry-after": "30"})
STATES = {"stream": Answer(delay=20), "wait": BUSY, "tool": None}


class Timed(RulesBackend):
    """The rules, with a clock."""

    def __init__(self) -> None:
        self.seconds, self.begins = 0.0, []

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The next turn, timed."""
        start = time.perf_counter()
        self.begins.append(start)
        try:
            return await super().reply(messages, tools)
        finally:
            self.seconds += time.perf_counter() - start


def overheads(folder: Path, audits: int) -> list[float]:
    """Milliseconds a turn of each audit: from the first reply to the last, less replies, tools."""
    found = []
    store = Store(folder)
    for _ in range(audits):
        audit_id, backend = new_secret(), Timed()
        store.create(audit_id, "owner")
        events = list(drive(run_audit(request_for(STOPS), store, audit_id, backend=backend)))
        tools = [event.data["seconds"] for event in events if event.type == "tool_result"]
        turns = len(backend.begins) - 1
        # The last turn compares; what comes after it is the report.
        span = backend.begins[-1] - backend.begins[0] - backend.seconds - sum(tools[:-1])
        found.append(1000 * max(0.0, span) / turns)
    store.close()
    return found


def cancels(folder: Path, server: Provider, count: int) -> list[float]:
    """Seconds from the cancel to the terminal event."""
    found = []
    jobs = Jobs(Settings(data_dir=folder, models=settings_for(server.url)))
    for number in range(count):
        state = list(STATES)[number % len(STATES)]
        answer = STATES[state]
        server.script = [*script(0), answer] if answer else script()
        hang = stages.STAGE["profile"]
        if state == "tool":
            stages.STAGE["profile"] = _hangs
        started = jobs.start(request_for(STOPS, backend=WIRES[number % 2]))
        while not any(
            event.type == "tool_result" or event.data.get("stage") == "profile"
            for event in jobs.follow(started.audit_id, timeout=1.0)
        ):
            pass
        time.sleep(0.15)
        start = time.perf_counter()
        jobs.cancel(started.audit_id, started.owner_token)
        while jobs.status(started.audit_id) != "cancelled":
            time.sleep(0.002)
        found.append(time.perf_counter() - start)
        stages.STAGE["profile"] = hang
    jobs.close()
    return found


def _hangs(state: AuditState, services: Services) -> AuditState:
    """A stage that never looks at the stop sign."""
    while True:
        time.sleep(0.001)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description="what the loop itself costs")
    parser.add_argument("--audits", type=int, default=40)
    parser.add_argument("--cancels", type=int, default=40)
    given = parser.parse_args()
    server = Provider([])
    with tempfile.TemporaryDirectory() as place:
        overheads(Path(place), 2)
        cost = overheads(Path(place), given.audits)
        waits = cancels(Path(place) / "cancels", server, given.cancels)
    server.close()
    result = {
        "overhead_ms": {"mean": sum(cost) / len(cost), "p95": percentile(cost, 0.95)},
        "cancel_s": {"median": percentile(waits, 0.5), "p95": percentile(waits, 0.95)},
    }
    for name, found in result.items():
        print(f"{name:12}" + "".join(f"{what:>10} {value:8.3f}" for what, value in found.items()))
    print(json.dumps({k: {n: round(v, 4) for n, v in f.items()} for k, f in result.items()}))


if __name__ == "__main__":
    main()
