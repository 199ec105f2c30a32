"""The parts of a report: headline, counts, findings, diff, commands, belief, checks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from audit.export.arms import charted
from audit.export.standing import place_findings
from audit.records.comparison import Comparison
from audit.records.patch import Patch
from audit.records.report import Report
from tests.ui import page_reports as made
from ui.before_after import caption, heading, memory_table, table, time_caption
from ui.believe import believe_part
from ui.checked import checked_part
from ui.diff import diff_table, exact_text, patch_part, read_diff
from ui.findings import findings_heading, findings_part
from ui.headline import headline
from ui.paint import NONE, TEXTS, report_values
from ui.run_it import commands, patch_name, run_it_part
from ui.verdict import verdict_card

VOID = {"br", "col", "circle", "path", "img", "input"}


class Wellformed(HTMLParser):
    """Raises where tags do not nest; collects ids, headings and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(html: str) -> Wellformed:
    parser = Wellformed()
    parser.feed(html)
    parser.close()
    assert not parser.open, f"left open: {parser.open}"
    return parser


def text(html: str) -> str:
    return " ".join(" ".join(read(html).said).split())


def whole(report: Report) -> str:
    values = report_values(report)
    return "".join(values[name] for name in TEXTS if name in values and values[name] != NONE)


REPORTS = {
    "full": made.report(),
    "well_tuned": made.well_tuned(),
    "without_estimate": made.without_estimate(),
    "failed": made.failed_run(),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_every_page_nests_and_names_each_id_once(report: Report) -> None:
    page = read(whole(report))
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == "h1"
    assert page.headings.count("h1") == 1
    levels = [int(tag[1]) for tag in page.headings]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_measured_and_projected_are_never_mixed(report: Report) -> None:
    html = whole(report)
    marked = set(
        re.findall(r'data-provenance="(\w+)"', re.sub(r'data-metric="effect_.*?>', "", html))
    )
    if report.before is None:
        assert not marked
    else:
        assert marked == {report.provenance}
    other = "measured" if report.provenance == "projected" else "projected, not run"
    assert other not in text(html).lower()


def test_the_headline_of_a_faster_patch() -> None:
    report = made.report()
    html = verdict_card(report)
    said = text(html)
    assert "Projected 2.8x faster (2.3 to 3.4)" in said
    assert "As written, the file stops on AMD Instinct MI300X (line 30)" in said
    assert "3 edits keep the effective batch at 8" in said
    assert "1 critical 2 high 1 low 1 offered 7 checks passed" in said
    assert 'class="gg-badge gg-projected gg-large"' in html
    assert "Peak memory allocated 12.4 → to 71 of 192 GB 60 to 85 GB, fits" in said


def test_a_well_tuned_file_is_a_full_result() -> None:
    said = text(whole(made.well_tuned()))
    assert "Nothing to fix" in said
    assert "No edit we know of" in said
    assert "7 rules apply to this file: 0 fired, 7 passed." in said
    assert "5,450 tok/s" in said
    assert "your file" in said
    values = report_values(made.well_tuned())
    assert values["patch"] == values["findings"] == values["checked"] == NONE
    assert values["checked_first"] != NONE


def test_without_an_estimate_findings_and_patch_stand() -> None:
    report = made.without_estimate()
    said = text(whole(report))
    assert "5 findings, 3 edits, no figures" in said
    assert "acme/secret-12b is not in the catalogue" in said.replace("  ", " ")
    assert "State model size to get one" in said
    assert "Your patch" in said
    assert not [
        name
        for name in report_values(report)
        if name.startswith("chart_") and report_values(report)[name]
    ]


def test_a_failed_run_is_the_headline_and_no_figure_takes_its_place() -> None:
    said = text(verdict_card(made.failed_run()))
    assert "Measured Patched run: out of memory at step 3" in said
    assert "There is no “after” figure, and nothing takes its place" in said
    assert "Why believe" not in said


@pytest.mark.parametrize(
    ("verdict", "ratio", "words"),
    [
        ("slower", (0.7, 0.8, 0.9), "Slower: 0.80x"),
        ("no_difference", (0.98, 1.01, 1.04), "no difference in speed"),
    ],
)
def test_other_verdicts_in_words(
    verdict: str, ratio: tuple[float, float, float], words: str
) -> None:
    comparison = Comparison(
        before_id="b", after_id="a", verdict=verdict, speedup=made.spread(*ratio),  # type: ignore[arg-type]
        confidence=0.8, minimum_detectable_effect=0.05, provenance="projected",
    )  # fmt: skip
    report = made.report(comparison=comparison)
    assert words in text(verdict_card(report))


def test_only_offered_edits_are_said_to_change_training() -> None:
    offered = made.EDITS[-1]
    report = made.report(
        findings=(made.PACKING,), patch=Patch(edits=(offered,)), starts_as_written=True, after=None
    )
    assert (
        headline(report, place_findings(report)).text == "Nothing to fix without changing training"
    )


def test_findings_say_where_they_stand() -> None:
    html = findings_part(made.report())
    assert re.findall(r'data-standing="(\w+)"', html) == [
        "in_patch", "in_patch", "in_patch", "offered", "advice",
    ]  # fmt: skip
    said = text(html)
    assert "Offered Δ changes training" in said
    assert "Offered packing: false → becomes true Changes what is learned" in said
    assert "1.4x speed (1.2 to 1.6), projected" in said
    assert "1.3x speed (1.1 to 1.5), published" in said
    assert "What to do: Run sysctl kernel.numa_balancing=0 as root" in said
    assert 'href="https://pypi.org/project/transformers/5.23.0/"' in html
    assert "never applied by themselves" in findings_heading(made.report())


def test_a_critical_finding_with_a_dynamics_cure_stays_critical() -> None:
    finding = made.finding(1, severity="critical", semantics="dynamics")
    edit = made.edit(finding, "gradient_checkpointing", True, False, applied=False)
    report = made.report(findings=(finding,), patch=Patch(edits=(edit,)))
    (placed,) = place_findings(report)
    assert (placed.group, placed.standing) == ("critical", "offered")
    assert "Left out" in text(findings_part(report))


def test_a_source_that_is_no_web_address_is_no_link() -> None:
    finding = made.finding(1, sources=(made.source(url="javascript:alert(1)"),))
    links = re.findall(r"href=\"([^\"]*)", findings_part(made.report(findings=(finding,))))
    assert all(link.startswith("./kb?rule=") for link in links)


def test_a_quoted_name_is_told_as_the_file_is_called() -> None:
    text = "--- x\n+++ %s\n@@ -1 +1 @@\n-old\n+new\n"
    for written, name in (
        (r'"b/tr\303\244in \042x\042.yml"', 'träin "x".yml'),
        ("b/my file.yml\t", "my file.yml"),
        ("b/plain.yml", "plain.yml"),
    ):
        assert read_diff(text % written)[0].text == name


def test_diff_rows_are_counted_not_guessed() -> None:
    rows = read_diff("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n same\n")
    assert [(row.kind, row.text, row.before, row.after) for row in rows[1:]] == [
        ("hunk", "@@ -1,2 +1,2 @@", None, None),
        ("removed", "-- old", 1, None),
        ("added", "++ new", None, 1),
        ("same", "same", 2, 2),
    ]


def test_the_diff_has_signs_and_numbers_and_keeps_its_text() -> None:
    html = patch_part(made.report().patch)
    assert "+5 −5" in text(html).replace(" lines added and removed", "")
    assert html.count('<tr class="gg-added">') == html.count('<tr class="gg-removed">') == 5
    assert 'aria-hidden="true">+</td><td><span class="gg-sr">added: </span>' in html
    assert "\r" not in exact_text("a\r\n<b>\n", "t")
    assert exact_text("a\r\n<b>\n", "t") == '<pre id="t" hidden>\na&#13;\n&lt;b&gt;\n</pre>'
    assert "x.yml" in diff_table(
        "--- a/x.yml\n+++ b/x.yml\n@@ -1 +1 @@\n-a\n+b\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"
    )


def test_commands_to_run() -> None:
    assert commands(made.report()) == (
        "export NCCL_MIN_NCHANNELS=112\ngit apply qlora.patch\naxolotl train qlora.yml"
    )
    assert run_it_part(made.well_tuned()) == ""
    assert patch_name("../<evil> name.yml") == "evil-name.patch"
    assert patch_name("...") == "goblin.patch"


def test_captions_tell_the_change_and_speak_the_chart() -> None:
    report = made.report()
    metric = charted(report)[0]
    html = caption(report, metric)
    assert "Tokens/s per GPU 2.8x as much" in text(html)
    assert "before 5,450 (4,600 to 6,400), projected; after 15,400" in html
    assert "after 3.0" not in html
    assert "Where 1.95 s per step went" in text(time_caption(report))
    assert "Your file with only what stops it fixed, against the same file with 3 edits" in text(
        heading(report)
    )


def test_tables_hold_what_the_charts_show() -> None:
    said = text(table(made.report()))
    for figure in ("5,450 (4,600 to 6,400)", "15,400 (13,000 to 18,200)", "1.06 (0.90 to 1.25)"):
        assert figure in said
    assert "Activations 0.60 38" in text(memory_table(made.report()))


def test_belief_names_the_error_and_the_weak_spot() -> None:
    said = text(believe_part(made.report()))
    assert "Tested on 257 published runs" in said
    assert "Median error 6.5%, mean 9.6%" in said
    assert "It was tested with 14, where the median error is 8.3%" in said
    assert "Name your GPU. Assumed now: 1x AMD Instinct MI300X" in said
    assert believe_part(made.without_estimate()) == ""


def test_checks_are_grouped_and_counted() -> None:
    said = text(checked_part(made.report()))
    assert "12 rules apply to this file: 5 fired, 7 passed." in said
    assert said.index("Precision matches the card") < said.index("Attention and kernels")
    assert "System and environment No debug variables set" in said


EVIL = '<img src=x onerror="alert(1)">'


def test_nothing_from_a_file_or_a_rule_reaches_the_page_as_html() -> None:
    finding = made.finding(
        1,
        id=EVIL,
        title=EVIL,
        why=EVIL,
        rule_id=EVIL,
        advice=EVIL,
        verify=EVIL,
        caveats=(EVIL,),
        evidence=made.Evidence(file=EVIL, line=3, text=EVIL),
        sources=(made.source(title=EVIL, url=f"https://example.org/{EVIL}"),) * 2,
    )
    edit = made.edit(finding, EVIL, EVIL, EVIL, applied=False, reason=EVIL, advice=EVIL)
    patch = Patch(
        edits=(edit,),
        diff=f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{EVIL}\n+{EVIL}\n",
        env={"A": EVIL},
        launch=EVIL,
    )
    report = made.report(
        workload_name=EVIL,
        findings=(finding,),
        patch=patch,
        checked=(made.Check(rule_id=EVIL, title=EVIL),),
        hardware=made.HardwareUsed(
            id="x", name=EVIL, memory_gb=1, gpus=1, nodes=1, origin="stated"
        ),
        versions={EVIL: EVIL},
        format=EVIL,
    )
    assert "<img" not in whole(report)
