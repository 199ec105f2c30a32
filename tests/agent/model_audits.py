"""Audits by a model behind the scripted server, on both wire protocols, for the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agent.api import report_of
from agent.drive import drive
from agent.loop import run_audit
from agent.settings import ModelSettings
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.events import TERMINAL, Event
from audit.records.report import Report
from tests.agent.provider import Answer, Call, Provider, provider
from tests.agent.training_files import STOPS, request_for

WIRES = ("claude", "openai", "huggingface")
KEY = "sk-" + "test" * 8
TOKEN = "hf_" + "Ab3De5Gh7" * 4
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("parse_config", {"upload_id": "upload_1"}),
    ("profile_run", {"workload_id": "wl_1"}),
    ("query_rocm_kb", {"workload_id": "wl_1", "question": None}),
    ("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_1", "f_2"]}),
    ("benchmark", {"workload_id": "wl_1"}),
    ("benchmark", {"workload_id": "wl_2"}),
    ("compare_runs", {"before_id": "bench_1", "after_id": "bench_2"}),
]


def settings_for(url: str, **changes: Any) -> ModelSettings:
    """All three model backends at one scripted server, each test with a model of its own name."""
    name = new_secret()[:8]
    return replace(
        ModelSettings(
            claude_key=KEY,
            claude_url=url,
            claude_model=f"claude-{name}",
            hf_token=TOKEN,
            hf_url=f"{url}/v1",
            hf_model=f"me/model-{name}",
            openai_url=f"{url}/v1",
            openai_model=f"model-{name}",
        ),
        **changes,
    )


def script(*steps: int, thinking: str = "") -> list[Answer]:
    """The turns of those steps; all seven where none is named."""
    return [
        Answer(text=f"step {number}", calls=(Call(*STEPS[number]),), thinking=thinking)
        for number in (steps or range(len(STEPS)))
    ]


def play(
    wire: str,
    answers: Sequence[Answer],
    *,
    text: str = STOPS,
    models: dict[str, Any] | None = None,
    stop_when: Callable[[Provider], bool] | None = None,
    **wishes: Any,
) -> tuple[list[Event], Provider]:
    """One audit through the real client library; exactly one terminal event, or it fails."""
    with provider(*answers) as server:
        events = play_at(server, wire, text=text, models=models, stop_when=stop_when, **wishes)
    called = [event.data["call_id"] for event in events if event.type == "tool_call"]
    told = [event.data["call_id"] for event in events if event.type == "tool_result"]
    assert called == told
    return events, server


def play_at(
    server: Provider,
    wire: str,
    *,
    text: str = STOPS,
    models: dict[str, Any] | None = None,
    stop_when: Callable[[Provider], bool] | None = None,
    **wishes: Any,
) -> list[Event]:
    """One audit by a server that stands already."""
    store, audit_id = Store(None), new_secret()
    store.create(audit_id, "owner")
    audit = run_audit(
        request_for(text, backend=wire, **wishes),
        store,
        audit_id,
        models=settings_for(server.url, **(models or {})),
        cancelled=(lambda: stop_when(server)) if stop_when else lambda: False,
    )
    events = list(drive(audit))
    store.close()
    ends = [event.type in TERMINAL for event in events]
    assert ends == [False] * (len(ends) - 1) + [True]
    return events


def report(events: Sequence[Event]) -> Report:
    return report_of(events[-1])


def told(events: Sequence[Event], kind: str) -> list[Any]:
    return [event.data for event in events if event.type == kind]


def why(events: Sequence[Event]) -> str:
    """Who did what, as the report says it."""
    return report(events).notices[-1].message
