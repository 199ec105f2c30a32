"""Python scripts with a training loop of their own: plain PyTorch, accelerate, a DeepSpeed engine.

The walk is that of `script`; what a loop is made of is `script_loop`, its fields
`script_loop_fields`, its edits `script_loop_changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from workload.dialects import Change, Detection, Reading
from workload.dialects.script_loop import part_name
from workload.dialects.script_loop_changes import edit_loop
from workload.dialects.script_loop_fields import read_loop
from workload.dialects.script_reader import ScriptReader
from workload.dialects.script_reading import reading_of, script_of
from workload.dialects.script_run import Run, choose_loop, other_notices
from workload.dialects.script_walk import read_scene
from workload.source import SourceText

_SURE = 0.96
"""Above that of a config of transformers which no trainer uses."""


def find_loop(source: SourceText) -> Run | None:
    """The training loop of a script; None where it has none or a trainer trains.

    Raises:
        InputError: no Python.
    """
    return choose_loop(source.parsed(read_scene))


@dataclass(frozen=True, slots=True)
class LoopDialect:
    """Scripts whose own loop uses one library."""

    format: str
    framework: str

    def detect(self, source: SourceText) -> Detection:
        """Whether the script trains in a loop of its own that uses this library.

        Raises:
            InputError: the text is no Python.
        """
        run = source.parsed(find_loop)
        if run is None:
            return Detection(0.0, "no backward pass with an optimizer")
        if run.framework != self.framework:
            return Detection(0.0, f"the loop uses {run.framework}")
        line = run.scene.loop.backward[0].lineno
        made = run.scene.loop.parts
        named = ", ".join(dict.fromkeys(part_name(one).rpartition(".")[2] for one in made[:6]))
        return Detection(_SURE, f"backward pass (line {line}) with {named}")

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of the script's loop.

        Raises:
            InputError: no Python, or no loop in it.
        """
        run = source.parsed(find_loop)
        if run is None:
            reason = "no training loop in this script"
            remedy = "Upload the script that calls backward() and steps an optimizer"
            raise InputError(reason, file=source.name, remedy=remedy)
        packages = ["transformers"] if run.model is not None else []
        packages += ["peft"] if run.scene.adapters else []

        def fill(reader: ScriptReader) -> None:
            read_loop(reader)
            reader.notices += other_notices(run, source.name)

        return reading_of(
            run, source, versions, framework=self.framework, packages=packages, fill=fill
        )

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`.

        Raises:
            CannotEdit: with the line to write by hand.
        """
        return edit_loop(script_of(reading, edit), edit)


PY_ACCELERATE = LoopDialect("py_accelerate", "accelerate")
PY_DEEPSPEED = LoopDialect("py_deepspeed", "deepspeed")
PY_TORCH = LoopDialect("py_torch", "torch")
