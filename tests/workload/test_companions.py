"""Several files, one workload: whose value holds, what conflicts, is missing, or is edited."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from audit.records.base import Json
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import Edited, edit_workload
from workload.read import read_workload

RUN = """\
base_model: goblin-org/tiny-llama-1b
datasets:
  - path: goblin-org/plain
    type: completion
sequence_len: 1024
micro_batch_size: 2
gradient_accumulation_steps: 8
learning_rate: 0.0002
optimizer: adamw_torch_fused
bf16: true
num_epochs: 1
gradient_checkpointing: true
"""
LAUNCH = """\
compute_environment: LOCAL_MACHINE
distributed_type: DEEPSPEED
deepspeed_config:
  zero_stage: 2
  offload_optimizer_device: cpu
mixed_precision: bf16
num_machines: 2
num_processes: 16
"""
SHARDED = """\
distributed_type: FSDP
fsdp_config:
  fsdp_activation_checkpointing: true
  fsdp_offload_params: true
mixed_precision: fp16
num_processes: 4
"""


def upload(name: str, content: Json) -> Upload:
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    return Upload(name, text.encode())


def read(*files: tuple[str, Json]) -> Workload:
    return read_workload([upload(*file) for file in files])


def edit(files: list[tuple[str, Json]], **fields: Json) -> Edited:
    edits = [FieldEdit(field=name, value=value) for name, value in fields.items()]
    return edit_workload([upload(*file) for file in files], edits)


def said(workload: Workload, kind: str) -> str:
    return "\n".join(one.message for one in workload.notices if one.kind == kind)


def place(workload: Workload, name: str) -> tuple[Json, str, str | None]:
    found = workload.fields[name]
    return found.value, found.origin, found.file


def test_a_launch_config_gives_ranks_and_sharding() -> None:
    workload = read(("a.yaml", LAUNCH), ("run.yml", RUN))
    assert workload.name == "run.yml"
    assert workload.framework == "axolotl"
    assert place(workload, "num_processes") == (16, "stated", "a.yaml")
    assert place(workload, "deepspeed_stage") == (2, "stated", "a.yaml")
    assert place(workload, "offload_optimizer") == ("cpu", "stated", "a.yaml")
    # accelerate counts the processes of all machines: 2 x 8 x 16, not x 2 machines again
    assert workload.value("effective_batch") == 256
    assert {file.name: file.format for file in workload.files} == {
        "a.yaml": "accelerate_yaml",
        "run.yml": "axolotl_yaml",
    }
    assert said(workload, "conflict") == ""


def test_the_training_arguments_win_over_mixed_precision() -> None:
    workload = read(("run.yml", RUN), ("a.yaml", SHARDED))
    assert workload.value("bf16") is True
    assert not workload.value("fp16")
    assert workload.value("fsdp") is True
    assert workload.value("fsdp_cpu_offload") is True
    assert "mixed_precision is fp16 in a.yaml and bf16 is on in run.yml" in said(
        workload, "conflict"
    )


def test_where_the_file_has_no_precision_the_launch_decides() -> None:
    plain = RUN.replace("bf16: true", "bf16: false")
    workload = read(("run.yml", plain), ("a.yaml", SHARDED))
    assert place(workload, "fp16") == (True, "stated", "a.yaml")
    assert workload.value("compute_dtype") == "fp16"


def test_two_ways_of_checkpointing_exclude_each_other() -> None:
    workload = read(("run.yml", RUN), ("a.yaml", SHARDED))
    assert "the Trainer refuses both" in said(workload, "conflict")


ZERO: dict[str, Json] = {
    "zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}},
    "bf16": {"enabled": "auto"},
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "train_batch_size": "auto",
}


def test_a_named_deepspeed_config_fills_in_and_auto_follows() -> None:
    main = RUN + "deepspeed: configs/zero.json\n"
    workload = read(("run.yml", main), ("zero.json", ZERO))
    assert place(workload, "deepspeed_stage") == (3, "stated", "zero.json")
    assert place(workload, "offload_param") == ("cpu", "stated", "zero.json")
    assert place(workload, "per_device_train_batch_size") == (2, "stated", "run.yml")
    assert said(workload, "conflict") == ""
    assert said(workload, "missing_file") == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gradient_accumulation_steps": 4}, "gradient_accumulation_steps is 4 in zero.json and 8"),
        ({"train_micro_batch_size_per_gpu": 1}, "the Trainer refuses to start"),
        ({"fp16": {"enabled": True}, "bf16": {"enabled": False}}, "bf16.enabled is False"),
        ({"optimizer": {"type": "Adam", "params": {"lr": 1e-3}}}, "optimizer.params.lr is 0.001"),
        ({"optimizer": {"type": "Adam", "params": {"lr": "auto"}}}, "DeepSpeed's is used"),
        ({"train_batch_size": 24}, "no number of GPUs gives it"),
    ],
)
def test_what_deepspeed_and_the_file_say_differently_is_told(
    change: dict[str, Json], words: str
) -> None:
    workload = read(("run.yml", RUN), ("zero.json", {**ZERO, **change}))
    assert words in said(workload, "conflict")


def test_deepspeeds_own_optimizer_is_the_one_that_runs() -> None:
    config = {**ZERO, "optimizer": {"type": "Adam", "params": {"lr": "auto"}}}
    workload = read(("run.yml", RUN), ("zero.json", config))
    assert place(workload, "optimizer") == ("adam", "stated", "zero.json")


def test_a_whole_batch_tells_the_ranks() -> None:
    workload = read(("run.yml", RUN), ("zero.json", {**ZERO, "train_batch_size": 64}))
    assert place(workload, "num_processes") == (4, "derived", None)
    assert workload.value("effective_batch") == 64


def test_a_file_that_is_named_and_absent_is_listed_and_its_settings_unknown() -> None:
    workload = read(("run.yml", RUN + "deepspeed: configs/mine.json\n"))
    assert "deepspeed names mine.json" in said(workload, "missing_file")
    found = workload.fields["offload_optimizer"]
    assert (found.value, found.origin, found.line) == (None, "unknown", 13)
    assert not workload.known("deepspeed_stage")


def test_another_deepspeed_config_than_the_named_one_is_not_used() -> None:
    workload = read(("run.yml", RUN + "deepspeed: configs/mine.json\n"), ("zero.json", ZERO))
    assert not workload.known("deepspeed_stage")
    assert "zero.json: the training file does not use it" in said(workload, "note")


def test_a_broken_file_beside_does_not_stop_the_audit() -> None:
    workload = read(("run.yml", RUN + "deepspeed: zero.json\n"), ("zero.json", '{"fp16": }'))
    assert not workload.known("deepspeed_stage")
    assert "zero.json" in said(workload, "missing_file")


def test_the_launch_config_may_name_the_deepspeed_config() -> None:
    launch = LAUNCH.replace(
        "  zero_stage: 2\n  offload_optimizer_device: cpu\n",
        "  deepspeed_config_file: /home/me/zero.json\n",
    )
    workload = read(("run.yml", RUN), ("a.yaml", launch), ("zero.json", ZERO))
    assert place(workload, "deepspeed_stage") == (3, "stated", "zero.json")
    alone = read(("a.yaml", launch), ("zero.json", ZERO))
    assert alone.format == "accelerate_yaml"
    assert place(alone, "deepspeed_stage") == (3, "stated", "zero.json")
    assert "upload the script" in said(alone, "note")


def test_two_of_a_kind_are_not_guessed_between() -> None:
    workload = read(("run.yml", RUN), ("one.json", ZERO), ("two.json", ZERO))
    assert "deepspeed_stage" not in workload.fields
    assert "one of several of its kind" in said(workload, "note")


ADAPTER: dict[str, Json] = {
    "peft_type": "LORA",
    "r": 64,
    "lora_alpha": 16,
    "base_model_name_or_path": "goblin-org/tiny-llama-1b",
    "target_modules": ["q_proj"],
}


def test_a_loaded_adapter_brings_its_own_config() -> None:
    main = RUN + "adapter: lora\nlora_r: 8\nlora_alpha: 16\nlora_model_dir: ./adapter\n"
    workload = read(("run.yml", main), ("adapter_config.json", ADAPTER))
    assert place(workload, "lora_r") == (64, "stated", "adapter_config.json")
    assert "the loaded adapter's holds" in said(workload, "conflict")


def test_an_adapter_of_another_run_changes_nothing() -> None:
    main = RUN + "adapter: qlora\nload_in_4bit: true\nlora_r: 8\nlora_alpha: 16\n"
    other = {**ADAPTER, "base_model_name_or_path": "goblin-org/other"}
    workload = read(("run.yml", main), ("adapter_config.json", other))
    assert place(workload, "lora_r") == (8, "stated", "run.yml")
    assert workload.value("finetune_method") == "qlora"
    assert "the adapter belongs to another model" in said(workload, "conflict")
    assert "the adapter is of another run" in said(workload, "conflict")


def test_a_log_beside_the_file_is_evidence() -> None:
    end = {"train_runtime": 50.0, "train_samples_per_second": 32.0, "step": 100, "epoch": 1.0}
    state = {"log_history": [end], "global_step": 100, "epoch": 1.0, "train_batch_size": 4}
    workload = read(("run.yml", RUN), ("trainer_state.json", state))
    assert place(workload, "step_s") == (0.5, "stated", "trainer_state.json")
    assert "the log is of another run" in said(workload, "conflict")


def test_a_framework_of_its_own_launcher_uses_none_of_them() -> None:
    recipe = (
        "output_dir: out\nmodel:\n  _component_: torchtune.models.llama3.llama3_8b\n"
        "tokenizer:\n  _component_: torchtune.models.llama3.llama3_tokenizer\nbatch_size: 2\n"
        "optimizer:\n  _component_: torch.optim.AdamW\n  lr: 2e-5\nepochs: 1\n"
    )
    workload = read(("recipe.yaml", recipe), ("a.yaml", LAUNCH))
    assert workload.framework == "torchtune"
    assert "deepspeed_stage" not in workload.fields
    assert "a.yaml: the training file does not use it" in said(workload, "note")


def test_the_user_may_choose_the_dialect_of_the_training_file() -> None:
    files = [upload("zero.json", ZERO), upload("run.yml", RUN)]
    workload = read_workload(files, dialect="axolotl")
    assert (workload.name, workload.value("deepspeed_stage")) == ("run.yml", 3)


def test_a_secret_beside_the_file_is_told_and_shown_nowhere() -> None:
    token = "hf_" + "A1b2C3d4E5" * 4
    zero = {**ZERO, "wandb": {"enabled": True, "team": token}}
    workload = read(("run.yml", RUN), ("zero.json", zero))
    assert token not in workload.model_dump_json()
    found = [(one.file, one.line) for one in workload.notices if one.kind == "secret"]
    assert [file for file, _ in found] == ["zero.json"]


def test_an_edit_goes_to_the_file_that_states_the_value(tmp_path: Path) -> None:
    files: list[tuple[str, Json]] = [("run.yml", RUN), ("zero.json", ZERO)]
    done = edit(files, offload_param="none", learning_rate=1e-4)
    assert [(one.applied, one.file) for one in done.outcomes] == [
        (True, "zero.json"),
        (True, "run.yml"),
    ]
    assert done.workload.value("offload_param") == "none"
    assert done.workload.value("learning_rate") == 1e-4
    for name, content in files:
        tmp_path.joinpath(name).write_bytes(upload(name, content).data)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.diff.encode(), check=True)
    for one in done.uploads:
        assert tmp_path.joinpath(one.name).read_bytes() == one.data


def test_a_number_that_both_files_name_is_changed_in_both() -> None:
    zero = {**ZERO, "train_micro_batch_size_per_gpu": 2, "gradient_accumulation_steps": 8}
    files: list[tuple[str, Json]] = [("run.yml", RUN), ("zero.json", zero)]
    done = edit(files, per_device_train_batch_size=4, gradient_accumulation_steps=4)
    assert all(one.applied for one in done.outcomes)
    after = {one.name: one.data.decode() for one in done.uploads}
    assert "micro_batch_size: 4\ngradient_accumulation_steps: 4\n" in after["run.yml"]
    assert json.loads(after["zero.json"])["train_micro_batch_size_per_gpu"] == 4
    assert json.loads(after["zero.json"])["gradient_accumulation_steps"] == 4
    assert said(done.workload, "conflict") == ""


def test_both_files_are_changed_or_none() -> None:
    text = json.dumps({**ZERO, "gradient_accumulation_steps": 8}) + "\n// mine\n"
    done = edit([("run.yml", RUN), ("zero.json", text)], gradient_accumulation_steps=4, seed=7)
    assert [one.applied for one in done.outcomes] == [False, True]
    assert "no standard JSON" in str(done.outcomes[0].reason)
    assert done.workload.value("gradient_accumulation_steps") == 8
    assert done.workload.value("seed") == 7


GOLDEN = sorted(
    path for path in (Path(__file__).parent / "golden").iterdir() if path.suffix != ".json"
)


@pytest.mark.parametrize("first", GOLDEN, ids=lambda path: path.name)
def test_any_two_files_make_one_workload(first: Path) -> None:
    for second in GOLDEN:
        if second == first:
            continue
        files = [Upload(path.name, path.read_bytes()) for path in (first, second)]
        workload = read_workload(files)
        assert workload.name in (first.name, second.name)
        assert read_workload(files[::-1]).framework
        json.dumps(workload.model_dump(mode="json"), allow_nan=False)
