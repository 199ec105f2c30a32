"""A local server that plays Hugging Face Jobs to the real client: it runs jobs, or plays a log."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from audit.records.measured import MeasuredRun
from runner.worker.order import Order

TOKEN = "hf_" + "Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz0Xc"
ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")


def machine(
    name: str,
    model: str = "",
    count: int = 1,
    vram: str = "",
    usd: float = 0.01,
    unit: str = "minute",
) -> dict[str, Any]:
    """One entry of the list of hardware, in the shape that the client reads."""
    part = {
        "type": "gpu", "model": model, "quantity": str(count), "vram": vram,
        "manufacturer": "Nvidia",
    }  # fmt: skip
    return {
        "name": name, "prettyName": name, "cpu": "2 vCPU", "ram": "16 GB",
        "accelerator": part if model else None, "unitCostMicroUSD": int(usd * 1e6),
        "unitCostUSD": usd, "unitLabel": unit,
    }  # fmt: skip


MACHINES = [
    machine("cpu-basic", usd=0.000167),
    machine("cpu-upgrade", usd=0.0005),
    machine("t4-small", "T4", 1, "16 GB", 0.0067),
    machine("l4x1", "L4", 1, "24 GB", 0.0133),
    machine("l4x4", "L4", 4, "96 GB", 0.0633),
    machine("a10g-large", "A10G", 1, "24 GB", 0.025),
    machine("a10g-small", "A10G", 1, "24 GB", 0.0167),
    machine("a10g-largex2", "A10G", 2, "48 GB", 0.05),
    machine("a100-large", "A100", 1, "80 GB", 0.0417),
    machine("h200", "H200", 1, "141 GB", 0.0833),
    machine("rtx-pro-6000", "RTX PRO 6000", 1, "96 GB", 0.05),
]
Play = Callable[["Job"], "tuple[list[str], str, str | None]"]
"""A job -> the lines of its log, its last stage, its message."""


@dataclass
class Job:
    """One job as the service keeps it."""

    id: str
    namespace: str
    spec: dict[str, Any]
    stage: str = "SCHEDULING"
    message: str | None = None
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    start: float = 0.0
    seconds: int | None = None

    def order(self) -> Order:
        """What the job was told, unpacked."""
        packed = b64decode(self.spec["environment"]["GOBLIN_PAYLOAD"])
        with zipfile.ZipFile(io.BytesIO(packed)) as folder:
            return Order.model_validate_json(folder.read("order.json"))

    def says(self, **event: Any) -> str:
        """A line with the job's own mark."""
        return json.dumps({"goblin": self.spec["environment"]["GOBLIN_MARK"], **event})

    def result(self, run: MeasuredRun, size: int = 500) -> list[str]:
        """The lines that hold a result."""
        plain = run.model_dump_json().encode()
        text = b64encode(zlib.compress(plain)).decode()
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        crc = zlib.crc32(plain)
        return [
            self.says(event="part", n=n, of=len(parts), crc=crc, data=part)
            for n, part in enumerate(parts)
        ]

    def info(self) -> dict[str, Any]:
        """As the service describes it."""
        return {
            "id": self.id,
            "owner": {"id": "1", "name": self.namespace, "type": "user"},
            "status": {"stage": self.stage, "message": self.message},
            "durations": {"schedulingSecs": 1, "runningSecs": self.seconds, "totalSecs": 1},
            "labels": self.spec.get("labels"),
            "flavor": self.spec["flavor"],
            "dockerImage": self.spec.get("dockerImage"),
        }


@dataclass
class Service:
    """What stands on the server, and how it misbehaves."""

    play: Play | None = None
    """None: jobs really run."""
    machines: list[dict[str, Any]] = field(default_factory=lambda: list(MACHINES))
    jobs: dict[str, Job] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuse: dict[str, list[int]] = field(default_factory=dict)
    """Part of `METHOD path` -> statuses of the next answers."""
    cut_logs: int = 0
    """So many readings of a log break off in the middle of a line."""
    start_then_fail: int = 0
    """Status that a start is answered with although the job was started."""
    bill: int | None = 90
    orgs: list[str] = field(default_factory=list)
    url: str = ""

    def only(self) -> Job:
        """The one job that there is."""
        (job,) = self.jobs.values()
        return job


@contextmanager
def service(**given: Any) -> Iterator[Service]:
    """A running service on loopback."""
    state = Service(**given)

    class Handler(_Handler):
        here = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        for job in state.jobs.values():
            if job.process is not None:
                job.process.kill()
                job.process.wait()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    here: Service

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _open(self) -> list[str] | None:
        """The parts of the path; None where the request was refused."""
        line = f"{self.command} {self.path}"
        self.here.asked.append(line)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "who are you"})
            return None
        for part, statuses in self.here.refuse.items():
            if part in line and statuses:
                self._answer(statuses.pop(0), {"error": "no"})
                return None
        return urlsplit(self.path).path.strip("/").split("/")[1:]

    def do_GET(self) -> None:
        match self._open():
            case None:
                return
            case ["whoami-v2"]:
                orgs = [{"name": name} for name in self.here.orgs]
                self._answer(200, {"name": "ada", "type": "user", "orgs": orgs})
            case ["jobs", "hardware"]:
                self._answer(200, self.here.machines)
            case ["jobs", namespace]:
                self._list(namespace)
            case ["jobs", namespace, job_id, *what]:
                job = self.here.jobs.get(job_id)
                if job is None or job.namespace != namespace:
                    self._answer(404, {"error": "no such job"})
                elif what:
                    self._stream(job, what[0])
                else:
                    self._answer(200, job.info())

    def _list(self, namespace: str) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        labels = dict(text.split("=", 1) for text in asked.get("label", []))
        self._answer(
            200,
            [
                job.info()
                for job in self.here.jobs.values()
                if job.namespace == namespace
                and job.stage in asked.get("stage", [job.stage])
                and labels.items() <= job.spec["labels"].items()
            ],
        )

    def _stream(self, job: Job, what: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if what == "metrics":
            card = {"utilization": 50, "memory_used_bytes": 2e9, "memory_total_bytes": 24e9}
            self.wfile.write(f"data: {json.dumps({'gpus': {'a': card}})}\n\n".encode())
            return
        sent, cut = 0, self.here.cut_logs > 0
        self.here.cut_logs -= cut
        while True:
            over = job.stage in ENDED
            for line in job.lines[sent:]:
                told = {"data": line, "timestamp": "2026-01-01T00:00:00.000Z"}
                text = f"data: {json.dumps(told)}\n\n"
                if cut and sent == 1:
                    self.wfile.write(text[: len(text) // 2].encode())
                    return
                self.wfile.write(text.encode())
                self.wfile.flush()
                sent += 1
            if over:
                return
            time.sleep(0.05)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self._open():
            case None:
                return
            case ["jobs", namespace]:
                self._start(namespace, json.loads(body))
            case ["jobs", _, job_id, "cancel"]:
                job = self.here.jobs[job_id]
                if job.stage in ENDED:
                    self._answer(409, {"error": "it has ended"})
                    return
                if job.process is not None:
                    job.process.kill()
                _end(job, "CANCELED", None, self.here.bill)
                self._answer(200, {})

    def _start(self, namespace: str, spec: dict[str, Any]) -> None:
        if spec["flavor"] not in [one["name"] for one in self.here.machines]:
            self._answer(404, {"error": "no such flavor"})
            return
        job = Job(f"{len(self.here.jobs):024x}", namespace, spec)
        self.here.jobs[job.id] = job
        threading.Thread(target=_work, args=(job, self.here), daemon=True).start()
        if self.here.start_then_fail:
            self._answer(self.here.start_then_fail, {"error": "no"})
        else:
            self._answer(200, job.info())


def _end(job: Job, stage: str, message: str | None, seconds: int | None) -> None:
    job.message, job.seconds, job.stage = message, seconds, stage


def _work(job: Job, here: Service) -> None:
    """The job's life."""
    job.stage, job.start = "RUNNING", time.monotonic()
    if here.play is not None:
        lines, stage, message = here.play(job)
        job.lines += lines
        if stage != "RUNNING" and job.stage == "RUNNING":
            _end(job, stage, message, here.bill)
        return
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    job.process = subprocess.Popen(
        [sys.executable, *job.spec["command"][1:]],
        env={**given, **job.spec["environment"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
    )
    for line in job.process.stdout or ():
        job.lines.append(line.rstrip("\n"))
    if job.process.stdout is not None:
        job.process.stdout.close()
    code = job.process.wait()
    if job.stage == "RUNNING":
        _end(job, "ERROR" if code else "COMPLETED", None, int(time.monotonic() - job.start) + 1)
