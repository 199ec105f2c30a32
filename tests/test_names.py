"""Names that pages, scripts and logs outside rely on: changing one is a breaking change."""

from __future__ import annotations

from typing import get_args

from agent.__main__ import COMMANDS
from agent.settings import read_settings
from agent.tools import TOOLS
from audit.records import comparison, errors, events, finding, metrics, report, workload
from audit.records.base import PROVENANCES, Provenance, weakest

REPORT = {
    "workload_name", "tier", "completed_by", "provenance", "findings", "patch", "before", "after",
    "comparison", "checked", "sources", "versions",
}  # fmt: skip


def test_events() -> None:
    assert set(get_args(events.EventType)) == {
        "started", "stage", "thought", "tool_call", "tool_result", "log", "progress", "usage",
        "approval_required", "approval_decided", "turn_reset", "final_report", "error", "cancelled",
    }  # fmt: skip
    assert set(events.DATA_OF) == set(get_args(events.EventType))
    assert set(events.TERMINAL) == {"final_report", "error", "cancelled"}
    assert set(events.Event.model_fields) == {
        "type", "data", "audit_id", "seq", "at", "version", "parent_call_id",
    }  # fmt: skip


def test_stages_and_states() -> None:
    assert events.STAGES == ("parse", "profile", "query", "patch", "benchmark", "compare")
    assert set(get_args(events.StageState)) == {
        "waiting", "running", "done", "skipped", "failed", "cancelled",
    }  # fmt: skip


def test_report_fields() -> None:
    assert set(report.Report.model_fields) >= REPORT
    assert set(finding.Finding.model_fields) >= {
        "id", "rule_id", "facts", "severity", "fields", "evidence", "effect", "semantics",
        "sources",
    }  # fmt: skip
    assert set(finding.Evidence.model_fields) >= {"file", "line"}


def test_words_with_one_meaning() -> None:
    assert PROVENANCES == ("measured", "imported", "stated", "projected") == get_args(Provenance)
    assert get_args(comparison.Verdict) == (
        "faster", "slower", "no_difference", "not_comparable", "failed",
    )  # fmt: skip
    assert finding.SEVERITIES == ("critical", "high", "medium", "low", "info")
    assert set(get_args(workload.Origin)) == {"stated", "default", "derived", "assumed", "unknown"}
    assert set(get_args(errors.ErrorKind)) == {
        "input", "backend", "runner", "budget", "interrupted", "internal",
    }  # fmt: skip
    assert set(metrics.Metrics.model_fields) >= {
        "tokens_per_s_per_gpu", "tokens_per_s", "samples_per_s", "step_s", "mfu", "peak_memory_gb",
        "memory_kind", "padding_efficiency", "gpu_busy",
    }  # fmt: skip


def test_a_report_is_as_strong_as_its_weakest_part() -> None:
    assert weakest("measured", "projected") == "projected"
    assert weakest("imported", "measured") == "imported"
    assert weakest("measured") == "measured"


def test_commands_and_tools() -> None:
    assert set(COMMANDS) >= {
        "audit", "parse", "patch", "search", "estimate", "list", "show", "replay", "delete",
        "export",
    }  # fmt: skip
    assert list(TOOLS) == [
        "parse_config", "profile_run", "query_rocm_kb", "propose_patch", "benchmark",
        "compare_runs", "research",
    ]  # fmt: skip


def test_environment() -> None:
    stated = {
        "GOBLIN_AGENT_BACKEND": "rules",
        "GOBLIN_RUNNER": "fake",
        "GOBLIN_HARDWARE": "h200",
        "GOBLIN_DATA_DIR": "/somewhere",
        "SPACE_ID": "me/space",
    }
    settings = read_settings(stated)
    assert (settings.backend, settings.runner, settings.hardware) == ("rules", "fake", "h200")
    assert str(settings.data_dir) == "/somewhere"
    assert settings.on_space
    assert not read_settings({}).on_space
