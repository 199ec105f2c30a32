"""The box for questions in the browser: by keyboard, by search, escaped, and clean for axe."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import overflow, view

pytestmark = pytest.mark.browser


def test_a_question_is_answered_with_what_it_rests_on(
    phone: Visitor, app: App, axe: object
) -> None:
    page = phone.page
    page.goto(f"{app.url}/?sample=axolotl-qlora-192gb.yml")
    view(page, "report")
    box = page.locator("#gg-question")
    box.fill("Why is eager attention slow?")
    box.press("Enter")
    answer = page.locator(".gg-answer")
    expect(answer).to_contain_text("by search, no model")
    expect(answer.locator("a", has_text="attention.eager").first).to_have_attribute(
        "href", "./kb?rule=attention.eager"
    )
    expect(answer).to_contain_text("axolotl-qlora-192gb.yml:9")
    expect(page.locator(".gg-asked button")).to_be_enabled()
    assert overflow(page) == 0
    box.fill('<img src=x onerror="alert(1)">')
    page.locator(".gg-asked button").click()
    expect(answer.locator("h3")).to_contain_text("onerror")
    assert answer.locator("img").count() == 0
    page.add_script_tag(path=str(axe))
    found = page.evaluate(
        "async () => (await axe.run({include: [['#gg-part-ask'], ['#gg-part-answer']]}))"
        ".violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))])"
    )
    assert found == [], json.dumps(found)
