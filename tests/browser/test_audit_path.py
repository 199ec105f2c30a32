"""The main job in a real browser: upload, run, timeline, charts, patch, link, download."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import (
    CONFIG,
    audit,
    modules,
    open_page,
    paste,
    plotted,
    saved,
    upload,
    view,
)

pytestmark = pytest.mark.browser
METRICS = ("tokens_per_s_per_gpu", "step_s", "mfu", "padding_efficiency")


def applied(folder: Path, name: str, text: str, patch: str) -> str:
    """The file after `git apply` of the patch in a new repository."""
    folder.mkdir()
    (folder / name).write_bytes(text.encode())
    for command in (["init", "-q"], ["apply", "--check", "-"], ["apply", "-"]):
        given = patch.encode() if "-" in command else None
        subprocess.run(["git", *command], cwd=folder, input=given, check=True, capture_output=True)
    return (folder / name).read_text()


def same_figures(page: Page, report: dict[str, Any]) -> None:
    """Every chart shows exactly what the report states, hatched where it was projected."""
    drawn = 0
    for name in METRICS:
        arms = [report[arm][name] for arm in ("before", "after") if report[arm]]
        if not all(arms):
            continue
        (trace,) = plotted(page, name)
        assert trace["y"] == ["before", "after"]
        assert trace["x"] == [arm["value"] for arm in arms]
        assert trace["low"] == [arm["value"] - arm["low"] for arm in arms]
        assert trace["high"] == [arm["high"] - arm["value"] for arm in arms]
        assert trace["pattern"] == ["/", "/"]
        drawn += 1
    assert drawn >= 3
    parts = [trace for trace in plotted(page, "memory") if trace["type"] == "bar"]
    for place, arm in enumerate(("before", "after")):
        total = sum(trace["x"][place] for trace in parts)
        assert total == pytest.approx(report[arm]["peak_memory_gb"]["value"], rel=1e-6)


@pytest.mark.path
def test_upload_run_patch_and_link(
    visitor: Visitor, another: Visitor, app: App, tmp_path: Path
) -> None:
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("support.yml", CONFIG))
    audit(page)

    stages = page.locator("#gg-stages li[data-stage]")
    expect(stages).to_have_count(6)
    assert [stage.get_attribute("data-stage") for stage in stages.all()] == [
        "parse", "profile", "query", "patch", "benchmark", "compare",
    ]  # fmt: skip
    assert {stage.get_attribute("data-state") for stage in stages.all()} == {"done"}
    expect(page.locator("#gg-part-status [role=status]")).to_have_text("The audit is finished.")
    expect(page.locator("#gg-verdict")).to_contain_text("support.yml")
    expect(page.locator("#gg-verdict [data-badge=projected]").first).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "gg-headline"

    name, raw = saved(page, "#gg-download-report")
    report = json.loads(raw)
    assert name == "support.audit.json"
    assert report["workload_name"] == "support.yml"
    assert not report["starts_as_written"]
    same_figures(page, report)
    provenances = page.locator("#gg-report [data-provenance]").evaluate_all(
        "nodes => [...new Set(nodes.map(node => node.dataset.provenance))]"
    )
    assert provenances == ["projected"]
    assert "measured" not in page.locator("#gg-report").inner_text().lower()

    name, patch = saved(page, "#gg-download-patch")
    assert name == "support.patch"
    shown = page.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert shown == patch.decode() == report["patch"]["diff"]
    after = applied(tmp_path / "repository", "support.yml", CONFIG, shown)
    assert "tf32: false" in after or "tf32" not in after
    assert "# fine-tuning of the support model\n" in after
    name, patched = saved(page, "#gg-download-patched")
    assert (name, patched.decode()) == ("support.yml", after)

    link = page.locator("#gg-link").locator("input, textarea").input_value()
    assert link == page.url
    assert link.startswith(f"{app.url}/?audit=")
    other = another.page
    other.goto(link)
    view(other, "report")
    expect(other.locator("#gg-headline")).to_have_text(page.locator("#gg-headline").inner_text())
    expect(other.locator("#gg-stages li[data-state=done]")).to_have_count(6)
    expect(other.locator("#gg-download-patch")).to_be_visible()
    expect(other.locator("#gg-download-patched")).to_be_hidden()
    expect(other.locator("#gg-cancel")).to_be_hidden()

    page.reload()
    view(page, "report")
    expect(page.locator("#gg-download-patched")).to_be_visible()
    assert page.url == link

    open_page(page, app.url)
    paste(page, "base_model: x\nlora_r: 8\n adapter: lora\n")
    page.locator("#gg-run").click()
    view(page, "trouble")
    note = page.locator("#gg-part-trouble")
    expect(note).to_contain_text("pasted.yaml, line 3")
    expect(note.locator(".gg-fault").first).to_contain_text("adapter: lora")
    assert "Traceback" not in page.content()
    expect(page.locator("#gg-pasted textarea")).to_have_value(
        "base_model: x\nlora_r: 8\n adapter: lora\n"
    )


@pytest.mark.path
def test_a_run_can_be_cancelled_by_its_owner_only(
    visitor: Visitor, another: Visitor, app: App
) -> None:
    """Real, large files take seconds to read: long enough to watch, to share and to cancel."""
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("support.yml", CONFIG), *modules(11))
    page.locator("#gg-run").click()
    view(page, "run")
    running = page.locator("#gg-part-run_body li[aria-current=step]")
    expect(running).to_have_attribute("data-state", "running")
    expect(page.locator("#gg-part-status [role=status]")).to_contain_text("Stage 1 of 6")
    expect(page.locator("#gg-part-run_body")).to_contain_text("You can close this tab")

    other = another.page
    other.goto(page.url)
    expect(other.locator("#gg-part-run_body")).to_contain_text("Read the file", timeout=60_000)
    expect(other.locator("#gg-cancel")).to_be_hidden()

    page.locator("#gg-cancel").click()
    cancelled = page.locator('#gg-part-run_body [data-state="cancelled"]').first
    cancelled.wait_for(state="attached", timeout=60_000)
    expect(page.locator("#gg-headline")).to_have_text("Cancelled")
    expect(page.locator("#gg-cancel")).to_be_hidden()
    expect(page.locator("#gg-part-status [role=status]")).to_have_text("The audit was cancelled.")
    expect(other.locator("#gg-headline")).to_have_text("Cancelled", timeout=60_000)
    other.reload()
    expect(other.locator("#gg-headline")).to_have_text("Cancelled", timeout=60_000)
    expect(other.locator("#gg-again")).to_be_hidden()
    first = page.url
    page.locator("#gg-again").click()
    view(page, "report")
    expect(page.locator("#gg-verdict")).to_contain_text("support.yml")
    assert page.url != first
