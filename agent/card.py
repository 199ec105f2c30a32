"""Which card an audit is of, where its request names none: the operator's, or one found here."""

from __future__ import annotations

from typing import NamedTuple

from agent.named import REMOTE_RUNNERS
from agent.settings import Settings


class Card(NamedTuple):
    """The card that an audit is about."""

    name: str | None
    """None: nobody names one and none was found."""
    detected: bool = False


def card_of(stated: str | None, operator: Settings) -> Card:
    """The card that is stated, else GOBLIN_HARDWARE, else the one in this machine.

    On a Space nothing is looked for: its machine is not the one that anybody trains on.
    """
    named = stated or operator.hardware
    if named or operator.on_space:
        return Card(named)
    from runner.box.detect import detect_hardware

    found = detect_hardware()
    return Card(found, detected=found is not None)


def card_for(stated: str | None, runner: str, operator: Settings) -> Card:
    """The card of a request to one runner.

    A measuring runner of this machine has its card, whatever GOBLIN_HARDWARE says for projections;
    one that rents has not.
    """
    if runner == "local":
        return Card(stated)
    if runner in REMOTE_RUNNERS:
        return Card(stated or operator.hardware)
    return card_of(stated, operator)
