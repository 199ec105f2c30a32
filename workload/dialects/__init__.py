"""What a dialect is, and the one table of them: how each framework writes a training file.

A new dialect is one module here with an object that fits `Dialect`, one line in `DIALECTS`, and
one golden test. Nothing else changes: detection asks every dialect of the text's kind, reading and
patching call the three methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol

from audit.records.base import Json
from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.workload import FieldValue, Notice
from workload.source import SourceText

TextKind = Literal["yaml", "json", "python", "notebook", "shell"]
"""How the text is written; `workload.detect` decides it before any dialect is imported."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How sure a dialect is that a file is its own: 0 (is not) to 1, and the keys that say so."""

    score: float
    reason: str
    builds_on: tuple[str, ...] = ()
    """Names of files that this one inherits from: never the main file beside it."""


class Change(NamedTuple):
    """Replace the characters [start, end) of the source by `text`; offsets in characters."""

    start: int
    end: int
    text: str
    key: str = ""
    """The key of `Reading.entries` that this change sets, adds or removes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a dialect reads from one file. Values are as the user wrote them, not yet redacted."""

    fields: dict[str, FieldValue]
    versions: dict[str, str]
    """Package -> version whose defaults were used, as given to `read` or stated in the file."""
    notices: tuple[Notice, ...] = ()
    stated_versions: frozenset[str] = field(default_factory=frozenset)
    """Packages whose version the file itself states."""
    tree: Any = None
    """The dialect's own parse of the file, for its `changes`; nobody else looks inside."""
    entries: Mapping[str, Json] = field(default_factory=dict)
    """Every setting of the file by its own key, those without a field included: after an edit only
    the keys that its changes name may differ. Empty: only the fields are compared."""
    named_files: tuple[NamedFile, ...] = ()
    inherited: tuple[str, ...] = ()
    """Names of the uploaded files that were read together with this one."""


class NamedFile(NamedTuple):
    """Another file that the file names (a DeepSpeed config): never opened, only matched."""

    path: str
    key: str
    line: int


class CannotEdit(Exception):
    """An edit that cannot be made in the text; it becomes advice, never an error.

    Args:
        reason: why, one plain sentence without a final full stop.
        advice: what to write by hand.
        line: 1-based line that the advice speaks of.
    """

    def __init__(self, reason: str, advice: str, line: int | None = None) -> None:
        self.reason, self.advice, self.line = reason, advice, line
        super().__init__(reason)


class Dialect(Protocol):
    """One framework's way of writing a training file."""

    @property
    def format(self) -> str:
        """Format id, a key of `DIALECTS`."""
        ...

    @property
    def framework(self) -> str:
        """Framework id: axolotl, llamafactory, trl, hf, ..."""
        ...

    def detect(self, source: SourceText) -> Detection:
        """Whether the file is of this dialect; the content decides, the name is only a hint.

        Raises InputError where the text cannot be parsed at all.
        """
        ...

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of a file; `versions` are those stated by the user or beside the file.

        Raises InputError with line, column and remedy.
        """
        ...

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the text that make `edit`; empty where the text already says so.

        Raises CannotEdit.
        """
        ...


class Entry(NamedTuple):
    """One dialect: how its text is written and where its object lives, imported when needed."""

    kind: TextKind
    target: str
    """`module:attribute`."""
    keys: str = ""
    """Top-level keys, one of which stands in every file of the dialect: without any of them its
    module is not even imported (40 ms for all). '' where that cannot be said."""


DIALECTS: dict[str, Entry] = {
    "axolotl_yaml": Entry("yaml", "workload.dialects.axolotl:AXOLOTL"),
    "llamafactory_yaml": Entry("yaml", "workload.dialects.llamafactory:LLAMAFACTORY"),
    "llamafactory_v1_yaml": Entry(
        "yaml",
        "workload.dialects.llamafactory_v1:LLAMAFACTORY_V1",
        "model_class kernel_config dist_config peft_config quant_config",
    ),
    "trl_recipe_yaml": Entry(
        "yaml",
        "workload.dialects.trl_recipe:TRL_RECIPE",
        "model_name_or_path per_device_train_batch_size num_train_epochs use_peft",
    ),
    "openinstruct_yaml": Entry(
        "yaml", "workload.dialects.open_instruct:OPEN_INSTRUCT", "model_name_or_path"
    ),
    "litgpt_yaml": Entry("yaml", "workload.dialects.litgpt:LITGPT", "train"),
    "nemo_rl_yaml": Entry("yaml", "workload.dialects.nemo_rl:NEMO_RL", "policy defaults"),
    "primus_exp_yaml": Entry("yaml", "workload.dialects.primus:PRIMUS", "modules extends"),
    "verl_yaml": Entry("yaml", "workload.dialects.verl:VERL", "actor_rollout_ref trainer defaults"),
    "torchtune_yaml": Entry(
        "yaml", "workload.dialects.torchtune:TORCHTUNE", "model tokenizer checkpointer policy_model"
    ),
    "accelerate_yaml": Entry("yaml", "workload.dialects.accelerate_yaml:ACCELERATE"),
    "llamafactory_json": Entry("json", "workload.dialects.llamafactory_json:LLAMAFACTORY_JSON"),
    "training_args_json": Entry("json", "workload.dialects.training_args_json:TRAINING_ARGS"),
    "trainer_state_json": Entry("json", "workload.dialects.trainer_state_json:TRAINER_STATE"),
    "peft_json": Entry("json", "workload.dialects.peft_json:PEFT"),
    "fsdp_json": Entry("json", "workload.dialects.fsdp_json:FSDP"),
    "deepspeed_json": Entry("json", "workload.dialects.deepspeed_json:DEEPSPEED"),
    "py_trl": Entry("python", "workload.dialects.script:PY_TRL"),
    "py_hf_trainer": Entry("python", "workload.dialects.script:PY_HF_TRAINER"),
    "py_accelerate": Entry("python", "workload.dialects.script_loops:PY_ACCELERATE"),
    "py_deepspeed": Entry("python", "workload.dialects.script_loops:PY_DEEPSPEED"),
    "py_torch": Entry("python", "workload.dialects.script_loops:PY_TORCH"),
    "sh_launcher": Entry("shell", "workload.dialects.launcher:LAUNCHER"),
    "ipynb_trl": Entry("notebook", "workload.dialects.notebook:IPYNB_TRL"),
    "ipynb_hf_trainer": Entry("notebook", "workload.dialects.notebook:IPYNB_HF_TRAINER"),
}
"""Format id -> dialect, in the order of preference between equal scores."""


def load_dialect(format_id: str) -> Dialect:
    """The dialect of a format id.

    Raises:
        InputError: an unknown id; the known ones are named.
    """
    entry = DIALECTS.get(format_id)
    if entry is None:
        reason = f"no dialect is called {format_id!r}"
        raise InputError(reason, remedy=f"Known: {', '.join(DIALECTS)}")
    module, attribute = entry.target.split(":")
    dialect: Dialect = getattr(import_module(module), attribute)
    return dialect
