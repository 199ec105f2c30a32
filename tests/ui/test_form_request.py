"""The form: files read once and taken off the page's cache, text named, wishes checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.request import check_request
from agent.settings import Settings
from audit.records.errors import InputError, UnknownName, UserError
from audit.records.events import ErrorData
from audit.records.upload import Upload
from ui.download import as_file, patched_file
from ui.form import Filled, fault_excerpt, pasted_name, request_of, take_files
from ui.form_layout import is_billable, quote_text
from ui.samples import sample, sample_names
from ui.verdict import FORMATS
from workload.dialects import DIALECTS

SETTINGS = Settings()


def test_a_file_is_read_once_and_its_cached_copy_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_bytes(b"a: 1\r\n")
    taken = take_files([str(path)], {})
    assert taken[str(path)] == Upload("config.yml", b"a: 1\r\n")
    assert not path.exists()
    assert take_files([str(path)], taken) == taken
    with pytest.raises(InputError, match=r"config\.yml: the file is no longer here"):
        take_files([str(path)], {})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("base_model: x\n", "pasted.yaml"),
        ("# tutorial\nfrom trl import SFTConfig\n", "pasted.py"),
        ('{"a": 1}', "pasted.json"),
        ("export A=1\naccelerate launch x.py\n", "pasted.sh"),
    ],
)
def test_pasted_text_gets_the_name_its_look_suggests(text: str, name: str) -> None:
    assert pasted_name(text) == name


def test_the_tab_in_front_decides() -> None:
    files = {"/x/a.yml": Upload("a.yml", b"a: 1")}
    filled = Filled(pasted="b: 2\n", pasting=True)
    assert request_of(filled, files, SETTINGS).uploads == (Upload("pasted.yaml", b"b: 2\n"),)
    assert request_of(Filled(pasted="b: 2"), files, SETTINGS).uploads == tuple(files.values())


@pytest.mark.parametrize("filled", [Filled(), Filled(pasting=True, pasted=" \n")])
def test_an_empty_form_says_what_to_give(filled: Filled) -> None:
    with pytest.raises(InputError, match="there is no"):
        request_of(filled, {}, SETTINGS)


def test_wishes_reach_the_request() -> None:
    filled = Filled(
        pasting=True, pasted="a: 1", hardware="h200", gpus=8, nodes=2,
        p50=310, p95=900, longest=2048,
        versions="transformers=4.57, trl=0.24",
    )  # fmt: skip
    request = request_of(filled, {}, SETTINGS)
    assert (request.hardware, request.gpus, request.nodes) == ("h200", 8, 2)
    assert request.lengths is not None
    assert (request.lengths.p50, request.lengths.p95, request.lengths.max) == (310, 900, 2048)
    assert request.lengths.origin == "stated"
    assert dict(request.versions) == {"transformers": "4.57", "trl": "0.24"}
    untouched = request_of(Filled(pasting=True, pasted="a: 1"), {}, SETTINGS)
    assert (untouched.hardware, untouched.lengths) == (None, None)


@pytest.mark.parametrize(
    "filled",
    [
        Filled(pasting=True, pasted="a: 1", p50=900, p95=310, longest=2048),
        Filled(pasting=True, pasted="a: 1", versions="transformers"),
    ],
)
def test_wrong_wishes_are_input_errors(filled: Filled) -> None:
    with pytest.raises(UserError):
        request_of(filled, {}, SETTINGS)


def test_a_data_sample_gives_lengths_and_is_no_training_file() -> None:
    rows = b"".join(b'{"text": "' + b"abcd" * size + b'"}\n' for size in range(1, 60))
    files = {"a": Upload("a.yml", b"a: 1"), "d": Upload("data.jsonl", rows)}
    request = request_of(Filled(), files, SETTINGS)
    assert [upload.name for upload in request.uploads] == ["a.yml"]
    assert request.lengths is not None
    assert "data.jsonl" in request.lengths.source


def test_the_excerpt_of_a_bad_file_is_redacted() -> None:
    secret = "hf_" + "a1B2" * 9
    upload = Upload("a.yml", f"a: 1\n b: 2\ntoken: {secret}\n".encode())
    error = ErrorData(kind="input", message="a.yml, line 2, column 2: bad", file="a.yml", line=2)
    html = fault_excerpt(error, (upload,))
    assert "^ column 2" in html
    assert secret not in html
    assert fault_excerpt(error, ()) == ""


def test_samples_are_found_by_exact_name_only() -> None:
    for name in sample_names():
        assert sample(name).data
    with pytest.raises(UnknownName, match="there is no sample"):
        sample("../README.md")


def test_files_for_the_browser() -> None:
    assert as_file("a.patch", b"x\r\n", "text/plain")["base64"] == "eA0K"
    assert patched_file(()) is None
    one = patched_file((Upload("a.yml", b"a"),))
    assert one is not None
    assert one["name"] == "a.yml"
    several = patched_file((Upload("a.yml", b"a"), Upload("b.yml", b"b")))
    assert several is not None
    assert several["name"] == "patched.zip"


def test_every_format_that_is_read_has_a_name_in_the_form() -> None:
    assert set(FORMATS) == set(DIALECTS)


def test_the_visitor_may_say_what_the_file_is() -> None:
    request = request_of(Filled(pasted="a: 1", pasting=True, dialect="py_trl"), {}, SETTINGS)
    assert request.dialect == "py_trl"
    second = Filled(pasted="a: 1", pasting=True, dialect="py_trl", trainer=2.0)
    assert request_of(second, {}, SETTINGS).dialect == "py_trl#2"
    assert request_of(Filled(pasted="a", pasting=True, trainer="3"), {}, SETTINGS).dialect == "#3"
    assert request_of(Filled(pasted="a", pasting=True, trainer=""), {}, SETTINGS).dialect is None
    with pytest.raises(UserError, match="Training run second is no number"):
        request_of(Filled(pasted="a", pasting=True, trainer="second"), {}, SETTINGS)
    assert request_of(Filled(pasted="a: 1", pasting=True), {}, SETTINGS).dialect is None


@pytest.mark.parametrize(
    ("typed", "usd"), [("", None), (" ", None), ("2.50", 2.5), ("$ 3", 3.0), ("1e2", 100.0)]
)
def test_a_cap_is_read_as_it_is_typed(typed: str, usd: float | None) -> None:
    filled = Filled(pasted="a: 1\n", pasting=True, max_usd=typed)
    assert request_of(filled, {}, SETTINGS).max_usd == usd


@pytest.mark.parametrize("typed", ["two", "2,50", "--"])
def test_what_is_no_cap_is_said(typed: str) -> None:
    with pytest.raises(UserError, match="is no amount of dollars"):
        request_of(Filled(pasted="a: 1\n", pasting=True, max_usd=typed), {}, SETTINGS)


@pytest.mark.parametrize("typed", ["nan", "-1", "inf"])
def test_a_cap_that_caps_nothing_is_refused(typed: str) -> None:
    request = request_of(Filled(pasted="a: 1\n", pasting=True, max_usd=typed), {}, SETTINGS)
    with pytest.raises(UserError, match="max_usd"):
        check_request(request)


@pytest.mark.parametrize(
    ("settings", "billable", "told"),
    [
        (Settings(), False, "Costs nothing"),
        (Settings(runner="local"), False, "takes minutes"),
        (Settings(runner="local", usd_per_gpu_hour=2.0), True, "waits for your yes"),
        (Settings(runner="hf_jobs"), True, "waits for your yes"),
        (Settings(runner="hf_jobs", on_space=True), False, "Costs nothing"),
    ],
)
def test_the_form_says_what_a_run_costs(settings: Settings, billable: bool, told: str) -> None:
    assert is_billable(settings) == billable
    assert told in quote_text(settings)
