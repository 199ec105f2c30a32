"""The page itself: first view, links, errors, themes, phone, keyboard, secrets, foreign text."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App, Visitor
from tests.browser.page_steps import (
    CONFIG,
    audit,
    draw,
    modules,
    open_page,
    overflow,
    paste,
    upload,
    view,
)
from ui.api import TOOLS
from ui.samples import sample_names

pytestmark = pytest.mark.browser
EVIL = '<img src=x onerror="alert(1)">'


def test_the_first_view_holds_a_finished_audit(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_contain_text("your fine-tuning run")
    expect(page.locator("#gg-sample-words")).to_be_visible()
    expect(page.locator("#gg-link")).to_be_hidden()
    assert page.locator(".gg-sample").all_inner_texts() == list(sample_names())
    loaded = "performance.getEntriesByType('resource').filter(one => /plotly/i.test(one.name))"
    assert page.evaluate(f"{loaded}.length") == 0, "nothing heavy before somebody is near a chart"
    draw(page)
    expect(page.locator(".gg-plot:visible")).to_have_count(7)
    for plot in page.locator(".gg-plot:visible").all():
        expect(plot.locator(".js-plotly-plot .point").first).to_be_attached()
    assert page.locator("#gg-report [data-provenance]").count() > 8


def test_a_sample_is_one_click(visitor: Visitor, app: App) -> None:
    page = visitor.page
    for name in sample_names():
        open_page(page, app.url)
        page.get_by_role("button", name=name, exact=True).click()
        view(page, "report")
        expect(page.locator("#gg-verdict")).to_contain_text(name)
        assert page.url == f"{app.url}/?sample={name}"
        assert overflow(page) == 0


def test_a_sample_link_recomputes_with_its_card(visitor: Visitor, app: App) -> None:
    page = visitor.page
    name = sample_names()[0]
    page.goto(f"{app.url}/?sample={name}&hardware=h100-sxm")
    view(page, "report")
    expect(page.locator("#gg-verdict")).to_contain_text("H100")
    page.goto(f"{app.url}/?sample={name}&hardware=cpu")
    view(page, "report")
    expect(page.locator("#gg-arms")).to_be_visible()
    expect(page.locator("#gg-metrics .gg-slot:visible")).to_have_count(3)  # a CPU's peak: unknown
    page.goto(f"{app.url}/?sample={name}&hardware=warp-9")
    view(page, "trouble")
    expect(page.locator("#gg-part-trouble")).to_contain_text("warp-9")
    expect(page.locator("#gg-part-trouble")).to_contain_text("mi300x")


def test_a_link_to_no_audit_says_so_in_words(visitor: Visitor, app: App) -> None:
    page = visitor.page
    for asked in ("0" * 32, "../../etc/passwd", EVIL, "x" * 500):
        page.goto(f"{app.url}/?audit={asked}")
        view(page, "gone")
        expect(page.locator("#gg-headline")).to_have_text("No audit under this link")
        expect(page.locator("#gg-part-run_head a")).to_have_text("Audit a file")
        assert page.locator("#gg-part-run_head img").count() == 0


BAD = [
    ("empty.yml", b"", "empty.yml"),
    ("picture.yml", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "picture.yml"),
    ("latin.yml", "name: caf\xe9\n".encode("latin-1"), "latin.yml"),
    ("notes.txt", b"hello there\n", "notes.txt"),
    ("tool.exe", b"MZ\x00\x00", "tool.exe"),
    ("broken.py", b"from trl import SFTConfig\nSFTConfig(\n", "broken.py, line"),
    ("shop.yml", b"price: 3\ncolour: red\n", "shop.yml"),
    ("bomb.yml", b"a: &a [x, x]\nb: &b [*a, *a]\nc: !!python/object:os.system {}\n", "bomb.yml"),
]


def test_bad_files_are_told_inline(visitor: Visitor, app: App) -> None:
    page = visitor.page
    for name, data, said in BAD:
        open_page(page, app.url)
        page.locator("#gg-files input[type=file]").set_input_files(
            [{"name": name, "mimeType": "application/octet-stream", "buffer": data}]
        )
        expect(page.locator("#gg-files")).to_contain_text(name.split(".")[0])
        page.locator("#gg-run").click()
        view(page, "trouble")
        note = page.locator("#gg-part-trouble")
        expect(note).to_contain_text(said)
        expect(note.get_by_role("heading")).to_have_count(1)
        expect(page.locator("#gg-files")).to_contain_text(name.split(".")[0])
        assert "Traceback" not in page.content()
        assert page.url == f"{app.url}/"
    page.locator("#gg-run").click()  # the same file once more: it is still held
    view(page, "trouble")
    expect(note).to_contain_text(said)


def test_a_file_beyond_the_limit_is_refused_with_its_size(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("large.yml", "# " + "x" * 1_200_000 + "\nbase_model: y\n"))
    page.locator("#gg-run").click()
    view(page, "trouble")
    expect(page.locator("#gg-part-trouble")).to_contain_text("large.yml")


def test_nothing_given_is_told(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    page.locator("#gg-run").click()
    expect(page.locator("#gg-part-trouble")).to_contain_text(
        "there is no file to audit", ignore_case=True
    )


def test_foreign_text_never_becomes_html(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    text = CONFIG.replace("acme/support-tickets", f"'{EVIL}'").replace(
        "# from an A100 recipe", f"# {EVIL} ${{alert(2)}} {{{{constructor}}}}"
    )
    upload(page, (f"{EVIL.replace('/', '')}.yml", text))
    audit(page)
    assert page.locator("#gg-report img").count() == 0
    assert EVIL in page.locator("#gg-diff-text").evaluate("node => node.textContent")
    link = page.url
    page.goto(link)
    view(page, "report")
    assert page.locator("#gg-report img").count() == 0


def test_a_planted_token_is_nowhere_on_the_page(
    visitor: Visitor, another: Visitor, app: App
) -> None:
    secret = "hf_" + "Q9wE" * 9
    page = visitor.page
    open_page(page, app.url)
    beside = CONFIG.replace(
        "attn_implementation: eager", f"hf_token: {secret}\nattn_implementation: eager"
    )
    upload(page, ("support.yml", beside))
    audit(page)
    assert secret not in page.content()
    with page.expect_download() as download:
        page.locator("#gg-download-patched").click()
    assert secret in Path(download.value.path()).read_text(), (
        "the owner gets the file byte for byte"
    )
    with page.expect_download() as download:
        page.locator("#gg-download-report").click()
    assert secret not in Path(download.value.path()).read_text()
    another.page.goto(page.url)
    view(another.page, "report")
    assert secret not in another.page.content()
    for file in app.data.rglob("*"):
        if file.is_file() and "uploads" not in file.parts:
            assert secret.encode() not in file.read_bytes(), file


def test_the_page_keeps_no_copy_of_an_upload(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    mark = "marker-of-this-test-7431"
    upload(page, ("support.yml", CONFIG + "\n" * 9 + f"# {mark}\n"))
    audit(page)
    kept = [
        path
        for path in app.data.rglob("*")
        if path.is_file() and mark.encode() in path.read_bytes()
    ]
    assert [path.parts[-3] for path in kept] == ["uploads"], kept


def test_options_reach_the_audit(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    paste(page, CONFIG)
    page.locator("#gg-hardware input").click()
    page.get_by_role("option", name=re.compile("H200")).first.click()
    page.locator("#gg-gpus input").fill("8")
    page.get_by_role("button", name="Data lengths and versions (optional)").click()
    for name, value in (("p50", "310"), ("p95", "900"), ("longest", "2048")):
        page.locator(f"#gg-{name} input").fill(value)
    audit(page)
    expect(page.locator("#gg-verdict")).to_contain_text("8x")
    expect(page.locator("#gg-verdict")).to_contain_text("H200")
    expect(page.locator("#gg-believe")).not_to_contain_text("Name your GPU")
    expect(page.locator("#gg-believe")).not_to_contain_text("lengths of your data")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_legible(visitor: Visitor, app: App, theme: str) -> None:
    page = visitor.page
    open_page(page, f"{app.url}/?__theme={theme}")
    assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
    draw(page)
    ink = page.locator("#gg-chart-step_s svg .annotation-text").first.evaluate(
        "node => getComputedStyle(node).fill"
    )
    ground = page.locator("#gg-arms").evaluate("node => getComputedStyle(node).backgroundColor")
    assert contrast(ink, ground) >= 4.5
    small = page.evaluate(
        """() => [...document.querySelectorAll('#gg-report *, #gg-hero *')].filter(node =>
            node.offsetParent && node.innerText && node.children.length === 0 &&
            parseFloat(getComputedStyle(node).fontSize) < 12).map(node => node.outerHTML)"""
    )
    assert small == []


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two `rgb()` colours."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_phone_never_scrolls_sideways(phone: Visitor, app: App) -> None:
    page = phone.page
    open_page(page, app.url)
    assert overflow(page) == 0
    paste(page, CONFIG)
    audit(page)
    assert overflow(page) == 0
    low = page.evaluate(
        """() => [...document.querySelectorAll('main button, main .gg-button')].filter(node =>
            node.offsetParent && node.getBoundingClientRect().height < 43.5 &&
            !node.closest('.tab-container, #gg-link')).map(node => node.outerHTML)"""
    )
    assert low == []
    page.goto(f"{app.url}/?audit=none")
    view(page, "gone")
    assert overflow(page) == 0


def test_a_large_font_still_fits(visitor: Visitor, app: App) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 640, "height": 900})
    open_page(page, app.url)
    assert overflow(page) == 0


def focused(page: Page) -> str:
    """The id of the focused control, or of the nearest thing around it that has one."""
    return str(
        page.evaluate(
            """() => { let node = document.activeElement;
                while (node && !(node.id && node.id.startsWith('gg-'))) node = node.parentElement;
                return node ? node.id : document.activeElement.innerText }"""
        )
    )


def test_the_keyboard_goes_from_samples_to_form_to_run_to_report(
    visitor: Visitor, app: App
) -> None:
    page = visitor.page
    open_page(page, app.url)
    seen: list[str] = []
    for _ in range(24):
        page.keyboard.press("Tab")
        seen.append(focused(page))
    order = ["gg-samples", "gg-files", "gg-hardware", "gg-gpus", "gg-run", "gg-more", "gg-verdict"]
    places = [seen.index(name) for name in order]
    assert places == sorted(places), seen
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    paste(page, CONFIG)
    page.locator("#gg-run").focus()
    page.keyboard.press("Enter")
    view(page, "report")
    page.wait_for_function("document.activeElement.id === 'gg-headline'")


def test_screen_readers_get_headings_lists_and_named_charts(visitor: Visitor, app: App) -> None:
    page = visitor.page
    open_page(page, app.url)
    paste(page, CONFIG)
    audit(page)
    levels = page.evaluate(
        """() => [...document.querySelectorAll('h1,h2,h3,h4')].filter(node => node.offsetParent)
            .map(node => Number(node.tagName[1]))"""
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    draw(page)
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(7)
    for plot in page.locator(".js-plotly-plot:visible").all():
        expect(plot).to_have_attribute("role", "img")
        assert plot.get_attribute("aria-label")
    expect(page.locator("[role=status]:not(:empty)").first).to_have_text("The audit is finished.")
    ids = page.locator("[id^=gg-]").evaluate_all("nodes => nodes.map(node => node.id)")
    assert len(ids) == len(set(ids))


def test_copy_answers_in_place(visitor: Visitor, app: App) -> None:
    page = visitor.page
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, app.url)
    paste(page, CONFIG)
    audit(page)
    button = page.locator('#gg-patch [data-copy="gg-diff-text"]')
    button.click()
    expect(button).to_contain_text("Copied")
    text = page.locator("#gg-diff-text").evaluate("node => node.textContent")
    assert page.evaluate("navigator.clipboard.readText()") == text
    page.locator('#gg-verdict [data-copy="gg-link"]').click()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_two_visitors_do_not_meet(visitor: Visitor, another: Visitor, app: App) -> None:
    for one, name in ((visitor, "mine.yml"), (another, "yours.yml")):
        open_page(one.page, app.url)
        upload(one.page, (name, CONFIG))
    for one in (visitor, another):
        one.page.locator("#gg-run").click()
    for one, name in ((visitor, "mine.yml"), (another, "yours.yml")):
        view(one.page, "report")
        expect(one.page.locator("#gg-verdict")).to_contain_text(name)
    assert visitor.page.url != another.page.url


def test_closing_the_tab_stops_nothing(visitor: Visitor, another: Visitor, app: App) -> None:
    """Large files take seconds to read: long enough to leave while they are read."""
    page = visitor.page
    open_page(page, app.url)
    upload(page, ("mine.yml", CONFIG), *modules(7))
    page.locator("#gg-run").click()
    view(page, "run")
    link = page.url
    page.close()
    another.page.goto(link)
    view(another.page, "report")
    expect(another.page.locator("#gg-verdict")).to_contain_text("mine.yml")


def test_the_cost_is_told_before_the_run(visitor: Visitor, app: App) -> None:
    open_page(visitor.page, app.url)
    expect(visitor.page.locator("#gg-quote")).to_have_text(
        "Costs nothing: projected, nothing runs."
    )


def test_no_event_of_the_page_is_a_public_endpoint(app: App) -> None:
    with urllib.request.urlopen(f"{app.url}/gradio_api/info", timeout=30) as answer:
        public = json.load(answer)
    assert set(public["named_endpoints"]) == {f"/{name}" for name in TOOLS}
    assert public["unnamed_endpoints"] == {}


@pytest.mark.parametrize("path", ["app.py", "/etc/passwd", ".goblin/audits.sqlite3"])
def test_no_file_of_the_host_is_served(app: App, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app.url}/gradio_api/file={path}", timeout=30)
    with refused.value as answer:
        assert answer.code in (403, 404)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_our_parts(visitor: Visitor, app: App, axe: Path, theme: str) -> None:
    page = visitor.page
    open_page(page, f"{app.url}/?__theme={theme}")
    page.add_script_tag(path=str(axe))
    for kind in ("first", "report"):
        if kind == "report":
            paste(page, CONFIG)
            audit(page)
        found = page.evaluate(
            """() => axe.run({include: ['.gg']}, {resultTypes: ['violations']}).then(done =>
                done.violations.map(fault => [fault.id, ...fault.nodes.map(node => node.html)]))"""
        )
        assert found == [], f"{kind}, {theme}"
