"""Settings read once from the environment, at the entry points, and passed on as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator chose; a visitor's request is an `AuditRequest`."""

    data_dir: Path = ROOT / ".goblin"
    """GOBLIN_DATA_DIR: the log and the uploads (mode 0700)."""
    backend: str = "rules"
    """GOBLIN_AGENT_BACKEND: who decides the next step when a request does not say."""
    runner: str = "fake"
    """GOBLIN_RUNNER: who measures or projects when a request does not say."""
    hardware: str | None = None
    """GOBLIN_HARDWARE: the card when a request does not say; None: the default, marked assumed."""
    on_space: bool = False
    """SPACE_ID is set: nothing uploaded is ever executed here."""
    workers: int = 2
    """Audits that run at the same time; the others wait in order."""
    keep_days: float = 30.0
    """Age at which a finished audit and its uploaded bytes are deleted."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment states; a variable that is empty counts as absent."""

    def stated(name: str) -> str | None:
        return environment.get(name, "").strip() or None

    base = Settings()
    folder = stated("GOBLIN_DATA_DIR")
    return Settings(
        data_dir=Path(folder).expanduser() if folder else base.data_dir,
        backend=stated("GOBLIN_AGENT_BACKEND") or base.backend,
        runner=stated("GOBLIN_RUNNER") or base.runner,
        hardware=stated("GOBLIN_HARDWARE"),
        on_space=stated("SPACE_ID") is not None,
    )
