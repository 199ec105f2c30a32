"""What the words of a command line mean, without running a command."""

from __future__ import annotations

import pytest

from agent.commands.options import include_of, words
from agent.commands.values import field_edits, value_of
from agent.drive import drive
from agent.named import BACKENDS, RUNNERS, check_name
from agent.settings import Settings, read_settings
from audit.records.errors import SetupError, UnknownName, UserError
from audit.records.upload import Upload, plainly_named


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("8", 8),
        ("-1", -1),
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("2.", 2.0),
        ('["q_proj", "v_proj"]', ["q_proj", "v_proj"]),
        ('"8"', "8"),
        ("sdpa", "sdpa"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("[q_proj, 2]", ["q_proj", 2]),
    ],
)
def test_a_value_keeps_its_type(text: str, value: object) -> None:
    found = value_of(text)
    assert (type(found), found) == (type(value), value)


def test_edits_in_the_order_given() -> None:
    edits = field_edits(["bf16=true", "env:A=b=c"], ["tf32"])
    assert [(edit.field, edit.value, edit.remove) for edit in edits] == [
        ("bf16", True, False),
        ("env:A", "b=c", False),
        ("tf32", None, True),
    ]
    for wrong in ("bf16", "=true", " =1"):
        with pytest.raises(UserError, match="FIELD=VALUE"):
            field_edits([wrong], [])


def test_include_names_the_kinds_it_knows() -> None:
    assert include_of("neutral, dynamics") == {"neutral", "dynamics"}
    assert include_of("") == frozenset()
    with pytest.raises(UserError, match="neutral, numerics, dynamics"):
        include_of("neutral,speed")
    assert words(" a,,b ,") == ["a", "b"]


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(UnknownName, match="rules"):
        check_name("backend", "gpt", BACKENDS)
    with pytest.raises(UnknownName, match="fake"):
        check_name("runner", "", RUNNERS)


def test_settings_come_from_the_environment_alone() -> None:
    assert read_settings({}) == Settings()
    found = read_settings(
        {
            "GOBLIN_DATA_DIR": "/somewhere",
            "GOBLIN_HARDWARE": " h200 ",
            "GOBLIN_AGENT_BACKEND": "",
            "SPACE_ID": "a/b",
        }
    )
    assert (str(found.data_dir), found.hardware, found.backend, found.on_space) == (
        "/somewhere",
        "h200",
        "rules",
        True,
    )
    with pytest.raises(SetupError, match=r"such as 0\.50\.$"):
        read_settings({"GOBLIN_LOCAL_USD_PER_GPU_HOUR": "abc"})
    with pytest.raises(UserError, match="Use fake here, and your own machine"):
        found.check_runner("local")
    assert not read_settings({"ANTHROPIC_API_KEY": "x"}).on_space
    assert read_settings({"ANTHROPIC_API_KEY": "x", "HF_TOKEN": "y"}).backend == "rules"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a/b/c.yml", "c.yml"),
        ("C:\\Users\\me\\train.py", "train.py"),
        ("../../etc/passwd", "passwd"),
        ("..", "upload"),
        ("", "upload"),
        ("x\x1b[31m\n.yml", "x_[31m_.yml"),
        ("x" * 300 + ".yml", "x" * 116 + ".yml"),
    ],
)
def test_an_upload_is_known_by_a_plain_name(given: str, kept: str) -> None:
    assert plainly_named(Upload(given, b"x")).name == kept


def test_driving_by_hand_gives_every_item_and_refuses_to_hang() -> None:
    async def items(waits: bool):
        yield 1
        if waits:
            import asyncio

            await asyncio.sleep(0)
        yield 2

    assert list(drive(items(waits=False))) == [1, 2]
    with pytest.raises(RuntimeError, match="waits"):
        list(drive(items(waits=True)))
