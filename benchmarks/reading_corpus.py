"""Reads every notebook, script and launcher of some repositories: no crash, and how fast.

`python -m benchmarks.reading_corpus REPO...` takes checkouts or bare git directories. Nothing in
them is run. Prints a table for people and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.read import read_workload

ENDINGS = (".ipynb", ".py", ".sh", ".bash", ".slurm", ".sbatch")


def files(repo: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every such file of a checkout or a bare git directory."""
    if not (repo / "HEAD").is_file():
        for path in sorted(repo.rglob("*")):
            if path.suffix in ENDINGS and path.is_file():
                yield path.relative_to(repo).as_posix(), path.read_bytes()
        return
    git = ["git", f"--git-dir={repo}"]
    listed = subprocess.run(
        [*git, "ls-tree", "-r", "-z", "--name-only", "HEAD"], capture_output=True, check=True
    )
    for name in listed.stdout.decode("utf-8", "surrogateescape").split("\0"):
        if name.endswith(ENDINGS):
            shown = subprocess.run([*git, "show", f"HEAD:{name}"], capture_output=True, check=False)
            if shown.returncode == 0:
                yield name, shown.stdout


def kind(name: str) -> str:
    """notebook, script or launcher."""
    ending = name.rpartition(".")[2]
    return {"ipynb": "notebook", "py": "script"}.get(ending, "launcher")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("repos", type=Path, nargs="+", help="checkouts or bare git directories")
    given = parser.parse_args()
    count: Counter[str] = Counter()
    seconds: list[tuple[float, str]] = []
    trained: list[float] = []
    for repo in given.repos:
        if not repo.is_dir():
            print(f"skipped: {repo} is not there")
            continue
        count["repositories"] += 1
        for name, data in files(repo):
            if not data.strip():
                continue
            count[kind(name)] += 1
            started = time.perf_counter()
            try:
                read_workload([Upload(name.rpartition("/")[2], data)])
                count[f"{kind(name)} read"] += 1
                trained.append(time.perf_counter() - started)
            except InputError:
                count[f"{kind(name)} refused with a message"] += 1
            except Exception:  # a crash is what is counted here
                count["crashes"] += 1
                print(f"{repo.parent.name}: {name}\n{traceback.format_exc(limit=-3)}")
            seconds.append((time.perf_counter() - started, f"{repo.parent.name}/{name}"))
    slowest, where = max(seconds, default=(0.0, ""))
    found = {
        **dict(sorted(count.items())),
        "crashes": count["crashes"],
        "median_ms": round(statistics.median(one for one, _ in seconds) * 1000, 1),
        "median_read_ms": round(statistics.median(trained) * 1000, 1) if trained else None,
        "slowest_ms": round(slowest * 1000, 1),
        "slowest": where,
    }
    for name, value in found.items():
        print(f"{name:36} {value}")
    print(json.dumps(found))
    return 1 if count["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main())
