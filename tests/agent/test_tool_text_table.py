"""Tool calls written as text: every format, mutated, truncated at every character, round trips."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.backends.schemas import strict_schema
from agent.tool_text import TextCall, read_tool_text
from agent.tools import TOOLS

SCHEMAS: dict[str, Any] = {name: strict_schema(tool) for name, tool in TOOLS.items()}
Calls = list[tuple[str, dict[str, Any]]]
ONE: Calls = [("propose_patch", {"workload_id": "wl_1", "finding_ids": ["f_1", "f_2"]})]
TWO: Calls = [*ONE, ("benchmark", {"workload_id": "wl_1"})]


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def raw(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def hermes(calls: Calls) -> str:
    return "\n".join(
        f"<tool_call>\n{dumps({'name': n, 'arguments': a})}\n</tool_call>" for n, a in calls
    )


def hermes_open(calls: Calls) -> str:
    return hermes(calls).removesuffix("\n</tool_call>")


def qwen_xml(calls: Calls) -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = "".join(f"<parameter={k}>\n{raw(v)}\n</parameter>\n" for k, v in given.items())
        return f"<tool_call>\n<function={name}>\n{rows}</function>\n</tool_call>"

    return "\n".join(one(*call) for call in calls)


def qwen_bare(calls: Calls) -> str:
    return qwen_xml(calls).replace("<tool_call>\n", "").replace("\n</tool_call>", "")


def qwen_open_parameters(calls: Calls) -> str:
    return qwen_xml(calls).replace("\n</parameter>", "")


def glm(calls: Calls) -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = "\n".join(
            f"<arg_key>{k}</arg_key>\n<arg_value>{raw(v)}</arg_value>" for k, v in given.items()
        )
        return f"<tool_call>{name}\n{rows}\n</tool_call>"

    return "\n".join(one(*call) for call in calls)


def glm_47(calls: Calls) -> str:
    return glm(calls).replace("\n", "")


def deepseek_v3(calls: Calls) -> str:
    rows = "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{n}\n```json\n{dumps(a)}\n```<｜tool▁call▁end｜>"
        for n, a in calls
    )
    return f"<｜tool▁calls▁begin｜>{rows}<｜tool▁calls▁end｜>"


def deepseek_v31(calls: Calls) -> str:
    rows = "".join(
        f"<｜tool▁call▁begin｜>{n}<｜tool▁sep｜>{dumps(a)}<｜tool▁call▁end｜>" for n, a in calls
    )
    return f"<｜tool▁calls▁begin｜>{rows}<｜tool▁calls▁end｜>"


def dsml(calls: Calls, bar: str = "｜", word: str = "function_calls") -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = "\n".join(
            f'<{bar}DSML{bar}parameter name="{k}" string="{str(isinstance(v, str)).lower()}">'
            f"{raw(v)}</{bar}DSML{bar}parameter>"
            for k, v in given.items()
        )
        return f'<{bar}DSML{bar}invoke name="{name}">\n{rows}\n</{bar}DSML{bar}invoke>'

    rows = "\n".join(one(*call) for call in calls)
    return f"<{bar}DSML{bar}{word}>\n{rows}\n</{bar}DSML{bar}{word}>"


def dsml_ascii(calls: Calls) -> str:
    return dsml(calls, " | ", "tool_calls")


def kimi(calls: Calls) -> str:
    rows = "".join(
        f"<|tool_call_begin|>functions.{n}:{i}<|tool_call_argument_begin|>{dumps(a)}"
        "<|tool_call_end|>"
        for i, (n, a) in enumerate(calls)
    )
    return f"<|tool_calls_section_begin|>{rows}<|tool_calls_section_end|>"


def mistral_list(calls: Calls) -> str:
    return f"[TOOL_CALLS] {dumps([{'name': n, 'arguments': a} for n, a in calls])}"


def mistral_v11(calls: Calls) -> str:
    return "".join(f"[TOOL_CALLS]{n}{dumps(a)}" for n, a in calls)


def minimax(calls: Calls) -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = "\n".join(f'<parameter name="{k}">{raw(v)}</parameter>' for k, v in given.items())
        return f'<invoke name="{name}">\n{rows}\n</invoke>'

    rows = "\n".join(one(*call) for call in calls)
    return f"<minimax:tool_call>\n{rows}\n</minimax:tool_call>"


def _gemma_value(value: Any, quote: str) -> str:
    if isinstance(value, str):
        return f"{quote}{value}{quote}"
    if isinstance(value, list):
        return f"[{','.join(_gemma_value(item, quote) for item in value)}]"
    return dumps(value)


QUOTE = '<|"|>'


def gemma(calls: Calls) -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = ",".join(f"{k}:{_gemma_value(v, QUOTE)}" for k, v in given.items())
        return f"<|tool_call>call:{name}{{{rows}}}<tool_call|>"

    return "".join(one(*call) for call in calls)


def function_gemma(calls: Calls) -> str:
    def one(name: str, given: dict[str, Any]) -> str:
        rows = ",".join(f"{k}:{_gemma_value(v, '<escape>')}" for k, v in given.items())
        return f"<start_function_call>call:{name}{{{rows}}}<end_function_call>"

    return "".join(one(*call) for call in calls)


def pythonic(calls: Calls) -> str:
    rows = (f"{n}({', '.join(f'{k}={v!r}' for k, v in a.items())})" for n, a in calls)
    return f"[{', '.join(rows)}]"


def olmo(calls: Calls) -> str:
    rows = (f"{n}({', '.join(f'{k}={dumps(v)}' for k, v in a.items())})" for n, a in calls)
    return "<function_calls>\n" + "\n".join(rows) + "\n</function_calls>"


def llama(calls: Calls) -> str:
    return "; ".join(dumps({"name": n, "parameters": a}) for n, a in calls)


def llama_tagged(calls: Calls) -> str:
    return f"<|python_tag|>{llama(calls)}"


def fenced(calls: Calls) -> str:
    return f"```json\n{llama(calls)}\n```"


def no_opening_tag(calls: Calls) -> str:
    return f"I think.</think>\n{llama(calls)}\n</tool_call>"


TAGGED = (
    hermes, qwen_xml, qwen_bare, qwen_open_parameters, glm, glm_47, deepseek_v3, deepseek_v31, dsml,
    dsml_ascii, kimi, mistral_list, mistral_v11, minimax, gemma, function_gemma,
)  # fmt: skip
WHOLE = (hermes_open, pythonic, olmo, llama, llama_tagged, fenced, no_opening_tag)
"""Formats that have to be the whole text or its end."""
every = pytest.mark.parametrize("write", [*TAGGED, *WHOLE])
tagged = pytest.mark.parametrize("write", TAGGED)
Write = Callable[[Calls], str]


def plain(calls: tuple[TextCall, ...]) -> Calls:
    return [(call.name.removeprefix("functions.").split(":")[0], call.arguments) for call in calls]


def read(text: str, **more: Any) -> Calls:
    return plain(read_tool_text(text, SCHEMAS, **more).calls)


@every
@pytest.mark.parametrize("calls", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_every_format_is_read(write: Write, calls: Calls, ends: str) -> None:
    assert read(write(calls).replace("\n", ends)) == calls


@tagged
def test_words_around_a_call_stay_as_text(write: Write) -> None:
    found = read_tool_text(f"Now the patch.\n\n{write(ONE)}\n\nThat is all.", SCHEMAS)
    assert plain(found.calls) == ONE
    assert found.text.startswith("Now the patch.")
    assert found.text.endswith("That is all.")
    assert "propose_patch" not in found.text


HARD = 'a "quoted" \\ ü 漢字 {x} [1] </tool_call> and\nmore'
JSON_FORMATS = (
    hermes, deepseek_v3, deepseek_v31, kimi, mistral_list, mistral_v11, llama, llama_tagged,
    pythonic, fenced,
)  # fmt: skip


@pytest.mark.parametrize("write", JSON_FORMATS)
def test_hard_strings_survive(write: Write) -> None:
    calls: Calls = [("query_rocm_kb", {"workload_id": "wl_1", "question": HARD})]
    assert read(write(calls)) == calls


@every
@pytest.mark.parametrize("calls", [ONE, TWO], ids=["one", "two"])
def test_a_truncated_answer_runs_the_same_calls_or_none(write: Write, calls: Calls) -> None:
    text = write(calls)
    for end in range(len(text)):
        found = read(text[:end])
        assert found == calls[: len(found)], text[:end]


@tagged
def test_a_call_inside_thinking_counts_only_at_its_end(write: Write) -> None:
    text = write(ONE)
    assert read(f"<think>So be it.\n{text}\n</think>") == ONE
    assert read(f"<think>So be it.\n{text}") == ONE
    assert read("", reasoning=f"So be it.\n{text}") == ONE
    assert read("", reasoning=f"So be it.\n{text}", ended=False) == []
    assert read("", reasoning=f"{text}\nBut no, I had better not.") == []
    assert read(hermes(TWO[1:]), reasoning=text) == TWO[1:]


@pytest.mark.parametrize("write", [write for write in (*TAGGED, *WHOLE) if write != no_opening_tag])
def test_prose_that_quotes_an_example_runs_nothing(write: Write) -> None:
    text = write(ONE)
    assert read(f"For example:\n{text}") == []
    assert read(f"You would call it like this:\n\n{text}") == []
    assert read(f"See:\n```\n{text}\n```\nand so on.") == []
    if "\n" not in text:
        assert read(f"Write `{text}` to patch.") == []


def test_json_in_prose_or_of_no_tool_runs_nothing() -> None:
    call = dumps({"name": "propose_patch", "arguments": {}})
    assert read(f"The call {call} would patch it.") == []
    assert read(dumps({"name": "rm", "arguments": {}})) == []
    assert read(dumps({"name": "propose_patch"})) == []
    assert read(dumps([1, 2])) == []
    assert read("[1, (2)]") == []
    assert read("[propose_patch(open('x'))]") == []
    assert read("[propose_patch(workload_id=__import__('os'))]") == []


def test_an_unknown_tool_in_a_tag_is_handed_on() -> None:
    assert read(hermes([("shell", {"command": "ls"})])) == [("shell", {"command": "ls"})]


def test_values_take_the_type_of_their_schema() -> None:
    text = (
        "<tool_call><function=query_rocm_kb><parameter=workload_id>\n7\n</parameter>"
        "<parameter=question>\nnull\n</parameter></function></tool_call>"
    )
    assert read(text) == [("query_rocm_kb", {"workload_id": "7", "question": None})]


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85"),
    max_size=40,
)


@pytest.mark.parametrize("write", JSON_FORMATS)
@given(question=WORDS, ids=st.lists(WORDS, max_size=4))
def test_round_trip(write: Write, question: str, ids: list[str]) -> None:
    calls: Calls = [
        ("query_rocm_kb", {"workload_id": "wl_1", "question": question}),
        ("propose_patch", {"workload_id": "wl_1", "finding_ids": ids}),
    ]
    assert read(write(calls)) == calls


SAFE = st.text("abcdefgh XYZ019_.,:;!?äß漢", max_size=40)


@pytest.mark.parametrize("write", [qwen_xml, glm, dsml, minimax, gemma])
@given(question=SAFE, ids=st.lists(SAFE, max_size=4))
def test_round_trip_of_raw_values(write: Write, question: str, ids: list[str]) -> None:
    calls: Calls = [
        ("query_rocm_kb", {"workload_id": "wl_1", "question": question}),
        ("propose_patch", {"workload_id": "wl_1", "finding_ids": ids}),
    ]
    assert read(write(calls)) == calls


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    read_tool_text(text, SCHEMAS, reasoning=text)


BOMBS = [
    "<tool_call>" * 20_000,
    "<think>" * 30_000,
    "</think>" * 30_000,
    "{" * 200_000,
    "[" * 150_000 + ")]",
    "```\n" * 50_000,
    "<function=f><parameter=a>" + "\n" * 190_000,
    "<tool_call>f" + "<arg_key>a</arg_key><arg_value>" * 6_000,
    '<｜DSML｜invoke name="f">' + '<｜DSML｜parameter name="a">' * 6_000,
    "<|tool_call>call:f{" + "a:[" * 900 + "]",
    " " * 200_000,
    "<｜" + " " * 190_000,
]


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_the_time_is_linear(number: int) -> None:
    start = time.process_time()
    assert read(BOMBS[number]) == []
    assert time.process_time() - start < 1.0
