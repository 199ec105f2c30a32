"""Trajectories of one upload as a scored group, in the fields of Atropos' ScoredDataGroup.

Tokens are those of the Hermes turns in ChatML; a mask holds the token itself where the assistant
wrote it and -100 elsewhere. A group scores only what has a reward; every other trajectory stands
beside it under `unscored`, with the reason. Log-probabilities stand where a server gave them for
the very bytes of a token (`audit.export.logprobs`), else null; without any the key is absent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from audit.export.hermes import hermes_turns
from audit.export.logprobs import Piece, logprobs_of
from audit.export.messages import about
from audit.records.base import Json
from audit.records.trajectory import Trajectory

MASKED = -100
"""The label that PyTorch's cross entropy ignores (torch.nn.CrossEntropyLoss, ignore_index)."""


class Tokenizer(Protocol):
    """Text to token ids; `name` is told in every export."""

    name: str

    def pieces(self, text: str) -> list[Piece]:
        """The tokens of a text with their bytes, nothing added."""
        ...


class Utf8Bytes:
    """The plain tokenizer: one id per byte of UTF-8, 0 to 255. For inspection, for no model."""

    name = "utf-8-bytes"

    def pieces(self, text: str) -> list[Piece]:
        """The bytes."""
        return [Piece(byte, at, at + 1) for at, byte in enumerate(text.encode())]


class Tokens(NamedTuple):
    """Token ids of a conversation, and for each the id where the assistant wrote it, else -100."""

    tokens: list[int]
    masks: list[int]
    logprobs: list[float | None]
    """None where the assistant did not write the token, or no server told of it."""

    @property
    def told(self) -> dict[str, Json]:
        """`logprobs`, where there is any."""
        return {"logprobs": self.logprobs} if any(p is not None for p in self.logprobs) else {}


def tokens_of(trajectory: Trajectory, tokenizer: Tokenizer) -> Tokens:
    """The conversation in ChatML; what the assistant wrote ends with its own end mark.

    Each part is encoded by itself, so that no token lies across the border of a mask.
    """
    found = Tokens([], [], [])
    for turn in hermes_turns(trajectory):
        own = turn.role == "assistant"
        for text, written in (
            (f"<|im_start|>{turn.role}\n", False),
            (f"{turn.text}<|im_end|>", own),
            ("\n", False),
        ):
            pieces = tokenizer.pieces(text)
            ids = [piece.id for piece in pieces]
            found.tokens.extend(ids)
            found.masks.extend(ids if written else [MASKED] * len(ids))
            sampled = turn.sampled if written else None
            found.logprobs.extend(logprobs_of(text, turn.written, pieces, sampled))
    return found


def group_line(trajectories: Sequence[Trajectory], tokenizer: Tokenizer) -> str:
    """One group as a line of JSON; `trajectories` are of one upload, in the order of the log."""
    rows = [(one, tokens_of(one, tokenizer)) for one in trajectories]
    scored = [(one, row) for one, row in rows if one.reward is not None]
    found: dict[str, Json] = {
        "tokens": [row.tokens for _, row in scored],
        "masks": [row.masks for _, row in scored],
        "scores": [one.reward for one, _ in scored],
        **_logprobs([row for _, row in scored]),
        "messages": [_plain_messages(one) for one, _ in scored],
        "upload": trajectories[0].upload,
        "ids": [one.audit_id for one, _ in scored],
        "tokenizer": tokenizer.name,
        "group_of_one": len(scored) == 1,
        "unscored": [
            {**about(one), "tokens": row.tokens, "masks": row.masks, **row.told}
            for one, row in rows
            if one.reward is None
        ],
    }
    return json.dumps(found, ensure_ascii=False) + "\n"


def _logprobs(rows: Sequence[Tokens]) -> dict[str, Json]:
    """One list per trajectory, as long as its tokens; no key where no server told anything."""
    told = any(row.told for row in rows)
    return {"logprobs": [row.logprobs for row in rows]} if told else {}


def _plain_messages(trajectory: Trajectory) -> list[dict[str, Json]]:
    return [{"role": turn.role, "content": turn.text} for turn in hermes_turns(trajectory)]
