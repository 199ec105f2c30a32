"""Injects mechanical faults into files and holds what the rules find against what they must.

`python -m tests.kb.injection ../shared/configs` puts each fault into up to 100 files and prints a
table; the exit status says whether both shares are met.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from kb.catalog.hardware import find_hardware
from kb.match import match_rules
from kb.rule import Rule
from kb.rulebook import load_rules
from runner.estimator.profile import profile_workload
from tests.kb.faults import FAULTS, Fault
from tests.kb.situations import upload
from workload.patch import edit_workload
from workload.read import read_workload

MOST = 100
FOUND, CLEAN = 0.95, 0.98
DERIVED = {
    "bf16": {"compute_dtype", "model_load_dtype"},
    "fp16": {"compute_dtype", "model_load_dtype"},
    "fp8": {"compute_dtype"},
    "per_device_train_batch_size": {"effective_batch"},
    "gradient_accumulation_steps": {"effective_batch"},
    "quant_bits": {"finetune_method"},
}
MEMORY = {
    "quant_bits", "optimizer", "gradient_checkpointing", "per_device_train_batch_size",
    "attn_implementation", "bf16", "fp16", "fp8", "packing", "padding_free", "model_id",
    "activation_offloading", "finetune_method", "tensor_parallel_size", "max_seq_len",
}  # fmt: skip
"""Fields that change what fits: rules that ask the projection see another one."""


class Result(NamedTuple):
    """What became of one fault in one file."""

    found: bool
    unrelated: frozenset[str]
    """Rules that appeared or vanished and have nothing to do with the fields that were changed."""


def inject(fault: Fault, uploads: tuple[Upload, ...], before: Workload) -> Result | None:
    """The fault in one file; None where it cannot be put there, or stands there already."""
    if not fault.where(before):
        return None
    was = _found(before, fault)
    if fault.rule in was:
        return None
    edits = [FieldEdit(field=name, value=value) for name, value in fault.edits.items()]
    edited = edit_workload(uploads, edits)
    made = (edited.workload.value(name) == value for name, value in fault.edits.items())
    if not all(made):
        return None
    now = _found(edited.workload, fault)
    changed = (was ^ now) - {fault.rule}
    return Result(fault.rule in now, frozenset(changed - related(fault)))


def _found(workload: Workload, fault: Fault) -> set[str]:
    card = find_hardware(fault.hardware)
    profile = profile_workload(workload, card, fault.gpus, 1)
    return {finding.rule_id for finding in match_rules(workload, profile, card).findings}


def related(fault: Fault) -> set[str]:
    """Rules that ask about a field which the fault changes, or edit one."""
    touched = {name for field in fault.edits for name in (field, *DERIVED.get(field, ()))}
    asks_fit = bool(touched & MEMORY)
    return {
        rule.id
        for rule in load_rules()
        if _asks(rule) & touched or (asks_fit and "profile" in _asks(rule))
    }


def _asks(rule: Rule) -> set[str]:
    text = " ".join([rule.applies, rule.when, *rule.let.values()])
    return set(re.findall(r"[a-z_0-9]+", text)) | {edit.field for edit in rule.edits}


Files = dict[str, list[tuple[Path, Workload]]]
"""Framework -> its files, as read."""


def read_files(folder: Path) -> Files:
    """All files of a folder that can be read."""
    kinds = {".yml", ".yaml", ".json", ".py", ".txt"}
    found: Files = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix not in kinds or path.name == "PROVENANCE.json":
            continue
        try:
            workload = read_workload((upload(path),))
        except InputError:
            continue
        found[workload.framework].append((path, workload))
    return found


def run(fault: Fault, files: Files, most: int = MOST) -> list[Result]:
    """The fault in up to `most` files."""
    results: list[Result] = []
    for framework in fault.frameworks.split():
        for path, workload in files.get(framework, []):
            if len(results) < most:
                result = inject(fault, (upload(path),), workload)
                results += [result] if result is not None else []
    return results


def table(folder: Path, most: int = MOST) -> tuple[str, float, float]:
    """All faults in a folder as Markdown, the share found and the share without side findings."""
    files = read_files(folder)
    lines = ["| fault | rule | files | found | no unrelated finding |", "|---|---|---|---|---|"]
    total, found, clean = 0, 0, 0
    for name, fault in FAULTS.items():
        results = run(fault, files, most)
        hits, quiet = sum(r.found for r in results), sum(not r.unrelated for r in results)
        lines.append(f"| {name} | {fault.rule} | {len(results)} | {hits} | {quiet} |")
        total, found, clean = total + len(results), found + hits, clean + quiet
    lines.append(f"| **all** | | {total} | {found} | {clean} |")
    return "\n".join(lines), found / max(total, 1), clean / max(total, 1)


def main() -> int:
    """Print the table; 1 where a share is missed."""
    text, found, clean = table(Path(sys.argv[1]))
    sys.stdout.write(f"{text}\n\nfound {found:.1%}, without unrelated findings {clean:.1%}\n")
    return int(found < FOUND or clean < CLEAN)


if __name__ == "__main__":
    sys.exit(main())
