"""How a verl YAML is read and edited: the keys of its SFT trainer and of its PPO trainer.

Keys and defaults: github:volcengine/verl@b178a3c (0.8.0.dev), verl/trainer/config/sft_trainer.yaml,
sft_trainer_engine.yaml and _generated_ppo_trainer.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.records.finding import FieldEdit
from workload.dialects import Change, Detection, Reading
from workload.dialects.hydra import HydraDocument, choices_in
from workload.dialects.verl_edits import SPECIALS
from workload.dialects.verl_fields import OWN_FILES, finish, foreign, is_rl
from workload.dialects.yaml_dialect import YamlDialect, known_keys, top_keys
from workload.dialects.yaml_table import Key
from workload.source import SourceText
from workload.splice.yaml_document import Document

ACTOR = "actor_rollout_ref.actor"
MODEL = "actor_rollout_ref.model"
RUN = (
    Key("max_steps", ("trainer.total_training_steps",), default=None),
    Key("save_steps", ("trainer.save_freq",), default=-1),
    Key("eval_steps", ("trainer.test_freq",), default=-1),
    Key("num_processes", ("trainer.n_gpus_per_node",), default=8),
    Key("num_machines", ("trainer.nnodes",), default=1),
    Key("report_to", ("trainer.logger",), default=["console", "wandb"]),
    Key("datasets", ("data.train_files",)),
)
SFT = (
    Key("model_id", ("model.partial_pretrain", "model.path")),
    Key(
        "model_load_dtype", ("model.fsdp_config.model_dtype", "engine.model_dtype"), default="fp32"
    ),
    Key("per_device_train_batch_size", ("data.micro_batch_size_per_gpu",), default=4),
    Key("train_batch_size", ("data.train_batch_size",), default=256),
    Key("max_seq_len", ("data.max_length",), default=1024),
    Key("padding_free", ("use_remove_padding", "model.use_remove_padding"), default=False),
    Key("gradient_checkpointing", ("model.enable_gradient_checkpointing",), default=True),
    Key("trust_remote_code", ("model.trust_remote_code",), default=False),
    Key("liger", ("model.use_liger",), default=False),
    Key("fsdp_cpu_offload", ("model.fsdp_config.cpu_offload",), default=False),
    Key("learning_rate", ("optim.lr",), default=1e-5),
    Key("weight_decay", ("optim.weight_decay",), default=0.01),
    Key("warmup_ratio", ("optim.lr_warmup_steps_ratio",), default=0.1),
    Key("max_grad_norm", ("optim.clip_grad",), default=1.0),
    Key("lr_scheduler", ("optim.lr_scheduler", "optim.lr_scheduler_type"), default="cosine"),
    Key("context_parallel_size", ("ulysses_sequence_parallel_size",), default=1),
    Key("num_epochs", ("trainer.total_epochs",), default=4),
    Key("seed", ("trainer.seed",), default=1),
    *RUN,
)
PPO = (
    Key("model_id", (f"{MODEL}.path",)),
    Key("model_load_dtype", (f"{ACTOR}.fsdp_config.model_dtype",), default="fp32"),
    Key("per_device_train_batch_size", (f"{ACTOR}.ppo_micro_batch_size_per_gpu",), default=None),
    Key("train_batch_size", ("data.train_batch_size",), default=1024),
    Key("padding_free", (f"{MODEL}.use_remove_padding",), default=True),
    Key("gradient_checkpointing", (f"{MODEL}.enable_gradient_checkpointing",), default=True),
    Key("activation_offloading", (f"{MODEL}.enable_activation_offload",), default=False),
    Key("trust_remote_code", (f"{MODEL}.trust_remote_code",), default=False),
    Key("liger", (f"{MODEL}.use_liger",), default=False),
    Key("torch_compile", (f"{ACTOR}.use_torch_compile",), default=True),
    Key("fsdp_cpu_offload", (f"{ACTOR}.fsdp_config.param_offload",), default=False),
    Key("learning_rate", (f"{ACTOR}.optim.lr",), default=1e-6),
    Key("weight_decay", (f"{ACTOR}.optim.weight_decay",), default=0.01),
    Key("warmup_ratio", (f"{ACTOR}.optim.lr_warmup_steps_ratio",), default=0.0),
    Key("max_grad_norm", (f"{ACTOR}.grad_clip",), default=1.0),
    Key("lr_scheduler", (f"{ACTOR}.optim.lr_scheduler_type",), default="constant"),
    Key("context_parallel_size", (f"{ACTOR}.ulysses_sequence_parallel_size",), default=1),
    Key("dataloader_num_workers", ("data.dataloader_num_workers",), default=8),
    Key("num_epochs", ("trainer.total_epochs",), default=30),
    Key("seed", (f"{ACTOR}.fsdp_config.seed",), default=42),
    *RUN,
)


def recognise(keys: frozenset[str]) -> Detection:
    """The blocks of a verl trainer."""
    if "actor_rollout_ref" in keys:
        own = keys & {"data", "critic", "algorithm", "trainer", "reward_model", "defaults"}
        score = min(0.98, 0.8 + 0.04 * len(own))
        return Detection(score, f"verl: {', '.join(sorted({'actor_rollout_ref', *own})[:3])}")
    own = keys & {"data", "model", "optim", "trainer", "engine"}
    more = keys & {"ulysses_sequence_parallel_size", "use_remove_padding", "defaults", "checkpoint"}
    if {"data", "trainer", "optim"} <= own:
        return Detection(0.6 + 0.05 * (len(own) + len(more)), f"verl SFT: {', '.join(sorted(own))}")
    return Detection(0.0, "no verl trainer")


@dataclass(frozen=True)
class VerlDialect(YamlDialect):
    """verl: SFT and PPO have their own keys; both are composed by Hydra."""

    def detect(self, source: SourceText) -> Detection:
        """By the top-level keys, or a defaults list that names one of verl's own files."""
        found, keys = super().detect(source), top_keys(source)
        if "defaults" not in keys:
            return found
        names = [one.name for one in choices_in(Document(source, self.loader).value("defaults"))]
        own = [name for name in names if name in OWN_FILES]
        trains = {"data", "trainer"} <= keys or any("trainer" in name for name in own)
        if own and trains and not found.score and keys <= known_keys(self.key_files):
            found = Detection(0.7, f"verl: built on {own[0]}")
        files = tuple(f"{name}.yaml" for name in names)
        return replace(found, builds_on=files) if found.score else found

    def read(self, source: SourceText, versions: Mapping[str, str]) -> Reading:
        """The fields of a config over the files it is composed of. Raises InputError."""
        reading = YamlDialect.read(self.variant(source), source, versions)
        missing = foreign(HydraDocument(source, self.loader).missing)
        if missing:
            why = f"may be set in {', '.join(name[:80] for name, _ in missing)}, not uploaded"
            for name, found in reading.fields.items():
                if found.origin == "default":
                    unknown = {"value": None, "origin": "unknown", "source": why}
                    reading.fields[name] = found.model_copy(update=unknown)
        return reading

    def changes(self, source: SourceText, edit: FieldEdit, reading: Reading) -> tuple[Change, ...]:
        """The changes of the main file. Raises CannotEdit."""
        return YamlDialect.changes(self.variant(source), source, edit, reading)

    def variant(self, source: SourceText) -> YamlDialect:
        """This dialect with the table of the file's trainer."""
        return replace(self, table=PPO if is_rl(self.open(source, self.loader)) else SFT)


VERL = VerlDialect(
    format="verl_yaml",
    framework="verl_sft",
    loader="omegaconf",
    table=SFT,
    packages=("verl",),
    recognise=recognise,
    finish=finish,
    specials=SPECIALS,
    key_files=("verl.txt",),
    unknown_keys_stop=False,
    open=HydraDocument,
)
