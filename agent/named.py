"""Finds a backend or a runner by its name: one dict of name -> "module:Class", imported on use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from audit.records.errors import UnknownName

RUNNERS = {
    "fake": "runner.fake:FakeRunner",
    "local": "runner.local:LocalRunner",
    "hf_jobs": "runner.remote.hf_jobs:HfJobsRunner",
}
BACKENDS = {
    "rules": "agent.backends.rules:RulesBackend",
    "claude": "agent.backends.claude:ClaudeBackend",
    "huggingface": "agent.backends.huggingface:HuggingFaceBackend",
    "openai": "agent.backends.openai:OpenAIBackend",
}
MODELS = frozenset(BACKENDS) - {"rules"}
"""Backends with a language model behind them; their class takes `ModelSettings` and a `Desk`."""

REMOTE_RUNNERS = frozenset({"hf_jobs"})
"""Runners that reach another machine."""


def check_name(kind: str, name: str, table: Mapping[str, str]) -> None:
    """Raise UnknownName, listing the names that exist, where `name` is not in the table."""
    if name not in table:
        message = f"there is no {kind} called {name!r}"
        raise UnknownName(message, remedy=f"Known: {', '.join(sorted(table))}.")


def make(kind: str, name: str, table: Mapping[str, str], *given: object) -> Any:
    """A new object of the class behind `name`; only its own module is imported."""
    check_name(kind, name, table)
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)(*given)
