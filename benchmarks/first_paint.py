"""What a first visit costs: when the page is painted and can be used, CPU and bytes until then.

Each visit is a new browser context without any cache, on a running `python app.py`. CPU is that of
the page's main thread, a figure that a busy machine changes little. Nothing is timed in tests.

    python benchmarks/first_paint.py [--visits 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.serving import serve

WATCH = """
window.seen = {};
const look = () => {
  const now = performance.now();
  const verdict = document.querySelector("#gg-verdict");
  if (!seen.verdict_ms && verdict?.offsetParent) seen.verdict_ms = now;
  if (!seen.usable_ms && document.querySelector("#gg-run:not(:disabled)")) seen.usable_ms = now;
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
READ = """() => ({
  ...seen,
  paint_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  sent_kb: ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
    .reduce((sum, one) => sum + one.transferSize, 0) / 1000,
})"""
NAMES = ("paint_ms", "verdict_ms", "usable_ms", "cpu_ms", "sent_kb")


def visit(browser: Browser, url: str) -> dict[str, float]:
    """One first visit; settles for a second after the page can be used."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    tools = context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(url)
    page.wait_for_function("seen.verdict_ms && seen.usable_ms", timeout=60_000)
    page.wait_for_timeout(1000)
    found: dict[str, float] = page.evaluate(READ)
    metrics = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    context.close()
    return found | {"cpu_ms": 1000 * metrics["TaskDuration"]}


def main() -> None:
    """Visit, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=7)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder)) as app,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        visit(browser, app.url)  # the server makes each page once
        visits = [visit(browser, app.url) for _ in range(given.visits)]
        browser.close()
    found = {name: round(statistics.median(one[name] for one in visits)) for name in NAMES}
    for name, value in found.items():
        print(f"{name:<12} {value:>8}")
    print(json.dumps({"visits": given.visits, **found}))


if __name__ == "__main__":
    main()
