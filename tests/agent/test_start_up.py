"""What a command imports: nothing heavy, and --help nothing of the audit at all."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from agent.report import VERSION
from tests.agent.training_files import AXOLOTL, written

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "numpy", "libcst", "gradio", "plotly", "pandas", "anthropic", "huggingface_hub", "torch",
    "transformers", "asyncio", "typer", "rich", "httpx", "multiprocessing",
}  # fmt: skip
SAYS = """
import json, sys
from agent.__main__ import main
status = main(sys.argv[1:])
print(json.dumps({"status": status, "modules": sorted(sys.modules)}))
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SAYS, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["status"] == 0, done.stderr
    return set(said["modules"])


def test_an_audit_of_a_config_imports_nothing_heavy(tmp_path: Path) -> None:
    modules = imported("audit", str(written(tmp_path, "a.yml", AXOLOTL)))
    assert not HEAVY & modules
    assert {"agent.loop", "workload.read", "kb.match", "runner.fake"} <= modules


def test_help_imports_no_room() -> None:
    modules = imported("--help")
    assert not (HEAVY | {"pydantic", "yaml", "sqlite3"}) & modules
    rooms = {name.split(".")[0] for name in modules} & {"workload", "kb", "runner", "ui"}
    assert not rooms


def test_the_version_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
