"""Asks the owner before money is spent: the before/after pair of an audit is approved as one.

One half of the pair is worthless without the other. What would overspend the cap never runs, and a
price that is not known is never covered by a standing yes; the same pair is never asked for twice.
The asking itself is the caller's: a page waits for a click (`agent.money.mailbox`), a terminal for
a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from agent.money.ledger import Ledger, OverCap
from audit.records.base import Json, Record
from audit.records.errors import UserError
from audit.records.events import ApprovalDecidedData, ApprovalRequiredData, LogData
from audit.records.terms import Terms, read_timeout
from runner.protocol import Quote

MAX_ASKED = 5
"""Rounds of changed terms and new quotes for one pair."""
MAX_FEEDBACK = 500
"""Characters of the owner's words that reach the model and the report."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the owner decided."""

    approved: bool
    feedback: str = ""
    changes: dict[str, Json] = field(default_factory=dict)
    """Field of `Terms` -> new value; `timeout_s` may be written as `30m`."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of the asking: on which terms the pair runs, or why it does not."""

    approved: bool
    terms: Terms
    reason: str = ""


@dataclass(slots=True)
class Approvals:
    """The approvals of one audit."""

    ledger: Ledger
    record: Callable[[Record], object]
    """Writes one event into the log."""
    ask: Callable[[ApprovalRequiredData], Decision]
    """Waits for the owner; raises Cancelled where the audit is cancelled meanwhile."""
    always: bool = False
    """A standing yes."""
    _settled: dict[str, Settled] = field(default_factory=dict)
    _billed: dict[str, list[float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """From now on each doubling of what is spent stands in the log as it happens."""
        self.ledger.told = self._tell_step

    def settle(self, pair: str, quote: Callable[[Terms], Quote], terms: Terms) -> Settled:
        """Approve, change or refuse one pair of runs; its money is reserved under its name.

        Args:
            pair: names what is to run; the same name gets the same answer without being asked.
            quote: seconds and dollars of the pair on given terms.
            terms: what was asked for.

        Raises:
            Cancelled: the owner cancelled the audit instead of deciding.
            UserError: the runner cannot run the pair on the terms that were asked for.
        """
        if pair not in self._settled:
            self._settled[pair] = self._settle(pair, quote, terms)
        return self._settled[pair]

    def _settle(self, pair: str, quote: Callable[[Terms], Quote], terms: Terms) -> Settled:
        offer = quote(terms)
        if offer.free:
            self.record(LogData(text=f"No approval is needed: {offer.note}."))
            return Settled(approved=True, terms=terms)
        trouble = self._reserve(pair, offer)
        if self.always and not trouble and offer.usd is not None:
            self.record(LogData(text=f"Approved beforehand. {_asked(offer, terms, trouble)}"))
            return Settled(approved=True, terms=terms)
        for number in range(1, MAX_ASKED + 1):
            self.ledger.release(pair)
            decision = self._decide(f"{pair}:{number}", offer, terms, trouble)
            if not decision.approved:
                return Settled(approved=False, terms=terms, reason=_declined(decision))
            agreed = offer
            try:
                changed = changed_terms(terms, decision.changes)
                offer = quote(changed)
            except UserError as error:
                trouble = str(error)
                continue
            trouble = self._reserve(pair, offer)
            same = changed == terms
            if not trouble and (same or _no_dearer(offer, agreed)):
                return Settled(approved=True, terms=changed)
            if same:
                return Settled(approved=False, terms=terms, reason=trouble)
            terms = changed  # dearer than what was agreed to: it is offered anew
        self.ledger.release(pair)
        return Settled(approved=False, terms=terms, reason="its terms were changed too often")

    def _reserve(self, pair: str, offer: Quote) -> str:
        """Set the money aside; why that cannot be, where it cannot. Unknown prices hold nothing."""
        try:
            self.ledger.reserve(pair, offer.usd or 0.0)
        except OverCap as over:
            return str(over)
        return ""

    def _decide(self, call_id: str, offer: Quote, terms: Terms, trouble: str) -> Decision:
        required = ApprovalRequiredData(
            call_id=call_id,
            text=_asked(offer, terms, trouble),
            seconds=offer.seconds,
            usd=offer.usd,
            note=offer.note,
            terms=terms,
            trouble=trouble,
            spent_usd=self.ledger.spent,
            cap_usd=self.ledger.cap,
        )
        self.record(required)
        decision = self.ask(required)
        feedback = _plain(decision.feedback)
        self.record(
            ApprovalDecidedData(
                call_id=call_id,
                approved=decision.approved,
                feedback=feedback,
                changes=decision.changes,
            )
        )
        return Decision(decision.approved, feedback, decision.changes)

    def ran(self, pair: str, billed: float | None) -> None:
        """One run of the pair has ended; `billed` dollars, None where the runner does not tell."""
        self._billed.setdefault(pair, []).append(billed)

    def close(self) -> None:
        """The audit ends: each reservation becomes what was billed, or nothing where nothing ran.

        Where one run of a pair does not tell what it cost, the quote of the pair stands.
        """
        for pair, settled in self._settled.items():
            bills = self._billed.pop(pair, [])
            if not settled.approved:
                continue
            if bills:
                known = None not in bills
                usd = self.ledger.reconcile(pair, sum(filter(None, bills)) if known else None)
                how = "as billed" if known else "by their quote; not all of them told their bill"
                self.record(LogData(text=f"The runs cost ${usd:.2f}, {how}."))
            else:
                self.ledger.release(pair)

    def _tell_step(self, step: float) -> None:
        self.record(LogData(text=f"This audit has cost more than ${step:g} so far."))


def nobody_to_ask(required: ApprovalRequiredData) -> Decision:
    """The answer where no owner can be asked."""
    return Decision(approved=False, feedback="nobody could be asked")


def changed_terms(terms: Terms, changes: dict[str, Json]) -> Terms:
    """The terms with the owner's changes: "" leaves a field as offered, None takes it back.

    Raises:
        UserError: a field that terms do not have, or a value out of bounds; names the field.
    """
    given = {name: value for name, value in changes.items() if value != ""}
    if given.get("steps", 0) is None:
        del given["steps"]  # there is no run without them
    if given.get("timeout_s") is not None:
        given["timeout_s"] = read_timeout(given["timeout_s"])
        if given["timeout_s"] is None:
            message = f"{str(changes['timeout_s'])[:40]!r} is no time limit"
            raise UserError(message, remedy="Write seconds, or 90s, 30m, 1.5h.")
    try:
        return Terms.model_validate({**terms.model_dump(), **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        message = f"{name} cannot be {str(first.get('input'))[:40]!r}: {first['msg'].lower()}"
        raise UserError(message, remedy="Change it and approve again.") from error


def _no_dearer(offer: Quote, agreed: Quote) -> bool:
    """Whether an approval of `agreed` covers `offer`; a price that is not known covers nothing."""
    return offer.usd is not None and agreed.usd is not None and offer.usd <= agreed.usd


def _asked(offer: Quote, terms: Terms, trouble: str) -> str:
    price = "at a price that is not known" if offer.usd is None else f"for about ${offer.usd:.2f}"
    text = f"Run before and after, {terms.steps} steps each, {price}"
    return f"{text}: {trouble}." if trouble else f"{text}."


def _declined(decision: Decision) -> str:
    return f"its owner declined: {decision.feedback}" if decision.feedback else "its owner declined"


def _plain(text: str) -> str:
    """One line without control characters, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_FEEDBACK]
