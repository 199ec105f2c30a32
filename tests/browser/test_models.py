"""Audits that a model drives, in a real browser: who decided what, and whatever it does wrong.

The app speaks with its own client library to a scripted server on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.agent.model_audits import KEY, script
from tests.agent.provider import Answer, Provider, provider
from tests.browser.conftest import App, serving, visit
from tests.browser.page_steps import CONFIG, audit, open_page, upload

pytestmark = pytest.mark.browser
LEAVES = [Answer(text="That is all.")] * 3
"""A model that ends before its time, however often it is asked to go on."""


class Host(NamedTuple):
    """The app on a host with a model, and what that model says next."""

    app: App
    model: Provider


@pytest.fixture(scope="module")
def host(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with (
        provider() as model,
        serving(
            tmp_path_factory.mktemp("model"),
            "app.py",
            GOBLIN_AGENT_BACKEND="claude",
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_BASE_URL=model.url,
        ) as app,
    ):
        yield Host(app, model)


@pytest.fixture
def page(browser: Browser, host: Host) -> Iterator[Page]:
    one = visit(browser, host.app)
    yield one.page
    one.context.close()
    assert not one.faults


def audited(page: Page, host: Host, *answers: Answer) -> None:
    """A file audited by a model that answers so."""
    host.model.script[:] = answers
    open_page(page, host.app.url)
    upload(page, ("support.yml", CONFIG))
    audit(page)


def test_the_page_says_who_decided_and_how_far_they_came(page: Page, host: Host) -> None:
    audited(page, host, *script())
    ran = page.locator("#gg-stages")
    expect(ran.locator("[data-tier='0']")).to_be_visible()
    expect(ran.locator("header")).to_contain_text("claude decided every step")
    expect(ran.locator(".gg-calls > .gg-muted")).to_contain_text("tokens")
    assert any(KEY in value for value in host.model.headers[-1].values()), "the host's own key"
    assert KEY not in page.content()

    audited(page, host, *script(0, 1), *LEAVES)
    expect(ran.locator("[data-tier='3']")).to_be_visible()
    expect(ran.locator("header")).to_contain_text("claude stopped early; the rules finished")
    expect(page.locator("#gg-stages li[data-state=done]")).to_have_count(6)
    expect(page.locator("#gg-diff-text")).to_contain_text("tf32")


DOWN = Answer(status=500, error=("api_error", "broken"), headers={"retry-after": "0"})
FAULTS = {
    "refuses the key": [Answer(status=401, error=("authentication_error", "invalid x-api-key"))],
    "server failed (broken)": [DOWN] * 9,
    "broke off": [*script(0), *[Answer(text="I will", cut="abort")] * 9],
    "no stop reason arrived": [Answer(body="<html>gateway</html>", kind="text/html")] * 9,
    "(9,999": [*script(0, 1), replace(script(2)[0], text="It is 9,999 tok/s."), *LEAVES],
}
"""What the page says of it -> what the model does."""


@pytest.mark.parametrize("told", FAULTS)
def test_whatever_a_model_does_wrong_the_audit_ends_with_a_report_that_says_so(
    page: Page, host: Host, told: str
) -> None:
    audited(page, host, *FAULTS[told])
    expect(page.locator("#gg-verdict")).to_contain_text("support.yml")
    expect(page.locator("#gg-stages [data-tier]")).to_have_text("Tier 3:")
    expect(page.locator("#gg-stages .gg-who")).to_contain_text("The rules did the rest")
    expect(page.locator("#gg-stages .gg-who")).to_contain_text(told)
    figures = page.locator("#gg-report [data-metric]").all_inner_texts()
    assert not any("9,999" in figure for figure in figures)
    assert "Traceback" not in page.content()
    assert KEY not in page.content()
