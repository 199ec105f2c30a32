"""A second round in a real browser: a field kept, a finding left out; the old link stays."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import CONFIG, SLOW, audit, open_page, upload, view

pytestmark = pytest.mark.browser
FIELD = "gradient_checkpointing"


def test_the_patch_anew_under_the_owners_wishes(
    visitor: Visitor, another: Visitor, app: App
) -> None:
    page = visitor.page
    open_page(page, app.url)
    expect(page.locator("#gg-second")).to_have_count(0)
    upload(page, ("support.yml", CONFIG))
    audit(page)
    first = page.url
    diff = page.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert f"-{FIELD}: true" in diff
    page.locator("#gg-second > button").click()
    page.locator("#gg-second-keep input").click()
    page.get_by_role("option", name=FIELD, exact=True).click()
    page.keyboard.press("Escape")
    page.locator("#gg-second-leave-out input").click()
    page.get_by_role("option", name="attention").first.click()
    page.keyboard.press("Escape")
    page.locator("#gg-second-run").click()
    page.wait_for_url(lambda url: url != first, timeout=SLOW)
    view(page, "report")
    again = page.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert f"-{FIELD}: true" not in again
    assert "-attn_implementation" not in again
    assert "-tf32" in again
    expect(page.locator("#gg-part-findings")).to_contain_text("You left it out")

    other = another.page
    other.goto(first)
    view(other, "report")
    kept = other.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert kept == diff
    expect(other.locator("#gg-second")).to_have_count(0)
