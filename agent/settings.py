"""Settings read once from the environment, at the entry points, and passed on as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audit.records.errors import SetupError, UserError

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
ALIASES = {"qwen": "huggingface"}
MODEL_VARIABLES = {
    "claude_key": "ANTHROPIC_API_KEY",
    "claude_url": "ANTHROPIC_BASE_URL",
    "claude_model": "GOBLIN_CLAUDE_MODEL",
    "hf_token": "HF_TOKEN",
    "hf_url": "GOBLIN_HF_BASE_URL",
    "hf_model": "GOBLIN_HF_MODEL",
    "hf_provider": "GOBLIN_HF_PROVIDER",
    "hf_bill_to": "GOBLIN_HF_BILL_TO",
    "openai_url": "GOBLIN_OPENAI_BASE_URL",
    "openai_model": "GOBLIN_OPENAI_MODEL",
    "openai_key": "GOBLIN_OPENAI_API_KEY",
    "research_model": "GOBLIN_RESEARCH_MODEL",
}
"""Field of `ModelSettings` -> the variable that states it."""


PRICE_HELP = "Give dollars per million tokens in and out, such as 3,15."


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Keys and addresses of the model backends; a key that is there never selects a backend."""

    claude_key: str | None = field(default=None, repr=False)
    """ANTHROPIC_API_KEY."""
    claude_url: str | None = None
    """ANTHROPIC_BASE_URL."""
    claude_model: str = "claude-sonnet-5-5"
    """GOBLIN_CLAUDE_MODEL."""
    hf_token: str | None = field(default=None, repr=False)
    """HF_TOKEN."""
    hf_url: str = "https://router.huggingface.co/v1"
    """GOBLIN_HF_BASE_URL."""
    hf_model: str = "Qwen/Qwen3-Coder-480B-A35B-Instruct"
    """GOBLIN_HF_MODEL."""
    hf_provider: str | None = None
    """GOBLIN_HF_PROVIDER: who serves the model; None: the router chooses."""
    hf_bill_to: str | None = None
    """GOBLIN_HF_BILL_TO: the organisation that pays."""
    openai_url: str | None = None
    """GOBLIN_OPENAI_BASE_URL, such as http://localhost:8000/v1."""
    openai_model: str | None = None
    """GOBLIN_OPENAI_MODEL."""
    openai_key: str | None = field(default=None, repr=False)
    """GOBLIN_OPENAI_API_KEY; most servers at home need none."""
    research_model: str | None = None
    """GOBLIN_RESEARCH_MODEL: the model of the research sub-agent; None: the audit's own."""
    usd_per_million: tuple[float, float] | None = None
    """GOBLIN_MODEL_USD_PER_MILLION: `3,15`, dollars per million input and output tokens."""
    max_usd: float | None = None
    """GOBLIN_MODEL_MAX_USD: what a model may cost in one audit; needs the price."""
    logprobs: bool = False
    """GOBLIN_LOGPROBS=1: an OpenAI-compatible server is asked for log-probabilities, which are kept
    in the log for `export --format atropos`."""
    debug: bool = False
    """GOBLIN_DEBUG_BACKEND=1: what is sent and what comes back stands in the log, redacted."""
    on_space: bool = False
    """SPACE_ID is set: the operator's key serves strangers."""
    space_opt_in: bool = False
    """GOBLIN_SPACE_MODELS=1: the operator pays for the visitors of the Space, up to these caps."""
    space_daily_tokens: int = 2_000_000
    """GOBLIN_SPACE_DAILY_TOKENS: of all visitors together, in a day (UTC)."""
    space_visitor_tokens: int = 200_000
    """GOBLIN_SPACE_VISITOR_TOKENS: of one visitor in a day; an audit takes about 40,000."""
    space_daily_usd: float | None = None
    """GOBLIN_SPACE_DAILY_USD; like the next one it needs the price."""
    space_visitor_usd: float | None = None
    """GOBLIN_SPACE_VISITOR_USD."""
    data_dir: Path = ROOT / ".goblin"
    """GOBLIN_DATA_DIR: where `agent.money.purse` keeps what was spent."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """What a measuring runner may use of this machine."""

    cache: Path | None = None
    """Where finished results are kept; None: nothing is."""
    usd_per_gpu_hour: float | None = None
    """GOBLIN_LOCAL_USD_PER_GPU_HOUR: what this machine costs; None: nothing is asked for it."""
    on_space: bool = False
    """SPACE_ID is set: nothing is measured here."""
    hf_token: str | None = field(default=None, repr=False)
    """HF_TOKEN: rents the machines of `hf_jobs`."""
    hub_url: str | None = None
    """HF_ENDPOINT."""
    jobs_image: str | None = None
    """GOBLIN_HF_JOBS_IMAGE."""
    audit_id: str = ""
    """Stands in the labels of rented machines."""


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
    """Audits that run at the same time; the others wait, in turns by visitor."""
    keep_days: float = 30.0
    """GOBLIN_KEEP_DAYS: age at which a finished audit and its uploaded bytes are deleted."""
    archive: str | None = None
    """GOBLIN_ARCHIVE: a folder, such as a mounted bucket, or hf://datasets/OWNER/NAME, that gets
    one file per finished audit and outlives the local log."""
    hub_url: str | None = None
    """HF_ENDPOINT: the Hub behind an hf:// archive; None: huggingface.co."""
    visitor_audits: int | None = None
    """GOBLIN_VISITOR_AUDITS: audits that one visitor may have under way; 20 on a Space."""
    visitor_per_hour: int | None = None
    """GOBLIN_VISITOR_PER_HOUR: audits that one visitor may start in an hour; 120 on a Space."""
    sign_in: bool = False
    """OAUTH_CLIENT_ID on a Space (`hf_oauth: true`): visitors can sign in with Hugging Face."""
    models: ModelSettings = field(default_factory=ModelSettings)
    jobs_image: str | None = None
    """GOBLIN_HF_JOBS_IMAGE: container of `hf_jobs`; None: a PyTorch image with a C compiler."""
    usd_per_gpu_hour: float | None = None
    """GOBLIN_LOCAL_USD_PER_GPU_HOUR: dollars that an hour of one of this machine's cards costs."""

    @property
    def runners(self) -> tuple[str, ...]:
        """Runners that a request may name: projections, and what the operator enabled."""
        enabled = () if self.on_space or self.runner == "fake" else (self.runner,)
        return ("fake", *enabled)

    @property
    def default_runner(self) -> str:
        """Who measures or projects when a request does not say."""
        return self.runners[-1]

    def check_runner(self, name: str) -> None:
        """Raise UserError for a runner that the operator has not enabled: it uses what is his."""
        if name not in self.runners:
            message = f"the runner {name} is not enabled here"
            remedy = f"Use {self.runners[-1]}, or start with GOBLIN_RUNNER={name}."
            if self.on_space:
                remedy = f"Use {self.runners[-1]} here, and your own machine to measure."
            raise UserError(message, remedy=remedy)

    @property
    def measuring(self) -> Measuring:
        """What a measuring runner may use."""
        return Measuring(
            self.data_dir / "measured",
            self.usd_per_gpu_hour,
            self.on_space,
            hf_token=self.models.hf_token,
            hub_url=self.hub_url,
            jobs_image=self.jobs_image,
        )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment states; a variable that is empty counts as absent."""

    def stated(name: str) -> str | None:
        return environment.get(name, "").strip() or None

    base = Settings()
    backend = stated("GOBLIN_AGENT_BACKEND") or base.backend
    return Settings(
        data_dir=_data_dir(environment),
        backend=ALIASES.get(backend, backend),
        runner=stated("GOBLIN_RUNNER") or base.runner,
        hardware=stated("GOBLIN_HARDWARE"),
        models=read_models(environment),
        jobs_image=stated("GOBLIN_HF_JOBS_IMAGE"),
        usd_per_gpu_hour=next(
            iter(_numbers(environment, "GOBLIN_LOCAL_USD_PER_GPU_HOUR", 1)), None
        ),
        **_serving(environment),
    )


def _data_dir(environment: Mapping[str, str]) -> Path:
    folder = environment.get("GOBLIN_DATA_DIR", "").strip()
    return Path(folder).expanduser() if folder else ROOT / ".goblin"


def _serving(environment: Mapping[str, str]) -> dict[str, Any]:
    """What a server for others is told; a Space has limits unless its operator lifts them."""
    public = bool(environment.get("SPACE_ID", "").strip())
    days = _numbers(environment, "GOBLIN_KEEP_DAYS", 1, "Give a number of days, such as 30.")
    limits = {}
    for field_name, variable, usual in (
        ("visitor_audits", "GOBLIN_VISITOR_AUDITS", 20),
        ("visitor_per_hour", "GOBLIN_VISITOR_PER_HOUR", 120),
    ):
        given = _numbers(environment, variable, 1, "Give a number of audits; 0 is no limit.")
        limits[field_name] = int(given[0]) or None if given else usual if public else None
    return {
        "on_space": public,
        "sign_in": public and bool(environment.get("OAUTH_CLIENT_ID", "").strip()),
        "keep_days": days[0] if days else Settings().keep_days,
        "archive": environment.get("GOBLIN_ARCHIVE", "").strip() or None,
        "hub_url": environment.get("HF_ENDPOINT", "").strip() or None,
        **limits,
    }


def read_models(environment: Mapping[str, str]) -> ModelSettings:
    """What the environment states about the model backends.

    Raises:
        SetupError: a price or a limit that is no number.
    """
    stated: dict[str, Any] = {
        name: environment.get(variable, "").strip() for name, variable in MODEL_VARIABLES.items()
    }
    price = _numbers(environment, "GOBLIN_MODEL_USD_PER_MILLION", 2, PRICE_HELP)
    limit = _numbers(environment, "GOBLIN_MODEL_MAX_USD", 1)
    return replace(
        ModelSettings(
            usd_per_million=(price[0], price[1]) if price else None,
            max_usd=limit[0] if limit else None,
            logprobs=environment.get("GOBLIN_LOGPROBS", "").strip() == "1",
            debug=environment.get("GOBLIN_DEBUG_BACKEND", "").strip() == "1",
            on_space=bool(environment.get("SPACE_ID", "").strip()),
            space_opt_in=environment.get("GOBLIN_SPACE_MODELS", "").strip() == "1",
            data_dir=_data_dir(environment),
            **_caps(environment),
        ),
        **{name: text for name, text in stated.items() if text},
    )


def _caps(environment: Mapping[str, str]) -> dict[str, Any]:
    """What an operator who pays for visitors allows them."""
    caps: dict[str, Any] = {}
    for whose in ("daily", "visitor"):
        variable = f"GOBLIN_SPACE_{whose.upper()}"
        remedy = "Give a number of tokens, such as 200000."
        tokens = _numbers(environment, f"{variable}_TOKENS", 1, remedy, most=1e12)
        dollars = _numbers(environment, f"{variable}_USD", 1)
        caps |= {f"space_{whose}_tokens": int(tokens[0])} if tokens else {}
        caps |= {f"space_{whose}_usd": dollars[0]} if dollars else {}
    return caps


def _numbers(
    environment: Mapping[str, str],
    name: str,
    count: int,
    remedy: str = "Give dollars, such as 0.50.",
    most: float = 1e6,
) -> list[float]:
    """The numbers of a variable, [] where it is absent."""
    text = environment.get(name, "").strip()
    try:
        numbers = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        numbers = [-1.0]
    if numbers and (len(numbers) != count or not all(0 <= number < most for number in numbers)):
        message = f"{name} is {text!r}"
        raise SetupError(message, remedy=remedy)
    return numbers
