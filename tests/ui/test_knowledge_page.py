"""The knowledge base as HTML: search, filters, rules and facts in full, foreign text."""

from __future__ import annotations

import re
from datetime import date

import pytest

from audit.records.finding import Source
from kb.factbook import load_facts
from kb.rule import Rule
from kb.rulebook import load_rules
from kb.search import load_index, search
from tests.ui import page_reports as made
from tests.ui.test_report_parts import Wellformed
from ui.believe import sharper_card
from ui.condition import say, say_list, say_names
from ui.entry_parts import is_stale, rule_link
from ui.fact_card import fact_card
from ui.findings import findings_part
from ui.knowledge import knowledge_part, page_head, search_form
from ui.phrases import TOPICS
from ui.rule_card import rule_card
from ui.shelf import KINDS, Wanted, find_entries, load_entries, opened

EVIL = '"><img src=x onerror=alert(1)>'


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def checked(html: str) -> Wellformed:
    """The parsed page; raises where tags do not nest."""
    parser = Wellformed()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    return parser


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('attn_implementation == "eager"', "attn_implementation is eager"),
        ("packing == true and bf16 in [false, null]", "packing is on and bf16 is off or not set"),
        ("packing not in [false, null]", "packing is set and is not off"),
        ("offload_param != null", "offload_param is set"),
        ("profile.fit.no_checkpointing.share < 0.8",
         "the projected peak memory without checkpointing is below 80% of the card"),
        ('not surely(hardware.vendor == "amd")',
         "it is not certain that the card's maker is AMD"),
        ("not hardware.bf16", "the card has no bf16"),
        ('not contains(lower(model_id), "gemma")', "model_id does not contain gemma"),
        ('sets_variable("VLLM_*")', "a variable VLLM_* is set"),
        ("version(torch) < 2.7", "the version of torch is below 2.7"),
        ("(gpus + 1) * nodes > 2",
         "(the number of GPUs per node + 1) × the number of nodes is above 2"),
        ('"lm_head" in lora_target_modules', "lora_target_modules holds lm_head"),
    ],
)  # fmt: skip
def test_conditions_are_said_in_words(condition: str, words: str) -> None:
    assert plain(say(condition, {}).yes) == words


def test_what_is_joined_is_a_list_and_an_exception_says_unless() -> None:
    said = say_list('packing == true and not surely(task == "dpo")', {})
    assert said.count("<li>") == 2
    assert "<li>unless <code>task</code> is <code>dpo</code></li>" in said


def test_a_defined_quantity_keeps_its_name_and_is_told() -> None:
    names = {"rows": "gpus * nodes", "many": "$rows > 8"}
    assert plain(say("$many", names).yes) == "the rows is above 8"
    assert "the <i>rows</i> is the number of GPUs" in say_names(names, ["$rows > 8"])


def test_a_literal_is_escaped() -> None:
    assert "<img" not in say(f"model_id == {EVIL[1:]!r}".replace("'", '"'), {}).yes


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_every_rule_is_shown_in_full(rule: Rule) -> None:
    html = rule_card(rule)
    parser = checked(html)
    text = " ".join(parser.said)
    assert parser.headings[0] == "h2"
    assert rule.id in text
    for wanted in (
        "Fires when",
        "Check it by hand",
        "Sources",
        "Effect",
        "Examples",
        "It fires here",
    ):
        assert wanted in text, wanted
    for source in rule.sources_read:
        assert source.as_of in text
    assert all(f"./kb?fact={name}" in html for name in rule.facts)
    assert "{" not in plain(html.split("<dl")[1].split("Fires when")[0])
    assert "is on is" not in plain(html)
    assert "not not" not in plain(html)
    assert ("By hand:" in text) is bool(rule.advice)
    for plan in rule.edits:
        assert plan.field.removeprefix("env:") in text


def test_every_fact_is_shown_in_full() -> None:
    for fact in load_facts():
        html = fact_card(fact)
        parser = checked(html)
        assert fact.id in " ".join(parser.said)
        assert html.count("<li>") >= len(fact.sources_read)


def test_entries_stand_in_the_order_of_the_index() -> None:
    assert [entry.id for entry in load_entries()] == [entry.id for entry in load_index().entries]
    assert {entry.topic for entry in load_entries()} <= set(TOPICS)
    assert {entry.kind for entry in load_entries()} == set(KINDS)


@pytest.mark.parametrize("question", ["does checkpointing cost speed", "tf32 rocm", "packing"])
def test_the_page_answers_as_the_search_does(question: str) -> None:
    found = find_entries(Wanted(question=question))
    assert [entry.id for entry in found[:5]] == [hit.id for hit in search(question, 5)]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(topic="env"), Wanted(framework="axolotl"), Wanted(vendor="nvidia"),
        Wanted(severity="critical"), Wanted(kind="outdated"), Wanted(kind="advice", vendor="amd"),
        Wanted(question="attention", kind="rule"),
    ],
    ids=lambda wanted: wanted.link(),
)  # fmt: skip
def test_filters_leave_only_what_they_ask_for(wanted: Wanted) -> None:
    found = find_entries(wanted)
    assert 0 < len(found) < len(load_entries())
    for entry in found:
        assert not wanted.topic or entry.topic == wanted.topic
        assert not wanted.kind or entry.kind == wanted.kind
        assert not wanted.severity or wanted.severity in entry.severities
        assert not wanted.vendor or wanted.vendor in (entry.vendors or {wanted.vendor})
        assert not wanted.framework or wanted.framework in (entry.frameworks or {wanted.framework})
    checked(knowledge_part(wanted))


def test_a_fact_is_found_where_its_rule_is_filtered_out() -> None:
    found = find_entries(Wanted(question="sdpa is slow on AMD", kind="outdated"))
    assert "attention.sdpa_rocm_uses_aotriton" in [entry.id for entry in found[:3]]


def test_the_address_says_everything_and_unknown_filters_nothing() -> None:
    query = {"q": "  a  b ", "topic": "env", "vendor": "amd", "kind": "rule", "rule": "x.y"}
    wanted = Wanted.read(query)
    assert wanted.link() == "./kb?q=a+b&topic=env&vendor=amd&kind=rule&rule=x.y"
    odd = Wanted.read({"q": "x" * 900, "topic": EVIL, "vendor": 3, "severity": "loud"})
    assert odd == Wanted(question="x" * 200)


def test_rule_and_fact_of_one_id_are_two_pages() -> None:
    name = "attention.sdpa_nan_old_torch"
    rule, fact = opened(Wanted(rule=name), ()), opened(Wanted(fact=name), ())
    assert rule is not None
    assert fact is not None
    assert (rule.kind, fact.kind) != (fact.kind, rule.kind)
    assert knowledge_part(Wanted(rule=name)).count('aria-current="true"') <= 1


def test_an_unknown_id_says_so() -> None:
    html = knowledge_part(Wanted(rule=EVIL))
    checked(html)
    assert "No rule is called that" in html
    assert "<img" not in html


def test_nothing_found_says_what_to_do() -> None:
    html = knowledge_part(Wanted(question="zzzzqqq"))
    assert "Nothing here answers that" in html
    assert "0 entries" in html


def test_foreign_text_never_becomes_html() -> None:
    wanted = Wanted(question=EVIL, fact=EVIL)
    for html in (knowledge_part(wanted), search_form(wanted), rule_link(EVIL)):
        checked(html)
        assert "<img" not in html
    assert str(len(load_rules())) in page_head()


@pytest.mark.parametrize(
    ("as_of", "stale"),
    [
        ("2024 (stale)", True), ("2024-10 to 2025-05", False), ("2024-03-01", True),
        ("2026-11-20", False), ("2021 data sheet", False), ("ROCm 7.14", False), ("4.x era", True),
        ("2024-11..2026-08", False), ("2024", False),
    ],
)  # fmt: skip
def test_old_sources_are_flagged(as_of: str, stale: bool) -> None:
    assert is_stale(Source(title="t", url="https://x.y", as_of=as_of), date(2026, 11, 21)) is stale


def test_a_finding_links_to_its_rule() -> None:
    report = made.report()
    html = findings_part(report)
    for finding in report.findings:
        assert f'href="./kb?rule={finding.rule_id}"' in html


def test_what_the_projection_assumed_is_told() -> None:
    report = made.report()
    told = report.profile.model_copy(update={"assumptions": (f"no lengths stated: {EVIL}",)})
    html = sharper_card(report.model_copy(update={"profile": told}))
    assert "No lengths stated: &quot;&gt;&lt;img" in html
    assert "Nothing was assumed" not in html
