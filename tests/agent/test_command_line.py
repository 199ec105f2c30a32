"""The real command line: every command, every status, every bad input."""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import time
from importlib import import_module
from pathlib import Path

import pytest

from agent.__main__ import COMMANDS
from tests.agent.spoken import COMMAND, ROOT, Said, goblin, refused
from tests.agent.training_files import AXOLOTL, SCRIPT, STOPS, TOKEN, WITH_TOKEN, written


def test_help_names_every_command_and_each_has_its_own() -> None:
    overview = goblin("--help")
    assert overview.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in overview.stdout
        assert (ROOT / "agent" / "commands" / f"{name.replace('-', '_')}.py").is_file()
        parser = argparse.ArgumentParser()
        import_module(f"agent.commands.{name.replace('-', '_')}").add_options(parser)
        assert "--json" in parser.format_help(), name
    assert "--versions" in goblin("parse", "--help").stdout
    assert "audit" in refused(goblin("adit"))


def test_audit_prints_events_and_the_report_last(tmp_path: Path) -> None:
    done = goblin("audit", written(tmp_path, "a.yml", STOPS), "--hardware", "mi300x", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {"type", "data", "audit_id", "seq", "at", "version"} <= set(events[0])
    assert (events[0]["type"], events[-1]["type"]) == ("started", "final_report")
    report = events[-1]["data"]["report"]
    assert {
        "workload_name", "tier", "completed_by", "provenance", "findings", "patch", "before",
        "after", "comparison", "checked", "sources", "versions",
    } <= set(report)  # fmt: skip
    assert report["findings"][0]["severity"] == "critical"
    assert report["comparison"]["verdict"] == "faster"


def test_audit_tells_people_what_they_need(tmp_path: Path) -> None:
    done = goblin("audit", written(tmp_path, "a.yml", STOPS))
    assert done.returncode == 0, done.stderr
    for words in (
        "DOES NOT START AS WRITTEN",
        "CRITICAL",
        "a.yml, line",
        "(assumed)",
        "projected",
        "-tf32: true",
        "Checked and in order",
        "pypi:transformers",
        "Why believe",
    ):
        assert words in done.stdout, words
    assert max(map(len, done.stdout.splitlines())) < 200


def test_out_writes_report_patch_and_files(tmp_path: Path) -> None:
    path, out = written(tmp_path, "a.yml", STOPS), tmp_path / "out"
    assert goblin("audit", path, "--out", out).returncode == 0
    assert sorted(item.name for item in out.iterdir()) == [
        "a.yml.patch",
        "patched",
        "report.html",
        "report.json",
        "report.md",
        "report.sarif",
    ]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", "out/a.yml.patch"], cwd=tmp_path, check=True)
    assert path.read_bytes() == (out / "patched" / "a.yml").read_bytes() != STOPS.encode()
    assert json.loads((out / "report.json").read_text())["patch"]["diff"]


def test_kept_audits_are_compared_two_or_more_at_once(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", STOPS)
    wishes = ((), ("--include", "neutral"), ("--hardware", "h100-sxm"))
    for wish in wishes:
        assert said("audit", path, *wish).returncode == 0
    listed = [json.loads(line) for line in said("list", "--json").stdout.splitlines()]
    ids = [line["audit_id"] for line in reversed(listed)]
    two = json.loads(said("compare", *ids[:2], "--json").stdout)
    assert (two["before_id"], two["after_id"]) == (ids[0], ids[1])
    assert two["verdict"] in ("faster", "slower", "no_difference")
    three = json.loads(said("compare", *ids, "--format", "json").stdout)
    assert [one["audit_id"] for one in three["audits"]] == ids
    assert [one["verdict"] for one in three["comparisons"]][1] == "not_comparable"
    assert {row["field"]: row["values"] for row in three["fields"]}["tf32"] == [False, False, True]
    text = said("compare", *ids).stdout
    assert "differ in hardware" in text
    assert "| projected" not in text
    assert said("compare", *ids, "--format", "md").stdout.startswith("# Comparison of 3 audits")
    assert "<h1>Comparison of 3 audits</h1>" in said("compare", *ids, "--format", "html").stdout
    assert "cannot be compared" in refused(said("compare", ids[0]))


def test_fail_on_is_a_status_of_its_own(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", STOPS)
    assert said("audit", path, "--fail-on", "critical").returncode == 3
    sound = written(tmp_path, "b.yml", AXOLOTL)
    assert said("audit", sound, "--fail-on", "critical").returncode == 0


def test_standard_input_is_a_file_too() -> None:
    done = goblin("audit", "-", "--format", "json", stdin=STOPS.encode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["workload_name"] == "stdin"


def test_kept_audits_are_listed_shown_replayed_exported_and_deleted(
    said: Said, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.yml", STOPS)
    printed = said("audit", path, "--json").stdout
    audit_id = json.loads(printed.splitlines()[0])["audit_id"]
    (listed,) = said("list", "--json").stdout.splitlines()
    assert json.loads(listed)["audit_id"] == audit_id
    assert "a.yml on mi300x: faster" in said("list").stdout
    assert said("replay", audit_id[:8]).stdout == printed
    assert "Audit of a.yml" in said("show", audit_id).stdout
    assert said("export", audit_id, "--format", "md").stdout.startswith("# Audit of `a.yml`")
    assert "--- a/a.yml" in said("export", audit_id, "--format", "patch").stdout
    assert json.loads(said("export", audit_id).stdout)["tier"] == 0
    assert said("export", audit_id, "--format", "html").stdout.startswith("<!doctype html>")
    sarif = json.loads(said("export", audit_id, "--format", "sarif").stdout)
    assert sarif["runs"][0]["results"]
    assert said("export", audit_id, "--format", "md", "--json").stdout.startswith("{")
    assert said("replay", audit_id, "--json").stdout == printed
    assert json.loads(said("delete", audit_id, "--json").stdout) == {"deleted": audit_id}
    assert said("list").stdout == ""
    assert "no audit" in refused(said("show", audit_id))
    assert "no kept audit begins with ../../etc" in refused(said("delete", "../../etc"))
    assert "no kept audit begins with abc" in refused(said("show", "abc"))
    assert "-n is -3" in refused(said("list", "-n", "-3"))


def test_nothing_in_a_file_steers_the_terminal(said: Said, tmp_path: Path) -> None:
    """A key may hold the sequence that sets the title of the window."""
    evil = "\x1b]0;owned\x07\u202e\x9b2J"
    text = AXOLOTL + f'"x{evil[:-3]}": 1\n'.encode("unicode_escape").decode()
    path = written(tmp_path, "a.yml", text.replace("\\n", "\n"))
    for words in (("parse", path), ("audit", path), ("estimate", path), ("what-if", path),
                  ("parse", tmp_path / f"none{evil}.yml"), ("patch", path, "--set", f"{evil}=1"),
                  ("show", f"{evil}")):  # fmt: skip
        done = said(*words)
        shown = done.stdout + done.stderr
        assert shown
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown), words
    assert "x\ufffd]0;owned" in said("parse", path).stdout


def test_only_one_module_writes_to_the_terminal() -> None:
    """Whatever is written passes its filter; the approval's question filters its own text."""
    for module in (ROOT / "agent" / "commands").glob("*.py"):
        if module.name not in ("say.py", "approve.py"):
            assert not re.search(r"\bprint\(|sys\.std(out|err)\.write", module.read_text()), module


def test_a_file_without_an_end_is_refused(said: Said) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("needs /dev/zero, which this system lacks")
    assert "over 20 MB" in refused(said("parse", "/dev/zero"))


def test_parse_prints_fields_with_their_places(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    found = json.loads(said("parse", path, "--json").stdout)
    assert (found["format"], found["framework"]) == ("axolotl_yaml", "axolotl")
    assert found["fields"]["bf16"] == {
        "value": True,
        "origin": "stated",
        "file": "a.yml",
        "line": 1 + AXOLOTL.splitlines().index("bf16: true"),
    }
    assert "per_device_train_batch_size" in said("parse", path).stdout


def test_parse_each_answers_every_file_in_order(tmp_path: Path) -> None:
    files = [
        written(tmp_path, f"{number}.yml", AXOLOTL if number % 3 else "bf16: [\n")
        for number in range(40)
    ]
    done = goblin("parse", "--each", *files, tmp_path / "absent.yml", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == [*map(str, files), str(tmp_path / "absent.yml")]
    for number, line in enumerate(lines[:-1]):
        assert ("fields" in line) == bool(number % 3)
        assert ("error" in line) != bool(number % 3)
    assert "no such file" in lines[-1]["error"]["message"]


def test_search_answers_in_words_and_in_lines(said: Said, tmp_path: Path) -> None:
    found = json.loads(said("search", "tf32 crashes on AMD", "-k", "3", "--json").stdout)
    assert len(found) == 3
    assert {"id", "facts", "score", "claim"} <= set(found[0])
    assert "tf32" in said("search", "tf32 crashes on AMD").stdout.lower()
    queries = {"queries": [{"id": "q1", "query": "eager"}, {"id": "q2", "query": "packing"}]}
    lines = said("search", "--each", written(tmp_path, "q.json", json.dumps(queries)), "--json")
    answers = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["q1", "q2"]
    assert all({"results", "ms"} <= set(answer) for answer in answers)
    assert "queries" in refused(said("search", "--each", written(tmp_path, "b.json", "[]")))
    assert "question" in refused(said("search"))


def test_estimate_projects_a_file(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    found = json.loads(said("estimate", path, "--hardware", "h100-sxm", "--json").stdout)
    assert found["provenance"] == "projected"
    speed = found["tokens_per_s_per_gpu"]
    assert 0 < speed["low"] < speed["value"] < speed["high"]
    assert "projected" in said("estimate", path).stdout
    unknown = written(tmp_path, "b.yml", AXOLOTL.replace("meta-llama/Llama-3.1-8B", "a/b"))
    assert "a/b" in refused(said("estimate", unknown))
    assert "file" in refused(said("estimate"))


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.yml", b"", "empty"),
    "blank": ("a.yml", b"\n \n", "empty"),
    "binary": ("a.yml", b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
    "nul": ("a.yml", b"base_model: x\x00y\n", "binary"),
    "latin1": ("a.yml", "base_model: caf\xe9\n".encode("latin-1"), "UTF-8"),
    "large": ("a.yml", b"# x\n" * 5_000_000, "limit"),
    "larger": ("a.yml", b"#" * 20_000_001, "20 MB"),
    "extension": ("weights.bin", b"\x80\x02}q\x00.", "a.yml"),
    "broken yaml": ("a.yml", b"base_model: x\nbf16: [true\n", "line 3"),
    "syntax": ("a.py", b"from trl import SFTConfig\nargs = SFTConfig(bf16=\n", "line 2"),
    "no keys": ("a.yml", b"name: build\non: [push]\n", "a.yml"),
    "bomb": (
        "a.yml",
        b"base_model: x\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n".encode()
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "alias",
    ),
    "object": ("a.yml", b"base_model: !!python/object/apply:os.system ['true']\n", "python/object"),
    "list": ("a.yml", b"- 1\n- 2\n", "a.yml"),
}


def test_a_bad_file_ends_a_real_process_the_same_way(tmp_path: Path) -> None:
    assert "line 3" in refused(goblin("audit", written(tmp_path, *BAD["broken yaml"][:2])))


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_with_one_message(said: Said, tmp_path: Path, kind: str) -> None:
    name, data, says = BAD[kind]
    message = refused(said("audit", written(tmp_path, name, data)))
    assert says in message or (says == "a.yml" and name in message)
    assert str(tmp_path) not in message


def test_bad_words_are_refused_with_the_known_ones(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    assert "mi355x" in refused(said("audit", path, "--hardware", "mi9000"))
    assert "rules" in refused(said("audit", path, "--backend", "oracle"))
    assert "fake" in refused(said("audit", path, "--runner", "moon"))
    assert "dynamics" in refused(said("audit", path, "--include", "speed"))
    assert "gpus" in refused(said("audit", path, "--gpus", "0"))
    assert "no such file" in refused(said("audit", tmp_path / "absent.yml"))
    assert "directory" in refused(said("audit", tmp_path))
    refused(said("audit", path, "--versions", "transformers"))
    refused(said("audit", path, "--lengths", "p50=x"))
    assert "FILE" in refused(said("audit"))
    assert "many" in refused(said("audit", path, "--steps", "many"))
    assert "--what" in refused(said("audit", path, "--what"))
    assert "--help" in refused(said("delete"))


def test_hardware_is_found_in_any_spelling(said: Said, tmp_path: Path) -> None:
    path = written(tmp_path, "a.yml", AXOLOTL)
    for spelling in ("MI300X", "AMD Instinct MI300X", "mi-300-x"):
        done = said("audit", path, "--hardware", spelling, "--format", "json")
        assert json.loads(done.stdout)["hardware"]["id"] == "mi300x", done.stderr
    assumed = json.loads(said("audit", path, "--format", "json").stdout)["hardware"]
    assert (assumed["id"], assumed["origin"]) == ("mi300x", "assumed")


@pytest.mark.parametrize(("name", "text"), [("a.yml", WITH_TOKEN), ("a.py", SCRIPT)])
def test_a_token_never_leaves_the_file(said: Said, tmp_path: Path, name: str, text: str) -> None:
    if name.endswith(".py"):
        text = text.replace('output_dir="out"', f'output_dir="out", hub_token="{TOKEN}"')
    path, out = written(tmp_path, name, text), tmp_path / "out"
    prints = [
        said(*words)
        for words in (
            ("audit", path, "--out", out),
            ("audit", path, "--json"),
            ("patch", path),
            ("parse", path, "--json"),
            ("parse", path),
        )
    ]
    assert not any(TOKEN in done.stdout + done.stderr for done in prints)
    for item in out.iterdir():
        assert item.is_dir() or TOKEN not in item.read_text(), item
    assert TOKEN in (out / "patched" / name).read_text()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "apply", f"out/{name}.patch"], cwd=tmp_path, check=True)
    assert path.read_bytes() == (out / "patched" / name).read_bytes()


def test_a_reader_that_goes_away_makes_no_noise(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "audit", str(written(tmp_path, "a.yml", STOPS)), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_ctrl_c_is_a_cancel() -> None:
    process = subprocess.Popen(
        [*COMMAND, "audit", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.0)  # it waits for its input; nothing in it can be waited for from outside
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.decode() == "goblin: cancelled\n"
