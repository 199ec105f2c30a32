"""One real app and one real Chromium for all browser tests; without one they are skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.serving import serve

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class App(NamedTuple):
    """The running app."""

    url: str
    log: Path
    data: Path


def find_chromium() -> str | None:
    """A Chromium of this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        reason = f"no Chromium found (looked for {', '.join(NAMES)}): apt-get install chromium"
        if os.environ.get("GOBLIN_REQUIRE_BROWSER") == "1":
            pytest.fail(f"GOBLIN_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    return found


@contextmanager
def serving(folder: Path, *command: str, **settings: str) -> Iterator[App]:
    """The app as a user starts it, with those settings; it must not have raised."""
    with serve(folder, settings, command) as served:
        yield App(served.url, served.log, folder)
    said = served.log.read_text()
    assert "Traceback" not in said, f"the app raised: {said[-3000:]}"


@pytest.fixture(scope="session")
def app(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """`python app.py`."""
    with serving(tmp_path_factory.mktemp("goblin"), "app.py") as served:
        yield served


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


class Visitor(NamedTuple):
    """One browser with its own storage, and what went wrong in it."""

    page: Page
    context: BrowserContext
    faults: list[str]


def visit(browser: Browser, app: App, *, width: int = 1280, **options: object) -> Visitor:
    """A new visitor; every console error, page error and request to another host is a fault."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, accept_downloads=True, **options
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    page.on(
        "console",
        lambda message: (
            faults.append(f"console: {message.text}") if message.type == "error" else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((app.url, "data:", "blob:"))
            else faults.append(f"request to another host: {request.url}")
        ),
    )
    return Visitor(page, context, faults)


@pytest.fixture
def visitor(browser: Browser, app: App) -> Iterator[Visitor]:
    one = visit(browser, app)
    yield one
    one.context.close()
    assert not one.faults


@pytest.fixture
def another(browser: Browser, app: App) -> Iterator[Visitor]:
    """A second person: other cookies, other storage."""
    one = visit(browser, app)
    yield one
    one.context.close()
    assert not one.faults


@pytest.fixture
def phone(browser: Browser, app: App) -> Iterator[Visitor]:
    one = visit(browser, app, width=390, has_touch=True, reduced_motion="reduce")
    yield one
    one.context.close()
    assert not one.faults


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The accessibility checker axe-core, fetched for this test run; skipped where it cannot be."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: axe-core cannot be fetched")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(
        ["npm", "pack", "axe-core@4.11", "--silent"],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    packed = next(folder.glob("*.tgz"), None)
    if fetched.returncode != 0 or packed is None:
        pytest.skip("axe-core could not be fetched from the package registry")
    shutil.unpack_archive(packed, folder, filter="data")
    return folder / "package" / "axe.min.js"
