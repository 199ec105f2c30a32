"""Which backends this host can offer a visitor, and why it cannot offer the others."""

from __future__ import annotations

from typing import NamedTuple

from agent.backends import Desk
from agent.money.purse import open_to_visitors
from agent.named import BACKENDS, MODELS, make
from agent.settings import ModelSettings
from audit.records.errors import SetupError


class Offer(NamedTuple):
    """One backend, as the form shows it."""

    name: str
    missing: str = ""
    """Why it cannot be used here; empty where it can."""


def offers(models: ModelSettings) -> tuple[Offer, ...]:
    """The rules first, which always work; then the models, each checked as an audit would."""
    return (Offer("rules"), *(_offer(name, models) for name in BACKENDS if name in MODELS))


def _offer(name: str, models: ModelSettings) -> Offer:
    if not open_to_visitors(name, models):
        return Offer(name, "this Space runs no model for its visitors")
    desk = Desk(system="", record=lambda _: None, cancelled=lambda: False, seconds_left=lambda: 0.0)
    try:
        make("backend", name, BACKENDS, models, desk)
    except SetupError as error:
        return Offer(name, str(error).removesuffix(f". {error.remedy}").rstrip("."))
    return Offer(name)
