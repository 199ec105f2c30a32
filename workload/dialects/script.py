"""Python training scripts of TRL and transformers: the two dialects, read from the syntax tree.

Nothing of a script is imported or executed. Parts: `script_parse` (syntax tree), `script_walk` with
`script_evaluate`, `script_calls` and `script_values` (what the text alone settles), `script_run`
(which training run is read), `script_fields` and `script_loading` (fields), `script_edits` (edits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from workload.dialects import Change, Detection, Reading
from workload.dialects.script_changes import edit_script
from workload.dialects.script_fields import read_fields
from workload.dialects.script_parse import CALLS_READ
from workload.dialects.script_reading import reading_of, script_of
from workload.dialects.script_run import Run, choose_run
from workload.dialects.script_walk import read_scene
from workload.source import SourceText

_SURE, _UNIMPORTED = 0.95, 0.8
"""Scores of a file that makes the framework's trainer or config, with and without its import."""


def find_run(source: SourceText) -> Run | None:
    """The training run of a script; None where it makes neither a trainer nor a config.

    Raises:
        InputError: no Python, or fewer training runs than the number that was chosen.
    """
    return choose_run(source.parsed(read_scene), source.trainer)


@dataclass(frozen=True, slots=True)
class ScriptDialect:
    """Scripts whose trainer or config is of one framework."""

    format: str
    framework: str

    def detect(self, source: SourceText) -> Detection:
        """Whether the first training run of the script is of this framework.

        Raises:
            InputError: the text is no Python.
        """
        run = source.parsed(find_run)
        if run is None:
            return Detection(0.0, f"no call of {CALLS_READ}")
        if run.framework != self.framework:
            return Detection(0.0, f"the script trains with {run.framework}")
        made = [thing for thing in (run.config, run.trainer) if thing is not None]
        named = " and ".join(f"{thing.name} (line {thing.node.lineno})" for thing in made)
        missing = [name for name in run.scene.unimported if any(name == one.name for one in made)]
        if missing:
            return Detection(_UNIMPORTED, f"{named}, used without an import")
        package = "Unsloth" if run.unsloth else _PACKAGE[self.framework]
        return Detection(_SURE, f"{named} of {package}")

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the script's first training run.

        Raises:
            InputError: no Python, or no training run in it.
        """
        run = source.parsed(find_run)
        if run is None:
            reason = "no training keys in this script"
            remedy = f"Upload the script that calls {CALLS_READ}; these calls are read"
            raise InputError(reason, file=source.name, remedy=remedy)
        packages = ["transformers", *(["trl"] if run.framework == "trl" else ())]
        packages += ["peft"] if run.adapter is not None or run.scene.adapters else []
        return reading_of(
            run,
            source,
            versions,
            framework=self.framework,
            packages=packages,
            fill=read_fields,
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`.

        Raises:
            CannotEdit: with the line to write by hand.
        """
        return edit_script(script_of(reading, edit), edit)


_PACKAGE = {"trl": "TRL", "hf": "transformers"}

PY_TRL = ScriptDialect("py_trl", "trl")
PY_HF_TRAINER = ScriptDialect("py_hf_trainer", "hf")
