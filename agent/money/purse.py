"""Who pays for a model on a Space: the visitor's own token, or the operator up to daily caps.

At home there is one purse, the operator's own, and no cap but `agent.budget`. What was spent is
kept on disk, so that a restart forgets nothing; a visitor stands there as a hash whose salt is
thrown away with the day. Caps are looked at between turns: a turn under way is paid to its end.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from agent.request import Visitor
from agent.settings import ModelSettings
from audit.records.errors import SetupError, UserError

FILE = "model_purse.sqlite3"
SCHEMA = """
CREATE TABLE IF NOT EXISTS salt (day TEXT PRIMARY KEY, salt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spent (
    day TEXT NOT NULL, payer TEXT NOT NULL, tokens INTEGER NOT NULL, usd REAL NOT NULL,
    PRIMARY KEY (day, payer)) WITHOUT ROWID;
"""
EVERYBODY = ""
WITHOUT = "Or audit without a model: the rules need no key and find the same."
OWN_ACCOUNT = frozenset({"huggingface"})
"""Backends that a visitor pays for by signing in."""
PER_TOKEN, UNTOLD = 3.5, 3000
"""Characters a token, and tokens of what goes along with every request and of the answer."""
TOMORROW = "It starts anew at 00:00 UTC."


class Paid(NamedTuple):
    """Whose settings a model backend works with, and what it is charged to."""

    models: ModelSettings
    purse: Purse | None
    """None: whoever owns the key sees the bill, and nothing is counted here."""

    def spend(self, tokens: int, usd: float | None) -> None:
        """Count one answer where it is counted at all."""
        if self.purse is not None:
            self.purse.spend(tokens, usd)


def weighed(characters: int) -> int:
    """Tokens charged for an exchange of that length where the server tells no usage."""
    return int(characters / PER_TOKEN) + UNTOLD


def open_to_visitors(backend: str, models: ModelSettings) -> bool:
    """Whether anybody may use the backend here: the operator pays, or visitors for themselves."""
    return not models.on_space or models.space_opt_in or backend in OWN_ACCOUNT


def who_pays(backend: str, models: ModelSettings, visitor: Visitor) -> Paid:
    """Whose key a model backend uses; the visitor's own token only for Hugging Face.

    Raises:
        SetupError: this Space runs no model for its visitors.
        UserError: today's allowance is used up.
    """
    if not models.on_space:
        return Paid(models, None)
    if backend in OWN_ACCOUNT and visitor.token:
        return Paid(replace(models, hf_token=visitor.token, hf_bill_to=None), None)
    if not models.space_opt_in:
        message = "this Space runs no model at its operator's expense"
        own = "Sign in to use a model on your own account. " if backend in OWN_ACCOUNT else ""
        raise SetupError(message, remedy=f"{own}{WITHOUT}")
    if models.usd_per_million is None and (models.space_daily_usd or models.space_visitor_usd):
        message = "a cap in dollars is set, but the price of the model is not known"
        raise SetupError(message, remedy="Set GOBLIN_MODEL_USD_PER_MILLION, such as 3,15.")
    purse = Purse(models, visitor.id)
    used = purse.used_up()
    if used:
        raise _Empty(used, remedy=f"{TOMORROW} {WITHOUT}")
    return Paid(models, purse)


class _Empty(UserError):
    kind = "budget"


class Purse:
    """What the operator has paid for models today, for one visitor and for all of them."""

    def __init__(
        self, models: ModelSettings, visitor: str, today: Callable[[], str] | None = None
    ) -> None:
        self._models, self._visitor = models, visitor
        self._today = today or (lambda: datetime.now(UTC).date().isoformat())
        self._broken = False

    def spend(self, tokens: int, usd: float | None) -> None:
        """Count one answer; where that cannot be kept, it was the last one."""
        try:
            with self._open() as (base, day):
                for payer in (EVERYBODY, self._hash(base, day)):
                    base.execute(
                        "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (day, payer) DO UPDATE"
                        " SET tokens = tokens + excluded.tokens, usd = usd + excluded.usd",
                        (day, payer, tokens, usd or 0.0),
                    )
        except (OSError, sqlite3.Error):
            self._broken = True

    def used_up(self) -> str:
        """Which allowance is used up, in words; "" while both last."""
        models = self._models
        try:
            with self._open() as (base, day):
                yours = _spent(base, day, self._hash(base, day))
                all_of_it = _spent(base, day, EVERYBODY)
        except (OSError, sqlite3.Error):
            self._broken = True
        if self._broken:
            return "what models have cost today cannot be kept"
        if _over(yours, models.space_visitor_tokens, models.space_visitor_usd):
            return "your allowance for models on this Space is used up for today"
        if _over(all_of_it, models.space_daily_tokens, models.space_daily_usd):
            return "this Space's allowance for models is used up for today"
        return ""

    @contextmanager
    def _open(self) -> Iterator[tuple[sqlite3.Connection, str]]:
        """One transaction on a connection of its own; rows of other days are gone after it."""
        folder, day = self._models.data_dir, self._today()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / FILE, timeout=10, isolation_level=None)) as base:
            base.executescript(SCHEMA)
            base.execute("BEGIN IMMEDIATE")
            base.execute("DELETE FROM salt WHERE day <> ?", (day,))
            base.execute("DELETE FROM spent WHERE day <> ?", (day,))
            yield base, day
            base.execute("COMMIT")

    def _hash(self, base: sqlite3.Connection, day: str) -> str:
        base.execute("INSERT OR IGNORE INTO salt VALUES (?, ?)", (day, secrets.token_hex(16)))
        salt = base.execute("SELECT salt FROM salt WHERE day = ?", (day,)).fetchone()[0]
        return sha256(f"{salt} {self._visitor}".encode()).hexdigest()


class _Spent(NamedTuple):
    tokens: int
    usd: float


def _spent(base: sqlite3.Connection, day: str, payer: str) -> _Spent:
    row = base.execute(
        "SELECT tokens, usd FROM spent WHERE day = ? AND payer = ?", (day, payer)
    ).fetchone()
    return _Spent(*row) if row else _Spent(0, 0.0)


def _over(spent: _Spent, tokens: int, usd: float | None) -> bool:
    return spent.tokens >= tokens or (usd is not None and spent.usd >= usd)
