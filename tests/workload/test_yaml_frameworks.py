"""The YAML dialects beside axolotl and LLaMA-Factory: told apart, edited, and robust."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from workload.detect import detect_dialect
from workload.dialects import DIALECTS, load_dialect
from workload.patch import Edited, edit_workload
from workload.read import read_workload
from workload.source import decode_upload

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "torchtune_qlora.yaml": "torchtune_yaml",
    "trl_recipe_grpo.yaml": "trl_recipe_yaml",
    "open_instruct_qlora.yaml": "openinstruct_yaml",
    "litgpt_qlora.yaml": "litgpt_yaml",
    "nemo_rl_child.yaml": "nemo_rl_yaml",
    "primus_lora.yaml": "primus_exp_yaml",
    "verl_grpo.yaml": "verl_yaml",
    "verl_sft.yaml": "verl_yaml",
}
HEAD = {
    "torchtune": "model: {_component_: torchtune.models.llama3_1.lora_llama3_1_8b, lora_rank: 8}\n"
    "optimizer:\n  _component_: torch.optim.AdamW\n  lr: 3e-4\ndataset:\n  packed: False\n"
    "checkpointer: {_component_: torchtune.training.X, checkpoint_dir: /m}\n",
    "trl": "model_name_or_path: example-org/base\nlearning_rate: 2e-5\noutput_dir: out\n"
    "per_device_train_batch_size: 4\n",
    "open_instruct": "model_name_or_path: example-org/base\nwith_tracking: true\n"
    "learning_rate: 2e-05\nper_device_train_batch_size: 1\n",
    "litgpt": "checkpoint_dir: checkpoints/x\nprecision: bf16-true\ndevices: 1\nlora_r: 8\n"
    "data: Alpaca\ntrain:\n  micro_batch_size: 2\n  epochs: 3\n",
    "nemo": "sft:\n  seed: 1\npolicy:\n  model_name: a/b\n  precision: bfloat16\n  dtensor_cfg:\n"
    "    enabled: true\n    lora_cfg:\n      enabled: False\n      dim: 8\ncluster:\n"
    "  num_nodes: 1\n",
    "primus": "work_group: a\nuser_name: b\nexp_name: c\nworkspace: d\nmodules:\n"
    "  post_trainer:\n    config: x.yaml\n    model: y.yaml\n    overrides:\n"
    "      peft: lora\n      lr: ${LR:1e-4}\n      train_iters: 5\n",
    "verl": "data:\n  train_batch_size: 8\nmodel:\n  partial_pretrain: a/b\noptim:\n  lr: 1e-5\n"
    "trainer:\n  seed: 1\n",
}


@pytest.mark.parametrize(("name", "format_id"), FILES.items())
def test_a_file_is_taken_for_its_own_dialect_only(name: str, format_id: str) -> None:
    source = decode_upload(Upload(name, (GOLDEN / name).read_bytes()))
    assert detect_dialect(source).dialect.format == format_id
    scores = {
        other: load_dialect(other).detect(source).score
        for other, entry in DIALECTS.items()
        if entry.kind == "yaml"
    }
    others = [score for other, score in scores.items() if other != format_id]
    assert scores[format_id] >= 0.6 > max(others), scores


@pytest.mark.parametrize("entry", [one for one in DIALECTS.values() if one.keys])
def test_the_keys_that_spare_an_import_spare_no_file(entry: Any) -> None:
    """A dialect that is not imported for a file would not have taken it."""
    for path in GOLDEN.glob("*.y*ml"):
        source = decode_upload(Upload(path.name, path.read_bytes()))
        keys = set(yaml.safe_load(source.text))
        format_id = next(name for name, one in DIALECTS.items() if one.target == entry.target)
        if keys.isdisjoint(entry.keys.split()):
            assert load_dialect(format_id).detect(source).score < 0.5, (path.name, format_id)


def edit(text: str, field: str, value: Any = None, *, remove: bool = False) -> Edited:
    change = FieldEdit(field=field, value=value, remove=remove)
    return edit_workload([Upload("run.yaml", text.encode())], [change])


def changed(done: Edited) -> list[str]:
    assert done.outcomes[0].applied, done.outcomes[0].reason
    lines = done.diff.splitlines()
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("head", "field", "value", "wanted"),
    [
        ("torchtune", "optimizer", "adamw_torch_fused", ["+  fused: True"]),
        ("torchtune", "packing", True, ["-  packed: False", "+  packed: true"]),
        ("torchtune", "gradient_checkpointing", True, ["+enable_activation_checkpointing: true"]),
        ("torchtune", "bf16", True, ["+dtype: bf16"]),
        ("trl", "quant_bits", 4, ["+load_in_4bit: true"]),
        ("trl", "model_load_dtype", "bf16", ["+dtype: bfloat16"]),
        ("trl", "env:OMP_NUM_THREADS", "8", ["+env:", '+  OMP_NUM_THREADS: "8"']),
        ("trl", "group_by_length", True, ["+train_sampling_strategy: group_by_length"]),
        ("trl", "optimizer", "adamw_bnb_8bit", ["+optim: adamw_bnb_8bit"]),
        ("trl", "gradient_checkpointing_reentrant", True, [
            "+gradient_checkpointing_kwargs:", "+  use_reentrant: true"]),
        ("open_instruct", "finetune_method", "lora", ["+use_lora: true"]),
        ("open_instruct", "gradient_checkpointing", True, ["+gradient_checkpointing: true"]),
        ("litgpt", "quant_bits", 4, ["+quantize: bnb.nf4"]),
        ("litgpt", "bf16", False, ["-precision: bf16-true", "+precision: 32-true"]),
        ("litgpt", "max_seq_len", 512, ["+  max_seq_length: 512"]),
        ("nemo", "finetune_method", "lora", ["-      enabled: False", "+      enabled: true"]),
        ("nemo", "gradient_checkpointing", True, ["+    activation_checkpointing: true"]),
        ("nemo", "model_load_dtype", "fp32", [
            "-  precision: bfloat16", "+  precision: float32"]),
        ("primus", "finetune_method", "full", ["-      peft: lora", '+      peft: none']),
        ("primus", "learning_rate", 2e-4, ["-      lr: ${LR:1e-4}", "+      lr: 0.0002"]),
        ("primus", "gradient_checkpointing", True, [
            "+      recompute_granularity: full", "+      recompute_method: uniform",
            "+      recompute_num_layers: 1"]),
        ("verl", "lora_r", 16, ["+  lora_rank: 16"]),
        ("verl", "padding_free", True, ["+use_remove_padding: true"]),
    ],
)  # fmt: skip
def test_an_edit_in_the_words_of_the_framework(
    head: str, field: str, value: Any, wanted: list[str], tmp_path: Path
) -> None:
    done = edit(HEAD[head], field, value)
    found = changed(done)
    assert [line.lower() for line in found] == [line.lower() for line in wanted]
    (tmp_path / "run.yaml").write_text(HEAD[head])
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.diff.encode(), check=True)
    assert (tmp_path / "run.yaml").read_bytes() == done.uploads[0].data


@pytest.mark.parametrize(
    ("head", "field", "value", "reason"),
    [
        ("torchtune", "optimizer", "galore_adamw", "no optimizer"),
        ("torchtune", "finetune_method", "full", "builder"),
        ("torchtune", "attn_implementation", "sdpa", "hold no key"),
        ("trl", "quant_bits", 3, "4 or 8"),
        ("trl", "finetune_method", "oft", "more than one key"),
        ("open_instruct", "save_steps", 250, "checkpointing_steps"),
        ("litgpt", "finetune_method", "full", "command"),
        ("litgpt", "gradient_accumulation_steps", 4, "derives"),
        ("nemo", "gradient_accumulation_steps", 4, "derives"),
        ("nemo", "env:A", "1", "environment"),
        ("primus", "bf16", True, "no switch"),
        ("verl", "offload_optimizer", "cpu", "no block"),
        ("verl", "learning_rate", [1, 2], "one value"),
    ],
)
def test_an_edit_that_the_file_cannot_hold_is_advice(
    head: str, field: str, value: Any, reason: str
) -> None:
    outcome = edit(HEAD[head], field, value).outcomes[0]
    assert not outcome.applied
    assert reason in str(outcome.reason)
    assert outcome.advice


@pytest.mark.parametrize(
    ("text", "task", "origin"),
    [
        ("num_generations: 8\n", "grpo", "assumed"),
        ("beta: 0.1\nmax_prompt_length: 512\n", "dpo", "assumed"),
        ("beta: 0.05\nhub_model_id: zephyr-orpo-141b\n", "orpo", "assumed"),
        ("desirable_weight: 1.0\n", "kto", "assumed"),
        ("packing: true\n", "sft", "assumed"),
    ],
)
def test_the_task_of_a_recipe_is_assumed_from_its_keys(text: str, task: str, origin: str) -> None:
    workload = read_workload([Upload("run.yaml", (HEAD["trl"] + text).encode())])
    found = workload.fields["task"]
    assert (found.value, found.origin) == (task, origin)
    assert workload.fields["gradient_checkpointing"].origin == "default"
    rate = HEAD["trl"].replace("learning_rate: 2e-5\n", "")
    again = read_workload([Upload("run.yaml", (rate + text).encode())])
    assert again.fields["learning_rate"].origin == "assumed"


@pytest.mark.parametrize(
    ("versions", "field", "wanted"),
    [
        ({"trl": "0.19.1"}, "gradient_checkpointing", False),
        ({"trl": "0.22.2"}, "gradient_checkpointing", True),
        ({"trl": "0.17.0"}, "bf16", False),
        ({"trl": "0.24.0", "transformers": "4.57"}, "gradient_checkpointing_reentrant", True),
        ({"trl": "1.8.0"}, "gradient_checkpointing_reentrant", False),
    ],
)
def test_defaults_of_trl_by_release(versions: dict[str, str], field: str, wanted: Any) -> None:
    workload = read_workload([Upload("run.yaml", HEAD["trl"].encode())], versions=versions)
    assert workload.fields[field].value == wanted


HOSTILE = [
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + "d: [" + "*c, " * 200 + "]\n",
    "a: !!python/object/apply:os.system [echo]\n",
    "seed: .nan\nlearning_rate: .inf\n",
    "seed: " + "9" * 5000 + "\n",
    "seed: -1\nbatch_size: 0\n",
    "seed: 2024-01-01\n",
    "? {a: b}\n: c\n",
    "null: 1\n~: 2\n",
    "seed:\n  - [1, {a: *x}]\n",
    "{{ template }}: 1\n",
    "seed: [" + "[" * 60 + "]" * 60 + "]\n",
    "---\nsecond: document\n",
    "\tseed: 1\n",
    "optimizer: 5\nmodel: []\npolicy: x\nmodules: 7\ntrain: [1]\ntrainer: null\ndefaults: {a: 1}\n",
    "defaults: [1, null, {a: {b: c}}, [x]]\nextends: [1, {}]\nenv: [1]\n",
    "<<: {seed: 3}\n",
    "seed: &x 3\nother: *x\n",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_read_or_refused_at_once(name: str, hostile: str) -> None:
    data = (GOLDEN / name).read_text() + hostile
    began = time.perf_counter()
    with suppress(InputError):
        workload = read_workload([Upload("run.yaml", data.encode())], dialect=FILES[name])
        assert workload.model_dump_json()
    assert time.perf_counter() - began < 0.5


VALUES = (
    "null", "[]", "{}", "-1", "0", "1e999", ".nan", "'x'", "*a", "&a 3", "${a}", "${.x}", "no",
    "${oc.env:HOME}", "${mul:1,2}", "${X:1}", "0x1F", "017", "auto", "[1, [2]]", "{a: {b: c}}",
    "|\n    text", "???", "1e-5", "${",
)  # fmt: skip
EDITED = (
    "per_device_train_batch_size", "learning_rate", "bf16", "quant_bits", "finetune_method",
    "optimizer", "lora_r", "packing", "gradient_checkpointing", "lora_target_modules", "env:A",
    "save_steps", "model_load_dtype", "group_by_length", "liger", "offload_optimizer",
)  # fmt: skip
NEW = (1, 8, 0.5, True, False, None, "bf16", "lora", "qlora", "full", "all-linear", ["a"], "x: y")


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_edited_or_refused(name: str) -> None:
    """Seeded damage of the golden files: nothing but InputError, and never a wrong key changed."""
    random_ = random.Random(name)
    for _ in range(60):
        lines = (GOLDEN / name).read_text().split("\n")
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(lines))
            kind = random_.randrange(4)
            if kind == 0 and len(lines) > 3:
                lines.pop(at)
            elif kind == 1:
                lines.insert(at, random_.choice(lines))
            elif kind == 2 and ":" in lines[at]:
                lines[at] = lines[at].split(":", 1)[0] + ": " + random_.choice(VALUES)
            else:
                lines[at] = "  " + lines[at]
        data = "\n".join(lines).encode()
        change = FieldEdit(field=random_.choice(EDITED), value=random_.choice(NEW))
        try:
            done = edit_workload([Upload("run.yaml", data)], [change], dialect=FILES[name])
        except InputError:
            continue
        if not done.outcomes[0].applied:
            assert done.uploads[0].data == data
