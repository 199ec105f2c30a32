"""A workload becomes what runs: every knob applied, or named with why it cannot be."""

from __future__ import annotations

import pytest

from audit.records.base import Json
from audit.records.errors import MissingFacts
from audit.records.spec import Arm, Spec
from audit.records.translated import Translation
from audit.records.workload import DataLengths
from kb.catalog.hardware import find_hardware
from runner.translation.place import Place
from runner.translation.shrink import fits, weight_count
from runner.translation.translate import translate
from runner.translation.variables import passed_on
from tests.runner.stated_workloads import make_workload

CPU = Place(kind="cpu", memory_gb=16.0, rates={"fp32": 0.1, "bf16": 0.4}, compiler=True)
GPU = Place(
    kind="cuda",
    memory_gb=80.0,
    rates={"fp32": 50.0, "bf16": 600.0, "fp16": 600.0},
    packages={"flash-attn": "2.8.3", "bitsandbytes": "0.48.0"},
)
PLAIN: dict[str, Json] = {
    "compute_dtype": "fp32", "model_load_dtype": None, "finetune_method": "full", "lora_r": None,
    "lora_target_modules": None, "max_seq_len": 512, "gradient_checkpointing": False,
}  # fmt: skip


def translated(
    place: Place,
    patch: dict[str, Json] | None = None,
    lengths: DataLengths | None = None,
    **values: Json,
) -> Translation:
    given = {**PLAIN, **values}
    lengths = lengths or DataLengths(p50=100, p95=300, max=512, origin="stated", source="test")
    before = make_workload(lengths=lengths, **given)
    arms = [Arm(name="baseline", workload=before)]
    if patch is not None:
        arms.append(Arm(name="patched", workload=before.with_values(patch)))
    hardware = find_hardware("cpu" if place.kind == "cpu" else "h100-sxm")
    return translate(Spec(arms=tuple(arms), hardware=hardware.id), place, hardware)


def test_the_settings_are_the_files_own() -> None:
    recipe = translated(CPU, optimizer="adafactor", learning_rate=3e-4).arms[0].recipe
    assert (recipe.micro_batch, recipe.accumulation, recipe.optimizer) == (4, 4, "adafactor")
    assert (recipe.padding, recipe.attention, recipe.precision) == ("longest", "sdpa", "fp32")
    assert recipe.learning_rate == 3e-4


@pytest.mark.parametrize(
    ("values", "padding"),
    [
        ({"packing": True}, "packed"),
        ({"task": "pretrain"}, "packed"),
        ({"padding_free": True}, "padding_free"),
        ({"pad_to_max_length": True}, "max"),
        ({"group_by_length": True}, "grouped"),
        ({"packing": True, "pad_to_max_length": True}, "packed"),
    ],
)
def test_each_way_of_padding_has_a_name(values: dict[str, Json], padding: str) -> None:
    assert translated(CPU, **values).arms[0].recipe.padding == padding


def test_llamafactory_packs_samples_into_each_other_unless_it_is_neat() -> None:
    lengths = DataLengths(p50=100, p95=300, max=512, origin="stated", source="test")
    for neat in (False, True):
        workload = make_workload(
            lengths=lengths, framework="llamafactory", **{**PLAIN, "packing": True},
            padding_free=neat,
        )  # fmt: skip
        spec = Spec(arms=(Arm(name="baseline", workload=workload),), hardware="cpu")
        recipe = translate(spec, CPU, find_hardware("cpu")).arms[0].recipe
        assert recipe.isolated is neat


def test_an_edit_that_cannot_run_here_keeps_the_baselines_value_and_says_why() -> None:
    found = translated(CPU, {"attn_implementation": "flash_attention_2", "packing": True},
                       attn_implementation="eager")  # fmt: skip
    before, after = (arm.recipe for arm in found.arms)
    assert before.attention == after.attention == "eager"
    assert found.edits == {"packing": True}
    assert [one.field for one in found.unmeasured] == ["attn_implementation"]
    assert "needs a GPU" in found.unmeasured[0].reason


def test_an_edit_without_a_part_in_a_step_is_told() -> None:
    found = translated(CPU, {"save_steps": 500, "warmup_steps": 10})
    assert found.edits == {}
    assert {one.field for one in found.unmeasured} == {"save_steps", "warmup_steps"}


def test_the_same_edit_counts_where_it_can_run() -> None:
    found = translated(GPU, {"attn_implementation": "flash_attention_2"})
    assert found.edits == {"attn_implementation": "flash_attention_2"}
    assert found.arms[1].recipe.attention == "flash_attention_2"


def test_a_cpu_gets_a_small_model_of_the_same_proportions() -> None:
    found = translated(CPU)
    full, built = found.full, found.shape
    assert built.hidden < full.hidden
    assert built.layers >= 2
    assert built.heads % built.kv_heads == 0
    assert abs(built.mlp / built.hidden - full.mlp / full.hidden) < 0.5
    ours = built.vocab * built.hidden / weight_count(built).products
    assert ours < 0.25, "the output layer must not outweigh the layers"
    assert any("scaled from" in note for note in found.notes)


def test_a_gpu_leaves_layers_out_before_width() -> None:
    found = translated(GPU, compute_dtype="bf16", model_id="meta-llama/Llama-3.1-8B")
    assert (found.shape.hidden, found.shape.vocab) == (4096, 128256)
    assert 2 <= found.shape.layers < 32
    assert fits(found.shape, found.arms[0].recipe, found.samples, GPU, 1, 0.6)


def test_lengths_are_divided_only_where_the_smallest_model_is_too_slow() -> None:
    long = DataLengths(p50=6000, p95=16000, max=32768, origin="stated", source="test")
    found = translated(CPU, lengths=long, max_seq_len=32768, pad_to_max_length=True)
    assert found.length_divisor > 1
    assert found.arms[0].recipe.max_length == 32768 // found.length_divisor
    assert found.samples.p50 == 6000 // found.length_divisor
    assert any("divided by" in note for note in found.notes)


def test_other_kinds_of_training_are_refused_by_name() -> None:
    with pytest.raises(MissingFacts, match="dpo training is not measured"):
        translated(CPU, task="dpo")


def test_variables_that_load_or_write_never_reach_the_worker() -> None:
    allowed, refused = passed_on(
        {
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            "NCCL_DEBUG": "WARN",
            "TOKENIZERS_PARALLELISM": "false",
            "LD_PRELOAD": "evil.so",
            "PYTHONSTARTUP": "x",
            "NCCL_NET_PLUGIN": "evil",
            "PYTORCH_TUNABLEOP_FILENAME": "x.csv",
            "NCCL_TOPO_FILE": "/etc/passwd",
            "HSA_TOOLS_LIB": "evil",
            "CUDA_VISIBLE_DEVICES": "1",
            "NCCL_ALGO": "$(reboot)",
        }
    )
    assert set(allowed) == {"PYTORCH_CUDA_ALLOC_CONF", "NCCL_DEBUG", "TOKENIZERS_PARALLELISM"}
    assert len(refused) == 8
