"""Which package versions a file is read for: stated by the user or beside the file, else newest.

Defaults moved so much between releases that a missing key has no meaning without a version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from audit.records.errors import InputError
from workload.source import SourceText

KNOWN: dict[str, tuple[str, ...]] = {
    "transformers": ("4.57.6", "5.8.0", "5.14.1", "5.23.0"),
    "trl": ("0.17.0", "0.19.1", "0.22.0", "0.24.0", "1.8.0", "1.16.0"),
    "peft": ("0.18.1", "0.19.1", "0.21.2"),
    "accelerate": ("1.15.0",),
    "deepspeed": ("0.19.8",),
    "axolotl": ("0.18.0",),
    "llamafactory": ("0.9.6",),
    "torchtune": ("0.7.0",),
    "litgpt": ("0.5.13",),
    "open-instruct": ("0.3.0",),
    "verl": ("0.8.0",),
    "ms-swift": ("4.6.0",),
}
"""Releases whose defaults were read, oldest first: the PyPI packages introspected on 2026-11-20,
github:axolotl-ai-cloud/axolotl@067b021, github:hiyouga/LLaMA-Factory@ff6d4d1 (0.9.6.dev0),
github:pytorch/torchtune@bd2a0fc, github:Lightning-AI/litgpt@2685705,
github:allenai/open-instruct@e6c3044 github:volcengine/verl@b178a3c (0.8.0.dev)
and github:modelscope/ms-swift@3602360 (4.6.0.dev0)."""

INSTALLED_WITH: dict[str, dict[str, str]] = {
    "axolotl": {"transformers": "5.14.1", "trl": "1.8.0", "peft": "0.19.1"},
    "llamafactory": {"transformers": "5.8.0", "trl": "0.24.0", "peft": "0.18.1"},
}
"""What the releases above install: the pins of axolotl's pyproject.toml, and the upper ends of the
ranges in LLaMA-Factory's (transformers<=5.8.0, trl<=0.24.0, peft<=0.18.1)."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"v?\d[\w.+!-]*")
_PIN = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*"
    r"(?:(?:===?|~=)\s*(?P<pin>\d[\w.+!-]*)|@\s*\S+@v?(?P<tag>\d+(?:\.\d+)+)\b)"
)


def parse_versions(text: str) -> dict[str, str]:
    """`transformers=4.57,rocm=6.4` as a dict.

    Raises:
        InputError: a part is not NAME=VERSION.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, version = (piece.strip() for piece in part.partition("="))
        name, version = canonical_name(name), version.removeprefix("=").strip()
        if not (sign and _NAME.fullmatch(name) and _VERSION.fullmatch(version)):
            reason = f"{part!r} is not a package and its version"
            raise InputError(reason, remedy="Write --versions transformers=4.57,trl=0.24")
        found[name] = version.removeprefix("v")
    return found


def canonical_name(package: str) -> str:
    """A package name in lower case with dashes, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", package.strip().lower())


def requirement_versions(source: SourceText) -> dict[str, str]:
    """The exactly pinned packages of a requirements file; ranges state no version."""
    found: dict[str, str] = {}
    for line in source.text.splitlines():
        match = _PIN.match(line)
        if match:
            found[canonical_name(match["name"])] = match["pin"] or match["tag"]
    return found


def environment_versions(source: SourceText) -> dict[str, str] | None:
    """The versions in an `env.json` of `python -m agent env`; None where it is no such file."""
    try:
        content = json.loads(source.text)
    except (ValueError, RecursionError):
        return None
    versions = content.get("versions") if isinstance(content, dict) else None
    if not isinstance(versions, dict):
        return None
    return {
        canonical_name(name): version
        for name, version in versions.items()
        if isinstance(version, str) and _VERSION.fullmatch(version)
    }


def choose_versions(
    packages: Iterable[str], stated: Mapping[str, str], framework: str = ""
) -> dict[str, str]:
    """A version for each package: the stated one, else the one that the framework installs.

    Without a framework that pins them: the newest release whose defaults are known.
    """
    pinned = INSTALLED_WITH.get(framework, {})
    return {
        package: stated.get(package) or pinned.get(package) or KNOWN[package][-1]
        for package in packages
    }


def nearest_known(package: str, version: str) -> str:
    """The known release whose defaults stand for `version`.

    The same major.minor where there is one, else the newest older one of the same major, else the
    oldest of the same major, else the end of the list on that side.
    """
    wanted = _parts(version)
    known = [(_parts(one), one) for one in KNOWN[package]]
    same_major = [pair for pair in known if pair[0][0] == wanted[0]]
    if not same_major:
        older = [one for parts, one in known if parts < wanted]
        return older[-1] if older else known[0][1]
    older = [one for parts, one in same_major if parts[:2] <= wanted[:2]]
    return older[-1] if older else same_major[0][1]


def is_at_least(version: str, other: str) -> bool:
    """Whether a version is `other` or newer, compared by its first two numbers."""
    return _parts(version)[:2] >= _parts(other)[:2]


def _parts(version: str) -> tuple[int, int]:
    numbers = [int(text[:9]) for text in re.findall(r"\d+", version)[:2]]
    return (numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 10**9)
