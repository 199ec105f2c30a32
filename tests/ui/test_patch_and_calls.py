"""The patch side by side, the calls of a backend, and how to get the same report again."""

from __future__ import annotations

import re
import shlex

import pytest

from agent.__main__ import main
from audit.records.events import (
    FinalReportData,
    StartedData,
    ThoughtData,
    ToolCallData,
    ToolResultData,
    UsageData,
)
from tests.ui import page_reports as made
from tests.ui.page_events import STARTED, events
from ui.calls import MOST_TEXT, calls_part
from ui.diff import side_table
from ui.reproduce import audit_command, patch_command, reproduce_part
from ui.running import finished_part
from ui.view import AuditView, fold_all

DIFF = "--- a/x\n+++ b/x\n@@ -1,4 +1,4 @@\n one\n-two\n-three\n+zwei\n four\n+five <b>\n"


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    return [
        [re.sub(r"<span.*?</span>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row)]
        for row in rows
    ]


def test_removed_lines_stand_beside_the_added_ones_that_follow_them() -> None:
    assert cells(side_table(DIFF)) == [
        ["1", "", "one", "1", "", "one"],
        ["2", "-", "two", "2", "+", "zwei"],
        ["3", "-", "three", "", "", ""],
        ["4", "", "four", "3", "", "four"],
        ["", "", "", "4", "+", "five &lt;b&gt;"],
    ]


def test_two_changes_in_a_row_are_not_mixed() -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-a\n+b\n-c\n+d\n"
    assert [row[2] + row[5] for row in cells(side_table(diff))] == ["ab", "cd"]


def story(started: StartedData = STARTED, report: object = None) -> AuditView:
    told = [
        started,
        ThoughtData(text="I read <it> first."),
        ToolCallData(call_id="c1", tool="parse_config", arguments={"upload_id": "up_1"}),
        ToolResultData(call_id="c1", tool="parse_config", ok=True, text="wl_1", seconds=0.003),
        UsageData(kind="loop", model="m", input_tokens=1200, output_tokens=30, usd=0.01),
        ToolCallData(call_id="c2", tool="benchmark", arguments={"workload_id": "wl_9"}),
        ToolResultData(call_id="c2", tool="benchmark", ok=False, text="<no> such id"),
        UsageData(kind="loop", model="m", input_tokens=800, output_tokens=20, usd=0.01),
        ToolCallData(call_id="c3", tool="new_tool", arguments={}),
    ]
    if report is not None:
        told.append(FinalReportData(report=report))  # type: ignore[arg-type]
    return fold_all(AuditView("8f3c" * 8), events(*told))


def test_every_call_has_arguments_answer_state_and_time() -> None:
    view = story()
    html = calls_part(view.calls, view.used)
    assert html.count("<details") == 1 + 3
    assert "I read &lt;it&gt; first." in html
    assert "&quot;upload_id&quot;: &quot;up_1&quot;" in html
    assert "done, 3 ms" in html
    assert "refused" in html
    assert "&lt;no&gt; such id" in html
    assert "running" in html
    assert "m: 2,000 tokens in, 50 out, $0.02" in html
    long = fold_all(
        AuditView("8f3c" * 8),
        events(
            ToolCallData(call_id="c", tool="t", arguments={}),
            ToolResultData(call_id="c", tool="t", ok=True, text="x" * (MOST_TEXT + 5)),
        ),
    )
    assert "5 more characters in the log" in calls_part(long.calls, long.used)


def test_the_tier_is_told_in_words() -> None:
    assert "no model took part" in finished_part(story(report=made.report()))
    started = STARTED.model_copy(update={"backend": "claude"})
    for tier, said in ((0, "decided every step"), (2, "same runner"), (3, "stopped early")):
        one = made.report().model_copy(update={"tier": tier, "completed_by": "model+rules"})
        html = finished_part(story(started, one))
        assert f'data-tier="{tier}"' in html
        assert said in html


def test_the_commands_are_ones_that_the_command_line_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = made.report()
    for command in (audit_command(report), patch_command(report).split(" > ")[0]):
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "agent"]
        assert main([*words[3:]]) == 2  # the file is not here; every option is known
        assert "qlora.yml" in capsys.readouterr().err


def test_a_hostile_name_is_one_word_of_the_command() -> None:
    name = "$(touch x); <img>.yml"
    report = made.report().model_copy(
        update={
            "workload_name": name,
            "files": (made.report().files[0].model_copy(update={"name": name}),),
        }
    )
    assert name in shlex.split(audit_command(report))
    assert "<img>" not in reproduce_part(report)


def test_a_measured_report_is_measured_again() -> None:
    arms = {
        "before": made.arm("baseline", provenance="measured", runner="local"),
        "after": made.arm("patched", provenance="measured", runner="local"),
    }
    words = shlex.split(audit_command(made.report(**arms)))
    assert words[words.index("--runner") + 1] == "local"
    assert "--hardware" not in words
