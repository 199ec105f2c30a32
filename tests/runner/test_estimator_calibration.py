"""What the calibration wrote: reproducible, physical, and what a report says of it."""

from __future__ import annotations

import json

import numpy
import pytest

from runner.estimator.believe import believe
from runner.estimator.calibrate import _speed_problem
from runner.estimator.coefficients import DATA, fitted, prior_of
from runner.estimator.fit import Problem, predict, solve
from runner.estimator.memory import memory_prior
from runner.estimator.observed import load_observations
from runner.estimator.spread import pair_spread


def test_parameters_are_those_of_the_data() -> None:
    """Fitting again gives the stored coefficients; if not, run the calibration."""
    observations, _ = load_observations()
    speed = [item for item in observations if item.step_s]
    found = solve(_speed_problem(speed), range(len(speed)), dict(fitted()["speed"]))
    for name, value in fitted()["speed"].items():
        assert found[name] == pytest.approx(value, rel=0.02), name


def test_coefficients_stay_near_physics() -> None:
    """No coefficient is more than four standard deviations from its prior."""
    for group, prior in (("speed", prior_of), ("memory", memory_prior)):
        for name, value in fitted()[group].items():
            known = prior(name)
            assert abs(numpy.log(value / known.value)) < 4 * known.spread, name


def test_every_figure_has_its_source() -> None:
    data = json.loads((DATA / "published.json").read_text())
    ids = [config["id"] for config in data["configs"]]
    assert len(set(ids)) == len(ids)
    for config in data["configs"]:
        assert "@" in config["source"] or config["source"].startswith("http"), config["id"]
        assert "scope" in config or "left_out" in config, config["id"]
    for before, after, *_ in data["pairs"]:
        assert {before, after} <= set(ids)


def test_unseen_runs_are_close() -> None:
    """The project's own bars on cross-validated errors; held-out figures are a little worse."""
    errors = fitted()["errors"]
    assert errors["core"]["mean"] < 0.11
    assert errors["core"]["median"] < 0.07
    assert errors["memory"]["median"] < 0.08
    assert 0.75 < errors["coverage"] < 0.93


def test_widths_are_ordered() -> None:
    widths = fitted()["intervals"]["speed"]
    assert widths["dense"]["all"] < widths["moe"]["all"]
    assert widths["dense"]["all"] < widths["variable_length"]["all"]
    assert fitted()["intervals"]["unseen_card"] > 0
    assert pair_spread(0.0).speed < pair_spread(0.5).speed == pair_spread(-0.5).speed


def test_believe_says_how_few_ran_on_amd() -> None:
    found = believe()
    assert found.runs > found.amd_runs > 0
    assert str(found.amd_runs) in found.text
    assert 0 < found.median_error < found.mean_error < 0.3
    assert 0 < found.within_20 < 1


def test_the_solver_finds_a_known_answer() -> None:
    """A straight line in logs, priors far weaker than 40 rows."""
    x = numpy.linspace(1, 4, 40)
    truth = {"scale": 3.0, "power": 0.5}
    prior = prior_of("gemm")._replace(value=1.0, spread=10.0)
    problem = Problem(
        names=("scale", "power"),
        priors=(prior, prior),
        predict=lambda value: numpy.log(value("scale")) + value("power") * numpy.log(x),
        observed=numpy.log(truth["scale"]) + truth["power"] * numpy.log(x),
        weights=numpy.full(40, 100.0),
        keyed={},
    )
    found = solve(problem, range(40))
    assert found == pytest.approx(truth, rel=1e-3)
    assert predict(problem, found, [0, 39]) == pytest.approx(problem.observed[[0, 39]], abs=1e-3)
