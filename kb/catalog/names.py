"""Reads family and size out of a model's name; a name that is not clear matches nothing.

Three steps: the last parts of a path; the name without what quantizers and tuners append; family
words followed by a size, with words in between that do not change the dimensions. A word that means
another architecture (vision, mamba, moe, ...) ends the search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_TOKEN = re.compile(r"\d+x\d+(?:\.\d+)?b|a?\d+(?:\.\d+)?[bm](?![a-z])|\d+b\d|\d+(?:\.\d+)*|[a-z]+")
_SIZE = re.compile(r"(?:\d+x)?\d+(?:\.\d+)?[bm]|\d+b\d")
_ACTIVE = re.compile(r"a\d+(?:\.\d+)?[bm]")
_TORCHTUNE = re.compile(r"torchtune\.models\.(\w+)\.(?:q?lora_|dora_)?(\w+)")
_APPENDED = re.compile(
    r"(?:-(?:unsloth|dynamic|bnb|4bit|8bit|3bit|2bit|16bit|int4|int8|nf4|fp4|mxfp4|nvfp4|fp8|fp16|bf16|"
    r"fp32|gptq|awq|aqlm|gguf|exl2|mlx|hf|sharded|instruct|chat|it|base|sft|dpo|q4|q8|w4a16|w8a8))+$"
)
_DASHED_VERSION = re.compile(r"(?<![\d.])(\d)-(\d)(?=-\d)")
# fmt: off
_OTHER_ARCHITECTURE = frozenset({
    "vl", "vision", "visual", "omni", "audio", "speech", "video", "image", "multimodal", "mamba",
    "zebra", "hybrid", "gdn", "kda", "next", "h", "moe", "mixture", "encoder", "embedding",
    "embed", "guard", "vlm", "llava", "pixtral", "minitron", "pruned", "eagle", "medusa", "draft",
    "nemotron", "reranker", "ocr", "tts", "clip", "diffusion", "bitnet", "matformer", "e2b", "e4b",
    "n", "mini", "nano",
})
# fmt: on


class Entry(NamedTuple):
    """A catalogue entry as names see it."""

    name: str
    family: tuple[str, ...]
    """Words and versions, then the size: ("qwen", "2.5", "7b")."""
    spellings: frozenset[str]
    """`plain_name` of its ids."""


def plain_name(text: str) -> str:
    """The last part of a path or id, lower case, `-` between words, without what tools append."""
    last = text.strip().rstrip("/").rsplit("/", 1)[-1].lower()
    last = re.sub(r"\.(ya?ml|json|gguf|safetensors)$", "", last)
    return _APPENDED.sub("", re.sub(r"[_\s]+", "-", last))


def match_name(text: str, entries: Iterable[Entry]) -> str | None:
    """Name of the one entry that `text` means, or None."""
    everything = tuple(entries)
    tune = _TORCHTUNE.search(text)
    if tune:
        return _match_family(_torchtune_tokens(*tune.groups()), everything)
    for part in reversed([part for part in re.split(r"[/\\]", text.strip()) if part]):
        plain = plain_name(part)
        same = [entry.name for entry in everything if plain in entry.spellings]
        if len(same) == 1:
            return same[0]
        found = _match_family(name_tokens(plain), everything)
        if found is None:  # llama-3-1-8b
            found = _match_family(name_tokens(_DASHED_VERSION.sub(r"\1.\2", plain)), everything)
        if found is not None:
            return found
    return None


def name_tokens(text: str) -> tuple[str, ...]:
    """`meta-llama-3.1-8b` -> meta, llama, 3.1, 8b."""
    return tuple(_TOKEN.findall(re.sub(r"(?<=\d)_(?=\d)", ".", text)))


def _torchtune_tokens(family: str, function: str) -> tuple[str, ...]:
    """`qwen2_5`, `qwen2_5_0_5b_instruct` -> qwen, 2.5, 0.5b, instruct."""
    rest = function.removeprefix(family).strip("_")
    dotted = [re.sub(r"(?<=\d)_(?=\d)", ".", part) for part in (family, rest)]
    return name_tokens("-".join(dotted))


def _match_family(tokens: tuple[str, ...], entries: tuple[Entry, ...]) -> str | None:
    """The entry with the most family words in a row, then its size; None when two fit equally."""
    active = [token for token in tokens if _ACTIVE.fullmatch(token)]
    best: dict[int, list[str]] = {}
    for entry in entries:
        if entry.family[0] in tokens and _means(_split(entry.family), tokens, active, entries):
            best.setdefault(len(entry.family), []).append(entry.name)
    longest = best[max(best)] if best else []
    return longest[0] if len(longest) == 1 else None


class _Family(NamedTuple):
    """The parts of `Entry.family`."""

    words: tuple[str, ...]
    size: str | None
    active: list[str]


def _split(family: tuple[str, ...]) -> _Family:
    active = [word for word in family if _ACTIVE.fullmatch(word)]
    size = next((word for word in family if _SIZE.fullmatch(word)), None)
    return _Family(
        tuple(word for word in family if word != size and word not in active), size, active
    )


def _means(
    family: _Family, tokens: tuple[str, ...], active: list[str], entries: tuple[Entry, ...]
) -> bool:
    """Whether the tokens hold the family's words in a row and then its size."""
    if family.active != active or not _own_architecture(family, tokens):
        return False
    count = len(family.words)
    for start in range(len(tokens) - count + 1):
        if not _same_words(family.words, tokens[start : start + count]):
            continue
        if count == 1 and start and _has_versions(family, entries):
            continue  # xyz-qwen-14b: nobody knows which qwen
        rest = tokens[start + count :]
        if rest and rest[0][0].isdigit() and not _SIZE.fullmatch(rest[0]):
            continue  # another version of the family: qwen 2 is not qwen
        if family.size in rest or (
            family.size is None and not any(_SIZE.fullmatch(token) for token in rest)
        ):
            return True
    return False


def _own_architecture(family: _Family, tokens: tuple[str, ...]) -> bool:
    return not any(token in _OTHER_ARCHITECTURE and token not in family.words for token in tokens)


def _has_versions(family: _Family, entries: tuple[Entry, ...]) -> bool:
    """Whether the same word with a version comes in the same size."""
    word, size = family.words[0], family.size
    return any(
        entry.family[0] == word and size in entry.family and entry.family[1][0].isdigit()
        for entry in entries
        if len(entry.family) > 2
    )


def _same_words(words: tuple[str, ...], tokens: tuple[str, ...]) -> bool:
    """Equal word by word; a version may lack its dot (`llama31`)."""
    return all(
        word == token or (word[0].isdigit() and "." in word and word.replace(".", "") == token)
        for word, token in zip(words, tokens, strict=True)
    )
