"""Golden cases: parameters, operations and bytes of 20 recipes, equal to the last digit printed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from kb.catalog.models import find_model
from kb.catalog.parameters import count_parameters
from runner.estimator.adapters import count_adapters
from runner.estimator.flops import (
    Bytes,
    adapter_bytes,
    count_flops,
    count_training,
    full_bytes,
)


class Case(NamedTuple):
    model: str
    method: str
    length: int
    checkpointing: bool
    adapters: str
    parameters: int
    adapter_parameters: int
    forward: float
    training: float
    weights: int
    gradients: int
    optimizer: int


with Path(__file__).with_name("golden_flops.csv").open(newline="") as rows:
    CASES = [
        Case(
            model=row["model"],
            method=row["method"],
            length=int(row["length"]),
            checkpointing=row["checkpointing"] == "True",
            adapters=row["adapters"],
            parameters=int(row["parameters"]),
            adapter_parameters=int(row["adapter_parameters"]),
            forward=float(row["forward"]),
            training=float(row["training"]),
            weights=int(row["weights"]),
            gradients=int(row["gradients"]),
            optimizer=int(row["optimizer"]),
        )
        for row in csv.DictReader(rows)
    ]
FULL = {"bf16": (2, 0, 2, 4), "mixed": (2, 4, 4, 8), "8bit": (2, 0, 2, 2)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.model.split('/')[1]}-{c.method}")
def test_golden(case: Case) -> None:
    model = find_model(case.model)
    assert model is not None
    assert count_parameters(model).total == case.parameters
    adapters = None
    if case.adapters:
        rank, targets = case.adapters.split()
        adapters = count_adapters(model, int(rank), tuple(targets.split("/"))).parameters
        assert adapters == case.adapter_parameters
        held = adapter_bytes(model, adapters, nf4=case.method == "nf4")
    else:
        weight, master, gradient, state = FULL[case.method]
        held = full_bytes(model, weight=weight, master=master, gradient=gradient, state=state)
    assert held == Bytes(case.weights, case.gradients, case.optimizer)
    assert round(count_flops(model, case.length).forward / 1e9, 6) == case.forward
    training = count_training(
        model, case.length, adapters=adapters, checkpointing=float(case.checkpointing)
    )
    assert round(training / 1e9, 6) == case.training


def test_window_bounds_attention() -> None:
    """A window of 4,096 leaves 4,096 tokens untouched and makes attention linear beyond."""
    windowed, plain = (
        find_model("mistralai/Mistral-7B-v0.1"),
        find_model("mistralai/Mistral-7B-v0.3"),
    )
    assert windowed is not None
    assert plain is not None
    assert count_flops(windowed, 4096).attention == count_flops(plain, 4096).attention
    far = count_flops(windowed, 32768).attention
    assert far < 0.25 * count_flops(plain, 32768).attention
    assert count_flops(windowed, 65536).attention < 1.1 * far
