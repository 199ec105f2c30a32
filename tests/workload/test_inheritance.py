"""Files that inherit from others: among the uploads only, merged as the frameworks merge."""

from __future__ import annotations

from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.patch import Edited, edit_workload
from workload.read import read_workload

CHILD = """defaults: base.yaml
policy:
  train_micro_batch_size: 2
  dtensor_cfg:
    tensor_parallel_size: 4
  max_grad_norm: null
"""
BASE = """sft: {max_num_steps: 60, seed: 42}
policy:
  model_name: example-org/base-1b
  train_global_batch_size: ${mul:${policy.train_micro_batch_size}, 16}
  train_micro_batch_size: 1
  precision: bfloat16
  max_grad_norm: 1.0
  dtensor_cfg: {enabled: true, tensor_parallel_size: 1, context_parallel_size: 1}
  optimizer: {name: torch.optim.AdamW, kwargs: {lr: 5e-6, weight_decay: 0.1}}
cluster: {gpus_per_node: 8, num_nodes: 1}
"""


def uploads(**files: str) -> list[Upload]:
    return [Upload(f"{name}.yaml", text.encode()) for name, text in files.items()]


def read(**files: str) -> Workload:
    return read_workload(uploads(**files))


def edit(name: str, value: Any = None, *, remove: bool = False, **files: str) -> Edited:
    return edit_workload(uploads(**files), [FieldEdit(field=name, value=value, remove=remove)])


def told(workload: Workload, kind: str) -> list[str]:
    return [notice.message for notice in workload.notices if notice.kind == kind]


@pytest.mark.parametrize("order", [("child", "base"), ("base", "child")])
def test_a_child_is_read_over_its_parent(order: tuple[str, str]) -> None:
    files = {"child": CHILD, "base": BASE}
    workload = read(**{name: files[name] for name in order})
    assert workload.name == "child.yaml"
    fields = workload.fields
    assert fields["per_device_train_batch_size"].value == 2
    assert (fields["model_id"].value, fields["model_id"].file) == (
        "example-org/base-1b",
        "base.yaml",
    )
    assert fields["model_id"].line == 3
    assert fields["tensor_parallel_size"].file == "child.yaml"
    assert fields["max_grad_norm"].value is None
    assert fields["train_batch_size"].value == 32
    assert fields["gradient_accumulation_steps"].value == 8
    assert {file.name: file.format for file in workload.files} == {
        "child.yaml": "nemo_rl_yaml",
        "base.yaml": "nemo_rl_yaml",
    }
    assert not [notice for notice in workload.notices if notice.kind != "assumed"]


def test_a_parent_that_is_missing_leaves_its_fields_unknown() -> None:
    workload = read(child=CHILD)
    assert workload.fields["learning_rate"].origin == "unknown"
    assert "base.yaml" in str(workload.fields["learning_rate"].source)
    assert workload.fields["per_device_train_batch_size"].origin == "stated"
    assert told(workload, "missing_file") == [
        "defaults names base.yaml, which was not uploaded and is not read"
    ]


@pytest.mark.parametrize(
    ("child", "wanted"),
    [
        ("policy: {optimizer: null}\n", None),
        ("policy: {optimizer: {kwargs: {weight_decay: 0.2}}}\n", 5e-6),
        ("policy: {optimizer: {kwargs: {lr: 1e-4}}}\n", 1e-4),
        ("policy: {_override_: true, optimizer: {kwargs: {weight_decay: 0.2}}}\n", None),
        ("policy:\n  optimizer:\n    kwargs:\n      lr: ???\n", 5e-6),
    ],
)
def test_blocks_are_merged_and_other_values_hide_them(child: str, wanted: float | None) -> None:
    workload = read(child="defaults: base.yaml\n" + child, base=BASE)
    found = workload.fields.get("learning_rate")
    assert (found.value if found else None) == wanted


def test_later_parents_are_stronger_and_grandparents_weaker() -> None:
    child = "defaults: [one.yaml, two.yaml]\npolicy: {precision: bfloat16}\n"
    one = "policy: {model_name: one, train_micro_batch_size: 1, max_total_sequence_length: 1}\n"
    two = "defaults: three.yaml\npolicy: {model_name: two}\ncluster: {num_nodes: 2}\n"
    three = "policy: {model_name: three, train_micro_batch_size: 3}\ncluster: {gpus_per_node: 3}\n"
    fields = read(child=child, one=one, two=two, three=three).fields
    assert fields["model_id"].value == "two"
    assert fields["per_device_train_batch_size"].value == 3
    assert fields["max_seq_len"].value == 1
    assert (fields["num_machines"].value, fields["num_processes"].value) == (2, 3)


@pytest.mark.parametrize(
    "parent",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "C:\\\\secret.yaml",
        "child.yaml",
        "base.yaml",
        "${oc.env:HOME}/x.yaml",
    ],
)
def test_no_path_is_opened_and_no_circle_is_walked(parent: str) -> None:
    files = {"child": CHILD.replace("base.yaml", f'"{parent}"'), "base": "defaults: child.yaml\n"}
    workload = read(**files)
    assert workload.fields["per_device_train_batch_size"].value == 2
    assert "root:" not in workload.model_dump_json()


def test_a_broken_parent_is_named() -> None:
    with pytest.raises(InputError, match=r"base\.yaml, line 3"):
        read(child=CHILD, base="policy:\n  a: [1\n")


def test_a_secret_of_a_parent_is_taken_out() -> None:
    token = "hf_" + "Ab1" * 12
    workload = read(child=CHILD, base=BASE.replace("example-org/base-1b", f"x/{token}"))
    assert token not in workload.model_dump_json()
    assert workload.fields["model_id"].origin == "stated"


def test_an_inherited_value_is_changed_in_the_child() -> None:
    done = edit("max_steps", 500, child=CHILD + "sft: {seed: 1}\n", base=BASE)
    assert done.outcomes[0].applied
    assert b"sft: {seed: 1, max_num_steps: 500}" in done.uploads[0].data
    assert done.uploads[1].data == BASE.encode()
    assert done.workload.fields["max_steps"].value == 500


def test_an_inherited_value_cannot_be_removed_from_the_child() -> None:
    outcome = edit("model_id", remove=True, child=CHILD, base=BASE).outcomes[0]
    assert not outcome.applied
    assert "base.yaml" in str(outcome.reason)


PRIMUS = """work_group: amd
user_name: root
exp_name: run
workspace: ./output
modules:
  post_trainer:
    framework: megatron_bridge
    config: sft_trainer.yaml
    model: base_8b.yaml
    overrides:
      micro_batch_size: 2
"""


def test_presets_stand_below_the_overrides() -> None:
    config = "extends: [module_base.yaml]\nmicro_batch_size: 8\nseed: 7\nstage: sft\n"
    model = "seed: 9\nseq_length: 4096\n"
    base = "lr: 1.0e-5\nseq_length: 1\n"
    files = {"exp": PRIMUS, "sft_trainer": config, "base_8b": model, "module_base": base}
    workload = read(**files)
    found = {
        name: (field.value, field.file)
        for name, field in workload.fields.items()
        if field.origin == "stated"
    }
    assert workload.name == "exp.yaml"
    assert found["per_device_train_batch_size"] == (2, "exp.yaml")
    assert found["seed"] == (7, "sft_trainer.yaml")
    assert found["learning_rate"] == (1e-5, "module_base.yaml")
    assert found["max_seq_len"] == (1, "module_base.yaml")
    assert found["task"] == ("sft", "sft_trainer.yaml")
    assert told(workload, "missing_file") == []


def test_an_experiment_extends_another() -> None:
    child = "extends: exp.yaml\nexp_name: second\nmodules:\n  post_trainer:\n"
    child += "    overrides: {train_iters: 50}\n"
    workload = read(second=child, exp=PRIMUS)
    assert workload.name == "second.yaml"
    assert workload.fields["max_steps"].value == 50
    assert workload.fields["per_device_train_batch_size"].file == "exp.yaml"
    assert workload.fields["learning_rate"].origin == "unknown"


def test_hydra_puts_a_group_at_its_package() -> None:
    main = "defaults:\n  - ppo_trainer\n  - optim@actor_rollout_ref.actor.optim: mine\n  - _self_\n"
    main += "actor_rollout_ref: {model: {path: example-org/base}}\n"
    trainer = "trainer: {total_epochs: 2, nnodes: 3}\nactor_rollout_ref: {model: {path: other}}\n"
    fields = read(main=main, ppo_trainer=trainer, mine="lr: 4e-6\n").fields
    assert (fields["learning_rate"].value, fields["learning_rate"].file) == (4e-6, "mine.yaml")
    assert fields["num_machines"].value == 3
    assert fields["model_id"].value == "example-org/base"


def test_a_file_of_ones_own_that_is_missing_makes_defaults_unknown() -> None:
    main = "defaults:\n  - {}\n  - _self_\nactor_rollout_ref: {{model: {{path: a/b}}}}\n"
    own = read(main=main.format("ppo_trainer")).fields["learning_rate"]
    other = read(main=main.format("our_trainer")).fields["learning_rate"]
    assert (own.value, own.origin) == (1e-6, "default")
    assert (other.value, other.origin) == (None, "unknown")
