"""What a canonical audit asks of a model: requests, their size, and how much of them is repeated.

`python benchmarks/loop_cost.py` runs one audit through Claude and one through Hugging Face against
a local server, with the largest example file, and prints one JSON object as its last line. Tokens
are request bytes / 3.5. A request's beginning is cacheable where the whole request before it is
the same, byte for byte: tools and system prompt, then the messages.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.api import audit
from tests.agent.model_audits import STEPS, play, report
from tests.agent.provider import Answer, Call
from tests.agent.training_files import STOPS, request_for

PER_TOKEN = 3.5
LIMITS = {"turns": 9, "largest": 12_000, "cumulative": 60_000, "cacheable": 0.7}


def in_order(request: dict[str, Any]) -> str:
    """A request as a server's cache sees it: what is fixed first, then the messages."""
    fixed = {name: value for name, value in request.items() if name != "messages"}
    return json.dumps(fixed, sort_keys=True) + "".join(map(json.dumps, request["messages"]))


def turns(text: str) -> list[Answer]:
    """The turns of a model that follows every finding, as the rules do."""
    found = audit(request_for(text))
    ids = [finding.id for finding in found.findings]
    edited = any(edit.applied for edit in found.patch.edits)
    steps = [*STEPS[:3], ("propose_patch", {"workload_id": "wl_1", "finding_ids": ids}), STEPS[4]]
    if edited:
        steps.append(STEPS[5])
    after = "bench_2" if edited else "bench_1"
    steps.append(("compare_runs", {"before_id": "bench_1", "after_id": after}))
    thought = "I read the answer of the last tool and choose the next one."
    return [Answer(text="Next step.", calls=(Call(*step),), thinking=thought) for step in steps]


def measured(wire: str, text: str) -> dict[str, float]:
    """One audit's requests."""
    events, server = play(wire, turns(text), text=text)
    assert report(events).tier == 0
    sizes = [len(body) / PER_TOKEN for body in server.bodies]
    texts = [in_order(request) for request in server.requests]
    repeated = [len(one) for one, after in pairwise(texts) if after.startswith(one)]
    return {
        "turns": len(sizes),
        "largest": round(max(sizes)),
        "cumulative": round(sum(sizes)),
        "cacheable": round(sum(repeated) / sum(map(len, texts)), 3),
        "prefix_identical": len(repeated) == len(texts) - 1,
    }


def main() -> None:
    """Print the table; status 1 where a limit is missed."""
    files = {path.name: path.read_text() for path in (ROOT / "examples").glob("*.y*ml")}
    longest = max(files.values(), key=len)
    result: dict[str, dict[str, float]] = {}
    for name, text in (("usual", STOPS), ("longest example", longest)):
        for wire in ("claude", "huggingface"):
            result[f"{wire}, {name}"] = measured(wire, text)
    print(f"{'':32}" + "".join(f"{name:>18}" for name in next(iter(result.values()))))
    for name, found in result.items():
        print(f"{name:32}" + "".join(f"{value!s:>18}" for value in found.values()))
    within = all(
        found["turns"] <= LIMITS["turns"]
        and found["largest"] <= LIMITS["largest"]
        and found["cumulative"] <= LIMITS["cumulative"]
        and found["cacheable"] >= LIMITS["cacheable"]
        and found["prefix_identical"]
        for found in result.values()
    )
    print(json.dumps({"within": within, "limits": LIMITS, **result}))
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
