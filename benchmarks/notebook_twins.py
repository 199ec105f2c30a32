"""Reads notebooks and the scripts that were generated from them: both must say the same.

`python -m benchmarks.notebook_twins REPO` takes a checkout (or a bare git directory) that holds
`nb/NAME.ipynb` beside `python_scripts/NAME.py`. Nothing of it is run. Prints a table for people
and one JSON object as the last line.

Counted twice. `same_share` leaves out variables that the generator turned into comments: the script
does not set them, and a reader that said so would invent them. `same_share_strict` counts them.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.read import read_workload

NOTEBOOKS, SCRIPTS = "nb", "python_scripts"
ENOUGH_STATED = 12


def files(repo: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every notebook and script of a checkout or a bare git directory."""
    if (repo / NOTEBOOKS).is_dir():
        for path in sorted(repo.glob("*/*")):
            if path.suffix in (".ipynb", ".py"):
                yield path.relative_to(repo).as_posix(), path.read_bytes()
        return
    command = ["git", f"--git-dir={repo}", "archive", "HEAD", NOTEBOOKS, SCRIPTS]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield member.name, stream.read()


def pairs(repo: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, notebook and script of every notebook that has its script."""
    held = dict(files(repo))
    for path, data in held.items():
        name = PurePosixPath(path)
        twin = f"{SCRIPTS}/{name.stem}.py"
        if name.parts[0] == NOTEBOOKS and name.suffix == ".ipynb" and twin in held:
            yield name.stem, data, held[twin]


def read(name: str, data: bytes) -> Workload | InputError:
    """What a file reads as, or why it does not."""
    try:
        return read_workload([Upload(name, data)])
    except InputError as error:
        return error


def left_out(notebook: Workload, script: bytes) -> set[str]:
    """Variables that the notebook sets, and the script made of it only in a comment.

    The generator turns whole cells that install packages into comments, what they set included.
    """
    lines = script.decode("utf-8", "replace").splitlines()
    found = set()
    for name in notebook.fields:
        word = name.removeprefix("env:")
        setting = [line for line in lines if word in line and ("environ" in line or "env" in line)]
        if name.startswith("env:") and setting and all(line.startswith("#") for line in setting):
            found.add(name)
    return found


def differences(one: Workload, other: Workload, left_out: set[str]) -> list[str]:
    """Fields that two readings do not share, with both values; `env` is its variables anew."""
    found = []
    for name in sorted(one.fields.keys() | other.fields.keys()):
        if name == "env" or name in left_out:
            continue
        first, second = one.fields.get(name), other.fields.get(name)
        said = [(held.value, held.origin) if held else None for held in (first, second)]
        if said[0] != said[1]:
            found.append(f"{name}: notebook {said[0]}, script {said[1]}")
    return found


def compare(repo: Path, *, show: int) -> dict[str, object]:
    """Compares every pair; prints up to `show` differences."""
    count: Counter[str] = Counter()
    seconds: list[float] = []
    for name, notebook, script in pairs(repo):
        count["pairs"] += 1
        started = time.perf_counter()
        mine = read(f"{name}.ipynb", notebook)
        seconds.append(time.perf_counter() - started)
        twin = read(f"{name}.py", script)
        unset = left_out(mine, script) if isinstance(mine, Workload) else set()
        count["with_variables_left_out"] += bool(unset)
        problems = _judge(mine, twin, unset, count)
        if problems and show > 0:
            show -= 1
            print(f"{name}: {'; '.join(problems)[:600]}")
    trained = count["trainers"]
    return {
        **count,
        "same_share": round(count["same"] / trained, 4) if trained else None,
        "same_share_strict": round(count["same_strict"] / trained, 4) if trained else None,
        "enough_stated_share": round(count["enough_stated"] / trained, 4) if trained else None,
        "median_ms": round(statistics.median(seconds) * 1000, 1) if seconds else None,
        "slowest_ms": round(max(seconds) * 1000, 1) if seconds else None,
    }


def _judge(
    mine: Workload | InputError,
    twin: Workload | InputError,
    unset: set[str],
    count: Counter[str],
) -> list[str]:
    """Counts one pair and says what differs."""
    if isinstance(mine, InputError) and isinstance(twin, InputError):
        count["both_refused"] += 1
        same = mine.reason.partition(";")[0].replace("notebook", "script") == (
            twin.reason.partition(";")[0].replace("notebook", "script")
        )
        count["same_answer"] += same
        return [] if same else [f"notebook: {mine.reason}", f"script: {twin.reason}"]
    if isinstance(mine, InputError) or isinstance(twin, InputError):
        count["only_one_read"] += 1
        held = mine if isinstance(mine, InputError) else twin
        return [f"only one is read: {held.reason if isinstance(held, InputError) else ''}"]
    count["trainers"] += 1
    problems = differences(mine, twin, unset)
    count["same"] += not problems
    count["same_strict"] += not differences(mine, twin, set())
    stated = sum(value.origin == "stated" for value in mine.fields.values())
    count["enough_stated"] += stated >= ENOUGH_STATED
    if stated < ENOUGH_STATED:
        problems.append(f"only {stated} stated fields")
    return problems


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("repo", type=Path, help="checkout or bare git directory with the pairs")
    parser.add_argument("--show", type=int, default=20, help="pairs that differ to print")
    given = parser.parse_args()
    if not given.repo.is_dir():
        print(f"skipped: {given.repo} is not there; fetch unslothai/notebooks first")
        return 0
    found = compare(given.repo, show=given.show)
    for name, value in found.items():
        print(f"{name:20} {value}")
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
