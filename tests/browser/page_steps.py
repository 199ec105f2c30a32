"""What a visitor does on the page; every wait is for one of our own marks, never for time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

SLOW = 60_000
"""Milliseconds for the first page and for a whole audit on a busy machine."""

CONFIG = """\
# fine-tuning of the support model
base_model: meta-llama/Llama-3.1-8B
load_in_4bit: true
adapter: qlora
lora_r: 16
lora_alpha: 32
lora_target_linear: true

datasets:
  - path: acme/support-tickets
    type: alpaca

sequence_len: 2048
sample_packing: false
pad_to_sequence_len: true

micro_batch_size: 1
gradient_accumulation_steps: 8
num_epochs: 3
optimizer: paged_adamw_8bit
lr_scheduler: cosine
learning_rate: 0.0002

bf16: true
tf32: true      # from an A100 recipe
gradient_checkpointing: true
attn_implementation: eager
logging_steps: 1
"""
"""Our own axolotl file: stops on ROCm, and is slow on any large card."""


def modules(count: int) -> list[tuple[str, str]]:
    """Python files to upload beside a training file: 0.3 s of reading each, in which the server
    answers nobody else while Python parses one; so many of some size, not few large ones."""
    lines = "".join(f"name_{place} = {place}\n" for place in range(14_000))
    return [(f"module_{place}.py", lines) for place in range(count)]


def open_page(page: Page, url: str) -> None:
    """The first view with its finished sample audit."""
    page.goto(url)
    expect(page.locator("#gg-verdict")).to_be_visible(timeout=SLOW)
    expect(page.locator("#gg-run")).to_be_enabled()


def settled(page: Page) -> None:
    """Wait until the first event has ended: leaving before is logged as an aborted request."""
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(one => one.name.includes('queue/data'))",
        timeout=SLOW,
    )


def view(page: Page, kind: str) -> None:
    """Wait until the page shows `first`, `run`, `report`, `trouble` or `gone`."""
    mark = page.locator(f'#gg-part-view [data-view="{kind}"]')
    mark.wait_for(state="attached", timeout=SLOW)


def upload(page: Page, *files: tuple[str, str]) -> None:
    """Choose files in the form and wait until the page holds them."""
    page.locator("#gg-files input[type=file]").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in files]
    )
    for name, _ in files:
        stem = name.rsplit(".", 1)[0]
        expect(page.locator("#gg-files")).to_contain_text(stem[:12], timeout=SLOW)


def paste(page: Page, text: str) -> None:
    """Write into the text box."""
    page.get_by_role("tab", name="Paste").click()
    page.locator("#gg-pasted textarea").fill(text)


def audit(page: Page) -> None:
    """Press the button and wait for the report."""
    page.locator("#gg-run").click()
    view(page, "report")


def saved(page: Page, button: str) -> tuple[str, bytes]:
    """What a download button saves: name and bytes."""
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def draw(page: Page) -> None:
    """Scroll past the charts and wait for each: it is made when the reader comes near."""
    for slot in page.locator(".gg-slot:visible").all():
        slot.scroll_into_view_if_needed()
        expect(slot.locator(".js-plotly-plot .point").first).to_be_attached(timeout=SLOW)


def plotted(page: Page, chart: str) -> list[dict[str, Any]]:
    """The data that Plotly drew for one chart."""
    page.locator(f'[data-chart="{chart}"]').scroll_into_view_if_needed()
    plot = page.locator(f"#gg-chart-{chart} .js-plotly-plot")
    expect(plot).to_be_visible(timeout=SLOW)
    read: list[dict[str, Any]] = plot.evaluate(
        """node => node.data.map(trace => ({
            name: trace.name, type: trace.type, x: Array.from(trace.x), y: Array.from(trace.y),
            pattern: trace.marker.pattern && trace.marker.pattern.shape,
            low: trace.error_x && trace.error_x.arrayminus && Array.from(trace.error_x.arrayminus),
            high: trace.error_x && trace.error_x.array && Array.from(trace.error_x.array),
        }))"""
    )
    return read


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
