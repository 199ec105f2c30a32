"""Padding: the longest sample of a batch costs all of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.records.workload import DataLengths
from runner.estimator.lengths import ASSUMED, fit_spread, pad_batches, pad_spread


def lengths(p50: int, p95: int, most: int) -> DataLengths:
    return DataLengths(p50=p50, p95=p95, max=most, origin="stated", source="--lengths")


def test_against_a_simulation() -> None:
    """Means of the integral equal those of 40,000 drawn batches within 2%."""
    data = lengths(400, 1500, 4000)
    draw = random.Random(7)
    spread = fit_spread(data)
    cut = 2048
    real = most = 0.0
    rounds, batch = 40_000, 4
    for _ in range(rounds):
        samples = [min(cut, draw.lognormvariate(*spread)) for _ in range(batch)]
        real += sum(samples) / batch / rounds
        most += max(samples) / rounds
    found = pad_batches(data, batch, cut)
    assert found.real == pytest.approx(real, rel=0.02)
    assert found.processed == pytest.approx(most, rel=0.02)
    assert found.longest == cut


@given(
    p50=st.integers(20, 3000),
    ratio=st.floats(1.0, 6.0),
    batch=st.integers(1, 64),
    cut=st.integers(64, 8192),
)
def test_bounds(p50: int, ratio: float, batch: int, cut: int) -> None:
    data = lengths(p50, int(p50 * ratio), int(p50 * ratio * 2))
    found = pad_batches(data, batch, cut)
    assert 0 < found.real <= found.processed + 1e-9
    assert found.processed <= found.longest <= cut
    assert 0 < found.efficiency <= 1 + 1e-9
    if batch == 1:
        assert found.efficiency == pytest.approx(1)


@given(batch=st.integers(1, 32))
def test_larger_batches_pad_more(batch: int) -> None:
    one, two = pad_batches(ASSUMED, batch, 2048), pad_batches(ASSUMED, batch + 1, 2048)
    assert two.processed > one.processed
    assert two.real == one.real


def test_equal_lengths_pad_nothing() -> None:
    assert pad_batches(lengths(512, 512, 512), 8, 2048).efficiency == pytest.approx(1, abs=0.01)


def test_dropped_samples_shorten_the_mean() -> None:
    """Leaving long samples out gives shorter ones than shortening them."""
    spread = fit_spread(lengths(800, 4000, 16000))
    assert pad_spread(spread, 1, 1024.0, drop=True).real < pad_spread(spread, 1, 1024.0).real
