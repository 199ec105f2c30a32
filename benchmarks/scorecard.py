"""How well a backend audits: labelled workloads, what it acted on, what it invented, what it took.

`python benchmarks/scorecard.py [--backend rules] [--live] [--record FILE] [--replay FILE]
[--limit N]` prints a row per workload, every rule acted on beside the labels, and one JSON object
as its last line: workloads, recall, precision, label_share, false, invented_ids, turns, tokens,
tiers. A language model costs money and is asked only with --live; --record keeps its turns, and
--replay plays them again without it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.backends import Backend, ToolCall, Turn, Usage
from agent.backends.scripted import ScriptedBackend
from agent.drive import drive
from agent.loop import run_audit
from agent.named import BACKENDS, MODELS
from agent.patching.plan import NO_LONGER
from agent.request import AuditRequest
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import UserError
from audit.records.events import (
    ErrorData,
    Event,
    FinalReportData,
    ThoughtData,
    ToolCallData,
    ToolResultData,
    UsageData,
    read_data,
)
from tests.agent.labelled import Labelled, labelled_workloads

PASSED_OVER = ("unwanted", "plan")
"""Causes for which an edit is neither made nor offered."""
CURED = (NO_LONGER.text, "Nothing is left to cure")
"""How a plan tells that another edit has done it."""
INVENTED = ("there is no tool", "cannot be used here", "no finding called", "is no upload")
"""How the tools answer a name or an id that they never gave."""
Transcript = list[dict[str, Any]]
"""The turns of one audit, as JSON."""


class Score(NamedTuple):
    """What became of one workload."""

    name: str
    label: str | None
    follows: dict[str, str]
    """Other rules that are right about it, and why."""
    acted: frozenset[str]
    """Rules behind the edits of the patch, made or offered, and rules that only advise."""
    cured: frozenset[str]
    """Rules with nothing left to cure once the rest of the patch is made."""
    invented: int
    turns: int
    tokens: int
    tier: int | None
    """None: there was no report."""
    transcript: Transcript

    @property
    def hit(self) -> bool:
        """Whether the labelled fault was acted on, or is gone with another edit."""
        return self.label in self.acted | self.cured

    @property
    def beside(self) -> frozenset[str]:
        """The rules acted on beside the label."""
        return self.acted - {self.label or ""}


def score(case: Labelled, backend: str, turns: Transcript | None = None) -> Score:
    """Audit one workload; with `turns` these are played instead of asking the backend."""
    played: Backend | None = ScriptedBackend(list(map(_turn, turns))) if turns is not None else None
    request = AuditRequest(
        uploads=(case.upload,), hardware=case.hardware, gpus=case.gpus, backend=backend
    )
    store, audit_id = Store(None), new_secret()
    store.create(audit_id, "owner")
    try:
        events = list(drive(run_audit(request, store, audit_id, backend=played)))
    finally:
        store.close()
    return _scored(case, events)


def _scored(case: Labelled, events: list[Event]) -> Score:
    data = [read_data(event) for event in events]
    last = data[-1]
    report = last.report if isinstance(last, FinalReportData) else None
    if isinstance(last, ErrorData):
        print(f"  {case.name}: {last.message}")
    used = [one for one in data if isinstance(one, UsageData)]
    turns = {one.turn for one in data if isinstance(one, ThoughtData | ToolCallData)}
    told = report.patch.edits if report else ()
    edits = [one for one in told if one.cause not in PASSED_OVER]
    advice = {one.rule_id for one in report.findings if not one.edits} if report else set()
    return Score(
        case.name,
        case.rule,
        case.follows,
        frozenset(rule for edit in edits for rule in edit.rule_ids) | advice,
        frozenset(
            rule for edit in told if (edit.reason or "").startswith(CURED) for rule in edit.rule_ids
        ),
        sum(
            not one.ok and any(words in one.text for words in INVENTED)
            for one in data
            if isinstance(one, ToolResultData)
        ),
        len(turns),
        sum(one.input_tokens + one.output_tokens for one in used),
        report.tier if report else None,
        list(_turns(data)),
    )


def _turns(data: list[Any]) -> Iterable[dict[str, Any]]:
    """The turns of an audit, to be played again."""
    turns: dict[int, dict[str, Any]] = {}
    for one in data:
        if isinstance(one, ThoughtData | ToolCallData):
            turn = turns.setdefault(one.turn, {"text": "", "calls": [], "tokens": None})
            if isinstance(one, ThoughtData):
                turn["text"] = one.text
            else:
                turn["calls"].append({"tool": one.tool, "arguments": one.arguments})
        elif isinstance(one, UsageData) and turns:
            turns[max(turns)]["tokens"] = [one.model, one.input_tokens, one.output_tokens]
    return turns.values()


def _turn(kept: dict[str, Any]) -> Turn:
    calls = tuple(
        ToolCall(f"call_{number}", one["tool"], one["arguments"])
        for number, one in enumerate(kept["calls"], start=1)
    )
    usage = Usage(*kept["tokens"]) if kept.get("tokens") else None
    stop = "tool_use" if calls else "end_turn"
    return Turn(kept["text"], calls, stop, usage)  # type: ignore[arg-type]


def summary(scores: list[Score]) -> dict[str, Any]:
    """The figures of all workloads together.

    Recall: labelled rules acted on / labelled workloads. Precision: of the rules acted on, those
    that are right, by the label or by hand (`tests.agent.labelled.FOLLOWS`); `label_share` counts
    the label alone, so that what rightly follows from a fault counts against it.
    """
    labelled = [one for one in scores if one.label]
    hits = sum(one.hit for one in labelled)
    acted = max(sum(len(one.acted) for one in scores), 1)
    wrong = sum(len(one.beside - one.follows.keys()) for one in scores)
    tiers = [one.tier for one in scores]
    return {
        "workloads": len(scores),
        "recall": round(hits / max(len(labelled), 1), 4),
        "precision": round(1 - wrong / acted, 4),
        "label_share": round(sum(one.label in one.acted for one in labelled) / acted, 4),
        "false": wrong,
        "invented_ids": sum(one.invented for one in scores),
        "turns": sum(one.turns for one in scores),
        "tokens": sum(one.tokens for one in scores),
        "tiers": {str(tier): tiers.count(tier) for tier in (0, 1, 2, 3, None)},
    }


def _tell_beside(scores: list[Score]) -> None:
    """Every rule acted on that is not the label: what it rests on, or that it is false."""
    for one in scores:
        for rule in sorted(one.beside):
            print(f"  {one.name}: {rule}: {one.follows.get(rule, 'FALSE')}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="rules")
    parser.add_argument("--live", action="store_true", help="a model may be asked, and paid")
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--limit", type=int, default=None)
    given = parser.parse_args()
    kept: dict[str, Transcript] = json.loads(given.replay.read_text()) if given.replay else {}
    if given.backend in MODELS and not (given.live or given.replay):
        print(f"{given.backend} is a language model and may cost money: say --live or --replay")
        return 2
    cases = labelled_workloads()[: given.limit]
    if given.replay:
        cases = [case for case in cases if case.name in kept]
    scores: list[Score] = []
    print(f"{'workload':46} {'label':34} hit  acted  invented  turns  tokens  tier")
    for case in cases:
        try:
            one = score(case, given.backend, kept.get(case.name))
        except UserError as error:
            print(error)
            return 1
        scores.append(one)
        hit = "-" if one.label is None else "yes" if one.hit else "NO"
        print(
            f"{one.name[:46]:46} {(one.label or 'nothing')[:34]:34} {hit:4} {len(one.acted):5}"
            f"  {one.invented:8}  {one.turns:5}  {one.tokens:6}  {one.tier}"
        )
    _tell_beside(scores)
    if given.record:
        given.record.write_text(json.dumps({one.name: one.transcript for one in scores}, indent=1))
    print(json.dumps(summary(scores)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
