"""What the formulas need of a card: catalogue facts, and marked assumptions where none is known.

The assumptions are the estimator's own. They come from the study behind the first calibration
(2026-11) and from relations between cards of one generation; no source states them, so they are
not in the catalogue, they are named in `Card.assumed`, and a projection that used them says so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, NoReturn

from audit.records.errors import MissingFacts
from kb.catalog.hardware import Hardware

GEMM_SHARE = {
    "CDNA2": 0.61, "CDNA3": 0.53, "CDNA4": 0.626, "RDNA3": 0.50, "RDNA3.5": 0.50, "RDNA4": 0.50,
    "Volta": 0.68, "Turing": 0.62, "Ampere": 0.85, "Ada": 0.80, "Hopper": 0.80, "Blackwell": 0.77,
}  # fmt: skip
"""Share of the printed peak that large matrix products reach, per generation."""
GEMM_TFLOPS = {
    "a6000": 105.0, "l40s": 230.0, "6000-ada": 235.0, "h100-96gb": 560.0, "gb300": 1850.0,
    "h20": 135.0, "a800": 262.0, "a100-80gb": 262.0, "a100-80gb-pcie": 252.9, "a100-40gb": 262.0,
    "h100-nvl": 640.0, "h200-nvl": 680.0, "h100-pcie": 560.0, "strix-halo": 28.0, "gb10": 90.0,
    "l4": 70.0, "t4": 32.0, "cpu": 0.5,
}  # fmt: skip
"""bf16 GEMM rates in TFLOP/s where the share above is known to miss: power limits, no peak stated.
a100-80gb is the mean of the measured SXM (271) and PCIe (253) rates: published rows rarely say."""
BANDWIDTH = {"h20": 4.0, "a800": 2.039, "cpu": 0.05}
"""Memory bandwidth in TB/s where no source states it."""
MEMORY = {"h20": 96.0}
LINK = {
    "v100": 120.0, "v100-32gb": 120.0, "a100-40gb": 235.0, "a100-80gb": 235.0, "a800": 160.0,
    "h100-sxm": 370.0, "h100-nvl": 250.0, "h100-96gb": 370.0, "h200": 370.0, "h200-nvl": 320.0,
    "h20": 370.0, "gh200": 370.0, "b200": 750.0, "b300": 750.0, "gb200": 750.0, "gb300": 750.0,
    "mi210": 60.0, "mi250": 80.0, "mi250x": 90.0, "mi300a": 250.0, "mi300x": 310.0,
    "mi325x": 310.0, "mi350x": 350.0, "mi355x": 350.0,
}  # fmt: skip
"""Effective collective bandwidth per device inside a node, GB/s. MI300X: RCCL bus bandwidth of
eight devices (312.9, ml-engineering); two devices reach only 47.7, see `pair_link`."""
PCIE_LINK = 22.0
NETWORK = {
    "CDNA2": 22.0, "CDNA3": 40.0, "CDNA4": 45.0, "Volta": 10.0, "Ampere": 23.0, "Hopper": 45.0,
    "Blackwell": 45.0,
}  # fmt: skip
"""Effective bandwidth per device between nodes, GB/s (one 200 or 400 Gb/s adapter each)."""
NETWORK_OF = {"gb200": 90.0, "gb300": 90.0}
FAST_DOMAIN = {"gb200": 72, "gb300": 72}
"""Devices that share fast links where that is not a node of eight."""
XGMI_PAIR = 48.0
"""Bus bandwidth of two MI300X, GB/s: traffic between two devices uses one of seven links."""


class Card(NamedTuple):
    """Rates of one card, as reached in practice for bf16; TFLOP/s, TB/s, GB/s."""

    gemm: float
    fp16: float
    """Relative to bf16, as are the next two."""
    fp8: float
    fp32: float
    """Of the printed fp32 peak, before its own efficiency."""
    tf32: float
    bandwidth: float
    link: float
    network: float
    domain: int
    assumed: tuple[str, ...]


@lru_cache(maxsize=128)
def read_card(hardware: Hardware) -> Card:
    """The card's rates; every assumption is named.

    Raises:
        MissingFacts: neither a source nor an assumption gives a rate that everything rests on.
    """
    assumed: list[str] = []
    gemm = _gemm(hardware, assumed)
    peak = hardware.peak_tflops
    bf16 = peak["bf16"] or peak["fp16"]
    fp32 = peak["fp32"] or (0.12 * bf16 if bf16 else 0.1 * gemm)
    reached = hardware.achievable_tflops
    fp8 = peak["fp8"]
    ratio = 1.0
    if reached["fp8"] and reached["bf16"]:
        ratio = reached["fp8"] / reached["bf16"]
    elif fp8 and bf16:
        ratio = 0.93 * fp8 / bf16
    tf32 = peak["tf32"]
    rate32 = fp32 / gemm
    bandwidth = hardware.bandwidth_tb_s or BANDWIDTH.get(hardware.id)
    if bandwidth is None:
        _refuse(hardware, "memory bandwidth")
    if hardware.bandwidth_tb_s is None:
        assumed.append(f"memory bandwidth {bandwidth:g} TB/s")
    return Card(
        gemm=gemm,
        fp16=reached["fp16"] / reached["bf16"] if reached["fp16"] and reached["bf16"] else 1.0,
        fp8=ratio,
        fp32=rate32,
        tf32=tf32 / bf16 if tf32 and bf16 else rate32,
        bandwidth=bandwidth,
        link=LINK.get(hardware.id, PCIE_LINK),
        network=NETWORK_OF.get(hardware.id, NETWORK.get(hardware.generation, 10.0)),
        domain=FAST_DOMAIN.get(hardware.id, 8),
        assumed=tuple(assumed),
    )


def capacity_gb(hardware: Hardware) -> float | None:
    """Memory of the card in 1e9 bytes; None where nobody states or assumes it."""
    return hardware.memory_gb or MEMORY.get(hardware.id)


def _gemm(hardware: Hardware, assumed: list[str]) -> float:
    if hardware.vendor == "cpu" and hardware.achievable_tflops["bf16"]:
        return hardware.achievable_tflops["bf16"]  # measured on this very machine
    if hardware.id in GEMM_TFLOPS:
        rate = GEMM_TFLOPS[hardware.id]
        if not hardware.achievable_tflops["bf16"]:
            assumed.append(f"matrix products at {rate:g} TFLOP/s")
        return rate
    reached = hardware.achievable_tflops["bf16"]
    if reached:
        return reached
    peak = hardware.peak_tflops["bf16"] or hardware.peak_tflops["fp16"]
    if not peak:
        _refuse(hardware, "rate of matrix products")
    rate = GEMM_SHARE.get(hardware.generation, 0.6) * peak
    assumed.append(f"matrix products at {rate:.0f} TFLOP/s")
    return rate


def _refuse(hardware: Hardware, figure: str) -> NoReturn:
    message = f"no source gives the {figure} of {hardware.name}"
    raise MissingFacts(message, missing=("hardware",), remedy="Name another card.")
