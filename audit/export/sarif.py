"""The findings as SARIF 2.1.0, which code scanning reads: one result per finding, at its line.

What passed is no result: code scanning would show it as an alert. Figures keep their provenance in
the message. https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import quote

from audit.export.addresses import web_address
from audit.export.figures import effect_text, speedup_text
from audit.export.markdown import plain
from audit.records.base import Json
from audit.records.finding import Finding, Severity
from audit.records.report import Report

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS: dict[Severity, str] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
    "info": "note",
}
"""Code scanning shows error, warning and note; a merge can be stopped on error."""


def report_sarif(report: Report) -> str:
    """One SARIF log with one run, indented, with a line feed at its end."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _run(report: Report) -> Json:
    first: dict[str, Finding] = {}
    for finding in report.findings:
        first.setdefault(finding.rule_id, finding)
    places = {rule_id: place for place, rule_id in enumerate(first)}
    return {
        "tool": {
            "driver": {
                "name": "GPU Goblin",
                "version": report.versions.get("goblin", "0"),
                "semanticVersion": report.versions.get("goblin", "0"),
                "rules": [_rule(finding) for finding in first.values()],
            }
        },
        "automationDetails": {"id": f"gpu-goblin/{_uri(report.workload_name)}/"},
        "columnKind": "unicodeCodePoints",
        "artifacts": [
            {
                "location": {"uri": _uri(file.name)},
                "length": file.size,
                "hashes": {"sha-256": file.sha256},
            }
            for file in report.files
        ],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": notice.message}}
                    for notice in report.notices
                ],
            }
        ],
        "results": [
            _result(finding, places[finding.rule_id], report) for finding in report.findings
        ],
        "properties": {
            "hardware": report.hardware.model_dump(mode="json"),
            "verdict": speedup_text(report.comparison),
            "provenance": report.provenance,
            "completedBy": report.completed_by,
            "tier": report.tier,
        },
    }


def _rule(finding: Finding) -> Json:
    rule: dict[str, Json] = {
        "id": finding.rule_id,
        "name": "".join(word.capitalize() for word in finding.rule_id.replace(".", "_").split("_")),
        "shortDescription": {"text": finding.title},
        "fullDescription": {"text": finding.why or finding.title},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "help": _help(finding),
        "properties": {"tags": ["performance", finding.semantics], "facts": list(finding.facts)},
    }
    address = next(filter(None, (web_address(source.url) for source in finding.sources)), None)
    if address:
        rule["helpUri"] = address
    return rule


def _help(finding: Finding) -> Json:
    lines = [finding.why, *finding.caveats, finding.verify]
    lines += [f"{source.title} ({source.as_of}): {source.url}" for source in finding.sources]
    kept = [line for line in lines if line]
    return {
        "text": "\n".join(kept),
        "markdown": "\n".join(f"- {plain(line)}" for line in kept),
    }


def _result(finding: Finding, place: int, report: Report) -> Json:
    evidence = finding.evidence
    said = [f"{finding.title.rstrip('.')}.", effect_text(finding.effect), finding.advice or ""]
    edits = [edit for edit in report.patch.edits if finding.id in edit.finding_ids]
    said += [
        f"{'In the patch' if edit.applied else 'Not in the patch'}: {edit.field} "
        f"{_value(edit.before)} -> {'removed' if edit.remove else _value(edit.after)}."
        for edit in edits
    ]
    region: dict[str, Json] = {"startLine": evidence.line or 1}
    if evidence.line:
        region["snippet"] = {"text": evidence.text}
    file = evidence.file or report.workload_name
    mark = json.dumps([finding.rule_id, file, sorted(finding.fields)])
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": place,
        "kind": "fail",
        "level": LEVELS[finding.severity],
        "message": {"text": " ".join(" ".join(part.split()) for part in said if part)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}}
        ],
        "partialFingerprints": {"goblinFinding/v1": sha256(mark.encode()).hexdigest()},
        "properties": {
            "severity": finding.severity,
            "semantics": finding.semantics,
            "effect": finding.effect.model_dump(mode="json"),
        },
    }


def _value(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _uri(name: str) -> str:
    """A file name as the relative reference that a URI may hold."""
    return quote(name, safe="/")
