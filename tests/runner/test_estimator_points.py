"""Published rows are parsed, not looked up: other rows of the same kind are answered too."""

from __future__ import annotations

from typing import Any

import pytest

from runner.estimator.points import answer_points

ROW: dict[str, Any] = {
    "id": "x-1",
    "config_id": "x",
    "source_title": "a table",
    "hardware": "A100 80GB",
    "n_gpus": 1,
    "model": "mistralai/Mistral-7B-v0.1",
    "method": "lora",
    "framework": "HF Trainer",
    "precision": "bf16",
    "seq_len": 4096,
    "micro_batch": 4,
    "grad_accum": 1,
    "global_batch": None,
    "packing": None,
    "attention": "flash",
    "grad_ckpt": True,
    "parallelism": None,
    "optimizer": None,
    "other": None,
    "metric": "tokens_per_s_per_gpu",
    "notes": None,
}


def answer(**changed: Any) -> dict[str, Any]:
    return next(iter(answer_points([{**ROW, **changed}])))


def value(**changed: Any) -> float:
    return float(answer(**changed)["value"])


def test_an_answer_has_an_interval() -> None:
    found = answer()
    assert set(found) == {"id", "value", "low", "high"}
    assert 0 < found["low"] < found["value"] < found["high"]
    assert 2500 < found["value"] < 5000


def test_the_id_decides_nothing() -> None:
    assert value(id="fms-017.tps", config_id="fms-017") == value()


def test_metrics_agree() -> None:
    """Tokens, samples and seconds are one speed in three units."""
    step, tokens = value(metric="step_s"), value()
    assert tokens == pytest.approx(4 * 4096 / step)
    assert value(metric="samples_per_s") == pytest.approx(4 / step)
    accumulated = {"grad_accum": 8, "notes": "an iteration is one micro-batch"}
    assert value(metric="step_s", **accumulated) == pytest.approx(step, rel=0.05)
    assert 50 < value(metric="tflops_per_gpu") < 312


def test_memory_in_1e9_bytes_and_never_beyond_the_card() -> None:
    assert 20 < value(metric="peak_mem_gb") < 35
    assert value(metric="peak_mem_gb", method="full", model="meta-llama/Llama-2-70b-hf") <= 85.9


def test_layouts() -> None:
    """Strings of several tables give the ranks they name."""
    pipeline = value(
        framework="Megatron-Bridge",
        hardware="GB200",
        model="LLAMA3_70B",
        method="pretrain",
        n_gpus=64,
        micro_batch=1,
        global_batch=256,
        grad_accum=None,
        seq_len=8192,
        parallelism="TP2 PP4 CP1 VP5 EPn/a FSDP0",
        precision="mxfp8",
    )
    assert 2000 < pipeline < 9000
    tensor = {"framework": "torchtitan", "hardware": "H100 SXM 96GB HBM2e 500W", "n_gpus": 64}
    tensor |= {"model": "Llama 3.1 8B", "method": "pretrain", "seq_len": None}
    plain = value(parallelism="FSDP8 TP8, vanilla TP", **tensor)
    overlapped = value(parallelism="FSDP8 TP8, Async TP", **tensor)
    assert overlapped > plain


def test_fewer_bits_are_faster_where_the_card_has_them() -> None:
    job = {"hardware": "H100 SXM 80GB", "method": "pretrain", "framework": "llm-foundry"}
    assert value(precision="fp8", **job) > value(precision="bf16", **job)
    assert value(precision="fp32") < value() / 3


def test_lengths_in_words() -> None:
    assert value(seq_len=None, notes="x = 4096 tokens per sample") == pytest.approx(value())
    short = answer(seq_len=None, notes="x = 290 tokens per sample")
    assert short["high"] / short["value"] > answer()["high"] / answer()["value"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"hardware": None}, "hardware"),
        ({"hardware": "TPU v5"}, "hardware"),
        ({"model": None}, "model"),
        ({"model": "Mamba 370M"}, "model"),
        ({"micro_batch": None}, "batch"),
        ({"seq_len": None}, "length"),
        ({"metric": "mfu"}, "mfu"),
        ({"method": None}, "method"),
        ({"seq_len": float("nan")}, "seq_len is nan"),
        ({"seq_len": float("inf")}, "seq_len is inf"),
        ({"micro_batch": 0}, "micro_batch is 0"),
        ({"micro_batch": True}, "micro_batch is True"),
        ({"n_gpus": -1}, "n_gpus is -1"),
        ({"n_gpus": 1.5}, "n_gpus is 1.5"),
        ({"n_gpus": "8"}, "n_gpus is 8"),
        ({"model": 7}, "model is 7"),
        ({"hardware": []}, "hardware is []"),
    ],
)
def test_what_is_not_stated_is_skipped(changed: dict[str, Any], reason: str) -> None:
    found = answer(**changed)
    assert "value" not in found
    assert reason in found["skipped"]
