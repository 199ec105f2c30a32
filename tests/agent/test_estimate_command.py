"""`estimate` and anchored audits through the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api import audit
from agent.request import AuditRequest, request_from
from audit.records.upload import Upload
from tests.agent.training_files import AXOLOTL, written


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    assert main([str(word) for word in words]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_estimate_tells_what_fits_and_what_was_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "a.yml", AXOLOTL)
    found = answer(capsys, "estimate", file, "--hardware", "h100-sxm", "--best", "--json")
    largest, best = found["largest"], found["best"]
    assert isinstance(largest, dict)
    assert isinstance(best, dict)
    assert largest["micro_batch"] >= 1
    assert largest["margin"] == 0.9
    assert best["micro_batch"] * best["accumulation"] == 8
    assert best["speedup"]["low"] <= best["speedup"]["value"] <= best["speedup"]["high"]
    assert "no lengths stated" in str(found["assumptions"])
    assert main(["estimate", str(file), "--hardware", "h100-sxm", "--best"]) == 0
    text = capsys.readouterr().out
    assert "largest that fits 90% of 80 GB, projected" in text
    assert "best neutral configuration of 8, projected" in text
    assert "assumed: no lengths stated" in text


def test_estimate_says_who_named_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "a.yml", AXOLOTL)
    assumed = answer(capsys, "estimate", file, "--json")
    assert (assumed["hardware"], assumed["hardware_origin"]) == ("mi300x", "assumed")
    stated = answer(capsys, "estimate", file, "--hardware", "h200", "--json")
    assert (stated["hardware"], stated["hardware_origin"]) == ("h200", "stated")
    assert main(["estimate", str(file)]) == 0
    assert capsys.readouterr().out.startswith("1 x AMD Instinct MI300X, 192 GB (assumed)\n")
    assert main(["patch", str(file)]) == 0
    assert "made for mi300x (assumed" in capsys.readouterr().err
    assert main(["estimate", str(file), "--gpus", "100000000"]) == 2
    assert "gpus is 100000000; it must lie between 1 and 1024" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "numpy", None)  # as on a box that lacks it
    assert main(["estimate", str(file), "--best"]) == 1
    assert "needs numpy, which is not installed. pip install numpy" in capsys.readouterr().err


def test_estimate_is_anchored_to_a_stated_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "a.yml", AXOLOTL)
    found = answer(
        capsys, "estimate", file, "--hardware", "h100-sxm", "--step-time", "2.5", "--json"
    )
    assert found["anchored"] is True
    step = found["step_s"]
    assert isinstance(step, dict)
    assert step["value"] == pytest.approx(2.5)
    assert "anchored to 2.5 s" in str(found["assumptions"])
    assert main(["estimate", str(file), "--step-time", "9000"]) == 2
    assert "9000 s per step is" in capsys.readouterr().err


def test_an_anchored_audit_says_so_throughout(tmp_path: Path) -> None:
    upload = Upload("a.yml", AXOLOTL.encode())
    request = AuditRequest(uploads=(upload,), hardware="h100-sxm", step_s=2.5)
    report = audit(request)
    assert report.profile.anchored
    assert report.before is not None
    assert report.after is not None
    assert report.before.anchored
    assert report.after.anchored
    assert report.before.step_s is not None
    assert report.before.step_s.value == pytest.approx(2.5)
    assert report.after.step_s is not None
    assert report.patch.steps[-1].step_s == pytest.approx(report.after.step_s.value)
    assert any("anchored to 2.5 s" in text for text in report.profile.assumptions)
    assert report.comparison.speedup is not None
    assert request_from(request.as_json(), [upload]) == request


def test_a_detected_card_is_told_as_detected() -> None:
    upload = Upload("a.yml", AXOLOTL.encode())
    request = AuditRequest(uploads=(upload,), hardware="h100-sxm", detected=True)
    assert audit(request).hardware.origin == "detected"
    assert request_from(request.as_json(), [upload]).detected


def test_two_kept_audits_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = written(tmp_path, "a.yml", AXOLOTL)
    ids = []
    for card, extra in (("h100-sxm", ("--keep", "per_device_train_batch_size")), ("h100-sxm", ()),
                        ("mi300x", ())):  # fmt: skip
        assert main(["audit", str(slow), "--hardware", card, *extra]) == 0
        ids.append(capsys.readouterr().err.rsplit(" ", 1)[-1].strip())
    found = answer(capsys, "compare", ids[0], ids[1], "--json")
    speedup = found["speedup"]
    assert isinstance(speedup, dict)
    assert speedup["value"] > 1
    assert main(["compare", ids[0], ids[1]]) == 0
    assert "tokens/s per GPU: " in capsys.readouterr().out
    assert answer(capsys, "compare", ids[0], ids[2], "--json")["verdict"] == "not_comparable"
    assert main(["compare", ids[0], "f" * 32]) == 2


@pytest.mark.parametrize(
    ("was", "wrong", "told"),
    [
        ("micro_batch_size: 1 ", "micro_batch_size: 0 ", "line 15: micro_batch_size must be a"),
        ("micro_batch_size: 1 ", "micro_batch_size: .nan ", "line 15: micro_batch_size is no"),
        ("lora_r: 16", "lora_r: -1", "line 9: lora_r must be a whole number from 1 on"),
        ("sequence_len: 2048", "sequence_len: .inf", "line 13: sequence_len is no finite number"),
        ("sequence_len: 2048", f"sequence_len: {'9' * 21}", "line 13: sequence_len is too large"),
        ("learning_rate: 2e-4", "learning_rate: -1", "line 19: learning_rate must be above 0"),
    ],
)
def test_values_that_no_run_can_have_are_placed(
    was: str, wrong: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`estimate` refuses; an audit says why there are no figures."""
    text = AXOLOTL.replace(was, wrong)
    assert text != AXOLOTL
    file = written(tmp_path, "a.yml", text)
    assert main(["estimate", str(file), "--hardware", "mi300x"]) == 2
    assert f"a.yml, {told}" in capsys.readouterr().err
    comparison = audit(AuditRequest(uploads=(Upload("a.yml", text.encode()),))).comparison
    assert f"a.yml, {told}" in comparison.reason
