"""How long the page's server takes to switch an edit: rebuild the report, draw every part anew.

Each finding of each example is switched off or on once per round, through the same calls as the
page's event. Prints a table and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.finished.rebuild import EditChoice, followed
from agent.jobs import Jobs
from agent.settings import Settings
from ui.paint import report_values
from ui.samples import sample_names, sample_request
from ui.switches import switches_of


def run_to_end(jobs: Jobs, name: str, settings: Settings) -> tuple[str, str]:
    """Audit one sample; returns its id and its owner token."""
    started = jobs.start(sample_request(name, settings))
    while jobs.status(started.audit_id) in ("waiting", "running"):
        time.sleep(0.02)
    return started.audit_id, started.owner_token


def switch_all(jobs: Jobs, audit_id: str, token: str) -> list[float]:
    """Seconds of each switch of each finding."""
    made = jobs.report(audit_id)
    if made is None:
        return []
    took = []
    for finding in made.findings:
        if not finding.edits:
            continue
        begin = time.perf_counter()
        kept = jobs.report(audit_id)
        choice = EditChoice.wanting(kept or made, followed(made) ^ {finding.rule_id})
        report = jobs.rebuilt(audit_id, token, choice)
        report_values(report, switches=switches_of(made, choice))
        took.append(time.perf_counter() - begin)
    return took


def main() -> None:
    """Switch every edit of every sample `--rounds` times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        jobs = Jobs(settings)
        everything: list[float] = []
        print(f"{'sample':34} {'switches':>8} {'p50 ms':>8} {'p95 ms':>8}")
        for name in sample_names():
            audit_id, token = run_to_end(jobs, name, settings)
            switch_all(jobs, audit_id, token)  # plotly and the rules load once
            took = [one for _ in range(rounds) for one in switch_all(jobs, audit_id, token)]
            everything += took
            if took:
                print(f"{name:34} {len(took):8} {_ms(took, 50):8.0f} {_ms(took, 95):8.0f}")
        jobs.close()
    found = {
        "switches": len(everything),
        "p50_ms": round(_ms(everything, 50), 1),
        "p95_ms": round(_ms(everything, 95), 1),
        "max_ms": round(max(everything) * 1000, 1),
    }
    print(json.dumps(found))


def _ms(took: list[float], percent: int) -> float:
    return 1000 * (statistics.quantiles(took, n=100)[percent - 1] if len(took) > 1 else took[0])


if __name__ == "__main__":
    main()
