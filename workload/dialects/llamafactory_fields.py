"""The LLaMA-Factory fields that follow from several keys: method, packing, optimizer, precision.

Rules: github:hiyouga/LLaMA-Factory@ff6d4d1 (0.9.6.dev0), src/llamafactory/hparams/parser.py,
finetuning_args.py, data_args.py and model/model_utils/.
"""

from __future__ import annotations

from workload.dialects.data_order import read_order
from workload.dialects.deepspeed_block import read_deepspeed
from workload.dialects.yaml_table import FieldReader
from workload.normalise import canonical

ATTENTION = {
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
    "disabled": "eager",
    "sdpa": "sdpa",
    "auto": "auto",
}
OPTIMIZER_SWITCHES = {
    "use_galore": "galore_adamw",
    "use_apollo": "apollo_adamw",
    "use_badam": "badam",
    "use_adam_mini": "adam_mini",
    "use_muon": "muon",
}
TRAINING_FIELDS = frozenset(
    [
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "learning_rate",
        "num_epochs",
        "max_steps",
        "lr_scheduler",
        "warmup_ratio",
        "warmup_steps",
        "weight_decay",
        "max_grad_norm",
        "optimizer",
        "gradient_checkpointing",
        "gradient_checkpointing_reentrant",
        "per_device_eval_batch_size",
        "bf16",
        "fp16",
        "tf32",
        "fp8",
        "torch_compile",
        "logging_steps",
        "save_steps",
        "eval_steps",
        "seed",
        "report_to",
        "ddp_find_unused_parameters",
        "group_by_length",
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "dataloader_persistent_workers",
        "dataloader_prefetch_factor",
    ]
)
TRAINING_KEYS = (
    "do_train",
    "stage",
    "dataset",
    "output_dir",
    "per_device_train_batch_size",
    "learning_rate",
    "num_train_epochs",
)


def finish(reader: FieldReader) -> None:
    """The fields that follow from several keys."""
    _method(reader)
    _packing(reader)
    _optimizer(reader)
    _precision(reader)
    _checkpointing(reader)
    read_order(reader)
    _kernels(reader)
    place = reader.held("deepspeed")
    if place is not None:
        read_deepspeed(reader, place)
    sharded = reader.held("fsdp")
    if sharded is not None:
        reader.stated("fsdp", sharded, True)
    _purpose(reader)


def _method(reader: FieldReader) -> None:
    bits, place = reader.value("quant_bits"), reader.document.place("finetuning_type")
    if bits and reader.is_open("quant_type"):
        reader.default("quant_type", "nf4")
    if reader.value("finetune_method") != "lora":
        for name in ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"):
            if not reader.is_stated(name):
                reader.fields.pop(name, None)
        return
    word = "dora" if reader.held("use_dora") else "qlora" if bits else "lora"
    if place is not None:
        reader.stated("finetune_method", place, word)
    else:
        reader.default("finetune_method", word)
    rank = reader.value("lora_r")
    none = reader.is_open("lora_alpha") or reader.value("lora_alpha") == 0
    if none and isinstance(rank, int):  # finetuning_args.py: 0 counts as not given
        reader.derived("lora_alpha", rank * 2, "2 x lora_rank")
    if reader.is_open("ddp_find_unused_parameters"):
        why = "LLaMA-Factory sets it for LoRA with DDP"
        reader.derived("ddp_find_unused_parameters", False, why)


def _packing(reader: FieldReader) -> None:
    if reader.value("padding_free"):
        if reader.is_stated("packing") and not reader.value("packing"):
            place = reader.document.place("packing")
            reader.notice("conflict", "neat_packing turns packing on all the same", place)
        reader.derived("packing", True, "neat_packing turns packing on")
    elif not reader.is_stated("packing"):
        on = reader.value("task") == "pretrain"
        reader.default("packing", on, f"{reader.source}: on for stage pt only")


def _optimizer(reader: FieldReader) -> None:
    for key, name in OPTIMIZER_SWITCHES.items():
        place = reader.held(key)
        if place is not None:
            reader.stated("optimizer", place, name)
            return


def _precision(reader: FieldReader) -> None:
    pure = reader.held("pure_bf16")
    if pure is not None and not reader.document.value("bf16"):
        reader.stated("bf16", pure, True)
    if reader.value("bf16"):
        reader.derived("model_load_dtype", "bf16", "compute_dtype of bf16 and pure_bf16")
    elif reader.value("fp16"):
        reader.derived("model_load_dtype", "fp16", "compute_dtype of fp16")
    else:
        why = "the checkpoint's own dtype, as neither bf16 nor fp16 is set"
        reader.derived("model_load_dtype", "auto", why)


def _checkpointing(reader: FieldReader) -> None:
    place = reader.document.place("gradient_checkpointing")
    if place is not None and not reader.is_stated("gradient_checkpointing"):
        message = (
            "gradient_checkpointing has no effect of its own here: LLaMA-Factory turns "
            "checkpointing on unless disable_gradient_checkpointing is true"
        )
        if reader.document.plain(place.value) is False:
            reader.notice("conflict", message, place)


def _kernels(reader: FieldReader) -> None:
    names = [
        name for name in ("use_unsloth", "use_unsloth_gc", "use_v1_kernels") if reader.held(name)
    ]
    reader.derived("fused_kernels", names, "kernels switched on in the file")
    if reader.value("report_to") is not None:
        value = canonical("report_to", reader.value("report_to"))
        found = reader.fields["report_to"]
        reader.fields["report_to"] = found.model_copy(update={"value": value})


def _purpose(reader: FieldReader) -> None:
    """A file without any training key serves, exports or evaluates a model."""
    document = reader.document
    if any(document.value(key) for key in TRAINING_KEYS):
        return
    for name in TRAINING_FIELDS:
        if not reader.is_stated(name):
            reader.fields.pop(name, None)
    reader.derived("task", "inference", "no training key in the file")
    reader.notice("note", "the file serves, chats or exports a model; it trains nothing")
