"""Questions about a finished audit: by search, and by real SDK clients against a local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api import audit
from agent.finished.ask import ask
from agent.finished.ask_model import checked
from agent.finished.passages import passages_of
from agent.request import AuditRequest
from agent.settings import ModelSettings
from audit.records.answer import Answer
from audit.records.errors import UserError
from audit.records.report import Report
from audit.records.upload import Upload
from tests.agent.provider import Answer as Reply
from tests.agent.provider import Provider, provider
from tests.agent.training_files import TOKEN, WITH_TOKEN

FILE = Path(__file__).resolve().parents[3] / "examples" / "axolotl-qlora-192gb.yml"
GOOD = (
    "Eager attention writes the whole score matrix. [rule:attention.eager] "
    "[line:axolotl-qlora-192gb.yml:9] The patch sets sdpa [edit:attn_implementation]. "
    "It runs 977 times faster. [figure:speedup] Ask the vendor. [rule:no.such_rule] "
    "<script>alert(1)</script> is text. [line:other.yml:7]"
)


@pytest.fixture(scope="module")
def report() -> Report:
    return audit(AuditRequest(uploads=(Upload(FILE.name, FILE.read_bytes()),)))


def models(server: Provider, backend: str) -> ModelSettings:
    if backend == "claude":
        return ModelSettings(claude_key="sk-test", claude_url=server.url, claude_model="m")
    return ModelSettings(openai_url=f"{server.url}/v1", openai_model="m", openai_key="k")


def refs(answer: Answer) -> list[str]:
    return [one.ref for said in answer.said for one in said.citations]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Why is eager attention slow?", "rule:attention.eager"),
        ("what is on line 22", "line:axolotl-qlora-192gb.yml:22"),
        ("how much faster is it?", "figure:speedup"),
        ("how much memory does it need", "figure:peak_memory_gb"),
        ("why was the micro batch changed", "rule:batch.micro_batch_too_small"),
        ("should I use sample_packing", "line:axolotl-qlora-192gb.yml:8"),
    ],
)
def test_search_finds_what_speaks_to_it(report: Report, question: str, wanted: str) -> None:
    answer = ask(report, question)
    assert answer.by == "search"
    assert wanted in refs(answer)[:4]
    known = {one.ref for passage in passages_of(report) for one in passage.citations}
    assert all(ref in known or ref.startswith(("rule:", "fact:")) for ref in refs(answer))


def test_nothing_is_said_where_nothing_is_known(report: Report) -> None:
    answer = ask(report, "qwertyuiop")
    assert answer.said == ()
    assert "Nothing in this audit" in answer.note
    for bad in ("", "  ", "x" * 501):
        with pytest.raises(UserError):
            ask(report, bad)


@pytest.mark.parametrize("backend", ["claude", "openai"])
def test_a_model_is_held_to_the_record(report: Report, backend: str) -> None:
    with provider(Reply(text=GOOD)) as server:
        question = "Why is attention slow?"
        answer = ask(report, question, backend=backend, models=models(server, backend))
        sent = json.dumps(server.requests[0])
    assert "rule:attention.eager" in sent
    assert "tools" not in server.requests[0] or server.requests[0]["tools"]
    assert refs(answer) == [
        "rule:attention.eager", "line:axolotl-qlora-192gb.yml:9", "edit:attn_implementation",
    ]  # fmt: skip
    assert answer.dropped == 1
    assert answer.unsupported == 2
    assert not any("977" in said.text for said in answer.said)
    (used,) = answer.usage
    assert used.kind == "ask"
    assert used.input_tokens == 1000


def test_a_model_that_fails_or_invents_leaves_it_to_search_and_says_so(report: Report) -> None:
    refused = Reply(status=401, error=("authentication_error", "no"))
    with provider(refused) as server:
        answer = ask(report, "why eager?", backend="claude", models=models(server, "claude"))
    assert answer.by == "search"
    assert "did not answer" in answer.note
    with provider(Reply(text="It is 12345.6 times faster.")) as server:
        answer = ask(report, "why eager?", backend="claude", models=models(server, "claude"))
    assert answer.by == "search"
    assert answer.dropped == 1
    assert "nothing that the record supports" in answer.note
    answer = ask(report, "why eager?", backend="claude", models=ModelSettings())
    assert "ANTHROPIC_API_KEY" in answer.note


def test_no_secret_reaches_the_model() -> None:
    secret = audit(AuditRequest(uploads=(Upload("a.yml", WITH_TOKEN.encode()),)))
    with provider(Reply(text="It stops. [rule:precision.tf32_on_rocm]")) as server:
        asked = f"why does {TOKEN} stop?"
        answer = ask(secret, asked, backend="claude", models=models(server, "claude"))
        assert TOKEN not in server.bodies[0].decode()
    assert TOKEN not in answer.model_dump_json()
    assert refs(answer) == ["rule:precision.tf32_on_rocm"]


def test_a_figure_of_the_question_is_not_said_back(report: Report) -> None:
    text = "Yes, 9.73x as fast. [figure:speedup] On MI300X in bf16 it runs. [rule:attention.eager]"
    answer = checked("Is it 9.73x as fast?", text, passages_of(report), "m")
    assert [said.text for said in answer.said] == ["On MI300X in bf16 it runs."]
    assert answer.dropped == 1
    line = next(one for one in passages_of(report) if one.ref.endswith(":22"))
    elsewhere = f"It is 22 times as fast. [figure:speedup] Line 22 says so. [{line.ref}]"
    answer = checked("why?", elsewhere, passages_of(report), "m")
    assert [said.text for said in answer.said] == ["Line 22 says so."]


def test_references_alone_join_the_sentence_before(report: Report) -> None:
    material = passages_of(report)
    answer = checked("q", "Slow.\n[rule:attention.eager]\n- More [fact:none]", material, "m")
    assert [said.text for said in answer.said] == ["Slow.", "More"]
    assert refs(answer) == ["rule:attention.eager"]
    assert answer.unsupported == 1


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOBLIN_DATA_DIR", str(tmp_path))
    assert main(["audit", str(FILE), "--hardware", "mi300x"]) == 0
    kept = capsys.readouterr().err.rsplit(" ", 1)[1].strip()
    assert main(["ask", kept[:8], "why is eager attention slow?"]) == 0
    said = capsys.readouterr().out
    assert "[rule:attention.eager]" in said
    assert "by search" in said
    assert main(["ask", kept, "line 22", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["by"] == "search"
    assert main(["ask", kept, " "]) == 2
    assert main(["ask", "0" * 32, "why"]) == 2
