"""Reads every notebook, script and launcher of some repositories: no crash, and how fast.

`python -m benchmarks.reading_corpus REPO...` takes checkouts or bare git directories. Nothing in
them is run. Times are of the processor, so that a busy machine counts little. Prints a table for
people and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
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

LIMIT_S = 1.0
"""No file should take longer."""
ENDINGS = (".ipynb", ".py", ".sh", ".bash", ".slurm", ".sbatch")


def files(repo: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every such file of a checkout or a bare git directory."""
    if not (repo / "HEAD").is_file():
        for path in sorted(repo.rglob("*")):
            if path.suffix in ENDINGS and path.is_file():
                yield path.relative_to(repo).as_posix(), path.read_bytes()
        return
    git = ["git", f"--git-dir={repo}"]
    listed = subprocess.run([*git, "ls-tree", "-r", "-z", "HEAD"], capture_output=True, check=True)
    command = [*git, "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for line in listed.stdout.decode("utf-8", "surrogateescape").split("\0"):
            about, _, name = line.partition("\t")
            if name.endswith(ENDINGS) and about.startswith("100"):
                reader.stdin.write(f"{about.split()[2]}\n".encode())
                reader.stdin.flush()
                head = reader.stdout.readline().split()
                if len(head) == 3:  # a blob that the snapshot holds
                    yield name, reader.stdout.read(int(head[2]) + 1)[:-1]
        reader.stdin.close()


def kind(name: str) -> str:
    """notebook, script or launcher."""
    ending = name.rpartition(".")[2]
    return {"ipynb": "notebook", "py": "script"}.get(ending, "launcher")


def share(seconds: list[float], part: float) -> float:
    """The time that this part of all files stays below, in milliseconds."""
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000, 1)


def times(taken: dict[str, list[tuple[float, str]]]) -> dict[str, dict[str, object]]:
    """Of every kind of file and of all: how many, median, p95, slowest, in milliseconds of CPU."""
    found = {}
    for name, held in {**taken, "all": [one for some in taken.values() for one in some]}.items():
        seconds = [one for one, _ in held]
        if seconds:
            found[name] = {
                "n": len(seconds),
                "median_ms": share(seconds, 0.5),
                "p95_ms": share(seconds, 0.95),
                "p99_ms": share(seconds, 0.99),
                "slowest_ms": round(max(seconds) * 1000, 1),
                "slowest": max(held)[1],
                "over_a_second": sum(one >= LIMIT_S for one in seconds),
            }
    return found


def read_all(repos: list[Path], count: Counter[str]) -> dict[str, list[tuple[float, str]]]:
    """(seconds of CPU, repository and path) of every file by kind; counts what became of each."""
    taken: dict[str, list[tuple[float, str]]] = {}
    for repo in repos:
        if not repo.is_dir():
            print(f"skipped: {repo} is not there")
            continue
        count["repositories"] += 1
        for name, data in files(repo):
            if not data.strip():
                continue
            started = time.process_time()
            try:
                read_workload([Upload(name.rpartition("/")[2], data)])
                count[f"{kind(name)} read"] += 1
            except InputError:
                count[f"{kind(name)} refused with a message"] += 1
            except Exception:  # a crash is what is counted here
                count["crashes"] += 1
                print(f"{repo.parent.name}: {name}\n{traceback.format_exc(limit=-3)}")
            spent = time.process_time() - started
            taken.setdefault(kind(name), []).append((spent, f"{repo.parent.name}/{name}"))
    return taken


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("repos", type=Path, nargs="+", help="checkouts or bare git directories")
    parser.add_argument("--show", type=int, default=5, help="slowest files to print")
    given = parser.parse_args()
    count: Counter[str] = Counter()
    taken = read_all(given.repos, count)
    slowest = sorted((one for held in taken.values() for one in held), reverse=True)
    for seconds, name in slowest[: given.show]:
        print(f"{seconds * 1000:8.1f} ms  {name}")
    found = times(taken)
    print(f"{'':10} {'n':>6} {'median':>8} {'p95':>8} {'p99':>8} {'slowest':>8}  ms of CPU")
    for name, row in found.items():
        figures = " ".join(
            f"{row[key]:>8}" for key in ("median_ms", "p95_ms", "p99_ms", "slowest_ms")
        )
        print(f"{name:10} {row['n']:>6} {figures}")
    for name, number in sorted(count.items()):
        print(f"{name:36} {number}")
    print(json.dumps({**dict(sorted(count.items())), "crashes": count["crashes"], "times": found}))
    return 1 if count["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main())
