"""Whose value holds where a training file and the files beside it speak of the same setting.

accelerate hands its config to the run as variables; transformers then lets the training arguments
win, fills in what DeepSpeed leaves "auto", and refuses to start where both name different numbers:
transformers 5.23.0 integrations/deepspeed.py `trainer_config_process` and training_args.py,
accelerate 1.15.0 utils/dataclasses.py. PEFT loads a named adapter with its own config.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.records.base import Json
from audit.records.workload import FieldValue, Notice, NoticeKind
from workload.dialects import Reading
from workload.normalise import same

TRAINERS = frozenset({"axolotl", "llamafactory", "trl", "hf", "unsloth", "ms-swift"})
"""Frameworks that train with transformers' Trainer, which refuses unlike numbers."""
LAUNCHED = TRAINERS | {"open-instruct", "open_instruct", "accelerate"}
"""Frameworks that accelerate can launch, with DeepSpeed or FSDP below them."""
MATCHED = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_grad_norm",
    "learning_rate",
    "weight_decay",
    "bf16",
    "fp16",
)
"""Settings that a DeepSpeed config and the training arguments must agree on."""
TAKEN = ("deepspeed_stage", "offload_optimizer", "offload_param")
REPLACED = ("optimizer", "lr_scheduler")
"""DeepSpeed builds these itself where its config names them."""
SPLITS = ("tensor_parallel_size", "context_parallel_size")
LORA = ("finetune_method", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
FIGURES = ("step_s", "samples_per_s", "tokens_per_s", "train_loss")
RUN = ("per_device_train_batch_size", "max_steps", "num_epochs")
FILLED = "auto"


@dataclass
class Joined:
    """The fields of the training file as the files beside it change them, and what was noticed."""

    main: str
    """The training file's name."""
    fields: dict[str, FieldValue]
    notices: list[Notice] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)
    """The files beside it that were used, read."""

    @property
    def framework(self) -> str:
        """The framework of the training file."""
        return str(self.fields["framework"].value)

    def value(self, name: str) -> Json:
        """A field's value; None where it is absent or unknown."""
        found = self.fields.get(name)
        return None if found is None or found.origin == "unknown" else found.value

    def says(self, name: str) -> bool:
        """Whether a file gives the field a value."""
        found = self.fields.get(name)
        return found is not None and found.origin == "stated" and found.value is not None

    def tell(self, kind: NoticeKind, message: str, at: FieldValue | None = None) -> None:
        """A notice, at the place of a field."""
        file, line = (at.file, at.line) if at is not None else (None, None)
        self.notices.append(Notice(kind=kind, message=message, file=file, line=line))

    def disagree(self, name: str, other: FieldValue, then: str) -> None:
        """Two files, two values: what each says, and what follows."""
        mine = self.fields[name]
        where = f"{self.main if mine.file is None else mine.file}"
        shown = f"{mine.value}" if mine.origin == "stated" else f"{mine.value} by default"
        message = f"{other.key} is {other.value} in {other.file} and {shown} in {where}: {then}"
        self.tell("conflict", message, other)


def join_accelerate(run: Joined, launch: Reading) -> None:
    """A launch config: ranks and sharding are its own, precision only where the file has none."""
    fields = launch.fields
    for name in ("num_processes", "num_machines", *SPLITS, "fsdp", "fsdp_cpu_offload"):
        if name in fields and not run.says(name):
            run.fields[name] = fields[name]
    stage = fields.get("deepspeed_stage")
    if stage is not None and run.says("deepspeed_stage"):
        then = "accelerate refuses two DeepSpeed configs"
        run.disagree("deepspeed_stage", stage, then)
    elif stage is not None:
        run.fields |= {name: fields[name] for name in TAKEN if name in fields}
    _launch_precision(run, fields)
    _sharded_checkpointing(run, fields.get("gradient_checkpointing"))
    compiled = fields.get("torch_compile")
    if compiled is not None and compiled.value and not run.says("torch_compile"):
        run.fields["torch_compile"] = compiled
    if stage is not None:
        _match(run, fields, ("gradient_accumulation_steps", "max_grad_norm"))


def _launch_precision(run: Joined, fields: dict[str, FieldValue]) -> None:
    on = next((name for name in ("fp8", "bf16", "fp16") if _is_on(fields.get(name))), None)
    own = next((name for name in ("bf16", "fp16", "fp8") if run.value(name)), None)
    if on is None:
        return
    if own is None:
        run.fields |= {name: fields[name] for name in ("bf16", "fp16", "fp8") if name in fields}
    elif own != on:
        message = (
            f"mixed_precision is {on} in {fields[on].file} and {own} is on in {run.main}: the "
            "training arguments win"
        )
        run.tell("conflict", message, fields[on])


def _sharded_checkpointing(run: Joined, found: FieldValue | None) -> None:
    """FSDP's own activation checkpointing, which excludes that of the training arguments."""
    if found is None or found.origin == "unknown":
        return
    if found.value and run.value("gradient_checkpointing"):
        then = "the Trainer refuses both, as FSDP checkpoints the activations itself"
        run.disagree("gradient_checkpointing", found, then)
    elif found.value or "gradient_checkpointing" not in run.fields:
        run.fields["gradient_checkpointing"] = found


def join_deepspeed(run: Joined, config: Reading) -> None:
    """A DeepSpeed config: its ZeRO settings hold, its numbers must match, "auto" is filled in."""
    fields = config.fields
    for name in TAKEN:
        if name in fields:
            run.fields[name] = fields[name]
    _match(run, fields, MATCHED)
    for name in REPLACED:
        found = fields.get(name)
        if found is None or found.value in (None, FILLED):
            continue
        if run.says(name) and not same(name, run.value(name), found.value):
            run.disagree(name, found, "DeepSpeed's is used")
        run.fields[name] = found
    for name in SPLITS:
        if name in fields and not run.says(name):
            run.fields[name] = fields[name]
    total = fields.get("train_batch_size")
    if total is not None and isinstance(total.value, int | float):
        _whole_batch(run, total)


def _match(run: Joined, fields: dict[str, FieldValue], names: tuple[str, ...]) -> None:
    """Numbers that both files may name: DeepSpeed's fill gaps, others must agree."""
    for name in names:
        found = fields.get(name)
        if found is None or found.origin != "stated" or found.value in (None, FILLED):
            continue
        mine, refuses = run.fields.get(name), run.framework in TRAINERS
        gap = mine is None or mine.value is None or (mine.origin == "default" and not refuses)
        if mine is None or gap:
            run.fields[name] = found
        elif mine.value != FILLED and not same(name, mine.value, found.value):
            then = "the Trainer refuses to start" if refuses else "they must agree"
            run.disagree(name, found, then)


def _whole_batch(run: Joined, total: FieldValue) -> None:
    micro = run.value("per_device_train_batch_size")
    accumulation, ranks = run.value("gradient_accumulation_steps"), run.value("num_processes")
    if not isinstance(micro, int) or not isinstance(accumulation, int):
        return
    whole = float(total.value)
    if isinstance(ranks, int) and micro * accumulation * ranks != whole:
        then = f"not {micro} x {accumulation} x {ranks} ranks: the run does not start"
        message = f"train_batch_size is {total.value} in {total.file}, {then}"
        run.tell("conflict", message, total)
    elif not isinstance(ranks, int) and whole % (micro * accumulation) == 0:
        why = f"train_batch_size {total.value} = {micro} x {accumulation} x ranks"
        count = int(whole // (micro * accumulation))
        run.fields["num_processes"] = FieldValue(value=count, origin="derived", source=why)
    elif not isinstance(ranks, int):
        message = (
            f"train_batch_size is {total.value} in {total.file}: no number of GPUs gives it with "
            f"{micro} x {accumulation} in {run.main}"
        )
        run.tell("conflict", message, total)


def join_fsdp(run: Joined, config: Reading) -> None:
    """An FSDP config: used where the training arguments switch FSDP on."""
    if not run.value("fsdp"):
        found = config.fields["framework"]
        run.tell("note", f"{found.file} has no effect: fsdp is not set in {run.main}", found)
        return
    offload = config.fields.get("fsdp_cpu_offload")
    if offload is not None:
        run.fields["fsdp_cpu_offload"] = offload
    _sharded_checkpointing(run, config.fields.get("gradient_checkpointing"))


def join_adapter(run: Joined, adapter: Reading, *, loaded: bool) -> None:
    """A saved adapter: its config holds where the file loads it, else it is another adapter."""
    base, model = adapter.fields.get("model_id"), run.value("model_id")
    if base is not None and model and base.value and not same("model_id", base.value, model):
        run.disagree("model_id", base, "the adapter belongs to another model")
    for name in LORA:
        found, mine = adapter.fields.get(name), run.fields.get(name)
        if found is None or found.origin != "stated":
            continue
        differs = run.says(name) and not same(name, run.value(name), found.value)
        if name == "finetune_method":
            differs = False  # qlora trains a lora adapter
        if loaded or mine is None or mine.origin == "unknown":
            if differs:
                run.disagree(name, found, "the loaded adapter's holds")
            if name != "finetune_method" or mine is None:
                run.fields[name] = found
        elif differs:
            run.disagree(name, found, "the adapter is of another run")


def join_log(run: Joined, log: Reading) -> None:
    """A run's log: its figures are evidence, and tell whether it is of this very file."""
    for name in FIGURES:
        if name in log.fields:
            run.fields[name] = log.fields[name]
    for name in RUN:
        found, mine = log.fields.get(name), run.value(name)
        if found is None or mine in (None, FILLED, -1):
            continue
        if name == "num_epochs" and run.value("max_steps") not in (None, -1):
            continue
        if run.says(name) and not same(name, mine, found.value):
            run.disagree(name, found, "the log is of another run")
    whole = log.fields.get("effective_batch")
    micro = run.value("per_device_train_batch_size")
    accumulation = run.value("gradient_accumulation_steps")
    if whole is None or not isinstance(micro, int) or not isinstance(accumulation, int):
        return
    ranks = whole.value / (micro * accumulation)
    if "num_processes" not in run.fields and ranks == int(ranks):
        why = f"the log's {whole.value} samples per step / {micro} x {accumulation}"
        run.fields["num_processes"] = FieldValue(value=int(ranks), origin="derived", source=why)


def whole_batch(run: Joined) -> FieldValue | None:
    """effective_batch where `num_processes` counts all machines, as accelerate and a log do."""
    ranks, micro = run.value("num_processes"), run.value("per_device_train_batch_size")
    accumulation = run.value("gradient_accumulation_steps")
    counts = (ranks, micro, accumulation)
    if not all(isinstance(one, int) and one > 0 for one in counts):
        return None
    split = 1
    for name in SPLITS:
        size = run.value(name)
        split *= size if isinstance(size, int) and size > 0 else 1
    data_ranks = max(1, ranks // split)
    source = f"{micro} x {accumulation} x {data_ranks} ranks"
    return FieldValue(value=micro * accumulation * data_ranks, origin="derived", source=source)


def _is_on(found: FieldValue | None) -> bool:
    return found is not None and found.value is True
