"""Finds secrets in text and takes them out before anything is logged, shown or exported.

Everything but the uploaded bytes passes through `redact`. The search is linear in the text: fixed
prefixes and key-like names are found as plain substrings, and only their surroundings are matched.
Placeholders (`<token>`, `${HF_TOKEN}`, `your_key_here`) and special tokens (`eos_token`) are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

REMOVED = "[redacted]"


class Secret(NamedTuple):
    """The characters [start, end) of a text that hold a secret."""

    start: int
    end: int
    kind: str
    """What it looks like: `Hugging Face token`, `password`, ..."""


_EDGE = r"(?<![A-Za-z0-9])"
_PREFIXED: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (prefix, re.compile(_EDGE + pattern), kind)
    for prefix, pattern, kind in (
        ("hf_", r"hf_[A-Za-z0-9]{16,}", "Hugging Face token"),
        ("api_org_", r"api_org_[A-Za-z0-9]{16,}", "Hugging Face token"),
        ("sk-", r"sk-[A-Za-z0-9_-]{16,}", "API key"),
        ("ghp_", r"ghp_[A-Za-z0-9]{16,}", "GitHub token"),
        ("gho_", r"gho_[A-Za-z0-9]{16,}", "GitHub token"),
        ("ghs_", r"ghs_[A-Za-z0-9]{16,}", "GitHub token"),
        ("ghu_", r"ghu_[A-Za-z0-9]{16,}", "GitHub token"),
        ("github_pat_", r"github_pat_[A-Za-z0-9_]{16,}", "GitHub token"),
        ("glpat-", r"glpat-[A-Za-z0-9_-]{16,}", "GitLab token"),
        ("AKIA", r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9])", "AWS key id"),
        ("ASIA", r"ASIA[A-Z0-9]{16}(?![A-Za-z0-9])", "AWS key id"),
        ("xox", r"xox[abeprs]-[A-Za-z0-9-]{10,}", "Slack token"),
        ("AIza", r"AIza[A-Za-z0-9_-]{30,}", "Google key"),
        ("nvapi-", r"nvapi-[A-Za-z0-9_-]{16,}", "NVIDIA key"),
        ("wandb_v1_", r"wandb_v1_[A-Za-z0-9_-]{16,}", "wandb key"),
        ("eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", "JSON web token"),
    )
)
_PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_BEARER = re.compile(r"bearer\s{1,4}(?P<value>[A-Za-z0-9._~+/=-]{12,})", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s/:@'\"]{0,200}:(?P<value>[^\s/@'\"$<{\[]{1,200})@")
_HEX_KEY = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])")
_HEX_NEAR = 80
"""A 40-digit hex string is a wandb key only this close behind a key-like name, else a commit."""

_NAMES = ("token", "secret", "passw", "pwd", "api_key", "apikey", "api-key", "access_key", "wandb")
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.-]{0,60}$")
_ASSIGNED = re.compile(
    r"[A-Za-z0-9_-]{0,40}(?:\\{0,3}[\"'])?\]?"  # rest of the name, closing quote
    r"(?P<sign>[ \t]{0,8}[:=][ \t]{0,8}|[ \t]{1,8})"
    r"(?P<quote>\\{0,3}[\"'])?(?P<value>[^\s\"'\\,;(){}\[\]<>$#]{1,500})"
)
_TOKEN_NAME = re.compile(
    r"(?:^|[_.-])(?:token|(?:hf|hub|auth|access|api|bearer|refresh|git|github|gitlab|wandb|slack|"
    r"huggingface|hugging_face|login|session|private|personal|secret)_?token|[A-Z][A-Z0-9_]*_TOKEN)$",
)
_SPECIAL_TOKEN = re.compile(
    r"(?:^|_)(?:eos|bos|pad|unk|sep|cls|mask|eot|image|video|audio|special|stop|add_\w+)_token$",
    re.IGNORECASE,
)
_KEY_NAME = re.compile(
    r"(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access[_-]?)?key)?|passw(?:or)?d|pwd)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?i)(?:true|false|none|null|yes|no|auto|\d{1,8}|x+|\*+|\.+|your[\w-]*|my[\w-]*|changeme|"
    r"placeholder|example|redacted|value|test|sk-\.*|(?:os|self|args|config|cfg|settings|userdata|getpass|tokenizer)"
    r"\b.*)"
)


def redact(text: str) -> str:
    """The text with every secret replaced by `[redacted]`; redacting twice changes nothing."""
    parts: list[str] = []
    last = 0
    for secret in find_secrets(text):
        parts += [text[last : secret.start], REMOVED]
        last = secret.end
    return "".join([*parts, text[last:]]) if parts else text


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Where the secrets of a text are, in order, without overlaps."""
    lower = text.lower()
    found = sorted([*_with_prefix(text), *_around_names(text, lower), *_in_urls(text, lower)])
    merged: list[Secret] = []
    for secret in found:
        if merged and secret.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = last._replace(end=max(last.end, secret.end))
        else:
            merged.append(secret)
    return tuple(merged)


def _with_prefix(text: str) -> Iterator[Secret]:
    for prefix, pattern, kind in _PREFIXED:
        if prefix in text:
            yield from (Secret(*match.span(), kind) for match in pattern.finditer(text))
    if "PRIVATE KEY" in text:
        yield from (Secret(*match.span(), "private key") for match in _PEM.finditer(text))


def _in_urls(text: str, lower: str) -> Iterator[Secret]:
    if "bearer" in lower:
        for match in _BEARER.finditer(text):
            yield Secret(*match.span("value"), "bearer token")
    for at in _places(text, "://"):
        found = _URL_PASSWORD.match(text, at)
        if found:
            yield Secret(*found.span("value"), "password in an address")


def _around_names(text: str, lower: str) -> Iterator[Secret]:
    for name in _NAMES:
        for at in _places(lower, name):
            secret = _assigned(text, at)
            if secret is not None:
                yield secret
            end = lower.find("\n", at, at + _HEX_NEAR)
            hexadecimal = _HEX_KEY.search(text, at, end if end >= 0 else at + _HEX_NEAR)
            if hexadecimal:
                yield Secret(*hexadecimal.span(), "wandb key")


def _assigned(text: str, at: int) -> Secret | None:
    """The secret that a key-like name around `at` is given, if its value looks like one."""
    match = _ASSIGNED.match(text, at)
    if match is None:
        return None
    before = _NAME_BEFORE.search(text, max(0, at - 60), at)
    head = before.group() if before else ""
    tail = re.match(r"[A-Za-z0-9_-]*", text[at : match.start("sign")])
    name = (head + (tail.group() if tail else "")).lstrip("-")
    if not match["sign"].strip() and not head.startswith("--"):
        return None  # words in prose; a flag is followed by its value
    value = match["value"]
    if _PLACEHOLDER.fullmatch(value):
        return None
    if _KEY_NAME.search(name):
        return Secret(*match.span("value"), "key or password") if len(value) >= 4 else None
    if not _TOKEN_NAME.search(name) or _SPECIAL_TOKEN.search(name):
        return None
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    enough = len(value) >= (8 if mixed else 20) if match["quote"] else len(value) >= 12 and mixed
    return Secret(*match.span("value"), "token") if enough else None


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))
