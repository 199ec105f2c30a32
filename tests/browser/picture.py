"""Takes docs/audit.png, the README's picture: `python -m tests.browser.picture URL`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, ROOT, find_chromium
from tests.browser.page_steps import draw, view

PICTURE = ROOT / "docs" / "audit.png"
WIDTH = 1200


def take(url: str, sample: str, picture: Path) -> None:
    """The report of a sample down to its charts, light theme."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(f"{url}/?sample={sample}&__theme=light")
        view(page, "report")
        draw(page)
        page.evaluate("window.scrollTo(0, 0)")
        page.locator("#gg-chart-memory svg.main-svg").first.wait_for()
        charts = page.locator("#gg-where-it-goes")
        for _ in range(2):  # the charts take their width from the page's
            box = charts.bounding_box() or {"y": 0.0, "height": 900.0}
            page.set_viewport_size({"width": WIDTH, "height": int(box["y"] + box["height"] + 24)})
            page.wait_for_timeout(500)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    at = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"
    take(at, "axolotl-lora-tf32.yml", PICTURE)
