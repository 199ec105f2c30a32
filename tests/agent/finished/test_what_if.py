"""The same file elsewhere: equal to the audit on its card, refused where there is no machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api import audit
from agent.finished.from_report import anchor_of, as_written, patched, reproduces, startable
from agent.finished.rebuild import EditChoice, rebuild
from agent.finished.replan import wishes_of
from agent.finished.run_length import RunAsked
from agent.finished.what_if import WhatIfAsked, what_if
from agent.request import AuditRequest
from audit.export.what_if import what_if_text
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload
from audit.records.what_if import WhatIfArm
from audit.records.workload import DataLengths
from tests.agent.training_files import AXOLOTL, SCRIPT, STOPS, written

EXAMPLES = sorted(
    path
    for path in (Path(__file__).resolve().parents[3] / "examples").iterdir()
    if path.suffix in (".yml", ".yaml", ".py")
)
SLOW = AXOLOTL.replace("flash_attention: true", "attn_implementation: eager").replace(
    "adapter: lora", "adapter: qlora\nload_in_4bit: true"
)
LENGTHS = DataLengths(p50=120, p95=400, max=900, origin="stated", source="here")


def audited(text: str, **asked: object) -> Report:
    request = AuditRequest(uploads=(Upload("a.yml", text.encode()),), **asked)  # type: ignore[arg-type]
    return audit(request)


def of_example(path: Path) -> Report:
    return audit(AuditRequest(uploads=(Upload(path.name, path.read_bytes()),)))


def arm(report: Report, card: str, which: str = "baseline", **asked: object) -> WhatIfArm:
    found = what_if(report, WhatIfAsked(cards=(card,), **asked))  # type: ignore[arg-type]
    chosen = found.rows[0].arm(which)  # type: ignore[arg-type]
    assert chosen is not None
    return chosen


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_audited_row_says_what_the_audit_says(path: Path) -> None:
    report = of_example(path)
    assert as_written(report).fingerprint == report.profile.workload
    assert reproduces(startable(report), report.before, report)
    row = what_if(report, WhatIfAsked()).rows[0]
    assert row.audited
    pairs = [(row.arm("baseline"), report.before), (row.arm("patched"), report.after)]
    for ours, theirs in pairs:
        assert (ours is None) == (theirs is None)
        if ours is None or theirs is None:
            continue
        for name in ("step_s", "tokens_per_s", "peak_memory_gb"):
            mine, other = getattr(ours, name), getattr(theirs, name)
            for end in ("low", "value", "high"):
                assert getattr(mine, end) == pytest.approx(getattr(other, end), rel=1e-6)


def test_a_file_stopped_here_starts_elsewhere() -> None:
    report = audited(STOPS)
    here, there = arm(report, "mi300x"), arm(report, "h100-sxm")
    assert "with only what stops it here fixed" in here.note
    assert "TF32" in here.note
    assert not there.note
    assert here.tokens_per_s is not None
    assert there.tokens_per_s is not None


def test_an_anchored_audit_anchors_its_own_row_alone() -> None:
    report = audited(SLOW, step_s=4.0, hardware="h100-sxm")
    assert anchor_of(report) is not None
    mine = arm(report, "h100-sxm")
    assert mine.anchored
    assert mine.step_s is not None
    assert mine.step_s.value == pytest.approx(4.0)
    assert not arm(report, "mi300x").anchored
    assert any("known step time" in note for note in what_if(report, WhatIfAsked()).notes)


def test_the_patch_is_planned_anew_and_keeps_the_batch() -> None:
    report = audited(SLOW)
    small = arm(report, "rtx-4090", "patched")
    assert small.fits == "fits"
    assert "quant_bits as it is" in small.differs
    assert small.samples_per_step == arm(report, "mi300x").samples_per_step == 8
    assert small.tokens_per_s is not None
    plain = arm(report, "rtx-4090")
    assert plain.tokens_per_s is not None
    assert small.tokens_per_s.value > plain.tokens_per_s.value


def test_what_the_owner_switched_off_stays_off_elsewhere() -> None:
    upload = Upload("a.yml", SLOW.encode())
    request = AuditRequest(uploads=(upload,))
    report = audit(request)
    rule = next(one.rule_id for one in report.findings if "attn_implementation" in one.fields)
    other = rebuild(report, request, EditChoice(off=frozenset({rule})))
    assert "attn_implementation" not in str(arm(report, "h100-sxm", "patched").differs)
    assert "attn_implementation as it is" not in arm(other, "h100-sxm", "patched").differs
    one, two = (arm(this, "h100-sxm", "patched").step_s for this in (report, other))
    assert one is not None
    assert two is not None
    assert two.value > one.value
    kept = audited(SLOW, keep=frozenset({"attn_implementation"}))
    assert arm(kept, "h100-sxm", "patched").step_s == two


def test_time_and_money_follow_from_speed_and_price() -> None:
    report = audited(SLOW)
    run = RunAsked(tokens=1e9)
    found = arm(report, "mi300x", gpus=4, run=run, prices={"MI300X": 2.0})
    speed, seconds, dollars = found.tokens_per_s, found.run_s, found.run_usd
    assert speed is not None
    assert seconds is not None
    assert dollars is not None
    assert seconds.value == pytest.approx(1e9 / speed.value)
    assert seconds.low == pytest.approx(1e9 / speed.high)
    assert dollars.value == pytest.approx(seconds.value / 3600 * 4 * 2.0)
    million = found.usd_per_million_tokens
    assert million is not None
    assert million.value == pytest.approx(dollars.value / 1000)


def test_what_nobody_states_is_not_known() -> None:
    report = audited(SLOW)
    found = what_if(report, WhatIfAsked(cards=("mi325x", "mi300x", "h20"), run=RunAsked(rows=9)))
    no_price, priced, unknown = found.rows
    assert no_price.price is None
    assert no_price.arms[0].usd_per_million_tokens is None
    assert no_price.arms[0].run_s is not None
    assert priced.price is not None
    assert priced.price.source is not None
    assert priced.price.source.as_of
    assert unknown.memory_gb is None
    text = what_if_text(found)
    assert "not known" in text
    assert "projected, 80% intervals" in text
    unread = audited(AXOLOTL.replace("meta-llama/Llama-3.1-8B", "nobody/nothing-at-all"))
    assert "not known: model" in what_if(unread, WhatIfAsked()).rows[0].arms[0].reason


def test_the_length_of_the_run() -> None:
    by_steps = audited(AXOLOTL.replace("num_epochs: 3", "max_steps: 100"))
    run = what_if(by_steps, WhatIfAsked()).run
    before = by_steps.before
    assert before is not None
    assert before.tokens_per_s is not None
    assert before.step_s is not None
    assert run.tokens == pytest.approx(100 * before.step_s.value * before.tokens_per_s.value)
    assert "100 steps as the file says" in run.told
    by_epochs = audited(AXOLOTL)
    assert what_if(by_epochs, WhatIfAsked()).run.tokens is None
    rows = what_if(by_epochs, WhatIfAsked(run=RunAsked(rows=1000), lengths=LENGTHS)).run
    assert "1,000 rows x 3 epochs (as the file says)" in rows.told
    assert not rows.assumed
    twice = what_if(by_epochs, WhatIfAsked(run=RunAsked(rows=1000, epochs=6), lengths=LENGTHS)).run
    assert twice.tokens == pytest.approx(2 * (rows.tokens or 0))
    assert what_if(by_epochs, WhatIfAsked(run=RunAsked(rows=1000))).run.assumed


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"cards": ("strix-halo",), "gpus": 2}, "one per machine"),
        ({"cards": ("rtx-4090",), "nodes": 2}, "no source gives a network figure"),
        ({"cards": ("mi300x",), "gpus": 64}, "none has more than 16"),
    ],
)
def test_machines_that_do_not_exist_are_refused(asked: dict[str, object], told: str) -> None:
    (row,) = what_if(audited(AXOLOTL), WhatIfAsked(**asked)).rows  # type: ignore[arg-type]
    assert told in row.arms[0].reason
    assert row.arms[0].tokens_per_s is None


@pytest.mark.parametrize(
    "asked",
    [
        WhatIfAsked(gpus=0 - 1),
        WhatIfAsked(nodes=5000),
        WhatIfAsked(cards=("nothing",)),
        WhatIfAsked(prices={"mi300x": float("nan")}),
        WhatIfAsked(run=RunAsked(rows=-3)),
    ],
)
def test_slips_are_told(asked: WhatIfAsked) -> None:
    report = audited(AXOLOTL)
    with pytest.raises(UserError):
        what_if(report, asked)


def test_more_gpus_say_what_they_change() -> None:
    found = what_if(audited(AXOLOTL), WhatIfAsked(gpus=8))
    assert any("other samples per step" in note for note in found.notes)
    assert found.rows[0].arms[0].samples_per_step == 64
    assert not found.rows[0].audited


def test_no_edit_no_patched_workload() -> None:
    tuned = next(path for path in EXAMPLES if "well-tuned" in path.name)
    assert patched(of_example(tuned)) is None


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(written(tmp_path, "a.yml", SLOW))
    words = ["what-if", file, "--hardware", "mi300x,rtx-4090", "--rows", "52k"]
    assert main([*words, "--price", "mi300x=1.99", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["hardware"] for row in found["rows"]] == ["mi300x", "rtx-4090"]
    assert found["rows"][0]["price"] == {
        "usd_per_hour": 1.99, "origin": "yours", "offer": "", "source": None,
    }  # fmt: skip
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "rtx-4090: $0.74 per GPU hour, RunPod Secure Cloud, 2026-09-25" in text
    assert "52,000 rows x 3 epochs" in text
    for bad in (
        ["--price", "mi300x"],
        ["--rows", "many"],
        ["--hardware", "abacus"],
        ["--gpus", "0"],
    ):
        assert main(["what-if", file, *bad]) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_the_command_reads_as_its_siblings_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = written(tmp_path, "a.yml", SLOW.replace("sequence_len: 2048", "sequence_len: auto"))
    assert main(["what-if", str(auto), "--rows", "52k"]) == 0
    assert "52,000 rows" in capsys.readouterr().out
    monkeypatch.setenv("GOBLIN_HARDWARE", "h200")
    assert main(["what-if", str(auto), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["hardware"] == "h200"
    script = str(written(tmp_path, "a.py", SCRIPT))
    assert main(["what-if", script, "--trainer", "7"]) == 2
    assert "training run" in capsys.readouterr().err
    assert main(["audit", str(auto)]) == 0
    kept = capsys.readouterr().err.split()[-1]
    assert main(["what-if", "--audit", kept, "--gpus", "2"]) == 0
    for option in ("--versions=trl=1.0", "--dialect=py_trl", "--trainer=2", "--include=dynamics",
                   "--keep=optimizer", "--step-time=2"):  # fmt: skip
        capsys.readouterr()
        assert main(["what-if", "--audit", kept, option]) == 2
        assert f"{option.split('=')[0]} cannot be changed" in capsys.readouterr().err
    assert main(["what-if"]) == 2


def test_what_the_owner_left_out_stays_out_elsewhere() -> None:
    report = audited(SLOW)
    rule = next(one.rule_id for one in report.findings if "attn_implementation" in one.fields)
    left = audited(SLOW, leave_out=frozenset({rule}))
    assert rule in wishes_of(left).off
    one, two = (arm(this, "mi325x", "patched").step_s for this in (report, left))
    assert one is not None
    assert two is not None
    assert two.value > one.value
