"""`python -m runner.worker`: one order per line in, JSON lines out, the result of each at its end.

`--order FILE` runs the one order of a file. The hosts stay between orders, so the imports are paid
once. When standard input ends, so does everything that was started here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.worker.hosts import Hosts
from runner.worker.job import Job
from runner.worker.order import Order


def emit(event: dict[str, Any]) -> None:
    """One line on standard output, at once."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def do(line: str, hosts: Hosts) -> None:
    """One order to its result; a malformed one is answered with why."""
    try:
        asked = json.loads(line)
        if asked.get("do") == "probe":
            host = hosts.serve({"baseline": asked.get("env", {})}, 1, None)["baseline"]
            manifest = host.ask(300.0, do="hello")["manifest"]
            rates = host.ask(120.0, do="probe")["rates"]
            emit({"event": "probe", "manifest": manifest, "rates": rates})
            return
        order = Order.model_validate(asked)
    except (ValueError, ValidationError) as error:
        emit({"event": "error", "text": f"not an order: {str(error).splitlines()[0]}"})
        return
    run = Job(order, hosts, emit).run()
    emit({"event": "result", "run": run.model_dump(mode="json")})


def serve(hosts: Hosts) -> None:
    """Orders from standard input, read in a thread of their own so that its end is seen at once."""
    lines: list[str] = []
    news = threading.Condition()
    over = threading.Event()

    def read() -> None:
        for line in sys.stdin:
            with news:
                lines.append(line)
                news.notify()
        over.set()
        hosts.close()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while not over.is_set():
        with news:
            news.wait_for(lambda: lines)
            line = lines.pop(0)
        if line.strip():
            do(line, hosts)


def main() -> None:
    """Serve, or run one file."""
    parser = argparse.ArgumentParser(prog="python -m runner.worker", description=__doc__)
    parser.add_argument("--order", metavar="FILE", help="run the order in FILE and end")
    given = parser.parse_args()
    hosts = Hosts()
    try:
        if given.order:
            do(Path(given.order).read_text(encoding="utf-8"), hosts)
        else:
            serve(hosts)
    finally:
        hosts.close()


if __name__ == "__main__":
    main()
