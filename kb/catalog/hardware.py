"""Finds a card by any usual spelling of its name: figures with their sources, or None.

A figure without a source is None, never a guess; what the estimator assumes for it stands in
`runner.estimator.card`. The facts are in hardware.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Literal

from audit.records.errors import UnknownName
from audit.records.finding import Source
from kb.catalog.blocks import parse_block, read_blocks

Vendor = Literal["amd", "nvidia", "cpu"]
Figures = Mapping[str, float | None]

DTYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4")
_MAKER_WORDS = re.compile(
    r"\b(amd|nvidia|instinct|geforce|radeon|tesla|quadro|oam|accelerator|tensor core|gpu|gpus)\b"
)
_SEPARATORS = re.compile(r"[^a-z0-9+]")
_NO_BF16 = frozenset({"Volta", "Turing"})


@dataclass(frozen=True, slots=True, eq=False)
class Hardware:
    """One card as its maker states it; units in the field names, per device, dense.

    `peak_tflops` has every dtype of DTYPES as key, None where nobody states a figure.
    `achievable_tflops` is the GEMM rate reached by the maker's own benchmark or the MAMF finder
    (their mean where both are known). `sources` names the source of each figure by its path, such
    as `peak_tflops.bf16`.
    """

    id: str
    name: str
    vendor: Vendor
    arch: str
    """gfx942, sm_90, ...; `cpu`."""
    generation: str
    """CDNA3, RDNA3, Ampere, Hopper, ..."""
    warp: int
    """Threads of one wavefront or warp."""
    link: str
    """nvlink, xgmi, pcie, shared memory."""
    memory_gb: float | None
    bandwidth_tb_s: float | None
    link_gb_s: float | None
    power_w: float | None
    peak_tflops: Figures
    achievable_tflops: Figures
    sources: Mapping[str, str] = field(repr=False)

    @property
    def bf16(self) -> bool:
        """Whether the matrix units take bfloat16 (CUDA: compute capability 8.0 and later)."""
        return self.generation not in _NO_BF16

    def source(self, figure: str) -> Source | None:
        """Where a figure such as `memory_gb` or `peak_tflops.bf16` comes from.

        An achievable rate that is a mean names the maker's own benchmark.
        """
        group, _, dtype = figure.partition(".")
        groups = ("vendor_gemm", "mamf") if group == "achievable_tflops" else (group,)
        names = [f"{one}.{dtype}" if dtype else one for one in groups]
        found = next((self.sources[name] for name in names if name in self.sources), None)
        return Source(**_sources()[found]) if found else None


def find_hardware(text: str) -> Hardware:
    """The card that `text` names: an id or a device name, any case, spaces, dashes, maker words.

    Raises:
        UnknownName: no card or several cards have that name; lists the known ids.
    """
    found = _index().get(_squeeze(text))
    if found is not None:
        return _hardware(found)
    near = [name for name in card_ids() if _squeeze(name).startswith(_squeeze(text))]
    if len(near) > 1 and _squeeze(text):
        message = f'"{text}" is the name of several cards'
        raise UnknownName(message, remedy=f"Say which: {', '.join(near)}.")
    from difflib import get_close_matches  # only where a name is wrong: 2 ms to import

    message = f'hardware "{text}" is not in the catalogue'
    close = get_close_matches(text.lower(), card_ids(), n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise UnknownName(message, remedy=f"{hint}Known: {', '.join(card_ids())}.")


@cache
def card_ids() -> tuple[str, ...]:
    """Ids of all cards, in catalogue order."""
    return tuple(name for name in _blocks() if name != "sources")


def all_hardware() -> tuple[Hardware, ...]:
    """Every card of the catalogue."""
    return tuple(_hardware(name) for name in card_ids())


def _squeeze(text: str) -> str:
    """`AMD Instinct MI300X` -> `mi300x`."""
    return _SEPARATORS.sub("", _MAKER_WORDS.sub("", text.lower().replace("_", " ")))


@cache
def _blocks() -> dict[str, str]:
    return read_blocks("hardware.yaml")


@cache
def _index() -> dict[str, str]:
    """Squeezed id, alias or name -> id."""
    index: dict[str, str] = {}
    for name in card_ids():
        card = _blocks()[name].split("\n", 2)[1]
        printed = card.split("name: ", 1)[1].split(", vendor:", 1)[0]
        aliases = card.split("aliases: [", 1)[1].split("]", 1)[0] if "aliases: [" in card else ""
        for spelling in (name, printed, *aliases.split(",")):
            if squeezed := _squeeze(spelling):
                index[squeezed] = name
    return index


@cache
def _sources() -> dict[str, dict[str, str]]:
    return parse_block(_blocks()["sources"])


@lru_cache(maxsize=128)
def _hardware(name: str) -> Hardware:
    stated = parse_block(_blocks()[name])
    card: dict[str, Any] = stated.pop("card")
    card.pop("aliases", None)
    sources: dict[str, str] = {}
    single: dict[str, float] = {}
    for figure in ("memory_gb", "bandwidth_tb_s", "link_gb_s", "power_w"):
        if value := stated.get(figure):
            single[figure] = float(value[0])
            sources[figure] = value[1]
    groups: dict[str, dict[str, float | None]] = {}
    for group in ("peak_tflops", "vendor_gemm", "mamf"):
        values = stated.get(group, {})
        groups[group] = {
            kind: float(values[kind][0]) if kind in values else None for kind in DTYPES
        }
        sources |= {f"{group}.{kind}": values[kind][1] for kind in values}
    reached: dict[str, float | None] = {}
    for kind in DTYPES:
        both = [rate for rate in (groups["vendor_gemm"][kind], groups["mamf"][kind]) if rate]
        reached[kind] = sum(both) / len(both) if both else None
    return Hardware(
        id=name,
        **card,
        memory_gb=single.get("memory_gb"),
        bandwidth_tb_s=single.get("bandwidth_tb_s"),
        link_gb_s=single.get("link_gb_s"),
        power_w=single.get("power_w"),
        peak_tflops=MappingProxyType(groups["peak_tflops"]),
        achievable_tflops=MappingProxyType(reached),
        sources=MappingProxyType(sources),
    )
