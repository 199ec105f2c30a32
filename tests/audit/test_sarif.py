"""SARIF 2.1.0 as code scanning takes it: required properties, levels, places, one result each."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agent.api import audit
from audit.export.sarif import LEVELS, report_sarif
from audit.records.finding import SEVERITIES
from audit.records.report import Report
from tests.agent.training_files import AXOLOTL, SCRIPT, STOPS, WELL_TUNED, request_for


def run_of(report: Report) -> dict[str, Any]:
    log = json.loads(report_sarif(report))
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return dict(run)


@pytest.mark.parametrize(
    ("text", "name"), [(STOPS, "train.yml"), (SCRIPT, "my train.py"), (AXOLOTL, "a.yml")]
)
def test_a_run_holds_what_the_schema_requires(text: str, name: str) -> None:
    report = audit(request_for(text, name=name))
    run = run_of(report)
    driver = run["tool"]["driver"]
    assert driver["name"] == "GPU Goblin"
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert rule.get("helpUri", "https://").startswith(("https://", "http://"))
    assert len(run["results"]) == len(report.findings) > 0
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert result["message"]["text"].startswith(finding.title.rstrip("."))
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule_id
        assert result["level"] == LEVELS[finding.severity]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == name.replace(" ", "%20")
        assert place["region"]["startLine"] == (finding.evidence.line or 1)
        assert re.fullmatch(r"[0-9a-f]{64}", result["partialFingerprints"]["goblinFinding/v1"])
    uris = {artifact["location"]["uri"] for artifact in run["artifacts"]}
    assert uris == {name.replace(" ", "%20")}
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_fingerprint_survives_a_moved_line() -> None:
    here, moved = (
        run_of(audit(request_for(text)))["results"] for text in (STOPS, "# a line more\n" + STOPS)
    )
    marks = [[result["partialFingerprints"] for result in results] for results in (here, moved)]
    assert marks[0] == marks[1]
    lines = [
        results[0]["locations"][0]["physicalLocation"]["region"]["startLine"]
        for results in (here, moved)
    ]
    assert lines[1] == lines[0] + 1


def test_every_severity_has_a_level_and_figures_say_where_they_come_from() -> None:
    assert set(LEVELS) == set(SEVERITIES)
    run = run_of(audit(request_for(STOPS)))
    told = [result["message"]["text"] for result in run["results"]]
    assert any("x the speed" in text and "projected" in text for text in told)
    assert run["properties"]["provenance"] == "projected"


def test_nothing_to_fix_is_an_empty_run() -> None:
    run = run_of(audit(request_for(WELL_TUNED)))
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []
