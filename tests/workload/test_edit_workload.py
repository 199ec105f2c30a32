"""Edits end to end: the diff is applied by git, the result is read again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from kb.rulebook import load_rules
from workload.dialects import DIALECTS, load_dialect
from workload.field_names import FieldNames
from workload.normalise import FIELDS
from workload.patch import Edited, edit_workload
from workload.read import read_workload

CONFIG = """# keep me
base_model: goblin-org/tiny-1b   # the model
datasets:
  - {path: goblin-org/chat, type: alpaca}
micro_batch_size: 2
gradient_accumulation_steps: 4

learning_rate: '2e-4'
sequence_len: 2048
bf16: auto
gradient_checkpointing: true
adapter: qlora
load_in_4bit: true
chat_template_jinja: |
  {% for m in messages %}{{ m }}{% endfor %}

output_dir: ./out
"""
TOKEN = "hf_" + "Zq9" * 12
EDITS = {
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "learning_rate": 5e-05,
    "bf16": True,
    "gradient_checkpointing": False,
    "packing": True,
    "dataloader_num_workers": 4,
    "attn_implementation": "sdpa",
    "gradient_checkpointing_reentrant": False,
    "quant_bits": None,
    "finetune_method": "lora",
    "optimizer": "adamw_torch_fused",
    "seed": 7,
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def edit(data: bytes, **values: object) -> Edited:
    edits = [FieldEdit(field=name, value=value) for name, value in values.items()]
    return edit_workload([Upload("run.yml", data)], edits)


def git_applied(folder: Path, data: bytes, diff: str) -> bytes:
    path = folder / "run.yml"
    path.write_bytes(data)
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, cwd=folder, input=diff.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + diff
    return path.read_bytes()


def variants() -> list[bytes]:
    plain = CONFIG.encode()
    return [
        plain,
        plain.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + plain,
        plain.removesuffix(b"\n"),
        b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
    ]


@pytest.mark.parametrize("data", variants(), ids=["plain", "crlf", "bom", "unended", "all"])
def test_all_edits_together(repository: Path, data: bytes) -> None:
    result = edit(data, **EDITS)
    assert [outcome.reason for outcome in result.outcomes] == [None] * len(EDITS)
    patched = result.uploads[0].data
    assert git_applied(repository, data, result.diff) == patched
    for name, value in EDITS.items():
        assert result.workload.fields[name].value == value, name
    assert result.workload == read_workload(result.uploads)
    assert b"# keep me" in patched
    assert b"# the model" in patched
    assert (b"\r\n" in patched) == (b"\r\n" in data)
    before, after = (yaml.safe_load(text.decode("utf-8-sig")) for text in (data, patched))
    touched = {key for key in before | after if before.get(key) != after.get(key)}
    assert "chat_template_jinja" not in touched
    assert "datasets" not in touched


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(st.sampled_from(sorted(EDITS)), unique=True, min_size=1),
    data=st.sampled_from(variants()),
)
def test_any_edits_change_only_their_fields(
    repository: Path, names: list[str], data: bytes
) -> None:
    before = read_workload([Upload("run.yml", data)])
    result = edit(data, **{name: EDITS[name] for name in names})
    assert git_applied(repository, data, result.diff) == result.uploads[0].data
    for name, found in result.workload.fields.items():
        old = before.fields.get(name)
        if name not in names and found.origin == "stated" and old is not None:
            assert found.value == old.value, name


def test_removed_fields_fall_back_to_their_defaults(repository: Path) -> None:
    edits = [FieldEdit(field=name, remove=True) for name in ("max_seq_len", "bf16")]
    result = edit_workload([Upload("run.yml", CONFIG.encode())], edits)
    assert all(outcome.applied for outcome in result.outcomes)
    assert result.workload.fields["max_seq_len"].origin == "default"
    assert "sequence_len" not in result.uploads[0].data.decode()
    assert git_applied(repository, CONFIG.encode(), result.diff) == result.uploads[0].data


def test_outcomes_name_value_file_and_line() -> None:
    result = edit(CONFIG.encode(), bf16=True, seed=7, dataloader_persistent_workers=True)
    bf16, seed, workers = result.outcomes
    assert (bf16.applied, bf16.before, bf16.file, bf16.line) == (True, "auto", "run.yml", 10)
    assert seed.applied
    assert not workers.applied
    assert workers.reason
    assert workers.advice


def test_an_edit_that_fails_does_not_stop_the_others() -> None:
    result = edit(CONFIG.encode() + b"lora_r: 8\nlora_r: 16\n", lora_r=4, bf16=True)
    assert [outcome.applied for outcome in result.outcomes] == [False, True]
    assert b"bf16: true" in result.uploads[0].data
    assert b"lora_r: 8\nlora_r: 16\n" in result.uploads[0].data


def test_nothing_to_do_is_no_diff() -> None:
    result = edit(CONFIG.encode(), max_seq_len=2048)
    assert result.diff == ""
    assert result.outcomes[0].reason == "the file says so already"
    assert result.uploads[0].data == CONFIG.encode()
    assert edit_workload([Upload("run.yml", CONFIG.encode())], []).diff == ""


@pytest.mark.parametrize("where", ["before", "after", "both"])
@pytest.mark.parametrize("key", ["micro_batch_size: 2", "bf16: auto", "output_dir: ./out"])
def test_a_secret_beside_an_edited_key_is_not_in_the_diff(
    repository: Path, key: str, where: str
) -> None:
    secret = f"hub_token: {TOKEN}"
    other = f"wandb_api_key: {'0123456789abcdef' * 2}01234567"
    lines = {"before": [secret, key], "after": [key, secret], "both": [secret, key, other]}[where]
    data = CONFIG.replace(key, "\n".join(lines)).encode()
    result = edit(data, per_device_train_batch_size=8, bf16=True, seed=7)
    assert all(outcome.applied for outcome in result.outcomes)
    assert TOKEN not in result.diff
    assert "0123456789abcdef" not in result.diff
    patched = git_applied(repository, data, result.diff)
    assert patched == result.uploads[0].data
    assert TOKEN.encode() in patched
    assert TOKEN not in result.workload.model_dump_json()


def test_an_edit_on_a_line_with_a_secret_becomes_advice() -> None:
    data = CONFIG.replace("bf16: auto", f"bf16: auto  # token={TOKEN}").encode()
    result = edit(data, bf16=True, seed=7)
    assert [outcome.applied for outcome in result.outcomes] == [False, True]
    assert "secret" in str(result.outcomes[0].reason)
    assert result.outcomes[0].line == 10
    assert TOKEN not in repr(result.outcomes)
    assert TOKEN not in result.diff


def test_a_block_without_a_value_is_filled() -> None:
    data = CONFIG.encode() + b"gradient_checkpointing_kwargs:  # none yet\n"
    result = edit(data, gradient_checkpointing_reentrant=True)
    assert result.outcomes[0].applied
    after = yaml.safe_load(result.uploads[0].data)
    assert after["gradient_checkpointing_kwargs"] == {"use_reentrant": True}
    assert b"# none yet" in result.uploads[0].data


def test_an_edit_that_would_change_more_becomes_advice() -> None:
    data = CONFIG.encode() + b"fsdp_config:\n"
    result = edit(data, fsdp_cpu_offload=True)
    assert not result.outcomes[0].applied
    assert "change fsdp as well" in str(result.outcomes[0].reason)


def test_other_uploads_are_handed_back_unchanged() -> None:
    beside = Upload("requirements.txt", b"transformers==4.57.6\n")
    result = edit_workload(
        [beside, Upload("run.yml", CONFIG.encode())], [FieldEdit(field="seed", value=7)]
    )
    assert result.uploads[0] is beside
    assert result.workload.versions["transformers"] == "4.57.6"


def test_uploads_that_cannot_be_read_are_an_input_error() -> None:
    with pytest.raises(InputError):
        edit(b"a: [\n", bf16=True)


def test_every_field_that_a_table_or_a_rule_names_is_in_the_vocabulary() -> None:
    tables = {
        key.field for name in DIALECTS for key in getattr(load_dialect(name), "table", ())
    }  # fmt: skip
    ruled = {edit.field for rule in load_rules() for edit in rule.edits}
    assert tables <= FIELDS
    assert {field for field in ruled if not field.startswith("env:")} <= FIELDS


def test_a_key_that_says_the_opposite_of_its_field_is_written_the_users_way() -> None:
    """verl's `use_...` keys and the like: the value on the command line is the key's own."""
    rows = [
        (name, key)
        for name in DIALECTS
        for key in getattr(load_dialect(name), "table", ())
        if key.inverted
    ]
    assert rows
    for name, key in rows:
        names = FieldNames("a.yml", name, {})
        edit = names.edit(FieldEdit(field=key.names[0], value=True))
        assert (edit.field, edit.value) == (key.field, False)
