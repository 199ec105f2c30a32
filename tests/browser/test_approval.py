"""Runs that cost money in a real browser: the owner decides, a reader sees that it waits."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import serving, visit
from tests.browser.page_steps import CONFIG, SLOW, open_page, upload, view

pytestmark = pytest.mark.browser
PRICED = (
    "import runpy; from agent.named import RUNNERS;"
    "RUNNERS['priced'] = 'tests.agent.priced:PricedRunner';"
    "runpy.run_path('app.py', run_name='__main__')"
)


def test_the_owner_approves_changed_terms_and_a_reader_cannot(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("priced")
    with serving(data, "-c", PRICED, GOBLIN_RUNNER="priced") as app:
        owner, reader = visit(browser, app), visit(browser, app)
        page = owner.page
        open_page(page, app.url)
        upload(page, ("paid.yml", CONFIG))
        page.locator("#gg-run").click()
        offer = page.locator("#gg-approval")
        expect(offer).to_be_visible(timeout=SLOW)
        expect(offer).to_contain_text("Price, at most$15.00")
        expect(offer).to_contain_text("A dollar for ten steps of an arm.")
        expect(page.locator("#gg-headline")).to_have_text("Waits for its owner’s approval")

        other = reader.page
        other.goto(page.url)
        expect(other.locator("#gg-headline")).to_have_text(
            "Waits for its owner’s approval", timeout=SLOW
        )
        expect(other.locator("#gg-approval")).to_be_hidden()

        page.get_by_label("Timed steps").fill("20")
        page.get_by_label("Time limit").fill("soon")
        page.locator("#gg-approve").click()
        expect(offer).to_contain_text("no time limit", timeout=SLOW)
        page.get_by_label("Timed steps").fill("20")
        page.get_by_label("Time limit").fill("10m")
        page.locator("#gg-approve").click()
        view(page, "report")
        expect(page.locator("#gg-approval")).to_be_hidden()
        view(other, "report")
        assert owner.faults == reader.faults == []
        for one in (owner, reader):
            one.context.close()
