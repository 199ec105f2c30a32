"""Times reading: every sample file in one warm process, by format.

`python benchmarks/parse_speed.py [--rounds 3] [--scripts DIR]` prints a table and, as its last
line, one JSON object. Files: `../shared/configs` beside the checkout where it is there, else
`tests/workload/golden`; with `--scripts` the Python scripts, notebooks and launch scripts under a
folder, such as clones of repositories, where a crash ends in exit status 1. A file's time is the
fastest of its rounds, so that a busy machine counts little; the first round fills the caches and
counts nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.read import read_workload

SHARED = ROOT.parent / "shared" / "configs"
GOLDEN = ROOT / "tests" / "workload" / "golden"
SCRIPTS = ROOT / "tests" / "workload" / "scripts"
LIMITS = {"median_ms": 15.0, "slowest_ms": 300.0}
SCRIPT_LIMITS = {"median_ms": 60.0, "slowest_ms": 1000.0}
SCRIPT_ENDINGS = (".py", ".ipynb", ".sh", ".slurm")
MAX_SCRIPT = 1_000_000
CRASHED = "crashed"
REFUSED = "refused"
"""Files that end in a message are timed as well."""


@dataclass(frozen=True)
class Speed:
    """Milliseconds of one format."""

    format: str
    files: int
    median_ms: float
    slowest_ms: float
    slowest: str


def samples() -> Iterator[Upload]:
    """The files to read, and the scripts that this checkout holds."""
    folder = SHARED if SHARED.is_dir() else GOLDEN
    endings = (".yml", ".yaml", ".json") if folder is SHARED else (".yml", ".yaml", ".txt")
    for path in sorted([*folder.rglob("*"), *SCRIPTS.glob("*.py.txt")]):
        if path.name.endswith(endings) or path.name.endswith(".py.txt"):
            name = path.name.removesuffix(".txt") if path.name.count(".") > 1 else path.name
            yield Upload(name, path.read_bytes())


def scripts_under(folder: Path) -> Iterator[Upload]:
    """The scripts and notebooks under a folder that are small enough to be uploaded."""
    for path in sorted(folder.rglob("*")):
        limit = MAX_SCRIPT * (5 if path.suffix == ".ipynb" else 1)
        if path.name.endswith(SCRIPT_ENDINGS) and path.is_file() and path.stat().st_size <= limit:
            yield Upload(path.name, path.read_bytes())


def read_once(upload: Upload) -> tuple[str, float]:
    """The format of a file, and the milliseconds until it was read or refused."""
    begin = time.perf_counter()
    try:
        format_id = read_workload([upload]).format
    except InputError:
        format_id = REFUSED
    except Exception as error:
        print(f"{upload.name}: {error!r}", file=sys.stderr)
        format_id = CRASHED
    return format_id, (time.perf_counter() - begin) * 1000


def measure(uploads: list[Upload], rounds: int) -> dict[str, list[tuple[float, str]]]:
    """(milliseconds, name) of every file, by format."""
    best: dict[int, tuple[str, float]] = {}
    for turn in range(rounds + 1):
        for at, upload in enumerate(uploads):
            format_id, taken = read_once(upload)
            if turn:
                fastest = min(taken, best[at][1]) if at in best else taken
                best[at] = (format_id, fastest)
    found: dict[str, list[tuple[float, str]]] = {}
    for at, (format_id, taken) in best.items():
        found.setdefault(format_id, []).append((taken, uploads[at].name))
    return found


def speed(format_id: str, taken: list[tuple[float, str]]) -> Speed:
    slowest, name = max(taken)
    median = statistics.median(milliseconds for milliseconds, _ in taken)
    return Speed(format_id, len(taken), round(median, 2), round(slowest, 2), name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of all files, after one unmeasured")
    parser.add_argument("--scripts", type=Path, help="a folder of scripts and notebooks to read")
    given = parser.parse_args()
    uploads = scripts_under(given.scripts) if given.scripts else samples()
    found = measure(list(uploads), given.rounds)
    rows = [speed(name, found[name]) for name in sorted(found)]
    rows.append(speed("all", [one for taken in found.values() for one in taken]))
    for row in rows:
        print(
            f"{row.format:20} {row.files:5}  median {row.median_ms:7.2f} ms"
            f"  slowest {row.slowest_ms:7.2f} ms  {row.slowest}"
        )
    total = rows[-1]
    limits = SCRIPT_LIMITS if given.scripts else LIMITS
    for name, limit in limits.items():
        value = getattr(total, name)
        print(f"{name:20} {value:8.2f}   limit {limit:g}: {'kept' if value < limit else 'MISSED'}")
    print(json.dumps({"formats": [asdict(row) for row in rows]}))
    sys.exit(1 if CRASHED in found else 0)


if __name__ == "__main__":
    main()
