"""Approvals (cases 55 to 60): nothing runs unasked, twice, or beyond what was agreed to."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.money.approvals import MAX_ASKED, Approvals, Decision, changed_terms
from agent.money.ledger import Ledger
from agent.money.mailbox import Mailbox
from audit.records.base import Record
from audit.records.errors import Cancelled, UserError
from audit.records.events import ApprovalDecidedData, ApprovalRequiredData, LogData
from audit.records.terms import Terms, read_timeout
from runner.protocol import Quote

YES, NO = Decision(True), Decision(False)


def price(terms: Terms) -> Quote:
    """A dollar for ten steps; one flavor is not to be had, one has no price."""
    if terms.flavor == "gone":
        message = "there is no machine called gone"
        raise UserError(message)
    usd = None if terms.flavor == "unpriced" else terms.steps / 10
    return Quote(seconds=terms.steps, usd=usd)


class Owner:
    """Answers in order, and keeps what it was asked."""

    def __init__(self, *answers: Decision, cap: float | None = 20, always: bool = False) -> None:
        self.answers, self.asked = list(answers), list[ApprovalRequiredData]()
        self.log: list[Record] = []
        self.ledger = Ledger(cap)
        self.approvals = Approvals(self.ledger, self.log.append, self.answer, always)

    def answer(self, required: ApprovalRequiredData) -> Decision:
        self.asked.append(required)
        return self.answers.pop(0)

    def settle(self, pair: str = "pair", **terms: object):
        return self.approvals.settle(pair, price, Terms.model_validate(terms))


def test_yes_reserves_the_price_of_the_pair() -> None:
    owner = Owner(YES)
    assert owner.settle(steps=50).approved
    assert owner.ledger.reserved == 5
    assert owner.asked[0].usd == 5
    assert [type(one) for one in owner.log] == [ApprovalRequiredData, ApprovalDecidedData]


def test_case_55_over_the_cap_unknown_price_and_junk_timeouts_are_asked_with_the_reason() -> None:
    over = Owner(YES, cap=3, always=True)
    settled = over.settle(steps=50)
    assert not settled.approved
    assert "$3.00 of $3 are left" in over.asked[0].trouble
    assert "left" in settled.reason
    unpriced = Owner(YES, always=True)
    assert unpriced.settle(flavor="unpriced").approved
    assert "not known" in unpriced.asked[0].text
    junk = Owner(Decision(True, changes={"timeout_s": "soon"}), NO)
    assert not junk.settle().approved
    assert "'soon' is no time limit" in junk.asked[1].trouble


def test_case_55_two_pairs_under_the_cap_but_not_together() -> None:
    owner = Owner(YES, cap=8, always=True)
    assert owner.settle("one", steps=50).approved
    assert not owner.settle("two", steps=50).approved
    assert len(owner.asked) == 1


def test_case_56_a_rejection_is_told_in_the_owners_words_and_never_asked_again() -> None:
    owner = Owner(Decision(False, "too dear,\x1b[31m use\nfewer steps"))
    first = owner.settle(steps=50)
    assert first.reason == "its owner declined: too dear, [31m use fewer steps"
    assert owner.settle(steps=50) is first
    assert len(owner.asked) == 1
    assert owner.ledger.reserved == 0


def test_case_57_changed_terms_are_checked_and_quoted_again() -> None:
    cheaper = Owner(Decision(True, changes={"steps": "20", "timeout_s": "30m"}))
    settled = cheaper.settle(steps=50)
    assert settled.terms == Terms(steps=20, timeout_s=1800)
    assert cheaper.ledger.reserved == 2
    dearer = Owner(Decision(True, changes={"steps": 100}), YES)
    assert dearer.settle(steps=50).terms.steps == 100
    assert [one.usd for one in dearer.asked] == [5, 10]
    for changes in ({"steps": 0}, {"flavor": "gone"}, {"flavor": "a b"}, {"colour": "red"}):
        owner = Owner(Decision(True, changes=changes), NO)
        assert not owner.settle().approved
        assert owner.asked[1].trouble
    endless = Owner(*[Decision(True, changes={"steps": 0})] * MAX_ASKED)
    assert not endless.settle().approved
    assert endless.ledger.reserved == 0


def test_case_58_a_double_click_decides_once_and_nothing_pending_is_an_error() -> None:
    box = Mailbox(lambda: False)
    with pytest.raises(UserError, match="nothing waits"):
        box.decide("pair:1", YES)
    owner = Owner()
    owner.approvals.ask = box.wait
    found: list = []
    thread = threading.Thread(target=lambda: found.append(owner.settle(steps=50)))
    thread.start()
    while box.pending is None:
        pass
    with pytest.raises(UserError, match="earlier offer"):
        box.decide("pair:7", YES)
    box.decide("pair:1", YES)
    with pytest.raises(UserError, match="nothing waits"):
        box.decide("pair:1", NO)
    thread.join()
    assert found[0].approved


def test_case_59_a_run_that_is_abandoned_is_rejected() -> None:
    box, found = Mailbox(lambda: False), []
    owner = Owner()
    owner.approvals.ask = box.wait
    thread = threading.Thread(target=lambda: found.append(owner.settle()))
    assert not box.abandon()
    thread.start()
    while not box.abandon():
        pass
    thread.join()
    assert not found[0].approved
    assert "another run" in found[0].reason


def test_case_60_released_when_nothing_ran_and_reconciled_with_the_bill() -> None:
    for started, billed, spent in ((False, None, 0), (True, 1.25, 1.25), (True, None, 5)):
        owner = Owner(YES)
        owner.settle(steps=50)
        if started:
            owner.approvals.ran("pair", billed)
        owner.approvals.close()
        owner.approvals.close()
        assert owner.ledger.reserved == 0
        assert owner.ledger.spent == spent
    assert isinstance(owner.log[-1], LogData)
    assert "$5" in owner.log[-1].text


def test_each_doubling_is_told_when_it_is_reached() -> None:
    owner = Owner(cap=None)
    said = []
    for _ in range(22):
        owner.ledger.spend("model", 1.0)
        said.append(len(owner.log))
    texts = [one.text for one in owner.log if isinstance(one, LogData)]
    assert [one.partition("$")[2].split()[0] for one in texts] == ["5", "10", "20"]
    assert [said.index(count) + 1 for count in (1, 2, 3)] == [5, 10, 20]


def test_a_cancelled_audit_stops_waiting() -> None:
    stop = threading.Event()
    box, found = Mailbox(stop.is_set), []

    def settle() -> None:
        owner = Owner()
        owner.approvals.ask = box.wait
        with pytest.raises(Cancelled):
            owner.settle()
        found.append(True)

    thread = threading.Thread(target=settle)
    thread.start()
    stop.set()
    thread.join(timeout=10)
    assert found
    assert box.pending is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), (90, 90), ("90s", 90), ("30m", 1800), (" 1.5h ", 5400), ("1d", 86400)],
)
def test_time_limits_are_read(text: object, seconds: float) -> None:
    assert read_timeout(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "-5", "1w", True, None, "9" * 30, "1e3", [1]])
def test_junk_is_no_time_limit(text: object) -> None:
    assert read_timeout(text) is None


def test_changes_name_the_field_at_fault() -> None:
    with pytest.raises(UserError, match="steps cannot be"):
        changed_terms(Terms(), {"steps": "many"})
    assert changed_terms(Terms(steps=7), {"flavor": "", "steps": None}) == Terms(steps=7)


DECISIONS = st.builds(
    Decision,
    st.booleans(),
    st.text(max_size=10),
    st.dictionaries(
        st.sampled_from(["steps", "flavor", "timeout_s"]),
        st.sampled_from([1, 40, 150, 0, "gone", "unpriced", "30m", "junk", ""]),
        max_size=2,
    ),
)
ROUNDS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(1, 120),
        st.lists(DECISIONS, min_size=MAX_ASKED, max_size=MAX_ASKED),
        st.sampled_from(["runs", "fails", "half price"]),
    ),
    max_size=8,
)


@settings(max_examples=200)
@given(ROUNDS, st.booleans())
def test_random_sequences_never_overspend_never_run_twice_never_lose_money(rounds, always) -> None:
    owner = Owner(cap=20, always=always)
    ran, agreed = set[str](), 0.0
    for number, steps, answers, end in rounds:
        owner.answers = list(answers)
        asked, pair = len(owner.asked), f"pair_{number}"
        settled = owner.settle(pair, steps=steps)
        if pair in ran or not settled.approved:
            assert owner.ledger.reserved == 0
            continue
        ran.add(pair)
        usd = price(settled.terms).usd or 0.0
        assert owner.ledger.reserved == pytest.approx(usd)
        if not always:
            last = owner.asked[-1]
            assert len(owner.asked) > asked
            assert last.usd is None or usd <= last.usd + 1e-9
        billed = {"runs": usd, "fails": None, "half price": usd / 2}[end]
        if end != "fails":
            owner.approvals.ran(pair, billed)
        owner.approvals.close()
        agreed += 0.0 if end == "fails" else billed or usd
        assert owner.ledger.reserved == 0
        assert owner.ledger.spent == pytest.approx(agreed)
        assert owner.ledger.spent <= 20 + 1e-6


def test_what_the_runs_cost_is_told_and_a_standing_yes_leaves_a_trace() -> None:
    owner = Owner(always=True)
    assert owner.settle(steps=50).approved
    owner.approvals.ran("pair", 1.25)
    owner.approvals.ran("pair", 0.5)
    owner.approvals.close()
    said = [one.text for one in owner.log if isinstance(one, LogData)]
    assert said[0].startswith("Approved beforehand. Run before and after, 50 steps each")
    assert said[-1] == "The runs cost $1.75, as billed."
    silent = Owner(always=True)
    assert silent.settle(steps=50).approved
    silent.approvals.ran("pair", None)
    silent.approvals.close()
    assert "$5.00, by their quote" in [o.text for o in silent.log if isinstance(o, LogData)][-1]
