"""The what-if on the page: counts, run length, prices and cards change it; links keep cards."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import CONFIG, audit, open_page, overflow, upload, view

pytestmark = pytest.mark.browser
TABLE = "#gg-part-what_if_rows"
SAMPLE = "?sample=axolotl-qlora-192gb.yml"


def figure(page: Page, card: str, metric: str, line: int = 0) -> str:
    """The value of one figure of one card: line 0 is the file, 1 the patch."""
    found = page.locator(f'{TABLE} [data-card="{card}"] tr >> nth={line}')
    return found.locator(f'[data-metric="{metric}"]').inner_text()


def typed(field: Locator, text: str) -> None:
    field.fill(text)
    field.press("Tab")


def test_the_table_follows_the_form_and_the_link_keeps_the_cards(
    visitor: Visitor, app: App
) -> None:
    page = visitor.page
    page.goto(f"{app.url}/{SAMPLE}")
    view(page, "report")
    table = page.locator(TABLE)
    expect(table.locator("[data-card]")).to_have_count(4)
    expect(table.locator("[data-metric=run_s]")).to_have_count(0)
    kinds = table.locator("[data-provenance]").evaluate_all(
        "nodes => [...new Set(nodes.map(node => node.dataset.provenance))]"
    )
    assert kinds == ["projected"]

    typed(page.locator(".gg-what-if input[name=rows]"), "52k")
    expect(table.locator("[data-metric=run_s]")).to_have_count(8)
    expect(table).to_contain_text("52,000 rows x 2 epochs (as the file says)")
    before = figure(page, "mi300x", "run_usd")
    price = table.locator('[data-price="mi300x"]')
    typed(price, "1")
    expect(table).to_contain_text("your price")
    assert figure(page, "mi300x", "run_usd") != before
    expect(table).to_contain_text("52,000 rows")

    page.locator(".gg-pick", has_text="H200 SXM").click()
    expect(table.locator('[data-card="h200"]')).to_have_count(1)
    assert "h200" in page.url
    address = page.url
    typed(page.locator(".gg-what-if input[name=gpus]"), "many")
    expect(table.get_by_role("alert")).to_contain_text("GPUs per machine many is no number")
    typed(page.locator(".gg-what-if input[name=gpus]"), "8")
    expect(table).to_contain_text("other samples per step")
    page.goto(address)
    view(page, "report")
    expect(page.locator(f'{TABLE} [data-card="h200"]')).to_have_count(1)
    expect(page.locator(f"{TABLE} [data-card]")).to_have_count(5)


def test_a_switched_edit_keeps_what_was_asked(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("support.yml", CONFIG))
    audit(page)
    typed(page.locator(".gg-what-if input[name=rows]"), "9000")
    expect(page.locator(TABLE)).to_contain_text("9,000 rows x 3 epochs")
    row = page.locator(f'{TABLE} [data-card="mi300x"] tr').last
    old = row.inner_text()
    page.locator("#gg-part-findings .gg-switch:has(input:checked)").last.click()
    expect(page.locator(".gg-switched").first).to_be_visible()
    expect(page.locator(TABLE)).to_contain_text("9,000 rows x 3 epochs")
    expect(row).not_to_have_text(old, use_inner_text=True)


def test_the_what_if_on_a_phone_and_for_axe(phone: Visitor, app: App, axe: object) -> None:
    page = phone.page
    page.goto(f"{app.url}/{SAMPLE}")
    view(page, "report")
    expect(page.locator(f"{TABLE} [data-card]")).to_have_count(4)
    assert overflow(page) == 0
    small = page.locator("#gg-what-if, .gg-elsewhere").evaluate_all(
        "roots => roots.flatMap(root => [...root.querySelectorAll('*')])"
        ".filter(node => node.innerText && parseFloat(getComputedStyle(node).fontSize) < 12).length"
    )
    assert small == 0
    page.add_script_tag(path=str(axe))
    found = page.evaluate(
        "async () => (await axe.run({include: [['#gg-part-what_if'], ['#gg-part-what_if_rows']]}))"
        ".violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))])"
    )
    assert found == [], json.dumps(found)
