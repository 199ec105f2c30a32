"""Cards: every id of the design, every figure with a source, every usual spelling."""

from __future__ import annotations

import pytest
import yaml

from audit.records.errors import UnknownName
from kb.catalog.blocks import FOLDER
from kb.catalog.hardware import DTYPES, all_hardware, card_ids, find_hardware

IDS = (
    "mi210 mi250x mi300a mi300x mi325x mi350x mi355x rx-7900-xtx rx-9070-xt v100 t4 l4 l40s a10g"
    " a100-40gb a100-80gb h100-pcie h100-sxm h200 b200 b300 gb200 gb300 rtx-3090 rtx-4090 rtx-5090"
    " a6000 cpu"
)


def test_ids_of_the_design() -> None:
    assert set(IDS.split()) <= set(card_ids())
    assert [card.id for card in all_hardware()] == list(card_ids())


def test_blocks_are_the_file() -> None:
    """Reading one block gives what parsing the whole file gives."""
    whole = yaml.safe_load((FOLDER / "hardware.yaml").read_text())
    sources = whole.pop("sources")
    assert list(whole) == list(card_ids())
    used = set()
    for card in all_hardware():
        stated = whole[card.id]
        assert card.name == stated["card"]["name"]
        for group in ("peak_tflops", "mamf", "vendor_gemm"):
            for dtype, (value, source) in stated.get(group, {}).items():
                assert dtype in DTYPES
                assert value > 0
                used.add(source)
                assert card.sources[f"{group}.{dtype}"] == source
        assert card.memory_gb == stated.get("memory_gb", [None])[0]
        used.update(card.sources.values())
    assert used == set(sources), "a source is missing or stands for nothing"


@pytest.mark.parametrize("card", all_hardware(), ids=lambda card: card.id)
def test_figures_are_sourced_and_ordered(card: object) -> None:
    found = find_hardware(card.id)  # type: ignore[attr-defined]
    for figure in ("memory_gb", "bandwidth_tb_s", "link_gb_s", "power_w"):
        assert (getattr(found, figure) is None) == (found.source(figure) is None)
    peak = found.peak_tflops
    assert set(peak) == set(DTYPES)
    for narrow, wide in (("fp8", "bf16"), ("bf16", "tf32"), ("bf16", "fp32"), ("fp4", "fp8")):
        if peak[narrow] and peak[wide]:
            assert peak[narrow] > peak[wide]
    for dtype, rate in found.achievable_tflops.items():
        assert (rate is None) == (found.source(f"achievable_tflops.{dtype}") is None)
        if rate and peak[dtype]:
            assert rate < peak[dtype]


@pytest.mark.parametrize(
    ("text", "card"),
    [
        ("AMD Instinct MI300X", "mi300x"),
        ("MI300X OAM", "mi300x"),
        ("mi-300x", "mi300x"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb-pcie"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("H100_SXM", "h100-sxm"),
        ("RTX4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA RTX 6000 Ada Generation", "6000-ada"),
        ("AMD Radeon RX 7900 XTX", "rx-7900-xtx"),
        ("AMD Instinct MI250X / MI250", "mi250x"),
        ("CPU", "cpu"),
    ],
)
def test_spellings(text: str, card: str) -> None:
    assert find_hardware(text).id == card


def test_unknown_lists_the_known() -> None:
    with pytest.raises(UnknownName, match="Known: mi210"):
        find_hardware("mi999x")
    with pytest.raises(UnknownName, match="Did you mean mi355x"):
        find_hardware("mi355")
    with pytest.raises(UnknownName, match="h100-pcie, h100-sxm"):
        find_hardware("H100")
    with pytest.raises(UnknownName):
        find_hardware("")


def test_nobody_states_nothing() -> None:
    """A figure without a source is None, never a guess."""
    card = find_hardware("h20")
    assert card.memory_gb is None
    assert set(card.peak_tflops.values()) == {None}


def test_bf16_by_generation() -> None:
    assert not find_hardware("v100").bf16
    assert not find_hardware("t4").bf16
    assert find_hardware("mi210").bf16
