"""Edits switched off and on in a real browser: patch, figures, downloads, address, focus."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import CONFIG, audit, open_page, saved, upload, view

pytestmark = pytest.mark.browser
CHECKPOINTING = "memory.checkpointing_not_needed"
FATAL = "precision.tf32_on_rocm"
LINE = re.compile(r"^Patch: (\d+) edits, projected [\d.]+x \([\d.]+ to [\d.]+\)\.$")


def box(page: Page, rule: str):  # type: ignore[no-untyped-def]
    return page.locator(f'input[data-rule="{rule}"]')


def status(page: Page):  # type: ignore[no-untyped-def]
    return page.locator("#gg-part-status [role=status]")


def test_a_switched_edit_is_gone_from_everything(
    visitor: Visitor, another: Visitor, app: App, tmp_path: Path
) -> None:
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("support.yml", CONFIG))
    audit(page)
    made = page.url
    before = page.locator("#gg-headline").inner_text()
    expect(box(page, CHECKPOINTING)).to_be_checked()
    box(page, CHECKPOINTING).focus()
    page.keyboard.press("PageDown")
    page.wait_for_timeout(300)
    top = box(page, CHECKPOINTING).evaluate("node => node.getBoundingClientRect().top")
    page.keyboard.press("Space")
    expect(status(page)).to_have_text(LINE)
    expect(page.locator("#gg-headline")).not_to_have_text(before)
    expect(box(page, CHECKPOINTING)).not_to_be_checked()
    expect(box(page, CHECKPOINTING)).to_be_focused()
    page.wait_for_timeout(300)
    now = box(page, CHECKPOINTING).evaluate("node => node.getBoundingClientRect().top")
    assert abs(now - top) < 2, "what the hand is on stays where it is"
    assert page.url == f"{made}&off={CHECKPOINTING}"
    assert page.locator("#gg-link input, #gg-link textarea").input_value() == made

    _, patch = saved(page, "#gg-download-patch")
    assert "+gradient_checkpointing" not in patch.decode()
    shown = page.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert shown == patch.decode()
    (tmp_path / "support.yml").write_text(CONFIG)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, check=True)
    _, patched = saved(page, "#gg-download-patched")
    assert patched == (tmp_path / "support.yml").read_bytes()
    _, raw = saved(page, "#gg-download-report")
    report = json.loads(raw)
    assert report["patch"]["diff"] == shown
    figure = f"{report['comparison']['speedup']['value']:.1f}x"
    expect(page.locator("#gg-headline")).to_contain_text(figure)

    page.reload()
    view(page, "report")
    expect(box(page, CHECKPOINTING)).not_to_be_checked()
    expect(page.locator("#gg-headline")).to_contain_text(figure)
    address = page.url
    page.goto(f"{app.url}/kb")
    expect(page.locator(".gg-kb")).to_be_visible(timeout=60_000)
    page.go_back()
    view(page, "report")
    expect(box(page, CHECKPOINTING)).not_to_be_checked()
    assert page.url == address

    other = another.page
    other.goto(address)
    view(other, "report")
    assert other.locator("input[data-rule]").count() == 0
    expect(other.locator("#gg-part-findings_heading")).to_contain_text("only the browser that")
    expect(other.locator("#gg-headline")).to_have_text(before)

    page.locator("[data-switch-back]").click()
    expect(box(page, CHECKPOINTING)).to_be_checked()
    expect(page.locator("#gg-headline")).to_have_text(before)
    assert page.url == made


def test_leaving_out_what_lets_the_run_start_says_what_happens(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("support.yml", CONFIG))
    audit(page)
    page.locator(f'label:has(input[data-rule="{FATAL}"])').click()
    expect(status(page)).to_contain_text("There are no figures: the file does not start")
    expect(page.locator("#gg-verdict")).to_contain_text("no figures")
    expect(page.locator("#gg-arms")).to_be_hidden()
    _, patch = saved(page, "#gg-download-patch")
    assert "+tf32" not in patch.decode()
    page.evaluate(
        "document.querySelectorAll('input[data-rule]:checked').forEach(node => node.click())"
    )
    expect(status(page)).to_have_text(re.compile("^Patch: no edits"))
    expect(page.locator("#gg-patch")).to_be_hidden()
    expect(page.locator("#gg-download-patch")).to_be_hidden()


def test_a_dynamics_edit_is_ticked_on_by_hand(visitor: Visitor, app: App) -> None:
    page = visitor.page
    rule = "correct.packing_mixes_documents"
    page.goto(f"{app.url}/?sample=llamafactory-packing.yaml")
    view(page, "report")
    expect(box(page, rule)).not_to_be_checked()
    assert "neat_packing: true" not in page.locator("#gg-diff-text").text_content()
    page.locator(f'label:has(input[data-rule="{rule}"])').click()
    expect(status(page)).to_have_text(LINE)
    expect(box(page, rule)).to_be_checked()
    assert "neat_packing: true" in page.locator("#gg-diff-text").text_content()
    expect(page.locator("#gg-verdict")).to_contain_text("change what the model learns")
    assert page.url.endswith(f"&on={rule}")
    page.reload()
    view(page, "report")
    expect(box(page, rule)).to_be_checked()


def test_the_sample_of_the_first_view_can_be_switched(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    first = page.locator("input[data-rule]:checked").first
    label = page.locator(
        f"label:has(#{(first.get_attribute('id') or '').replace('.', chr(92) + '.')})"
    )
    label.click()
    expect(status(page)).to_have_text(re.compile("^Patch: "))
    expect(page.locator(".gg-switched")).to_be_visible()
    expect(page.locator("#gg-hero")).to_be_visible()
    assert page.url == f"{app.url}/"
    _, patch = saved(page, "#gg-download-patch")
    assert patch.decode() == page.locator("#gg-diff-text").text_content()
