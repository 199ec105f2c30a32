"""`patch` through the command line: what git applies, whose names count, what is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.agent.spoken import Said, goblin, refused
from tests.agent.training_files import AXOLOTL, SCRIPT, STOPS, TOKEN, written


def test_patch_prints_what_git_applies(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "configs").mkdir()
    path = written(tmp_path, "configs/a.yml", AXOLOTL)
    wishes = ("--set", "per_device_train_batch_size=4", "--set", "bf16=false", "--unset", "tf32")
    done = goblin("patch", "configs/a.yml", *wishes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.stdout.encode(), check=True)
    text = path.read_text()
    assert "micro_batch_size: 4            # from a smaller card" in text
    assert "bf16: false" in text
    assert "tf32" not in text


def test_patch_by_rules_holds_those_rules_alone(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", STOPS)
    every = said("patch", path).stdout
    one = said("patch", path, "--rules", "precision.tf32_on_rocm").stdout
    assert "tf32" in one
    changed = [
        line for line in one.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert 1 <= len(changed) <= 2
    assert len(every) > len(one)
    assert "precision.tf32_on_rocm" in refused(said("patch", path, "--rules", "no.such_rule"))


def test_patch_jobs_answers_every_job_in_order(tmp_path: Path) -> None:
    path = str(written(tmp_path, "a.yml", AXOLOTL))
    jobs = [
        {"id": "1", "file": path, "set": {"per_device_train_batch_size": 2}},
        {"id": "2", "file": path, "unset": ["tf32"]},
        {"id": "3", "file": str(tmp_path / "absent.yml"), "set": {"bf16": True}},
        {"id": "4", "file": path},
        {"id": "5", "file": path, "set": {"learning_rate": 1e-5}},
    ]
    lines = written(tmp_path, "jobs.jsonl", "\n".join(map(json.dumps, jobs)) + "\n\n")
    done = goblin("patch", "--jobs", lines, "--json")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["id"], answer["file"]) for answer in answers] == [
        (job["id"], job["file"]) for job in jobs
    ]
    assert ["diff" in answer for answer in answers] == [True, True, False, False, True]
    assert ["refused" in answer for answer in answers] == [False, False, True, True, False]


@pytest.mark.parametrize("wishes", [("--set", "micro_batch_size=4"), ()], ids=["stated", "ruled"])
def test_git_applies_a_patch_whatever_the_file_is_called(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: tuple[str, ...]
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "my runs" / "größe").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    text = STOPS.replace("lora_r: 16", '# --- a/first "try".yml\nlora_r: 16')
    for name in ('my runs/first "try".yml', "my runs/größe/b.yml", "größe 1.yml"):
        path = written(tmp_path, name, text)
        done = said("patch", name, *wishes)
        subprocess.run(["git", "apply", "-"], input=done.stdout.encode(), check=True)
        assert path.read_text() != text


def test_git_applies_a_delta_above_a_secret_below_a_folder(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "my runs").mkdir()
    monkeypatch.chdir(tmp_path)
    text = AXOLOTL.replace("bf16: true\n", f"bf16: true\nhf_token: {TOKEN}\n")
    path = written(tmp_path, "my runs/a.yml", text)
    done = said("patch", "my runs/a.yml", "--set", "bf16=false")
    assert "GIT binary patch" in done.stdout
    assert TOKEN not in done.stdout
    subprocess.run(["git", "apply", "-"], input=done.stdout.encode(), check=True)
    assert path.read_text() == text.replace("bf16: true", "bf16: false")


def test_a_key_of_the_file_is_its_field(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    assert "+micro_batch_size: 3 " in said("patch", path, "--set", "micro_batch_size=3").stdout
    assert "-tf32" in said("patch", path, "--unset", "tf32").stdout
    script = written(tmp_path, "a.py", SCRIPT)
    assert "+" in said("patch", script, "--set", "SFTConfig.max_length=512").stdout
    message = refused(said("patch", path, "--set", "micro_batchsize=3"))
    assert "Did you mean micro_batch_size?" in message
    assert "launched" not in refused(said("patch", path, "--set", "warp_speed=3"))
    # its words are not those of the field: `false` would be no attention at all
    assert "Set attn_implementation" in refused(said("patch", path, "--set", "flash_attention=no"))


def test_a_kept_field_may_be_named_by_its_key(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    assert "+micro_batch_size" in said("patch", path).stdout
    for name in ("micro_batch_size", "per_device_train_batch_size"):
        assert "micro_batch_size" not in [
            line[1:17] for line in said("patch", path, "--keep", name).stdout.splitlines()
            if line[:1] in "+-"
        ]  # fmt: skip
        report = json.loads(said("audit", path, "--keep", name, "--format", "json").stdout)
        kept = {edit["reason"] for edit in report["patch"]["edits"] if not edit["applied"]}
        assert "You asked to keep per_device_train_batch_size" in kept
    for command in ("audit", "patch"):
        message = refused(said(command, path, "--keep", "micro_batchsize"))
        assert "a.yml has no field or key called micro_batchsize. Did you mean" in message
    assert len(said("list").stdout.splitlines()) == 2  # what is refused is not kept


def test_patch_in_json_holds_the_diff_and_every_edit(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", STOPS)
    stated = json.loads(said("patch", path, "--set", "bf16=false", "--json").stdout)
    assert stated["diff"] == said("patch", path, "--set", "bf16=false").stdout
    (edit,) = stated["edits"]
    assert (edit["field"], edit["before"], edit["after"]) == ("bf16", True, False)
    ruled = said("patch", path, "--json")
    assert ruled.stderr == ""
    assert json.loads(ruled.stdout)["diff"] == said("patch", path).stdout
    assert {edit["field"] for edit in json.loads(ruled.stdout)["edits"] if edit["rule_ids"]}


def test_what_is_no_value_and_no_training_run_is_refused(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    assert "--unset bf16" in refused(said("patch", path, "--set", "bf16="))
    assert "no value that YAML can read" in refused(said("patch", path, "--set", "bf16=[1,2"))
    assert "Leave --trainer out" in refused(said("patch", path, "--trainer", "3"))
