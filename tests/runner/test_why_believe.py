"""docs/why-believe.md: its tables are those that the calibration stored; what it claims is so."""

from __future__ import annotations

from benchmarks.estimator_report import render, written
from runner.estimator.coefficients import fitted


def test_tables_are_fresh() -> None:
    assert written() == render(), "run python benchmarks/estimator_report.py --write"


def test_tables_count_every_run() -> None:
    tables, errors = fitted()["tables"], fitted()["errors"]
    for name in ("family", "method", "card"):
        assert sum(row[1] for row in tables[name]) == errors["exact"]["runs"]
    peaks = errors["memory"]["runs"] + errors["memory_moe"]["runs"]
    for name in ("memory_family", "memory_method"):
        assert sum(row[1] for row in tables[name]) == peaks
    amd = sum(row[1] for row in tables["family"] if row[0].startswith("AMD"))
    assert amd == errors["amd"]["runs"]


def test_claims_of_the_page() -> None:
    tables, errors = fitted()["tables"], fitted()["errors"]
    assert errors["coverage"] >= 0.8
    assert errors["memory_moe"]["within_20"] < 5 / 6, "the page says one in six"
    assert not [row for row in tables["memory_family"] if row[0].startswith("AMD")]
    better = [row for row in tables["card_left_out"] if row[3] < row[2]]
    assert len(better) > len(tables["card_left_out"]) / 2
