"""`audit FILE...`: the whole audit, kept in the log; prints the report, or its events as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.api import report_of
from agent.card import card_for
from agent.commands.approve import decide
from agent.commands.files import read_files
from agent.commands.options import (
    add_anchor,
    add_card,
    add_choice,
    add_reading,
    dialect_of,
    include_of,
    lengths_of,
    settings,
    versions_of,
    words,
)
from agent.commands.say import give, tell
from agent.commands.write import FORMATS, as_format, write_folder
from agent.named import BACKENDS, RUNNERS
from agent.offline import sealed
from agent.request import AuditRequest, check_request
from agent.settings import Settings
from audit.records.errors import Cancelled
from audit.records.finding import SEVERITIES
from audit.records.report import Report

if TYPE_CHECKING:
    from agent.jobs import Jobs, Started
    from audit.records.events import Event

FAIL_ON_MET = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `audit`."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="the training file, then what belongs to it"
    )
    add_card(parser)
    add_choice(parser)
    add_reading(parser)
    add_anchor(parser)
    parser.add_argument(
        "--backend", help=f"who decides the next step: {', '.join(BACKENDS)} (default rules)"
    )
    parser.add_argument(
        "--runner", help=f"who measures or projects: {', '.join(RUNNERS)} (default fake)"
    )
    parser.add_argument("--steps", type=int, default=50, help="steps of a benchmark (default 50)")
    parser.add_argument(
        "--max-turns", type=int, default=16, help="turns of the backend (default 16)"
    )
    parser.add_argument(
        "--offline", action="store_true", help="refuse whatever would reach for the network"
    )
    parser.add_argument(
        "--yes", action="store_true", help="approve runs that have a price and fit under --max-usd"
    )
    parser.add_argument(
        "--max-usd", type=float, metavar="N", help="what model and runs may cost together"
    )
    parser.add_argument("--json", action="store_true", help="one event per line, the last is final")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print the report")
    parser.add_argument(
        "--out", metavar="DIR", help="write report.json, .md, .html and .sarif, patch and files"
    )
    parser.add_argument(
        "--fail-on",
        choices=SEVERITIES[:-1],
        help="exit status 3 when a finding is this severe or worse",
    )


def run(given: argparse.Namespace) -> int:
    """Run the audit and print it; Ctrl-C cancels it."""
    from agent.jobs import Jobs

    operator = settings()
    with sealed(offline=given.offline):
        request = _request(given, operator)
        check_request(request)
        operator = replace(operator, runner=request.runner)  # whoever types it is the operator
        jobs = Jobs(operator)
        try:
            return _follow(jobs, jobs.start(request), given)
        finally:
            jobs.close()


def _request(given: argparse.Namespace, operator: Settings) -> AuditRequest:
    runner = given.runner or operator.runner
    card = card_for(given.hardware, runner, operator)
    return AuditRequest(
        uploads=read_files(given.files),
        hardware=card.name,
        detected=card.detected,
        gpus=given.gpus,
        nodes=given.nodes,
        lengths=lengths_of(given.lengths),
        versions=versions_of(given.versions),
        dialect=dialect_of(given),
        include=include_of(given.include),
        keep=frozenset(words(given.keep)),
        backend=given.backend or operator.backend,
        runner=runner,
        step_s=given.step_time,
        steps=given.steps,
        max_turns=given.max_turns,
        offline=given.offline,
        always=given.yes,
        max_usd=given.max_usd,
    )


def _follow(jobs: Jobs, started: Started, given: argparse.Namespace) -> int:
    last: Event | None = None
    try:
        for event in _events(jobs, started.audit_id):
            last = event
            if given.json:
                give(event.model_dump_json() + "\n")
            if event.type == "approval_required":
                decide(jobs, started, event)
    except KeyboardInterrupt:
        jobs.cancel(started.audit_id, started.owner_token)
        if given.json:
            for event in _events(jobs, started.audit_id, last.seq if last else 0):
                give(event.model_dump_json() + "\n")
        raise
    if last is not None and last.type == "cancelled":
        raise Cancelled
    report = report_of(last)
    if given.out:
        files = jobs.patched_files(started.audit_id, started.owner_token)
        write_folder(given.out, report, files)
    if not given.json:
        give(as_format(report, given.format))
        tell(f"kept as {started.audit_id}")
    return FAIL_ON_MET if _met(report, given.fail_on) else 0


def _events(jobs: Jobs, audit_id: str, after: int = 0) -> Iterator[Event]:
    """Every event up to the terminal one."""
    while True:
        for event in jobs.follow(audit_id, after, timeout=1.0):
            yield event
            after = event.seq
            if event.terminal:
                return


def _met(report: Report, fail_on: str | None) -> bool:
    if fail_on is None:
        return False
    limit = [str(severity) for severity in SEVERITIES].index(fail_on)
    return any(SEVERITIES.index(finding.severity) <= limit for finding in report.findings)
