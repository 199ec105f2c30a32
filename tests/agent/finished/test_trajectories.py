"""Trajectories of real audits: the conversation as it was, rewards from measurements alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.api import audit
from agent.finished.trajectories import trajectory_lines
from agent.finished.trajectory import trajectory_of
from agent.jobs import Jobs
from agent.settings import Settings
from agent.tool_text import read_tool_text
from agent.tools import TOOLS
from audit.export.atropos import MASKED, Utf8Bytes, group_line, tokens_of
from audit.export.hermes import hermes_line, hermes_turns
from audit.export.messages import messages_line
from audit.export.reward import CRASH, MAX_REWARD, reward_of
from audit.export.tokenizer_file import load_tokenizer
from audit.log.store import Store
from audit.records.base import Interval
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.trajectory import Trajectory, TrajectoryCall, TrajectoryMessage
from tests.agent.model_audits import STEPS, WIRES, play, script
from tests.agent.provider import Answer, Call
from tests.agent.training_files import STOPS, TOKEN, WITH_TOKEN, request_for, wait_for

SCHEMAS = {name: tool.schema() for name, tool in TOOLS.items()}


@pytest.mark.parametrize("wire", WIRES)
def test_the_conversation_is_the_one_that_the_server_saw(wire: str) -> None:
    events, server = play(wire, script())
    found = trajectory_of(events)
    said = [message for message in found.messages if message.role == "assistant"]
    assert [(call.name, call.arguments) for one in said for call in one.calls] == [
        (name, arguments) for name, arguments in STEPS
    ]
    last = json.dumps(server.requests[-1], ensure_ascii=False)
    for message in found.messages[:-2]:  # the last answer was never sent back
        sent = json.dumps(message.content, ensure_ascii=False)[1:-1]
        assert sent in last, message
    assert found.outcome == "report"


def test_a_hint_of_the_loop_is_told_as_the_users_words() -> None:
    events, _ = play("openai", [Answer(text="All is well."), *script()])
    found = trajectory_of(events)
    roles = [message.role for message in found.messages]
    assert roles[:4] == ["system", "user", "assistant", "user"]
    assert "parse" in found.messages[3].content


def test_hermes_text_is_read_back_to_the_same_calls() -> None:
    two = Answer(text="both", calls=(Call(*STEPS[1]), Call(*STEPS[2])))
    events, _ = play("openai", [*script(0), two, *script(3, 4, 5, 6)])
    found = trajectory_of(events)
    said = [message for message in found.messages if message.role == "assistant"]
    turns = [turn for turn in hermes_turns(found) if turn.role == "assistant"]
    assert len(said) == len(turns) == 6
    for message, turn in zip(said, turns, strict=True):
        read = read_tool_text(turn.text, SCHEMAS)
        assert [(call.name, call.arguments) for call in read.calls] == [
            (call.name, call.arguments) for call in message.calls
        ]


WORDS = st.text(max_size=80) | st.sampled_from(
    ["</think>", "<tool_call>", '</tool_call>\n{"name": "x"}', "<think>a", "```json", "e.g."]
)
CALLS = st.lists(
    st.builds(
        TrajectoryCall,
        id=st.just("c"),
        name=st.sampled_from(sorted(TOOLS)),
        arguments=st.fixed_dictionaries({"workload_id": WORDS, "question": WORDS}),
    ),
    max_size=3,
).map(tuple)
MESSAGES = st.lists(
    st.builds(
        TrajectoryMessage,
        role=st.sampled_from(["user", "assistant", "tool"]),
        content=WORDS,
    ).flatmap(
        lambda message: CALLS.map(
            lambda calls: message.model_copy(
                update={"calls": calls if message.role == "assistant" else ()}
            )
        )
    ),
    max_size=6,
).map(tuple)


def some(messages: tuple[TrajectoryMessage, ...]) -> Trajectory:
    return Trajectory(
        audit_id="a",
        upload="u",
        workload_name="w",
        backend="rules",
        outcome="report",
        ended="",
        messages=messages,
        tools=(),
        reward=None,
        reward_reason="",
    )


@settings(max_examples=150)
@given(MESSAGES)
def test_masks_cover_exactly_what_the_assistant_wrote(messages) -> None:
    found = some(messages)
    row = tokens_of(found, Utf8Bytes())
    assert len(row.tokens) == len(row.masks)
    assert all(mask in (MASKED, token) for token, mask in zip(row.tokens, row.masks, strict=True))
    own = bytes(mask for mask in row.masks if mask != MASKED)
    turns = hermes_turns(found)
    said = "".join(f"{turn.text}<|im_end|>" for turn in turns if turn.role == "assistant")
    assert own == said.encode()
    whole = "".join(f"<|im_start|>{turn.role}\n{turn.text}<|im_end|>\n" for turn in turns)
    assert bytes(row.tokens) == whole.encode()


@settings(max_examples=150)
@given(MESSAGES)
def test_whatever_was_said_the_calls_are_read_back(messages) -> None:
    found = some(messages)
    said = [message for message in messages if message.role == "assistant"]
    turns = [turn for turn in hermes_turns(found) if turn.role == "assistant"]
    for message, turn in zip(said, turns, strict=True):
        calls = read_tool_text(turn.text, SCHEMAS).calls if message.calls else ()
        assert [(one.name, one.arguments) for one in calls] == [
            (one.name, one.arguments) for one in message.calls
        ]


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(request_for(STOPS))


def measured(report: Report, **changes) -> Report:
    speedup = Interval(low=1.2, value=1.5, high=1.8)
    first = {"provenance": "measured", "loss_parity": "same", "speedup": speedup}
    comparison = report.comparison.model_copy(update=first | {"verdict": "faster"} | changes)
    return report.model_copy(update={"comparison": comparison})


def test_a_projection_is_never_a_reward(report: Report) -> None:
    assert report.provenance == "projected"
    assert reward_of(report).value is None


def test_rewards_of_measured_pairs(report: Report) -> None:
    assert reward_of(measured(report)).value == pytest.approx(0.405, abs=1e-3)
    much = Interval(low=9, value=20, high=30)
    assert reward_of(measured(report, speedup=much)).value == MAX_REWARD
    slow = Interval(low=0.4, value=0.5, high=0.6)
    slower = reward_of(measured(report, speedup=slow, verdict="slower")).value
    assert slower == pytest.approx(-0.693, abs=1e-3)
    assert reward_of(measured(report, verdict="no_difference")).value == 0
    for parity in ("differs", "not_run"):
        assert reward_of(measured(report, loss_parity=parity)).value is None
    assert reward_of(measured(report, verdict="not_comparable", speedup=None)).value is None


def test_a_crash_of_the_patched_run_costs_and_one_of_the_users_own_does_not(report: Report) -> None:
    assert report.before is not None
    crashed = report.before.model_copy(update={"failure": "out of memory at step 3"})
    failed = measured(report, verdict="failed", speedup=None)
    assert reward_of(failed.model_copy(update={"after": crashed})).value == CRASH
    assert reward_of(failed.model_copy(update={"before": crashed, "after": crashed})).value is None


def test_what_the_rules_chose_is_not_the_models_reward(report: Report) -> None:
    finished = measured(report).model_copy(update={"tier": 3, "completed_by": "model+rules"})
    assert reward_of(finished).value is None


@pytest.fixture
def kept(tmp_path: Path):
    """Two audits of one upload, one of another, one that failed."""
    jobs = Jobs(Settings(data_dir=tmp_path))
    ids = []
    for text in (WITH_TOKEN, WITH_TOKEN, STOPS, "base_model: [unclosed\n"):
        ids.append(jobs.start(request_for(text)).audit_id)
        wait_for(jobs, ids[-1])
    jobs.close()
    store = Store(tmp_path)
    yield store, ids
    store.close()


def test_groups_are_the_audits_of_one_upload(kept) -> None:
    store, ids = kept
    (line,) = trajectory_lines(store, ids[:1], "atropos")
    group = json.loads(line)
    assert [one["id"] for one in group["unscored"]] == ids[:2]
    assert group["tokens"] == group["masks"] == group["scores"] == []
    assert group["tokenizer"] == "utf-8-bytes"
    assert not group["group_of_one"]
    lines = list(trajectory_lines(store, ids, "atropos"))
    assert len(lines) == 3
    assert TOKEN not in "".join(lines)


@pytest.mark.parametrize("form", ["messages", "hermes"])
def test_failed_audits_are_told_too_and_nothing_secret_is(kept, form: str) -> None:
    store, ids = kept
    lines = list(trajectory_lines(store, ids, form))
    rows = [json.loads(line) for line in lines]
    assert [row["outcome"] for row in rows] == ["report", "report", "report", "error"]
    assert all(row["reward"] is None and row["reward_reason"] for row in rows)
    assert TOKEN not in "".join(lines)


def test_a_group_scores_what_was_measured(report: Report) -> None:
    events, _ = play("openai", script())
    found = trajectory_of(events)
    best = found.model_copy(update={"reward": 0.4, "audit_id": "best"})
    group = json.loads(group_line([best, found], Utf8Bytes()))
    assert group["scores"] == [0.4]
    assert group["ids"] == ["best"]
    assert group["group_of_one"]
    assert len(group["tokens"]) == len(group["masks"]) == len(group["messages"]) == 1
    assert len(group["unscored"]) == 1


def test_a_tokenizer_file_gives_its_own_ids(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator(["assistant tool parse_config workload_id wl_1"], trainer)
    made.save(str(tmp_path / "tokenizer.json"))
    events, _ = play("openai", script())
    found = trajectory_of(events)
    loaded = load_tokenizer(str(tmp_path))
    row = tokens_of(found, loaded)
    own = [mask for mask in row.masks if mask != MASKED]
    said = [turn.text for turn in hermes_turns(found) if turn.role == "assistant"]
    assert made.decode(own, skip_special_tokens=True) == "".join(said)
    assert own.count(made.token_to_id("<|im_end|>")) == len(said)


@pytest.mark.parametrize("content", [None, "{}"])
def test_what_is_no_tokenizer_is_said_plainly(tmp_path: Path, content: str | None) -> None:
    pytest.importorskip("tokenizers")
    place = tmp_path / "tokenizer.json"
    if content is not None:
        place.write_text(content)
    with pytest.raises(UserError, match=r"tokenizer"):
        load_tokenizer(str(place))


def test_lines_load_as_a_conversational_data_set() -> None:
    events, _ = play("openai", script())
    found = trajectory_of(events)
    row = json.loads(messages_line(found))
    assert {message["role"] for message in row["messages"]} == {
        "system",
        "user",
        "assistant",
        "tool",
    }
    called = [call["id"] for one in row["messages"] for call in one.get("tool_calls", ())]
    answered = [one["tool_call_id"] for one in row["messages"] if one["role"] == "tool"]
    assert called == answered
    assert json.loads(json.loads(hermes_line(found))["tools"]) == row["tools"]
