"""The usual launch line of a framework for the patched file, shown and never run.

Sources: axolotl README (`axolotl train FILE`), LLaMA-Factory README (`llamafactory-cli train FILE`,
`FORCE_TORCHRUN=1` for several GPUs), accelerate docs (`accelerate launch --num_processes N FILE`).
"""

from __future__ import annotations

from shlex import quote

from audit.records.workload import Workload


def launch_line(workload: Workload, gpus: int) -> str | None:
    """What one types to train with this file on one node; None where there is no usual line."""
    file = quote(workload.name)
    if workload.format.startswith("axolotl"):
        return f"axolotl train {file}"
    if workload.format.startswith("llamafactory"):
        several = "FORCE_TORCHRUN=1 " if gpus > 1 else ""
        return f"{several}llamafactory-cli train {file}"
    if workload.format.startswith("py_"):
        return f"accelerate launch --num_processes {gpus} {file}" if gpus > 1 else f"python {file}"
    return None
