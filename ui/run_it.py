"""The copyable block: variables to export, the patch to apply, the line that starts the run."""

from __future__ import annotations

import re
import shlex
from html import escape

from audit.records.report import Report
from ui.marks import copy_button


def patch_name(workload_name: str) -> str:
    """The file name of the downloaded patch: `config.yml` gives `config.patch`."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", workload_name.rsplit(".", 1)[0]).strip("-.")
    return f"{stem or 'goblin'}.patch"


def commands(report: Report) -> str:
    """What to type in the repository that holds the file, one command a line."""
    patch = report.patch
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(patch.env.items())]
    if patch.diff:
        lines.append(f"git apply {shlex.quote(patch_name(report.workload_name))}")
    if patch.launch:
        lines.append(patch.launch)
    return "\n".join(lines)


def run_it_part(report: Report) -> str:
    """The card with the commands; empty where there is nothing to set, apply or start."""
    text = commands(report)
    if not text:
        return ""
    copy = copy_button("gg-commands", described="Copy the commands")
    return (
        f'<section class="gg-card gg-run-it"><header class="gg-bar"><h3>Run it</h3>'
        f'<span class="gg-muted">in your repository, on the GPU box</span>'
        f'<span class="gg-right">{copy}</span></header>'
        '<pre class="gg-commands" id="gg-commands" tabindex="0" role="region" '
        f'aria-label="Commands">{escape(text)}</pre></section>'
    )
