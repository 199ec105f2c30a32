"""A crowd on one server: 20 visitors at once through the real queue, then 2,000 audits in a row.

Starts `python app.py` on 127.0.0.1 and talks to it as gradio_client sessions, as many visitors as
asked, each with a value of its own planted in its file. Counts errors and answers that hold
another's value; times a report, `GET /config` meanwhile, and the others while one visitor asks for
twenty at once; then looks for memory, threads, descriptors and temporary files that stay.

    python benchmarks/space_load.py [--visitors 20] [--rounds 5] [--audits 2000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FILE = """\
base_model: meta-llama/Llama-3.1-8B
datasets:
  - path: mhenrichsen/alpaca_2k_test
    type: alpaca
output_dir: ./{mark}
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
sequence_len: 2048
sample_packing: false
micro_batch_size: 1
gradient_accumulation_steps: 8
max_steps: {steps}
optimizer: adamw_torch_fused
learning_rate: 2e-4
bf16: true
tf32: true   # {mark}
gradient_checkpointing: true
flash_attention: true
"""
ANSWERS_WITHIN = 300.0
"""Seconds for the server to start."""


class Answer(NamedTuple):
    """What came back for one audit."""

    seconds: float
    error: str
    crossed: bool
    """The answer lacks the visitor's own value, or holds that of another."""


class Held(NamedTuple):
    """What the server's process holds."""

    rss_mb: float
    threads: int
    descriptors: int
    temporary: int
    """Files under its folder for temporary files."""


class Server(NamedTuple):
    """The app under load."""

    url: str
    pid: int
    folder: Path

    def cpu_s(self) -> float:
        """CPU seconds of the server so far: a figure that a busy machine does not change much."""
        spent = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def held(self) -> Held:
        """Read from /proc; memory once the last requests have settled."""
        time.sleep(2)
        status = Path(f"/proc/{self.pid}/status").read_text()
        rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        folders = (self.folder / "tmp", self.folder / "data" / "page")
        return Held(
            int(rss.split()[1]) / 1024,
            len(list(Path(f"/proc/{self.pid}/task").iterdir())),
            len(list(Path(f"/proc/{self.pid}/fd").iterdir())),
            sum(path.is_file() for folder in folders for path in folder.rglob("*")),
        )


@contextmanager
def serving() -> Iterator[Server]:
    """The app with its own folders and the limits of a Space, on loopback alone."""
    with tempfile.TemporaryDirectory(prefix="goblin-load-") as place, socket.socket() as probe:
        folder = Path(place)
        (folder / "tmp").mkdir()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GOBLIN_", "GRADIO_", "SPACE_", "HF_")) and "KEY" not in name
        } | {
            "GRADIO_SERVER_PORT": str(port),
            "GOBLIN_DATA_DIR": str(folder / "data"),
            "GOBLIN_VISITOR_AUDITS": "20",
            "GOBLIN_ARCHIVE": str(folder / "archive"),
            "TMPDIR": str(folder / "tmp"),
        }
        with (folder / "app.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        server = Server(f"http://127.0.0.1:{port}", process.pid, folder)
        try:
            _wait(server.url, process)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            said = (folder / "app.log").read_text()
            if "Traceback" in said or process.returncode not in (0, 130, -2):
                print(f"the app ended with {process.returncode}: {said[-3000:]}", file=sys.stderr)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + ANSWERS_WITHIN
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/config", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    sys.exit("the app did not start")


class Visitor:
    """One session of gradio_client with a value of its own."""

    def __init__(self, url: str, number: int) -> None:
        from gradio_client import Client

        self._client = Client(url, verbose=False)
        self.mark = f"mark{number:04d}x{secrets.token_hex(6)}"
        self.steps = 10_000 + number

    def submit(self) -> Callable[[tuple[str, ...]], Answer]:
        """Ask for an audit; what is returned waits for it and checks it against others' marks."""
        start = time.perf_counter()
        text = FILE.format(mark=self.mark, steps=self.steps)
        job = self._client.submit(files={f"{self.mark}.yml": text}, api_name="/audit")
        ended: list[float] = []
        job.add_done_callback(lambda _: ended.append(time.perf_counter()))

        def wait(others: tuple[str, ...]) -> Answer:
            try:
                answer = job.result(timeout=120)
            except Exception as error:
                return Answer(
                    time.perf_counter() - start, f"{type(error).__name__}: {error}", False
                )
            seconds = (ended[0] if ended else time.perf_counter()) - start
            said = json.dumps(answer)
            own = answer["report"]["fields"]["max_steps"]["value"] == self.steps
            crossed = not own or self.mark not in said or any(one in said for one in others)
            return Answer(seconds, "", crossed)

        return wait

    def audit(self, others: tuple[str, ...]) -> Answer:
        """One audit, from asking to the report."""
        return self.submit()(others)


class Health:
    """GET /config all the while, from a process of its own; latencies in milliseconds."""

    def __init__(self, url: str) -> None:
        self.latencies: list[float] = []
        context = multiprocessing.get_context("spawn")
        self._over, self._said = context.Event(), context.Queue()
        self._process = context.Process(
            target=_watch, args=(f"{url}/config", self._over, self._said)
        )

    def __enter__(self) -> Health:
        self._process.start()
        self._said.get(timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.latencies = self._said.get(timeout=60)
        self._process.join()


def _watch(url: str, over: Any, said: Any) -> None:
    said.put("watching")
    latencies = []
    while not over.wait(0.05):
        start = time.perf_counter()
        with urllib.request.urlopen(url, timeout=30) as answer:
            answer.read()
        latencies.append((time.perf_counter() - start) * 1000)
    said.put(latencies)


def p95(values: list[float]) -> float:
    """The value that 95% do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else 0.0


def crowd(visitors: list[Visitor], rounds: int) -> list[Answer]:
    """All visitors at once, `rounds` times, each round begun together."""
    answers: list[Answer] = []
    marks = {one.mark for one in visitors}
    with ThreadPoolExecutor(len(visitors)) as pool:
        for _ in range(rounds):
            ready = threading.Barrier(len(visitors))

            def one(visitor: Visitor, ready: threading.Barrier = ready) -> Answer:
                ready.wait()
                return visitor.audit(tuple(marks - {visitor.mark}))

            answers += pool.map(one, visitors)
    return answers


def greedy(visitors: list[Visitor]) -> tuple[list[Answer], list[Answer]]:
    """One visitor asks for twenty at once; a moment later each other asks for one."""
    marks = {one.mark for one in visitors}
    first, *others = visitors
    many = [first.submit() for _ in range(20)]
    time.sleep(0.1)
    with ThreadPoolExecutor(len(others)) as pool:
        told = list(pool.map(lambda one: one.audit(tuple(marks - {one.mark})), others))
    return [wait(tuple(marks - {first.mark})) for wait in many], told


def steady(visitors: list[Visitor], audits: int) -> list[Answer]:
    """`audits` audits, four visitors at a time."""
    with ThreadPoolExecutor(4) as pool:
        return list(
            pool.map(lambda number: visitors[number % len(visitors)].audit(()), range(audits))
        )


def measure(given: argparse.Namespace) -> dict[str, float | int]:
    """Run all phases; returns the figures."""
    with serving() as server:
        visitors = [Visitor(server.url, number) for number in range(given.visitors)]
        for visitor in visitors[:2]:
            visitor.audit(())
        cpu = server.cpu_s()
        with Health(server.url) as health:
            answers = crowd(visitors, given.rounds)
            cpu = (server.cpu_s() - cpu) / len(answers)
            many, others = greedy(visitors)
        done = given.visitors * given.rounds + 22 + len(others)
        early = steady(visitors, max(0, 200 - done))
        before = server.held()
        late = steady(visitors, max(0, given.audits - 200))
        after = server.held()
    everything = [*answers, *many, *others, *early, *late]
    faults = [answer.error for answer in everything if answer.error]
    for fault in sorted(set(faults))[:5]:
        print(f"error: {fault}", file=sys.stderr)
    return {
        "visitors": given.visitors,
        "audits": len(everything),
        "errors": len(faults),
        "cross_talk": sum(answer.crossed for answer in everything),
        "p50_s": round(sorted(answer.seconds for answer in answers)[len(answers) // 2], 3),
        "p95_s": round(p95([answer.seconds for answer in answers]), 3),
        "cpu_s_per_audit": round(cpu, 4),
        "health_p95_ms": round(p95(health.latencies), 1),
        "health_asked": len(health.latencies),
        "greedy_last_s": round(max(answer.seconds for answer in many), 3),
        "others_p95_s": round(p95([answer.seconds for answer in others]), 3),
        "rss_200_mb": round(before.rss_mb, 1),
        "rss_growth_mb": round(after.rss_mb - before.rss_mb, 1),
        "threads_growth": after.threads - before.threads,
        "descriptors_growth": after.descriptors - before.descriptors,
        "temporary_growth": after.temporary - before.temporary,
        "load_average": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="reports per visitor in the crowd")
    parser.add_argument("--audits", type=int, default=2000, help="in all, for memory")
    figures = measure(parser.parse_args())
    for name, value in figures.items():
        print(f"{name:<20} {value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
