"""Trajectories of one upload as a scored group, in the fields of Atropos' ScoredDataGroup.

Tokens are those of the Hermes turns in ChatML; a mask holds the token itself where the assistant
wrote it and -100 elsewhere. A group scores only what has a reward; every other trajectory stands
beside it under `unscored`, with the reason. Log-probabilities are absent: no server's are kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from audit.export.hermes import hermes_turns
from audit.export.messages import about
from audit.records.base import Json
from audit.records.trajectory import Trajectory

MASKED = -100
"""The label that PyTorch's cross entropy ignores (torch.nn.CrossEntropyLoss, ignore_index)."""


class Tokenizer(Protocol):
    """Text to token ids; `name` is told in every export."""

    name: str

    def encode(self, text: str) -> list[int]:
        """The ids of a text, nothing added."""
        ...


class Utf8Bytes:
    """The plain tokenizer: one id per byte of UTF-8, 0 to 255. For inspection, for no model."""

    name = "utf-8-bytes"

    def encode(self, text: str) -> list[int]:
        """The bytes."""
        return list(text.encode())


class Tokens(NamedTuple):
    """Token ids of a conversation, and for each the id where the assistant wrote it, else -100."""

    tokens: list[int]
    masks: list[int]


def tokens_of(trajectory: Trajectory, tokenizer: Tokenizer) -> Tokens:
    """The conversation in ChatML; what the assistant wrote ends with its own end mark.

    Each part is encoded by itself, so that no token lies across the border of a mask.
    """
    tokens: list[int] = []
    masks: list[int] = []
    for turn in hermes_turns(trajectory):
        head = tokenizer.encode(f"<|im_start|>{turn.role}\n")
        text = tokenizer.encode(f"{turn.text}<|im_end|>")
        tail = tokenizer.encode("\n")
        tokens += head + text + tail
        own = turn.role == "assistant"
        masks += [MASKED] * len(head) + (text if own else [MASKED] * len(text))
        masks += [MASKED] * len(tail)
    return Tokens(tokens, masks)


def group_line(trajectories: Sequence[Trajectory], tokenizer: Tokenizer) -> str:
    """One group as a line of JSON; `trajectories` are of one upload, in the order of the log."""
    rows = [(one, tokens_of(one, tokenizer)) for one in trajectories]
    scored = [(one, row) for one, row in rows if one.reward is not None]
    found: dict[str, Json] = {
        "tokens": [row.tokens for _, row in scored],
        "masks": [row.masks for _, row in scored],
        "scores": [one.reward for one, _ in scored],
        "messages": [_plain_messages(one) for one, _ in scored],
        "upload": trajectories[0].upload,
        "ids": [one.audit_id for one, _ in scored],
        "tokenizer": tokenizer.name,
        "group_of_one": len(scored) == 1,
        "unscored": [
            {**about(one), "tokens": row.tokens, "masks": row.masks}
            for one, row in rows
            if one.reward is None
        ],
    }
    return json.dumps(found, ensure_ascii=False) + "\n"


def _plain_messages(trajectory: Trajectory) -> list[dict[str, Json]]:
    return [{"role": turn.role, "content": turn.text} for turn in hermes_turns(trajectory)]
