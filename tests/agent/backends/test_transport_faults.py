"""Faults between us and a model server, through the real clients; the numbers are failure cases."""

from __future__ import annotations

import json
import socket
import time
from itertools import pairwise
from typing import Any

import pytest

from audit.records.events import STAGES, Event
from tests.agent.model_audits import (
    KEY,
    STEPS,
    TOKEN,
    WIRES,
    play,
    report,
    script,
    told,
    why,
)
from tests.agent.provider import Answer, Call
from tests.agent.training_files import STOPS

CHAT = ("openai", "huggingface")
both = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.backends.patience.FIRST_WAIT", 0.01)


def stages_done(events: list[Event]) -> list[str]:
    return [data["stage"] for data in told(events, "stage") if data["state"] == "done"]


def whole_audit(events: list[Event]) -> bool:
    """The model came to the end, and every stage ran once."""
    assert report(events).tier == 0, why(events)
    return stages_done(events) == list(STAGES) and report(events).completed_by == "model"


@both
def test_an_audit_through_the_real_client(wire: str) -> None:
    events, server = play(wire, script(thinking="I look first."))
    assert whole_audit(events)
    assert len(server.requests) == len(STEPS)
    assert [data["tool"] for data in told(events, "tool_call")] == [tool for tool, _ in STEPS]
    usage = told(events, "usage")
    assert len(usage) == len(STEPS)
    assert {data["kind"] for data in usage} == {"loop"}
    assert all((data["input_tokens"], data["output_tokens"]) == (1000, 50) for data in usage)
    assert all(data["usd"] is None for data in usage)


@both
def test_requests_stay_small_and_grow_at_the_end_only(wire: str) -> None:
    long = STOPS + "".join(f"unused_{number}: value_{number}\n" for number in range(300))
    events, server = play(wire, script(thinking="I look first."), text=long)
    assert whole_audit(events)
    tokens = [len(body) / 3.5 for body in server.bodies]
    assert len(tokens) <= 9
    assert max(tokens) <= 12_000
    assert sum(tokens) <= 60_000
    kept = 0
    for before, after in pairwise(server.requests):
        said = before["messages"]
        assert after["messages"][: len(said)] == said
        fixed = [{k: v for k, v in one.items() if k != "messages"} for one in (before, after)]
        assert fixed[0] == fixed[1]
        kept += len(json.dumps([fixed[0], said]))
    assert kept / sum(map(len, server.bodies)) >= 0.7


def test_claude_gets_what_its_protocol_wants() -> None:
    _, server = play("claude", script(thinking="I look first."))
    first, last = server.requests[0], server.requests[-1]
    assert first["cache_control"] == {"type": "ephemeral"}
    assert first["thinking"] == {"type": "adaptive"}
    assert first["output_config"] == {"effort": "medium"}
    assert not {"temperature", "top_p", "top_k"} & set(first)
    schema = first["tools"][2]["input_schema"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["workload_id", "question"]
    assert {"type": "null"} in schema["properties"]["question"]["anyOf"]
    replayed = last["messages"][1]["content"][0]
    assert (replayed["type"], replayed["thinking"], replayed["signature"]) == (
        "thinking",
        "I look first.",
        "signed",
    )
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_the_router_gets_model_provider_and_who_pays() -> None:
    models = {"hf_model": "Qwen/Some", "hf_provider": "novita", "hf_bill_to": "my-org"}
    _, server = play("huggingface", script(), models=models)
    assert server.requests[0]["model"] == "Qwen/Some:novita"
    assert server.headers[0]["x-hf-bill-to"] == "my-org"
    assert server.headers[0]["authorization"] == f"Bearer {TOKEN}"


def test_a_price_that_is_stated_makes_a_cost() -> None:
    events, _ = play("claude", script(), models={"usd_per_million": (3.0, 15.0)})
    assert told(events, "usage")[0]["usd"] == pytest.approx((1000 * 3 + 50 * 15) / 1e6)


REFUSALS = [
    (429, "rate_limit_error", "slow down"),
    (529, "overloaded_error", "busy"),
    (503, "overloaded_error", "busy"),
    (500, "api_error", "oops"),
]


@both
@pytest.mark.parametrize(("status", "kind", "text"), REFUSALS)
def test_31_32_a_busy_server_is_asked_again(wire: str, status: int, kind: str, text: str) -> None:
    headers = {"retry-after": "0.01"} if status == 429 else {}
    busy = Answer(status=status, error=(kind, text), headers=headers)
    events, server = play(wire, [busy, busy, *script()])
    assert whole_audit(events)
    assert len(server.requests) == len(STEPS) + 2
    assert sum("Asks again" in data["text"] for data in told(events, "log")) == 2


@both
def test_31_the_server_says_how_long(wire: str) -> None:
    busy = Answer(status=429, error=("rate_limit_error", "slow"), headers={"retry-after": "0.4"})
    start = time.monotonic()
    events, _ = play(wire, [busy, *script()])
    assert time.monotonic() - start >= 0.4
    assert "0.4 s" in told(events, "log")[0]["text"]


@both
def test_32_a_server_that_stays_busy_leaves_the_rest_to_the_rules(wire: str) -> None:
    busy = Answer(status=529, error=("overloaded_error", "busy"))
    events, server = play(wire, [*script(0, 1), *[busy] * 9])
    assert report(events).tier == 3
    assert report(events).completed_by == "model+rules"
    assert "overloaded" in why(events)
    assert "The rules did the rest: query" in why(events)
    assert len(server.requests) == 2 + 4
    assert stages_done(events) == list(STAGES)


@both
@pytest.mark.parametrize("cut", ["close", "abort", "error"])
def test_26_33_34_a_broken_stream_runs_nothing_and_is_asked_again(wire: str, cut: str) -> None:
    """The call is whole, the stop reason is not there: it must not run."""
    broken = Answer(
        text="half",
        calls=(Call(*STEPS[0], id="lost"),),
        cut=cut,
        error=("overloaded_error", "Overloaded"),
    )
    events, server = play(wire, [broken, *script()])
    assert whole_audit(events)
    assert len(server.requests) == len(STEPS) + 1
    assert len(told(events, "turn_reset")) == 1
    assert "lost" not in {data["call_id"] for data in told(events, "tool_call")}
    assert server.requests[0]["messages"] == server.requests[1]["messages"]


@both
def test_26_a_stream_that_breaks_twice_is_given_up(wire: str) -> None:
    broken = Answer(text="half", cut="close")
    events, server = play(wire, [broken] * 5)
    assert len(server.requests) == 2
    assert report(events).completed_by == "rules"
    assert "broke off" in why(events)


@both
def test_36_a_stalled_stream_is_dropped(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.backends.model.SILENT_SECONDS", 0.3)
    events, _ = play(wire, [Answer(text="half", cut="stall"), *script()])
    assert whole_audit(events)
    assert "stopped answering" in told(events, "turn_reset")[0]["reason"]


@both
def test_35_a_server_that_is_not_there(wire: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    models = {"claude_url": url, "hf_url": f"{url}/v1", "openai_url": f"{url}/v1"}
    events, _ = play(wire, [], models=models)
    assert report(events).completed_by == "rules"
    assert "cannot be reached" in why(events)


FINAL = [
    (401, "authentication_error", "bad key " + KEY, "refuses the key"),
    (403, "permission_error", "no", "refuses the key"),
    (402, "billing_error", "no credits", "no credit"),
    (404, "not_found_error", "no such model", "does not know the model"),
    (400, "invalid_request_error", "messages: wrong", "refuses the request (messages: wrong)"),
]


@both
@pytest.mark.parametrize(("status", "kind", "text", "says"), FINAL)
def test_37_38_39_what_no_second_try_can_help(
    wire: str, status: int, kind: str, text: str, says: str
) -> None:
    events, server = play(wire, [Answer(status=status, error=(kind, text)), *script()])
    assert len(server.requests) == 1
    assert report(events).completed_by == "rules"
    assert says in why(events)
    everything = "".join(event.model_dump_json() for event in events)
    assert KEY not in everything
    assert TOKEN not in everything


def test_40_a_refused_effort_is_left_out_once_and_remembered() -> None:
    refused = Answer(status=400, error=("invalid_request_error", "effort is not supported"))
    events, server = play("claude", [refused, *script()])
    assert whole_audit(events)
    assert "thinking" in server.requests[0]
    assert not any("thinking" in one or "output_config" in one for one in server.requests[1:])
    events, server = play("claude", [refused, refused, *script()])
    assert len(server.requests) == 2
    assert "thinking or effort" in why(events)


def test_41_refused_thinking_is_stripped_once() -> None:
    text = "messages.1.content.0: Invalid `signature` in `thinking` block"
    refused = Answer(status=400, error=("invalid_request_error", text))
    turns = script(thinking="I look.")
    events, server = play("claude", [turns[0], refused, *turns[1:]])
    assert whole_audit(events)
    kinds = [
        [block["type"] for block in one["messages"][1]["content"]] for one in server.requests[1:]
    ]
    assert kinds[0] == ["thinking", "text", "tool_use"]
    assert all(kind == ["text", "tool_use"] for kind in kinds[1:])
    events, server = play("claude", [turns[0], refused, refused, *turns[1:]])
    assert len(server.requests) == 3
    assert report(events).completed_by == "model+rules"


@both
def test_42_a_conversation_that_is_too_long_is_shortened_once(wire: str) -> None:
    long = Answer(status=400, error=("invalid_request_error", "prompt is too long: 9 > 8"))
    turns = script()
    events, server = play(wire, [*turns[:4], long, *turns[4:]])
    assert whole_audit(events)
    assert len(server.bodies[5]) < len(server.bodies[4])
    events, server = play(wire, [*turns[:4], long, long, *turns[4:]])
    assert len(server.requests) == 6
    assert "too long" in why(events)


@pytest.mark.parametrize("wire", CHAT)
@pytest.mark.parametrize("style", ["whole", "no_index", "crlf", "no_done", "json", "null_usage"])
def test_44_variants_of_the_chat_stream(wire: str, style: str) -> None:
    turns = [
        Answer(text=turn.text, calls=turn.calls, style=style, thinking="Hm, well.")
        for turn in script()
    ]
    if style == "json":  # the first request finds out that `stream` is ignored
        turns.insert(0, turns[0])
    events, server = play(wire, turns)
    assert whole_audit(events)
    if style == "json":
        assert not any(one.get("stream") for one in server.requests[1:])


def test_44_line_ends_of_anthropics_stream() -> None:
    turns = [Answer(text=turn.text, calls=turn.calls, style="crlf") for turn in script()]
    assert whole_audit(play("claude", turns)[0])


@pytest.mark.parametrize("wire", CHAT)
@pytest.mark.parametrize("body", ["<html>502</html>", "[1, 2]", '{"error": "no"}', ""])
def test_a_page_of_a_proxy_is_a_fault_of_the_server(wire: str, body: str) -> None:
    bad = Answer(status=502, body=body)
    events, server = play(wire, [bad, *script()])
    assert whole_audit(events)
    assert len(server.requests) == len(STEPS) + 1


@pytest.mark.parametrize("wire", CHAT)
def test_a_stream_of_nonsense_is_a_broken_answer(wire: str) -> None:
    for body in ("data: {broken\n\n", "data: [1]\n\n", "data: 7\n\n", 'data: {"choices": 1}\n\n'):
        events, _ = play(wire, [Answer(body=body), *script()])
        assert report(events).comparison.verdict == "faster", body
        assert stages_done(events) == list(STAGES)


NONSENSE = [
    "event: x\ndata: 7\n\n",
    'event: message_start\ndata: {"type": "message_start"}\n\n',
    'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": 3}\n\n',
    "event: error\ndata: what\n\n",
    "event: message_stop\ndata: {broken\n\n",
]


@pytest.mark.parametrize("body", NONSENSE)
def test_events_of_another_shape_are_a_broken_answer(body: str) -> None:
    events, server = play("claude", [Answer(body=body, kind="text/event-stream"), *script()])
    assert whole_audit(events)
    assert len(server.requests) == len(STEPS) + 1


@both
def test_45_an_unknown_cost_is_not_nothing(wire: str) -> None:
    turns = [Answer(calls=turn.calls, usage=None) for turn in script()]
    events, _ = play(wire, turns)
    assert whole_audit(events)
    assert not told(events, "usage")


@both
def test_27_a_refusal_is_told_and_the_rules_finish(wire: str) -> None:
    refusal = Answer(
        text="No.",
        stop="refusal" if wire == "claude" else "content_filter",
        category="frontier_llm",
    )
    events, server = play(wire, [*script(0), refusal, *script(1)])
    assert len(server.requests) == 2
    assert report(events).completed_by == "model+rules"
    assert "refused" in why(events)
    if wire == "claude":
        assert "frontier_llm" in why(events)


def test_28_a_pause_is_resent_unchanged() -> None:
    pause = Answer(text="Wait.", stop="pause_turn")
    events, server = play("claude", [pause, *script()])
    assert whole_audit(events)
    assert server.requests[1]["messages"][-1]["role"] == "assistant"
    events, server = play("claude", [pause] * 20)
    assert len(server.requests) == 6


def test_29_a_full_window_shortens_once() -> None:
    full = Answer(text="", stop="model_context_window_exceeded")
    turns = script()
    events, _ = play("claude", [*turns[:4], full, *turns[4:]])
    assert whole_audit(events)
    events, _ = play("claude", [*turns[:4], full, full, *turns[4:]])
    assert "too long" in why(events)


@both
def test_30_an_unknown_stop_reason_runs_nothing(wire: str) -> None:
    odd = Answer(calls=(Call(*STEPS[0]),), stop="new_reason")
    events, server = play(wire, [odd, *script()])
    assert len(server.requests) == 1
    assert not told(events, "tool_call")
    assert "new_reason" in why(events)


@both
def test_23_a_call_that_is_cut_off_never_runs(wire: str) -> None:
    half = Answer(
        text="now", calls=(Call("parse_config", '{"upload_id": "upl'),), stop="max_tokens"
    )
    events, server = play(wire, [half, half, *script()])
    assert whole_audit(events)
    assert [one["max_tokens"] for one in server.requests[:4]] == [4096, 8192, 16384, 4096]
    hints = [one["messages"][-1]["content"] for one in server.requests[1:3]]
    assert hints[0] != hints[1]
    events, server = play(wire, [half] * 9)
    assert len(server.requests) == 3
    assert not told(events, "tool_call")
    assert report(events).completed_by == "rules"


@both
def test_24_a_text_that_is_cut_off_goes_on_once(wire: str) -> None:
    half = Answer(text="I will now", stop="max_tokens")
    assert whole_audit(play(wire, [half, *script()])[0])
    _, server = play(wire, [half] * 9)
    assert len(server.requests) == 2


@pytest.mark.parametrize("wire", CHAT)
def test_25_a_router_that_hides_the_cut(wire: str) -> None:
    half = Answer(calls=(Call("parse_config", '{"upload_id": "upl'),))
    events, server = play(wire, [half, *script()])
    assert whole_audit(events)
    assert "cut off" in server.requests[1]["messages"][-1]["content"]


def test_43_no_key_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: dict[str, dict[str, Any]] = {
        "claude": {"claude_key": None},
        "huggingface": {"hf_token": None},
        "openai": {"openai_url": None},
    }
    for wire, models in missing.items():
        events, server = play(wire, [], models=models)
        last = events[-1]
        assert (last.type, last.data["kind"]) == ("error", "backend")
        assert "--backend rules" in last.data["remedy"]
        assert not server.requests
        assert not told(events, "stage")


@both
@pytest.mark.parametrize("state", ["stream", "wait"])
def test_61_a_cancel_is_heard_within_a_second(wire: str, state: str) -> None:
    busy = Answer(status=429, error=("rate_limit_error", ""), headers={"retry-after": "30"})
    answer = Answer(delay=20) if state == "stream" else busy
    asked: list[float] = []

    def stop(server: Any) -> bool:
        if len(server.requests) == 2:
            asked.append(time.monotonic())
        return len(asked) > 2

    events, _ = play(wire, [*script(0), answer], stop_when=stop)
    assert events[-1].type == "cancelled"
    assert time.monotonic() - asked[0] < 1.5
    assert stages_done(events) == ["parse"]
