"""docs/rules.md says what the rules say today."""

from __future__ import annotations

from kb.rulebook import load_rules
from tests.rules_page import PAGE, render


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == render(), "out of date: python -m tests.rules_page"


def test_every_rule_is_told_in_words() -> None:
    page = render()
    for rule in load_rules():
        part = page.partition(f"### {rule.id}\n")[2].partition("\n### ")[0]
        assert part, rule.id
        for needed in ("- For: ", "- Fires when ", "- Edit: ", "- Severity: ", "- Sources: "):
            assert needed in part, (rule.id, needed)
        fires = part.partition("- Fires when ")[2].partition("\n")[0]
        assert not any(sign in fires for sign in ("==", "surely", "profile.", "$")), fires
