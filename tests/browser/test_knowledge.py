"""The knowledge base in a real browser: search, filters, links, back, phone, themes, odd text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import SLOW, open_page, overflow, settled

pytestmark = pytest.mark.browser
EVIL = '"><img src=x onerror="alert(1)">'


def open_knowledge(page: Page, url: str, query: str = "") -> None:
    """The page with its results."""
    page.goto(f"{url}/kb{query}")
    expect(page.locator(".gg-kb")).to_be_attached(timeout=SLOW)


def asked(page: Page) -> dict[str, str]:
    """The query of the address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_finding_leads_to_its_rule_and_back(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    settled(page)
    link = page.locator("#gg-report a.gg-rule").first
    name = link.inner_text()
    link.click()
    expect(page.locator(f'.gg-entry[data-rule="{name}"]')).to_be_visible(timeout=SLOW)
    assert asked(page) == {"rule": name}
    expect(page.locator("#gg-kb-top h1")).to_have_text("Knowledge base")
    nav = page.get_by_role("navigation", name="Pages")
    expect(nav.locator("[aria-current=page]")).to_have_text("Knowledge base")
    expect(page.get_by_role("navigation")).to_have_count(1)
    nav.get_by_role("link", name="Audit").click()
    expect(page.locator("#gg-verdict")).to_be_visible(timeout=SLOW)
    nav = page.get_by_role("navigation", name="Pages")
    expect(nav.locator("[aria-current=page]")).to_have_text("Audit")
    settled(page)


def test_search_and_filters_change_list_and_address(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_knowledge(page, app.url)
    line = page.locator("#gg-found-line")
    question = page.locator("form[data-knowledge] input").first
    expect(question).to_be_visible(timeout=60_000)
    box = question.bounding_box()
    assert box is not None
    assert box["width"] > 800, "the question has the width of the page"
    expect(line).to_contain_text("All ")
    field = page.get_by_role("searchbox", name="Ask in words")
    field.press_sequentially("tf32 on rocm")
    expect(line).to_contain_text("for “tf32 on rocm”")
    assert asked(page) == {"q": "tf32 on rocm"}
    assert page.evaluate("document.activeElement.id") == "gg-question"
    expect(page.locator(".gg-hit code").first).to_contain_text("precision.tf32")
    before = line.inner_text()
    page.locator("select[name=kind]").select_option(label="Outdated advice")
    expect(line).not_to_have_text(before)
    assert asked(page)["kind"] == "outdated"
    expect(page.locator(".gg-hit .gg-sort").first).to_have_text("Outdated advice")
    expect(page.locator("#gg-part-status [role=status]")).to_contain_text("entries")
    page.reload()
    expect(line).to_contain_text("for “tf32 on rocm”", timeout=SLOW)
    expect(field).to_have_value("tf32 on rocm")
    expect(page.locator("select[name=kind]")).to_have_value("outdated")
    page.get_by_role("link", name="Environment variables").click()
    expect(field).to_have_value("")
    expect(page.locator("select[name=topic]")).to_have_value("env")
    assert asked(page) == {"topic": "env"}


def test_an_entry_opens_in_place_and_back_returns(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_knowledge(page, app.url, "?q=packing")
    link = page.locator(".gg-hit a").nth(1)
    title = link.inner_text()
    link.focus()
    page.keyboard.press("Enter")
    head = page.locator("#gg-entry-title")
    expect(head).to_have_text(title)
    page.wait_for_function("document.activeElement.id === 'gg-entry-title'")
    expect(page.locator(".gg-hit a[aria-current=true]")).to_have_text(title)
    opened = asked(page)
    assert opened["q"] == "packing"
    assert {"rule", "fact"} & set(opened)
    assert title in page.title()
    page.locator(".gg-entry .gg-links a").first.click()
    expect(head).not_to_have_text(title)
    page.go_back()
    expect(head).to_have_text(title)
    page.go_back()
    expect(page.locator(".gg-kb.gg-opened")).to_have_count(0)
    assert asked(page) == {"q": "packing"}


def test_a_rule_is_shown_in_full(visitor: Visitor, app: App) -> None:
    page = visitor.page
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_knowledge(page, app.url, "?rule=attention.eager")
    entry = page.locator(".gg-entry")
    for words in ("Fires when", "attn_implementation is eager", "Check it by hand", "It fires here",
                  "It stays silent here", "Sources", "Facts it rests on", "stale"):  # fmt: skip
        expect(entry).to_contain_text(words)
    sources = entry.locator(".gg-sources a")
    assert sources.count() >= 1
    for source in sources.all():
        assert str(source.get_attribute("href")).startswith("https://")
        assert "noopener" in str(source.get_attribute("rel"))
    entry.get_by_role("button", name="Copy the link").click()
    expect(entry.get_by_role("button", name="Copy the link")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{app.url}/kb?rule=attention.eager"
    levels = page.evaluate(
        """() => [...document.querySelectorAll('h1,h2,h3,h4')].filter(node => node.offsetParent)
            .map(node => Number(node.tagName[1]))"""
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = page.locator("[id^=gg-]").evaluate_all("nodes => nodes.map(node => node.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["no.such_rule", "../../etc/passwd", EVIL, "x" * 900])
def test_an_unknown_rule_says_so(visitor: Visitor, app: App, name: str) -> None:
    page = visitor.page
    open_knowledge(page, app.url, f"?rule={name}")
    expect(page.locator(".gg-entry h2")).to_have_text("No rule is called that")
    assert page.locator(".gg-kb img").count() == 0


def test_foreign_text_in_the_search_stays_text(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_knowledge(page, app.url)
    page.get_by_role("searchbox").fill(EVIL)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#gg-found-line")).to_contain_text(EVIL)
    page.reload()
    expect(page.locator("#gg-found-line")).to_contain_text(EVIL, timeout=SLOW)
    assert page.locator("#gg-kb-results img, #gg-kb-ask img, #gg-part-status img").count() == 0


def test_a_phone_reads_a_rule_without_scrolling_sideways(phone: Visitor, app: App) -> None:
    page = phone.page
    open_knowledge(page, app.url)
    assert overflow(page) == 0
    expect(page.locator(".gg-full")).to_be_hidden()
    page.locator(".gg-hit a").first.click()
    expect(page.locator(".gg-entry")).to_be_visible()
    expect(page.locator(".gg-hits")).to_be_hidden()
    expect(page.locator(".gg-choices")).to_be_hidden()
    assert overflow(page) == 0
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator(".gg-hits")).to_be_visible()
    for name in ("batch.micro_batch_too_small", "env.debug_switches"):
        open_knowledge(page, app.url, f"?rule={name}")
        assert overflow(page) == 0
        low = page.evaluate(
            """() => [...document.querySelectorAll('main .gg-button, main select, main input')]
                .filter(node => node.offsetParent && node.getBoundingClientRect().height < 43.5)
                .map(node => node.outerHTML)"""
        )
        assert low == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_knowledge_base(
    visitor: Visitor, app: App, axe: Path, theme: str
) -> None:
    page = visitor.page
    for query in (
        "?",
        "?q=packing&rule=attention.eager&",
        "?fact=attention.sdpa_rocm_uses_aotriton&",
    ):
        open_knowledge(page, app.url, f"{query}__theme={theme}")
        assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
        page.add_script_tag(path=str(axe))
        found = page.evaluate(
            """() => axe.run({include: ['.gg']}, {resultTypes: ['violations']}).then(done =>
                done.violations.map(fault => [fault.id, ...fault.nodes.map(node => node.html)]))"""
        )
        assert found == [], f"{query}, {theme}"
        small = page.evaluate(
            """() => [...document.querySelectorAll('.gg *')].filter(node => node.offsetParent &&
                node.innerText && node.children.length === 0 &&
                parseFloat(getComputedStyle(node).fontSize) < 12).map(node => node.outerHTML)"""
        )
        assert small == []
    page.locator(".gg-nav a").first.click()
    expect(page.locator("#gg-verdict")).to_be_visible(timeout=SLOW)
    assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
    settled(page)
