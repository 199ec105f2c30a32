"""Log-probabilities: asked for when wanted, kept whole or not at all, never on a wrong token."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.backends.logprobs import MAX_TOKENS_KEPT, Sampling
from agent.finished.trajectory import trajectory_of
from agent.settings import read_models
from audit.export.atropos import MASKED, Utf8Bytes, group_line, tokens_of
from audit.export.hermes import hermes_turns
from audit.export.logprobs import Piece, logprobs_of
from audit.records.sampled import Sampled
from tests.agent.model_audits import STEPS, play, script
from tests.agent.provider import TOKENS, Answer, logprob_of
from tests.agent.training_files import TOKEN

ON: dict[str, Any] = {"models": {"logprobs": True}}
REFUSED = Answer(status=400, error=("invalid_request_error", "logprobs is not supported here"))


class ServerTokens:
    """The tokenizer of the scripted server."""

    name = "scripted"

    def pieces(self, text: str) -> list[Piece]:
        found, at = [], 0
        for token in TOKENS.findall(text):
            found.append(Piece(len(token), at, at + len(token.encode())))
            at += len(token.encode())
        return found


def telling(*steps: int) -> list[Answer]:
    return [replace(answer, style="logprobs") for answer in script(*steps)]


def as_text(step: int) -> Answer:
    """A turn whose call is written as text, as models behind a plain server write it."""
    name, arguments = STEPS[step]
    call = json.dumps({"name": name, "arguments": arguments})
    text = f"I do step {step}.\n<tool_call>\n{call}\n</tool_call>"
    return Answer(text=text, style="logprobs")


def test_they_are_asked_for_only_when_the_operator_says_so() -> None:
    assert not read_models({}).logprobs
    assert read_models({"GOBLIN_LOGPROBS": "1"}).logprobs
    events, server = play("openai", telling())
    assert not [request for request in server.requests if "logprobs" in request]
    assert "logprobs" not in json.loads(group_line([trajectory_of(events)], Utf8Bytes()))
    for wire in ("openai", "huggingface"):
        _, server = play(wire, telling(), **ON)
        assert all(request["logprobs"] is True for request in server.requests)


def test_a_server_that_refuses_them_is_asked_without() -> None:
    events, server = play("openai", [REFUSED, *telling()], **ON)
    assert ["logprobs" in request for request in server.requests[:3]] == [True, False, False]
    found = trajectory_of(events)
    assert found.outcome == "report"
    assert all(message.sampled is None for message in found.messages)


@pytest.mark.parametrize("answers", [telling(), [as_text(step) for step in range(len(STEPS))]])
def test_they_stand_on_the_tokens_that_the_model_wrote(answers: list[Answer]) -> None:
    events, _ = play("openai", answers, **ON)
    found = trajectory_of(events)
    row = tokens_of(found, ServerTokens())
    assert len(row.logprobs) == len(row.tokens) == len(row.masks)
    for mask, logprob in zip(row.masks, row.logprobs, strict=True):
        assert logprob is None or mask != MASKED
    first = next(turn for turn in hermes_turns(found) if turn.role == "assistant")
    tokens = TOKENS.findall(f"{first.text}<|im_end|>")
    start = next(at for at, mask in enumerate(row.masks) if mask != MASKED)
    given = row.logprobs[start : start + len(tokens)]
    told = [(token, one) for token, one in zip(tokens, given, strict=True) if one is not None]
    if answers[0].calls:  # of the words alone, the server told nothing of its call
        assert told == [(" 0", logprob_of(1))]
    else:  # the words and the call, but not what the export puts around them
        said = [(token, logprob_of(n)) for n, token in enumerate(TOKENS.findall(answers[0].text))]
        assert [one for one in said if one in told] == told
        assert len(said) - len(told) <= 3
        assert given[-1] is None, "the end mark is ours"
    group = json.loads(group_line([found.model_copy(update={"reward": 0.1})], ServerTokens()))
    assert len(group["logprobs"][0]) == len(group["tokens"][0])
    assert json.loads(group_line([found], ServerTokens()))["unscored"][0]["logprobs"]


@pytest.mark.parametrize(
    "told",
    [
        {"content": [{"token": "a", "logprob": float("nan")}]},
        {"content": [{"token": "a", "logprob": 0.5}]},
        {"content": [{"token": None, "logprob": -1.0}]},
        {"content": [{"token": "a", "logprob": True}]},
        {"content": ["a"]},
        {"content": [{"token": "\ufffd", "bytes": [0xE2], "logprob": -1.0}]},
        {"content": [{"token": "a", "logprob": -1.0}] * (MAX_TOKENS_KEPT + 1)},
        {"content": None},
        None,
    ],
)
def test_what_cannot_be_read_whole_is_not_kept(told: Any) -> None:
    sampling = Sampling()
    sampling.take(told)
    assert sampling.kept() is None


def test_a_character_in_two_tokens_is_put_together() -> None:
    sampling = Sampling()
    for half in ([0xE2, 0x82], [0xAC]):
        sampling.take({"content": [{"token": "\ufffd", "bytes": half, "logprob": -1.0}]})
    kept = sampling.kept()
    assert kept is not None
    assert (kept.text, kept.lengths) == ("€", (2, 1))


def test_text_that_was_redacted_fits_no_token() -> None:
    sampled = Sampled(text="a ***", lengths=(1, 9), logprobs=(-1.0, -1.0))
    pieces = [Piece(0, 0, 1), Piece(1, 1, 5)]
    assert logprobs_of("a ***", ["a ***"], pieces, sampled) == [None, None]


CUTS = st.lists(st.text(max_size=6).filter(len), min_size=1, max_size=12)


@given(CUTS, CUTS, st.text(max_size=8))
def test_a_token_gets_only_what_the_server_said_of_these_very_bytes(said, cut, around) -> None:
    text = "".join(said)
    sampled = Sampled(
        text=f"{around}{text}",
        lengths=(len(around.encode()), *(len(one.encode()) for one in said)),
        logprobs=(-9.0, *(-0.5 - n for n in range(len(said)))),
    )
    ours = f"<think>\n{text}\n</think><|im_end|>"
    whole, at, pieces = ours.encode(), 0, []
    for number, part in enumerate([*cut * 20, ours]):  # an arbitrary other way to cut it
        end = min(len(whole), at + len(part.encode()))
        if at < end:
            pieces.append(Piece(number, at, end))
        at = end
    found = logprobs_of(ours, [text], pieces, sampled)
    spans = {span: p for span, p in sampled.spans().items() if span[0] != span[1]}
    raw = sampled.text.encode()
    for piece, logprob in zip(pieces, found, strict=True):
        if logprob is not None:
            places = [span for span, p in spans.items() if p == logprob]
            assert whole[piece.start : piece.end] in {raw[a:b] for a, b in places}
    own = Utf8Bytes().pieces(ours)
    single = {span for span in spans if span[1] - span[0] == 1 and span[0] >= len(around.encode())}
    told = [p for p in logprobs_of(ours, [text], own, sampled) if p is not None]
    assert len(told) <= len(spans)
    assert len(told) >= len(single) or text in around + text[1:]


def test_a_secret_that_was_sampled_is_in_no_log_and_its_turn_has_no_figures() -> None:
    secret = Answer(text=f"The token is {TOKEN}.", calls=telling(0)[0].calls, style="logprobs")
    events, _ = play("openai", [secret, *telling(1, 2, 3, 4, 5, 6)], **ON)
    assert TOKEN not in json.dumps([event.model_dump(mode="json") for event in events])
    found = trajectory_of(events)
    first = next(message for message in found.messages if message.role == "assistant")
    assert first.sampled is not None
    assert first.sampled.spans() == {}
    line = group_line([found], ServerTokens())
    assert TOKEN not in line
    row = json.loads(line)["unscored"][0]
    told = [place for place, one in enumerate(row["logprobs"]) if one is not None]
    own = [place for place, mask in enumerate(row["masks"]) if mask != MASKED]
    assert told, "the other turns have theirs"
    assert min(told) > own[len(TOKENS.findall(first.content))]
