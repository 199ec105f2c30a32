"""The HTML file: self-contained, small, without script, escaped, and whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from agent.api import audit
from agent.finished.side_by_side import compare_reports
from audit.export.comparison import compared_html, compared_markdown
from audit.export.html import report_html
from audit.export.json import report_json
from audit.export.markdown import report_markdown
from audit.export.sarif import report_sarif
from audit.export.text import report_text
from audit.records.finding import Evidence
from audit.records.report import Report
from audit.records.workload import Notice
from tests.agent.training_files import (
    AXOLOTL,
    STOPS,
    TOKEN,
    UNKNOWN_MODEL,
    WELL_TUNED,
    WITH_TOKEN,
    request_for,
)

HOSTILE = "x</title><script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31m \"'&"
VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "source", "base"}


class Tags(HTMLParser):
    """Every element with its attributes; complains about one that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(request_for(STOPS, include=frozenset({"neutral", "numerics", "dynamics"})))


@pytest.fixture(scope="module")
def compared(report: Report) -> str:
    others = [audit(request_for(text)) for text in (WELL_TUNED, UNKNOWN_MODEL)]
    return compared_html(
        compare_reports([(str(n) * 32, one) for n, one in enumerate([report, *others])])
    )


def test_the_file_loads_nothing_and_runs_nothing(report: Report, compared: str) -> None:
    for text in (report_html(report), compared):
        for tag, attributes in Tags(text).found:
            assert tag not in LOADS
            assert not any(name.startswith("on") for name in attributes)
            assert not {"src", "srcset", "data", "xlink:href"} & set(attributes)
            if tag != "a":
                assert "href" not in attributes
        assert "@import" not in text
        assert set(re.findall(r"url\(([^)]*)\)", text)) <= {
            f"#h-{name}" for name in ("before", "after", *(f"p{n}" for n in range(9)))
        }
        assert len(text.encode()) < 200_000
        assert "prefers-color-scheme: dark" in text
        assert "default-src &#x27;none&#x27;" in text


def test_everything_that_counts_is_in_it(report: Report) -> None:
    text = report_html(report)
    for finding in report.findings:
        assert f'data-finding="{finding.id}"' in text
        assert finding.rule_id in text
    for edit in report.patch.edits:
        assert f"<code>{edit.field}</code>" in text
    for check in report.checked:
        assert check.title.replace("'", "&#x27;") in text
    assert "does not start as written" in text
    assert '<tr class="added">' in text
    assert '<tr class="removed">' in text


def test_each_figure_has_its_provenance(report: Report, compared: str) -> None:
    for text in (report_html(report), compared):
        for _, attributes in Tags(text).found:
            if "data-metric" in attributes:
                assert attributes["data-provenance"] == "projected"
        said = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower()
        assert "measured" not in said.replace("not measured", "")


def test_a_figure_that_ran_is_drawn_solid(report: Report) -> None:
    assert report.before
    assert report.after
    ran = report.model_copy(
        update={
            "provenance": "measured",
            "before": report.before.model_copy(update={"provenance": "measured"}),
            "after": report.after.model_copy(update={"provenance": "measured"}),
        }
    )
    drawn = report_html(ran)
    assert "fill:var(--after)" in drawn
    assert "url(#h-after)" not in drawn
    assert "url(#h-after)" in report_html(report)


def test_text_from_files_and_models_stays_text(report: Report) -> None:
    first = report.findings[0].model_copy(
        update={"title": HOSTILE, "evidence": Evidence(file=HOSTILE, line=1, text=HOSTILE)}
    )
    hostile = report.model_copy(
        update={
            "workload_name": HOSTILE,
            "findings": (first,),
            "notices": (Notice(kind="note", message=HOSTILE),),
            "patch": report.patch.model_copy(update={"launch": HOSTILE, "env": {"A": HOSTILE}}),
        }
    )
    pairs = [("a" * 32, hostile), ("b" * 32, report)]
    for text in (report_html(hostile), compared_html(compare_reports(pairs))):
        tags = {tag for tag, _ in Tags(text).found}
        assert not tags & {"script", "img"}
        assert "\x1b" not in text
    outside = re.sub(r"`[^`\n]*`", "", compared_markdown(compare_reports(pairs)))
    assert "<script" not in outside.replace("\\<", "")


def test_no_writing_holds_a_secret() -> None:
    name = f"run_{TOKEN}.yml"
    report = audit(request_for(WITH_TOKEN, name=name))
    pairs = [("a" * 32, report), ("b" * 32, audit(request_for(AXOLOTL)))]
    writings = [write(report) for write in (report_html, report_json, report_markdown)]
    writings += [report_sarif(report), report_text(report)]
    writings += [write(compare_reports(pairs)) for write in (compared_html, compared_markdown)]
    for text in writings:
        assert "redacted" in text
        assert TOKEN not in text


@pytest.mark.parametrize("text", [WELL_TUNED, UNKNOWN_MODEL])
def test_a_report_without_edits_or_figures_is_a_whole_file(text: str) -> None:
    report = audit(request_for(text))
    written = report_html(report)
    Tags(written)
    assert ("Nothing to fix" in written) == (not report.findings)
    assert ("Before and after" in written) == (report.after is not None and text != WELL_TUNED)
