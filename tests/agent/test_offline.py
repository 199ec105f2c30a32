"""`--offline`: refused before the run, and guarded while it runs."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api import audit
from agent.backends import Message, Turn
from agent.drive import drive
from agent.loop import run_audit
from agent.offline import is_sealed, sealed
from audit.log.ids import new_secret
from audit.log.store import Store
from audit.records.errors import GoblinError, SetupError
from tests.agent.model_audits import KEY, script
from tests.agent.provider import provider
from tests.agent.training_files import STOPS, request_for, written


@pytest.mark.parametrize("backend", ["claude", "huggingface", "openai"])
def test_a_model_is_refused_before_the_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
) -> None:
    with provider(*script()) as server:
        for name in ("ANTHROPIC_API_KEY", "HF_TOKEN"):
            monkeypatch.setenv(name, KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("GOBLIN_OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("GOBLIN_OPENAI_MODEL", "m")
        file = str(written(tmp_path, "train.yml", STOPS))
        assert main(["audit", file, "--backend", backend, "--offline", "--json"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "--offline refuses it" in said.err
        assert "--backend rules" in said.err
        assert not server.requests


def test_the_rules_need_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(written(tmp_path, "train.yml", STOPS))
    assert main(["audit", file, "--offline", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["type"] == "final_report"
    assert events[0]["data"]["request"]["offline"] is True


def test_remote_runners_are_refused() -> None:
    from agent.offline import check_offline

    with pytest.raises(SetupError, match="hf_jobs"):
        check_offline("rules", "hf_jobs")
    check_offline("rules", "local")
    with pytest.raises(SetupError, match="backend claude"):
        audit(request_for(STOPS, backend="claude", offline=True))


def test_a_socket_is_refused_in_the_thread_that_is_sealed_and_in_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()

        def reach() -> None:
            socket.create_connection(place, timeout=5).close()

        with sealed():
            for ask in (reach, lambda: socket.getaddrinfo("localhost", 80)):
                with pytest.raises(SetupError, match="network"):
                    ask()
            other = threading.Thread(target=reach)
            other.start()
            server.settimeout(5)
            server.accept()[0].close()
            other.join()
        reach()
        with sealed(offline=False):
            reach()


class Reaches:
    """A backend that reaches for the network, whatever it was told."""

    async def reply(self, messages: tuple[Message, ...], tools: object) -> Turn:
        """Reach out."""
        socket.getaddrinfo("example.org", 443)
        return Turn()


def test_what_reaches_out_all_the_same_ends_the_audit_in_words() -> None:
    store, audit_id = Store(None), new_secret()
    store.create(audit_id, "owner")
    request = request_for(STOPS, offline=True)
    with sealed():
        events = list(drive(run_audit(request, store, audit_id, backend=Reaches())))
    assert (events[-1].type, events[-1].data["kind"]) == ("error", "backend")
    assert "offline" in events[-1].data["message"]


def test_an_audit_from_python_is_sealed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []

    def make(*_: object) -> Reaches:
        found.append(is_sealed())
        return Reaches()

    monkeypatch.setattr("agent.loop.make", make)
    with pytest.raises(GoblinError, match="offline"):
        audit(request_for(STOPS, offline=True))
    assert found == [True]
    assert not is_sealed()
