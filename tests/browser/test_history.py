"""This browser's audits, listed, filtered, deleted and compared; two tabs share what they own."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import (
    CONFIG,
    SLOW,
    audit,
    open_page,
    overflow,
    paste,
    settled,
    upload,
    view,
)

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=alert(1)>.yml"


def sample(page: Page, app: App, name: str, hardware: str = "") -> None:
    page.goto(f"{app.url}/?sample={name}" + (f"&hardware={hardware}" if hardware else ""))
    view(page, "report")


def history(page: Page, app: App) -> None:
    page.goto(f"{app.url}/history")
    page.locator(".gg-history").wait_for(timeout=SLOW)


def test_audits_of_two_tabs_are_listed_filtered_and_deleted(visitor: Visitor, app: App) -> None:
    page = visitor.page
    history(page, app)
    expect(page.locator("h1 + .gg-range")).to_have_text("no audit from this browser yet")
    open_page(page, app.url)
    beside = visitor.context.new_page()  # opened before the first tab owns anything
    open_page(beside, app.url)
    upload(page, ("first.yml", CONFIG))
    audit(page)
    gone = page.url
    upload(beside, (EVIL, CONFIG))
    audit(beside)
    beside.close()
    sample(page, app, "llamafactory-well-tuned.yaml")
    history(page, app)
    rows = page.locator("tr[data-audit]")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("Nothing to fix")
    expect(rows.nth(1)).to_contain_text("onerror")
    expect(rows.nth(2)).to_contain_text("1 critical")
    assert page.locator(".gg-history img").count() == 0
    page.locator("#gg-filter").fill("llamafactory")
    expect(page.locator("tr[data-audit]:visible")).to_have_count(1)
    expect(page.locator("#gg-part-status [role=status]")).to_have_text("1 of 3 audits shown")
    page.locator("#gg-filter").fill("no such thing")
    expect(page.locator("[data-none]")).to_be_visible()
    page.locator("#gg-filter").fill("first CRITICAL")
    expect(page.locator("tr[data-audit]:visible")).to_have_count(1)

    row = page.locator("tr[data-audit]:visible")
    row.locator("[data-delete]").click()
    expect(row.locator("[data-keep]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(row.locator("[data-delete]")).to_be_focused()
    expect(row.locator("[data-sure]")).to_be_hidden()
    page.keyboard.press("Enter")
    row.locator("[data-sure]").click()
    expect(rows).to_have_count(2)
    expect(page.locator("#gg-part-status [role=status]")).to_have_text("first.yml was deleted.")
    page.reload()
    expect(rows).to_have_count(2, timeout=SLOW)
    page.goto(gone)
    view(page, "gone")
    expect(page.locator("#gg-headline")).to_have_text("No audit under this link")


def test_another_browser_lists_and_deletes_nothing_of_it(
    visitor: Visitor, another: Visitor, app: App
) -> None:
    sample(visitor.page, app, "axolotl-lora-tf32.yml")
    tokens = visitor.page.evaluate("goblin.owned()")
    (audit_id,) = tokens
    page = another.page
    open_page(page, app.url)
    settled(page)
    page.evaluate("tokens => goblin.keep(tokens)", {audit_id: "0" * 32, "nonsense": "x"})
    history(page, app)
    expect(page.locator("tr[data-audit]")).to_have_count(0)
    page.goto(f"{app.url}/?audit={audit_id}")
    view(page, "report")
    assert page.locator("input[data-rule]").count() == 0
    history(visitor.page, app)
    expect(visitor.page.locator("tr[data-audit]")).to_have_count(1)


def test_audits_are_compared_and_unlike_ones_are_refused(visitor: Visitor, app: App) -> None:
    page = visitor.page
    sample(page, app, "axolotl-qlora-192gb.yml")
    off = page.locator('label:has(input[data-rule="quant.not_needed_to_fit"])')
    off.scroll_into_view_if_needed()
    open_page(page, app.url)
    paste(page, CONFIG.replace("sequence_len: 2048", "sequence_len: 1024"))
    audit(page)
    sample(page, app, "axolotl-qlora-192gb.yml", "h100-sxm")
    history(page, app)
    compare = page.locator("#gg-compare")
    expect(compare).to_have_attribute("aria-disabled", "true")
    for box in page.locator("[data-pick]").all():
        box.check()
    expect(compare).to_have_text("Compare 3")
    compare.focus()
    page.keyboard.press("Enter")
    page.locator(".gg-compared").wait_for(timeout=SLOW)
    assert re.search(r"/compare\?a=[0-9a-f]{32}&b=[0-9a-f]{32}&c=[0-9a-f]{32}$", page.url)
    notes = page.locator(".gg-verdicts .gg-note")
    expect(notes).to_have_count(2)
    expect(notes.first).to_contain_text("no speed-up is computed. The two runs differ in hardware")
    assert notes.first.locator("[data-metric]").count() == 0
    expect(page.locator(".gg-side")).to_contain_text("max_seq_len")
    figures = page.locator(".gg-compared [data-metric]").evaluate_all(
        "nodes => [...new Set(nodes.map(node => node.dataset.provenance))]"
    )
    assert figures == ["projected"]
    table = page.locator(".gg-side [data-metric=step_s]").all_inner_texts()
    assert page.locator(".gg-bars [data-metric=step_s]").all_inner_texts() == table
    assert overflow(page) == 0
    address = page.url
    page.go_back()
    page.locator(".gg-history").wait_for(timeout=SLOW)
    page.locator("[data-pick]").nth(1).check()
    page.locator("[data-pick]").nth(2).check()
    compare.click()
    page.locator(".gg-compared").wait_for(timeout=SLOW)
    note = page.locator(".gg-verdicts .gg-note")
    expect(note).to_have_count(1)
    assert note.locator("[data-metric=speedup]").count() == 1
    page.goto(address.replace("a=", "a=../../etc/passwd&x="))
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing to compare", timeout=SLOW)
    page.goto(f"{app.url}/compare?a={EVIL}&b=1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing to compare", timeout=SLOW)
    assert page.locator("#gg-part-compare img").count() == 0


def test_a_comparison_can_be_read_by_its_link_alone(
    visitor: Visitor, another: Visitor, app: App
) -> None:
    for card in ("mi300x", "mi355x"):
        sample(visitor.page, app, "axolotl-qlora-192gb.yml", card)
    first, second = visitor.page.evaluate("Object.keys(goblin.owned())")
    page = another.page
    page.goto(f"{app.url}/compare?ids={first},{second}")
    page.locator(".gg-compared").wait_for(timeout=SLOW)
    expect(page.locator(".gg-side thead a")).to_have_count(2)
