"""A Space with `hf_oauth`: who signs in pays for the model; who does not is told, not billed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.agent.provider import Answer, Provider
from tests.agent.provider import provider as model_server
from tests.agent.training_files import STOPS
from tests.serving import Served, serve
from tests.ui import identity

OWN = "hf_" + "visitors0own0token0for0this0test"
OPERATOR = "hf_" + "operators0token0must0not0be0used"


@pytest.fixture(scope="module")
def people() -> Iterator[identity.Provider]:
    with identity.provider(OWN) as running:
        yield running


@pytest.fixture(scope="module")
def models() -> Iterator[Provider]:
    with model_server(*[Answer(status=401)] * 8) as running:
        yield running


@pytest.fixture(scope="module")
def space(
    people: identity.Provider, models: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    stated = {
        "SPACE_ID": "me/goblin",
        "SYSTEM": "spaces",
        "GOBLIN_AGENT_BACKEND": "huggingface",
        "OAUTH_CLIENT_ID": identity.CLIENT,
        "OAUTH_CLIENT_SECRET": identity.SECRET,
        "OAUTH_SCOPES": "openid profile inference-api",
        "OPENID_PROVIDER_URL": people.url,
        "HF_TOKEN": OPERATOR,
        "GOBLIN_HF_BASE_URL": models.url,
    }
    with serve(tmp_path_factory.mktemp("space"), stated) as served:
        yield served


def get(url: str, cookie: str = "") -> HTTPResponse:
    """One request, no redirect followed; the cookie goes along as a browser on https sends it."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    place = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request("GET", place, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def session_of(answer: HTTPResponse) -> str:
    return (answer.getheader("Set-Cookie") or "").split(";")[0]


def signed_in(space: Served, people: identity.Provider) -> str:
    """The cookie of a visitor who went through the sign-in."""
    begun = get(f"{space.url}/login/huggingface")
    code, state = identity.approve(begun.getheader("Location") or "", people)
    query = urlencode({"code": code, "state": state, "_target_url": "/"})
    back = get(f"{space.url}/login/callback?{query}", session_of(begun))
    assert back.status in (302, 307), back.status
    assert back.getheader("Location") == "/"
    return session_of(back)


def audited(space: Served, cookie: str = "") -> str:
    """The whole log of an audit through the real queue, as one text."""
    client = Client(space.url, verbose=False, headers={"Cookie": cookie} if cookie else {})
    return json.dumps(client.predict(files={"train.yml": STOPS}, api_name="/audit"))


def test_the_button_is_there_where_a_visitor_can_sign_in(space: Served) -> None:
    with urllib.request.urlopen(f"{space.url}/config", timeout=30) as answer:
        config = json.load(answer)
    labels = [one["props"].get("elem_id") for one in config["components"]]
    assert "gg-sign-in" in labels
    (backend,) = [
        one for one in config["components"] if one["props"].get("elem_id") == "gg-backend"
    ]
    assert "huggingface" in json.dumps(backend["props"]["choices"])
    assert "your own account" in backend["props"]["info"]


def test_who_signed_in_pays_for_the_model_and_nobody_else(
    space: Served, people: identity.Provider, models: Provider
) -> None:
    cookie = signed_in(space, people)
    told = audited(space, cookie)
    sent = [headers["authorization"] for headers in models.headers]
    assert sent
    assert set(sent) == {f"Bearer {OWN}"}
    kept = b"".join(path.read_bytes() for path in space.data.rglob("*") if path.is_file())
    for token in (OWN, OPERATOR):
        assert token not in told
        assert token.encode() not in kept
        assert token not in space.log.read_text()


@pytest.mark.parametrize("cookie", ["", "session=eyJvYXV0aF9pbmZvIjp7fX0=.x.y"])
def test_who_did_not_sign_in_is_told_and_nobody_is_billed(
    cookie: str, space: Served, models: Provider
) -> None:
    before = len(models.headers)
    with pytest.raises(AppError, match="Sign in to use a model on your own account"):
        audited(space, cookie)
    assert len(models.headers) == before


def test_a_page_at_home_has_no_sign_in(tmp_path: Path) -> None:
    from agent.settings import read_settings

    assert not read_settings({"OAUTH_CLIENT_ID": "x"}).sign_in
    assert not read_settings({"SPACE_ID": "me/goblin"}).sign_in
    assert read_settings({"SPACE_ID": "me/goblin", "OAUTH_CLIENT_ID": "x"}).sign_in
