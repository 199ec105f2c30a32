"""What a finished report offers in a browser: both diffs, calls, reproduce, axe."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import CONFIG, SLOW, audit, open_page, overflow, paste, view

pytestmark = pytest.mark.browser
TORCHTUNE = """\
output_dir: /tmp/out
model:
  _component_: torchtune.models.llama3_1.lora_llama3_1_8b
  lora_rank: 8
  lora_alpha: 16
optimizer:
  _component_: torch.optim.AdamW
  lr: 3e-4
loss:
  _component_: torchtune.modules.loss.CEWithChunkedOutputLoss
dataset:
  _component_: torchtune.datasets.alpaca_dataset
batch_size: 2
gradient_accumulation_steps: 8
epochs: 1
dtype: bf16
enable_activation_checkpointing: True
"""
FORMATS = {
    "axolotl-qlora-192gb.yml": "axolotl YAML",
    "llamafactory-packing.yaml": "LLaMA-Factory YAML",
    "trl-sft-tutorial.py": "TRL script",
    "trl-sft-notebook.ipynb": "TRL notebook",
}


def test_every_format_is_recognised_and_named(visitor: Visitor, app: App) -> None:
    page = visitor.page
    for name, said in FORMATS.items():
        page.goto(f"{app.url}/?sample={name}")
        view(page, "report")
        expect(page.locator("#gg-verdict .gg-meta")).to_contain_text(said)
    for text, said in (
        (TORCHTUNE, "torchtune YAML"),
        ('{"zero_optimization": {"stage": 2}, "bf16": {"enabled": true}}', "DeepSpeed config"),
    ):
        open_page(page, app.url)
        paste(page, text)
        audit(page)
        expect(page.locator("#gg-verdict .gg-meta")).to_contain_text(said)


def test_both_diffs_hold_the_patch_and_the_choice_is_remembered(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.goto(f"{app.url}/?sample=axolotl-qlora-192gb.yml")
    view(page, "report")
    unified, beside = page.locator(".gg-unified"), page.locator(".gg-beside")
    expect(unified).to_be_visible()
    expect(beside).to_be_hidden()
    diff = page.locator("#gg-diff-text").text_content() or ""
    added = [line[1:] for line in diff.splitlines() if re.match(r"\+(?!\+\+ )", line)]
    removed = [line[1:] for line in diff.splitlines() if re.match(r"-(?!-- )", line)]
    texts = ".gg-added > td:last-child", "td.gg-added:last-child"
    for table, where in ((unified, texts[0]), (beside, texts[1])):
        found = table.locator(where).all_text_contents()
        assert [one.removeprefix("added: ") for one in found] == added
    assert unified.locator("tr.gg-removed").count() == len(removed)
    assert unified.locator("tr.gg-added .gg-sign").first.text_content() == "+"
    assert unified.locator("tr.gg-removed .gg-sign").first.text_content() == "-"
    button = page.get_by_role("button", name="Side by side", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(beside).to_be_visible()
    expect(unified).to_be_hidden()
    assert overflow(page) == 0
    page.locator("label.gg-switch").first.click()
    expect(page.locator(".gg-switched")).to_be_visible()
    expect(beside).to_be_visible()
    page.reload()
    view(page, "report")
    expect(beside).to_be_visible()


def test_every_tool_call_can_be_opened_by_keyboard(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.goto(f"{app.url}/?sample=axolotl-lora-tf32.yml")
    view(page, "report")
    holder = page.locator("#gg-stages .gg-calls")
    calls = holder.locator("details.gg-call")
    assert calls.count() == int(holder.get_attribute("data-calls") or 0) == 7
    holder.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(calls.first).to_be_visible()
    calls.nth(3).locator("summary").focus()
    page.keyboard.press("Enter")
    expect(calls.nth(3)).to_contain_text("finding_ids")
    expect(calls.nth(3)).to_contain_text("applied tf32")
    expect(calls.nth(3).locator("summary")).to_contain_text("done, ")
    expect(page.locator("#gg-stages header")).to_contain_text("no model took part")


def test_the_report_tells_how_to_get_it_again(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.goto(f"{app.url}/?sample=axolotl-qlora-192gb.yml&hardware=h100-sxm")
    view(page, "report")
    box = page.locator("#gg-reproduce")
    command = page.locator("#gg-again-text").text_content() or ""
    assert shlex.split(command) == [
        "python", "-m", "agent", "audit", "axolotl-qlora-192gb.yml", "--hardware", "h100-sxm",
    ]  # fmt: skip
    expect(box).to_contain_text(re.compile("SHA-256 of axolotl-qlora-192gb.yml[0-9a-f]{64}"))
    expect(box).to_contain_text("Estimator")
    page.locator("label.gg-switch").first.click()
    expect(page.locator(".gg-switched")).to_be_visible()
    assert "agent patch" in (page.locator("#gg-again-text").text_content() or "")


def test_a_backend_that_cannot_work_here_says_why(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    page.get_by_role("button", name="Data lengths and versions (optional)").click()
    backend = page.locator("#gg-backend")
    expect(backend).to_contain_text("Claude: there is no key for Claude")
    expect(backend.locator("input")).to_have_value("The rules (no model, no key)")
    page.locator("#gg-backend input").click()
    expect(page.get_by_role("option")).to_have_count(1)


def test_back_and_forward_keep_what_was_on_the_page(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.goto(f"{app.url}/?sample=axolotl-lora-tf32.yml")
    view(page, "report")
    open_page(page, app.url)
    paste(page, CONFIG)
    audit(page)
    mine = page.url
    page.locator('.gg-nav a[href="./history"]').click()
    page.locator(".gg-history").wait_for(timeout=SLOW)
    page.go_back()
    view(page, "report")
    assert page.url == mine
    expect(page.locator("#gg-verdict")).to_contain_text("pasted.yaml")
    page.go_forward()
    page.locator(".gg-history").wait_for(timeout=SLOW)
    expect(page.locator("tr[data-audit]")).to_have_count(2)


def compared(page: Page, app: App) -> str:
    """The address of a comparison of two audits of this browser."""
    for card in ("mi300x", "h200"):
        page.goto(f"{app.url}/?sample=axolotl-qlora-192gb.yml&hardware={card}")
        view(page, "report")
    first, second = page.evaluate("Object.keys(goblin.owned())")[-2:]
    return f"{app.url}/compare?a={first}&b={second}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_other_pages(
    visitor: Visitor, app: App, axe: Path, theme: str
) -> None:
    page = visitor.page
    address = compared(page, app)
    for url, mark in (
        (f"{app.url}/history?__theme={theme}", ".gg-history"),
        (f"{address}&__theme={theme}", ".gg-compared"),
    ):
        page.goto(url)
        page.locator(mark).wait_for(timeout=SLOW)
        assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
        if mark == ".gg-history":
            page.locator("[data-delete]").first.click()
        page.add_script_tag(path=str(axe))
        found = page.evaluate(
            """() => axe.run({include: ['.gg']}, {resultTypes: ['violations']}).then(done =>
                done.violations.map(fault => [fault.id, ...fault.nodes.map(node => node.html)]))"""
        )
        assert found == [], f"{url}, {theme}"


def test_no_page_scrolls_sideways_or_moves_by_itself(phone: Visitor, app: App) -> None:
    page = phone.page
    address = compared(page, app)
    page.locator("#gg-patch [data-diff-way=beside]").click()
    assert overflow(page) == 0
    moving = page.evaluate(
        """() => [...document.querySelectorAll('.gg *')].filter(node => {
            const style = getComputedStyle(node, '::after');
            return getComputedStyle(node).animationName !== 'none' ||
                (style.transitionDuration !== '0s' && style.transitionProperty !== 'none' &&
                 parseFloat(style.transitionDuration) > 0);
        }).map(node => node.className)"""
    )
    assert moving == []
    for url, mark in ((f"{app.url}/history", ".gg-history"), (address, ".gg-compared")):
        for width in (390, 640):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(url)
            page.locator(mark).wait_for(timeout=SLOW)
            assert overflow(page) == 0, f"{url} at {width}"
