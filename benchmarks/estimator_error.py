"""How far projections are off on published runs that the fit had not seen, and what one costs."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runner.estimator.coefficients import fitted
from runner.estimator.estimate import project
from runner.estimator.observed import load_observations


def main() -> None:
    """Print stored cross-validated errors, errors of the final fit per source, and the speed."""
    errors = fitted()["errors"]
    print(f"{'unseen runs':<14}{'runs':>6}{'mean':>8}{'median':>8}{'within 20%':>12}")
    for name, one in errors.items():
        if isinstance(one, dict):
            figures = f"{one['mean']:>8.1%}{one['median']:>8.1%}{one['within_20']:>12.0%}"
            print(f"{name:<14}{one['runs']:>6}{figures}")
    observations, _ = load_observations()
    by_source: dict[str, list[float]] = defaultdict(list)
    start = time.perf_counter()
    for item in observations:
        found = project(item.job, variable=item.variable)
        if item.step_s and item.scope != "variable":
            by_source[item.source].append(abs(item.step_s / float(found.seconds.total) - 1))
    each = (time.perf_counter() - start) / len(observations)
    print(f"\n{'final fit, by source':<44}{'runs':>6}{'mean':>8}{'median':>8}")
    for source, off in sorted(by_source.items(), key=lambda item: -len(item[1])):
        figures = f"{statistics.fmean(off):>8.1%}{statistics.median(off):>8.1%}"
        print(f"{source[:43]:<44}{len(off):>6}{figures}")
    print(f"\none projection: {each * 1e3:.3f} ms")
    print(json.dumps({"unseen": errors, "projection_ms": round(each * 1e3, 4)}))


if __name__ == "__main__":
    main()
