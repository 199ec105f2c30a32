"""Why (not) to believe a projection: the estimator's own errors on runs its fit had not seen."""

from __future__ import annotations

from functools import cache

from audit.records.report import Believe
from runner.estimator.coefficients import fitted


@cache
def believe() -> Believe:
    """The cross-validated errors that the calibration stored."""
    errors = fitted()["errors"]
    exact, amd = errors["exact"], errors["amd"]
    text = (
        f"On {exact['runs']} published training runs that the fit had not seen, projected speed "
        f"was off by {exact['median']:.0%} at the median and {exact['mean']:.0%} on average; "
        f"{errors['coverage']:.0%} of all runs lay inside their 80% interval. The "
        "formulas were shaped with these runs in view: runs of a new kind will be further off. "
    )
    text += (
        f"Only {amd['runs']} of them ran on AMD cards (median error {amd['median']:.0%}), nearly "
        "all on eight cards with fp8; other AMD runs are further from what was seen."
        if amd["runs"]
        else "None of them ran on AMD cards."
    )
    return Believe(
        text=text,
        runs=exact["runs"],
        mean_error=exact["mean"],
        median_error=exact["median"],
        within_20=exact["within_20"],
        amd_runs=amd["runs"],
        amd_median_error=amd["median"] if amd["runs"] else None,
        interval_coverage=errors["coverage"],
    )
