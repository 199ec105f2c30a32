"""What every backend with a language model behind it shares: the key check, and one turn's asking.

A subclass knows one wire protocol. It never runs a tool, and it never falls back to another server.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.backends import Desk, Message, ToolFace, Turn, Usage
from agent.backends.patience import Patience
from agent.drive import Wait
from agent.guards import CUT_OFF
from agent.settings import ModelSettings
from audit.records.errors import SetupError
from audit.records.events import LogData

MAX_TOKENS = 4096
"""Of one answer: a thought, a short text and a call; doubled after an answer that was cut off."""
MAX_TOKENS_EVER = 16_384
MAX_SHOWN = 4000
"""Characters of a request or an answer in the log."""
CONNECT_SECONDS, SILENT_SECONDS = 10.0, 60.0
"""A server that says nothing for so long has stalled."""
RULES = "Or audit without a model: --backend rules needs no key and finds the same."


class ModelBackend:
    """Answers with the turns of a language model."""

    package = ""
    """What has to be installed."""

    def __init__(self, models: ModelSettings, desk: Desk) -> None:
        """Check what can be checked without a request.

        Raises:
            SetupError: no key or no package.
        """
        self.models, self.desk = models, desk
        self.patience = Patience(desk)
        self.silent_seconds = SILENT_SECONDS
        self.check()
        check_package(self.package)

    def check(self) -> None:
        """Raise SetupError where a key or an address is missing."""
        raise NotImplementedError

    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """The model's next turn; raises BackendFault where it does not come, Cancelled."""
        return await Wait(self.ask(messages, tools))

    async def ask(self, messages: Sequence[Message], tools: Sequence[ToolFace]) -> Turn:
        """`reply`, inside an event loop."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections."""
        await Wait(self.shut())

    async def shut(self) -> None:
        """`close`, inside an event loop."""
        raise NotImplementedError

    def show(self, what: str, said: object) -> None:
        """With GOBLIN_DEBUG_BACKEND=1: what was sent or came back, redacted and bounded."""
        if self.models.debug:
            import json

            from audit.log.redact import redact

            text = redact(json.dumps(said, ensure_ascii=False, default=str))
            if len(text) > MAX_SHOWN:
                text = f"{text[:MAX_SHOWN]} ... ({len(text)} characters)"
            self.desk.record(LogData(text=f"{what}: {text}"))

    def used(self, model: str, tokens_in: int, tokens_out: int) -> Usage:
        """Usage with its price, where the operator stated one."""
        price = self.models.usd_per_million
        usd = (tokens_in * price[0] + tokens_out * price[1]) / 1e6 if price else None
        return Usage(model, tokens_in, tokens_out, usd)


def cut_off_in_a_row(messages: Sequence[Message]) -> int:
    """How many of the last turns were cut off, as the hints behind them tell."""
    count = 0
    for message in reversed(messages):
        if message.role == "assistant":
            continue
        if not message.text.startswith(CUT_OFF):
            break
        count += 1
    return count


def tokens_for(messages: Sequence[Message]) -> int:
    """How long the next answer may be."""
    return int(min(MAX_TOKENS * 2 ** cut_off_in_a_row(messages), MAX_TOKENS_EVER))


def check_package(package: str) -> None:
    """Raise SetupError where a package is not installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        message = f"this backend needs the package {package}, which is not installed"
        raise SetupError(message, remedy=f"pip install {package}. {RULES}")


def need(value: str | None, what: str, variable: str) -> str:
    """The value of a setting, or SetupError naming its variable."""
    if not value:
        message = f"there is no {what}"
        raise SetupError(message, remedy=f"Set {variable}. {RULES}")
    return value
