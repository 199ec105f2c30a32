"""Approvals under two deciders at once, cancels and crashes: one decision, one run, no lost money.

The owner may have the page open twice and answer in both, or cancel while the audit waits; the
process may die between a reservation and its bill. The real mailbox and threads are used.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.jobs import Jobs
from agent.money.approvals import MAX_ASKED, Approvals, Decision, Settled
from agent.money.ledger import Ledger
from agent.money.mailbox import Mailbox
from agent.named import RUNNERS
from agent.settings import Settings
from audit.records.base import Record
from audit.records.errors import Cancelled, UserError
from audit.records.events import ApprovalDecidedData, ApprovalRequiredData
from audit.records.terms import Terms
from tests.agent.money.test_approvals import DECISIONS, price
from tests.agent.training_files import STOPS, request_for, wait_for, written

ROOT = Path(__file__).resolve().parents[3]
CAP = 20.0


class Crash(BaseException):
    """The process dies: nothing that it would still have done is done."""


class Audit(NamedTuple):
    """One audit's way through its approval, in a thread of its own."""

    steps: int
    clicks: list[tuple[Decision, Decision]]
    """What the two pages answer to each question, at the same time."""
    cancel_at: int | None
    """The question during which the owner cancels; None: never."""
    end: str
    """runs, half price, unknown, never started, crash."""


AUDITS = st.builds(
    Audit,
    st.integers(1, 150),
    st.lists(st.tuples(DECISIONS, DECISIONS), min_size=MAX_ASKED, max_size=MAX_ASKED),
    st.one_of(st.none(), st.none(), st.integers(1, 2)),
    st.sampled_from(["runs", "half price", "unknown", "never started", "crash"]),
)


class Bench:
    """Plays one audit: two pages answer every question while a worker thread waits."""

    def __init__(self, audit: Audit, ledger: Ledger, pair: str) -> None:
        self.audit, self.ledger, self.pair = audit, ledger, pair
        self.log: list[Record] = []
        self.stop = threading.Event()
        self.box = Mailbox(self.stop.is_set)
        self.accepted: list[tuple[int, str]] = []
        """Number and id of each question that a click was taken for."""
        self.asked = 0
        self.settled: Settled | None = None
        self.started = 0
        self.cancelled = False

    def ask(self, required: ApprovalRequiredData) -> Decision:
        self.asked += 1
        if self.audit.cancel_at == self.asked:
            self.stop.set()
            return self.box.wait(required)
        clicks = self.audit.clicks[self.asked - 1]
        ready = threading.Barrier(2)
        pages = [
            threading.Thread(target=self.click, args=(self.asked, required.call_id, one, ready))
            for one in clicks
        ]
        for page in pages:
            page.start()
        decision = self.box.wait(required)
        for page in pages:
            page.join()
        return decision

    def click(self, question: int, call_id: str, one: Decision, ready: threading.Barrier) -> None:
        """Click until somebody was heard, then once more: the second click must not count."""
        ready.wait()
        while not any(heard[0] == question for heard in self.accepted):
            for decision in (one, replace(one, approved=not one.approved)):
                try:
                    self.box.decide(call_id, decision)
                except UserError:  # not yet waiting, or somebody was first
                    time.sleep(0.0005)
                    break
                self.accepted.append((question, call_id))

    def run(self, approvals: Approvals) -> None:
        """As `agent.loop` does it: settle, run, tell the bill, close the books."""
        try:
            for _ in range(2):  # both runs of the pair ask
                self.settled = approvals.settle(self.pair, price, Terms(steps=self.audit.steps))
            if self.settled.approved and self.audit.end != "never started":
                self.started += 1
                usd = price(self.settled.terms).usd or 0.0
                if self.audit.end == "crash":
                    raise Crash
                billed = {"runs": usd, "half price": usd / 2, "unknown": None}[self.audit.end]
                approvals.ran(self.pair, billed)
        except Cancelled:
            self.cancelled = True
        except Crash:
            return
        approvals.close()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(AUDITS, min_size=1, max_size=4))
def test_two_pages_cancels_and_crashes_keep_the_books(audits: list[Audit]) -> None:
    ledger, spent = Ledger(CAP), 0.0
    for number, audit in enumerate(audits):
        bench = Bench(audit, ledger, f"pair_{number}")
        bench.run(Approvals(ledger, bench.log.append, bench.ask))
        required = [one for one in bench.log if isinstance(one, ApprovalRequiredData)]
        decided = [one for one in bench.log if isinstance(one, ApprovalDecidedData)]
        assert len({one.call_id for one in required}) == len(required), "asked twice"
        assert [call for _, call in bench.accepted] == [one.call_id for one in decided]
        assert bench.started <= 1
        assert (bench.settled is None) == bench.cancelled
        if bench.cancelled:
            assert len(decided) == len(required) - 1
            assert bench.started == 0
        if bench.started:
            assert bench.settled is not None
            usd = price(bench.settled.terms).usd or 0.0
            assert decided[-1].approved
            assert required[-1].usd is None or usd <= required[-1].usd + 1e-9
            if audit.end == "crash":  # the process is gone: a new one starts without reservations
                assert ledger.reserved == pytest.approx(usd)
                ledger, spent = Ledger(CAP), 0.0
                continue
            spent += usd / 2 if audit.end == "half price" else usd
        assert ledger.reserved == 0
        assert ledger.spent == pytest.approx(spent)
        assert ledger.spent <= CAP + 1e-6


SLOW = (
    "import sys; from agent.named import RUNNERS;"
    "RUNNERS['priced'] = 'tests.agent.priced:StuckRunner';"
    "from agent.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def test_a_crash_between_reservation_and_bill_leaves_nothing_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, data = written(tmp_path, "a.yml", STOPS), tmp_path / "data"
    words = ["audit", str(file), "--runner", "priced", "--yes", "--max-usd", "16", "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *words],
        cwd=ROOT,
        env={**os.environ, "GOBLIN_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b"the run goes on" in line:
                break
        process.send_signal(signal.SIGKILL)
    monkeypatch.setitem(RUNNERS, "priced", "tests.agent.priced:PricedRunner")
    jobs = Jobs(Settings(data_dir=data, runner="priced"))
    (summary,) = jobs.list()
    dead = summary.audit_id
    assert jobs.events(dead)[-1].data["kind"] == "interrupted"
    assert jobs.pending(dead) is None
    again = jobs.start(request_for(STOPS, runner="priced", max_usd=16.0))
    for _ in range(200):
        waits = jobs.pending(again.audit_id)
        if waits is not None:
            break
        time.sleep(0.05)
    assert waits is not None, "what was approved before the crash is asked for again"
    assert (waits.usd, waits.spent_usd, waits.trouble, waits.cap_usd) == (15, 0, "", 16)
    jobs.decide(again.audit_id, again.owner_token, waits.call_id, Decision(approved=True))
    assert wait_for(jobs, again.audit_id)[-1].type == "final_report"
    jobs.close()
