"""Which findings the patch follows: a consistent set, and for every other one the reason in words.

It knows no figures: whether the edits fit the card together is asked again by whoever plans the
patch, finding by finding, in the order given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from audit.records.finding import DEFAULT_INCLUDE, Finding, Semantics
from audit.records.patch import Why
from kb.rulebook import load_rules


@dataclass(frozen=True, slots=True)
class Choice:
    """One finding, and why the patch does not follow it, where it does not."""

    finding: Finding
    why: Why | None = None

    @property
    def chosen(self) -> bool:
        """Whether the patch follows it."""
        return self.why is None

    @property
    def reason(self) -> str:
        """Why (not), in words."""
        return self.why.text if self.why else "In the patch"


NOT_INCLUDED: dict[Semantics, Why] = {
    "dynamics": Why(
        "not_included", "Changes what is learned: offered, not applied unless you include it"
    ),
    "numerics": Why("not_included", "Changes rounding, and numerics edits are not included"),
    "neutral": Why("not_included", "Neutral edits are not included"),
}
_LAST = 999


def choose_findings(
    findings: Iterable[Finding],
    include: frozenset[Semantics] = DEFAULT_INCLUDE,
    keep: frozenset[str] = frozenset(),
) -> tuple[Choice, ...]:
    """A consistent set of findings to follow; all of them, in the order to apply them in.

    Args:
        findings: those of `match_rules`, the weightiest first: between two that do not go together
            the earlier one wins; a fatal one, and one that supersedes another, go first.
        include: semantics that may be applied.
        keep: fields that the user wants left as they are.
    """
    chooser = _Chooser(tuple(findings), include, keep)
    while chooser.misses():
        chooser.choose()
    return tuple(
        Choice(finding, chooser.reasons.get(finding.id))
        for finding in sorted(chooser.findings, key=chooser.place)
    )


class _Chooser:
    """Takes findings one by one, each against those taken before."""

    def __init__(
        self,
        findings: tuple[Finding, ...],
        include: frozenset[Semantics],
        keep: frozenset[str],
    ) -> None:
        self.findings, self.include, self.keep = findings, include, keep
        self.rules = {rule.id: rule for rule in load_rules()}
        self.fired = {finding.rule_id: finding for finding in findings}
        self.lacking: dict[str, Why] = {}
        """Finding id -> why it lacks one that it requires; grows until nothing is lacking."""
        self.choose()

    def choose(self) -> None:
        """Take what can be taken, fatal ones first, then those that supersede another."""
        self.taken: dict[str, Finding] = {}
        self.reasons = dict(self.lacking)
        for finding in sorted(self.findings, key=self.turn):
            reason = self.lacking.get(finding.id) or self.refuse(finding)
            if reason:
                self.reasons[finding.id] = reason
            else:
                self.taken[finding.rule_id] = finding

    def turn(self, finding: Finding) -> tuple[bool, bool, int]:
        supersedes = self.names(finding, "supersedes") & self.fired.keys()
        return (not finding.stops_run, not supersedes, self.findings.index(finding))

    def place(self, finding: Finding) -> tuple[bool, int, int]:
        """Where the finding stands in the order of application."""
        rule = self.rules.get(finding.rule_id)
        order = rule.order if rule else _LAST
        return (not finding.stops_run, order, self.findings.index(finding))

    def names(self, finding: Finding, relation: str) -> set[str]:
        """The rules that a finding's rule requires, excludes or supersedes."""
        rule = self.rules.get(finding.rule_id)
        return set(getattr(rule, relation)) if rule else set()

    def misses(self) -> bool:
        """Whether a finding was taken whose required one fired and was not; it is noted."""
        before = len(self.lacking)
        for finding in self.taken.values():
            missing = self.names(finding, "requires") & self.fired.keys() - self.taken.keys()
            if missing:
                needed = self.fired[min(missing)].title
                told = f"Needs this to be followed too: {needed}"
                self.lacking[finding.id] = Why("plan", told)
        return len(self.lacking) > before

    def refuse(self, finding: Finding) -> Why | None:
        """Why the finding cannot be followed; None where it can."""
        return self.refuse_alone(finding) or self.refuse_beside(finding)

    def refuse_alone(self, finding: Finding) -> Why | None:
        kept = sorted({edit.field for edit in finding.edits} & self.keep)
        if not finding.edits:
            return Why("advice", "Advice only: no edit of the file makes this")
        if kept:
            return Why("kept", f"You asked to keep {', '.join(kept)}")
        if finding.semantics not in self.include:
            return NOT_INCLUDED[finding.semantics]
        return None

    def refuse_beside(self, finding: Finding) -> Why | None:
        excluded = self.names(finding, "excludes")
        fields = {edit.field for edit in finding.edits}
        for other in self.taken.values():
            theirs = {edit.field for edit in other.edits}
            if finding.rule_id in self.names(other, "supersedes") and fields <= theirs:
                return Why("plan", f"Nothing is left to cure once this is followed: {other.title}")
            if other.rule_id in excluded or finding.rule_id in self.names(other, "excludes"):
                return Why("plan", f"Cannot be followed together with: {other.title}")
            for edit in other.edits:
                if edit.field in fields and edit not in finding.edits:
                    return Why("plan", f"{edit.field} is set otherwise by: {other.title}")
        return None
