"""Audits by models whose server fails at random: each ends once, with a report, and leaves nothing.

`python benchmarks/loop_faults.py [--audits 2000] [--seed 1]` plays one scripted server on loopback
through the real client libraries, every turn with a random fault, and prints one JSON object as its
last line: audits, terminal_once, reports, duplicated_executions, leaks.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.backends import model, patience
from agent.drive import drive
from agent.loop import run_audit
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.events import TERMINAL, Event
from tests.agent.model_audits import STEPS, WIRES, settings_for
from tests.agent.provider import Answer, Call, Provider
from tests.agent.training_files import STOPS, request_for

RATE = 0.4
"""Of the turns go wrong."""
SETTLES = 200
"""Audits until caches are filled and memory should stay as it is."""
STATUS = (400, 401, 402, 404, 429, 500, 503, 529)
WORDS = ("prompt is too long", "thinking", "signature", "tool choice", "no", "")


def answer(rng: random.Random, step: int) -> Answer:
    """The right turn of a step, or one of the faults."""
    right = Answer(text="step", calls=(Call(*STEPS[min(step, len(STEPS) - 1)]),))
    case = rng.randrange(5, 16) if rng.random() < RATE else 0
    if case < 5:
        return right
    if case < 8:
        return replace(
            right,
            cut=rng.choice(("close", "abort", "error")),
            error=("overloaded_error", rng.choice(("Overloaded", "rate limit", "odd"))),
        )
    if case == 8:
        status = rng.choice(STATUS)
        error = ("", rng.choice(WORDS))
        return Answer(status=status, error=error, headers={"retry-after": "0.001"})
    if case == 9:
        stop = rng.choice(("max_tokens", "refusal", "pause_turn", "length", "odd"))
        return replace(right, stop=stop)
    raw = rng.choice(('{"upload_id": "upl', "null", "[]", '{"workload_id": wl_1}', '""', "{}"))
    wrong = Call(rng.choice([tool for tool, _ in STEPS] + ["shell"]), raw)
    if case == 10:
        return replace(right, calls=(wrong, *right.calls))
    if case == 11:
        return replace(right, calls=(wrong,))
    if case == 12:
        return replace(right, calls=right.calls * rng.randrange(2, 12))
    if case == 13:
        return Answer(text=rng.choice(("", "I am done.", "<tool_call>{", "<think>")))
    if case == 14:
        return replace(right, style=rng.choice(("whole", "no_index", "crlf", "no_done", "json")))
    body = rng.choice(("", "data: {", "<html>", "[1]", '{"choices": 1}', "event: x\ndata: 7\n\n"))
    kind = rng.choice(("application/json", "text/event-stream"))
    return Answer(body=body, status=rng.choice((200, 502)), kind=kind)


def turns(rng: random.Random) -> list[Answer]:
    """Enough turns for an audit; behind a fault the same step comes again."""
    played: list[Answer] = []
    step = 0
    for _ in range(24):
        played.append(answer(rng, step))
        step += played[-1].calls == (Call(*STEPS[min(step, 6)]),) and not played[-1].cut
    return played


def run_one(server: Provider, wire: str) -> list[Event]:
    """One audit; its events."""
    store, audit_id = Store(None), new_secret()
    store.create(audit_id, "owner")
    request = request_for(STOPS, backend=wire)
    models = settings_for(server.url)
    events = list(drive(run_audit(request, store, audit_id, models=models)))
    store.close()
    for kept in (server.requests, server.bodies, server.headers):
        kept.clear()
    return events


def executed_twice(events: list[Event]) -> int:
    """Stages that were done more often than once."""
    done = Counter(
        event.data["stage"]
        for event in events
        if event.type == "stage" and event.data["state"] in ("done", "skipped")
    )
    return sum(count - 1 for count in done.values())


def open_now() -> tuple[int, int]:
    """Threads and file descriptors of this process."""
    gc.collect()
    folder = Path("/proc/self/fd")
    return threading.active_count(), len(list(folder.iterdir())) if folder.is_dir() else 0


def memory_mb() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    pages = int(told.read_text().split()[1]) if told.is_file() else 0
    return pages * resource.getpagesize() // 2**20


def settled(before: tuple[int, int]) -> int:
    """What is left over, once the server's own threads have gone."""
    for _ in range(40):
        left = sum(max(0, now - then) for now, then in zip(open_now(), before, strict=True))
        if not left:
            return 0
        time.sleep(0.05)
    return left


def main() -> None:
    """Run the audits and print the table."""
    parser = argparse.ArgumentParser(description="audits under faults")
    parser.add_argument("--audits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    patience.FIRST_WAIT = 0.001
    model.SILENT_SECONDS = 2.0
    server = Provider([])
    found: Counter[str] = Counter()
    for wire in WIRES:  # what is imported and cached once
        run_one(server, wire)
    before = open_now()
    start = time.perf_counter()
    for number in range(given.audits):
        server.script = turns(rng)
        events = run_one(server, WIRES[number % len(WIRES)])
        found["terminal_once"] += sum(event.type in TERMINAL for event in events) == 1
        found["reports"] += events[-1].type == "final_report"
        found["duplicated_executions"] += executed_twice(events)
        if number == SETTLES:
            found["settled_mb"] = memory_mb()
        if events[-1].type == "final_report":
            found[events[-1].data["report"]["completed_by"]] += 1
    seconds = time.perf_counter() - start
    leaks = settled(before)
    server.close()
    grown = memory_mb() - found["settled_mb"]
    result = {
        "audits": given.audits,
        "terminal_once": found["terminal_once"],
        "reports": found["reports"],
        "duplicated_executions": found["duplicated_executions"],
        "leaks": leaks,
        "protocol_faults": len(server.faults),
    }
    if given.audits > SETTLES:
        print(f"{f'MB more than after {SETTLES}':28} {grown}")
    for name in ("model", "model+rules", "rules"):
        print(f"{'completed by ' + name:28} {found[name]}")
    print(f"{'seconds an audit':28} {seconds / max(1, given.audits):.3f}")
    for fault in sorted(set(server.faults))[:5]:
        print(f"the server would refuse: {fault}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
