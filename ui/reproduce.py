"""How to get the same report again: command, versions, seed, and the digests of the files."""

from __future__ import annotations

import shlex
from html import escape

from agent.finished.rebuild import EditChoice, followed
from audit.records.report import Report
from ui.marks import copy_button
from ui.run_it import patch_name

OWN = ("goblin", "kb", "estimator")
NAMES = {"goblin": "GPU Goblin", "kb": "Rules", "estimator": "Estimator"}


def audit_command(report: Report) -> str:
    """The command line that audits the same files on the same card, read in the same way."""
    wishes, runner = _wishes(report), _runner(report)
    if runner == "local":
        wishes = wishes[2:]  # the card is the machine's own
    asked = ["--runner", runner] if runner != "fake" else []
    return shlex.join(["python", "-m", "agent", "audit", *_files(report), *asked, *wishes])


def patch_command(report: Report) -> str:
    """The command line that writes exactly the edits of this report."""
    rules = ",".join(sorted(followed(report)))
    asked = [*_files(report), *_wishes(report), "--rules", rules]
    return f"{shlex.join(['python', '-m', 'agent', 'patch', *asked])} > " + shlex.quote(
        patch_name(report.workload_name)
    )


def _files(report: Report) -> list[str]:
    return [file.name for file in report.files] or [report.workload_name]


def _runner(report: Report) -> str:
    """Who gave the figures."""
    runs = {arm.runner for arm in (report.before, report.after) if arm is not None}
    return next(iter(sorted(runs - {"fake"})), "fake")


def _wishes(report: Report) -> list[str]:
    hardware, lengths = report.hardware, report.lengths
    asked = ["--hardware", hardware.id]
    if hardware.gpus != 1:
        asked += ["--gpus", str(hardware.gpus)]
    if hardware.nodes != 1:
        asked += ["--nodes", str(hardware.nodes)]
    if report.versions_origin == "stated":
        stated = {name: one for name, one in report.versions.items() if name not in OWN}
        asked += ["--versions", ",".join(f"{name}={one}" for name, one in stated.items())]
    if lengths is not None and lengths.origin == "stated":
        asked += ["--lengths", f"p50={lengths.p50},p95={lengths.p95},max={lengths.max}"]
    if any(edit.applied and edit.semantics == "dynamics" for edit in report.patch.edits):
        asked += ["--include", "neutral,numerics,dynamics"]
    return asked


def reproduce_part(report: Report, choice: EditChoice | None = None) -> str:
    """The card; `choice` is what the owner switched, which needs a command of its own."""
    lines = [audit_command(report)]
    if choice and report.patch.diff:
        lines.append(patch_command(report))
    read = ", ".join(
        f"{name} {version}" for name, version in report.versions.items() if name not in OWN
    )
    ran = _runner(report) != "fake"
    seed = "0, the data order of both runs" if ran else "none: a projection draws nothing"
    rows = [
        (f"Defaults of ({report.versions_origin})", escape(read or "none needed")),
        *((NAMES[name], escape(report.versions.get(name, "unknown"))) for name in OWN),
        ("Seed", seed),
        *(
            (f"SHA-256 of {escape(file.name)}", f"<code>{file.sha256}</code>")
            for file in report.files
        ),
    ]
    table = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        '<section class="gg-section" id="gg-reproduce"><header><h2>Reproduce this</h2><p>The same '
        "files and versions give the same findings, patch and projections.</p></header>"
        '<div class="gg-card gg-again-card"><div class="gg-bar"><h3>On the command line</h3>'
        f'<span class="gg-right">{copy_button("gg-again-text", described="Copy these commands")}'
        '</span></div><pre class="gg-commands" id="gg-again-text" tabindex="0" role="region" '
        f'aria-label="Commands to reproduce">{escape(chr(10).join(lines))}</pre>'
        f"<dl>{table}</dl></div></section>"
    )
