"""Finds the dimensions of a model by hub id, or by family and size where the id is a derivative.

`find_model` never guesses: a name that is no known id and does not hold exactly one known family
with one of its sizes gives None. What was matched by name says so in `Model.matched`. The
dimensions are in models.yaml; the reading of names is `kb.catalog.names`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from audit.records.finding import Source
from kb.catalog.blocks import parse_block, read_blocks
from kb.catalog.names import Entry, match_name, name_tokens, plain_name

Matched = Literal["id", "family and size"]


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention: ranks, and head dimensions of its parts."""

    query_rank: int
    """0: the query is one plain matrix."""
    key_value_rank: int
    rope: int
    nope: int
    value: int


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Dimensions of one decoder (or BERT) as its configuration states them."""

    name: str
    """Hub id of the entry, not the text that was asked for."""
    matched: Matched
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    """Dimension of one head."""
    mlp: int
    """Width of the dense MLP."""
    vocab: int
    """Padded vocabulary."""
    source: str
    tied: bool = False
    """Whether the head shares the embedding's weights; where nobody says, it does not."""
    gated: bool = True
    experts: int = 0
    top: int = 0
    """Experts that each token uses."""
    expert: int = 0
    """Width of one routed expert."""
    shared: int = 0
    """Width of the shared experts together."""
    shared_gate: bool = False
    dense: int = 0
    """First layers that have the dense MLP instead of experts."""
    mla: Latent | None = None
    window: int = 0
    """Sliding attention window in tokens; 0: none."""
    window_every: int = 0
    """Every so many layers one attends to everything; 0: none does."""
    bias: Literal["none", "qkv", "qkvo", "mlp", "all"] = "none"
    expert_bias: bool = False
    head_bias: bool = False
    norm: Literal["rms", "layer", "layer-weight", "none"] = "rms"
    norms: int = 2
    """Norms per layer."""
    qk_norm: Literal["none", "head", "full"] = "none"
    embedding_norm: bool = False
    positions: int = 0
    """Learned position embeddings."""
    causal: bool = True
    max: int = 0
    """Context length; 0: not stated."""

    @property
    def reference(self) -> Source:
        """Where the dimensions come from."""
        stated = _sources()[self.source]
        return Source(
            title=stated["title"],
            url=stated["url"].replace("{name}", self.name),
            as_of=stated["as_of"],
        )


@lru_cache(maxsize=512)
def find_model(text: str) -> Model | None:
    """The dimensions of the model that `text` names: hub id, path, or a framework's function name.

    `unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit`, `./models/qwen2.5-7b` and
    `torchtune.models.llama3_1.lora_llama3_1_8b` are found; an unknown name gives None.
    """
    name = _ids().get(text.strip().lower())
    if name is not None:
        return _model(name, "id")
    name = match_name(text, _entries())
    return _model(name, "family and size") if name is not None else None


@cache
def model_names() -> tuple[str, ...]:
    """Hub ids of all entries, in catalogue order."""
    return tuple(name for name in _blocks() if name != "sources")


@cache
def _blocks() -> dict[str, str]:
    return read_blocks("models.yaml")


@cache
def _sources() -> dict[str, dict[str, str]]:
    return parse_block(_blocks()["sources"])


def _aliases(line: str) -> list[str]:
    return line.split("also: [", 1)[1].split("]", 1)[0].split(", ") if "also: [" in line else []


@cache
def _ids() -> dict[str, str]:
    """Lower-case hub id or alias -> name of the entry."""
    index: dict[str, str] = {}
    for name in model_names():
        for spelling in (name, *_aliases(_blocks()[name])):
            index[spelling.lower()] = name
    return index


@cache
def _entries() -> tuple[Entry, ...]:
    """What `match_name` needs of each entry; read without parsing the line."""
    return tuple(
        Entry(
            name=name,
            family=name_tokens(line.split("is: ", 1)[1].split(",", 1)[0]),
            spellings=frozenset(plain_name(spelling) for spelling in (name, *_aliases(line))),
        )
        for name, line in _blocks().items()
        if name != "sources"
    )


@lru_cache(maxsize=512)
def _model(name: str, matched: Matched) -> Model:
    stated = parse_block(_blocks()[name])
    for unused in ("is", "also"):
        stated.pop(unused, None)
    latent = stated.pop("mla", None)
    return Model(
        name=name, matched=matched, mla=Latent(*latent) if latent is not None else None, **stated
    )
