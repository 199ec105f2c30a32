"""The ways in which model families write a tool call as text, each a function of its marker.

A format returns None where its marker is absent, and no calls where a block of it is broken off or
malformed: then nothing of the answer runs. Sources: the chat templates and the parsers that vLLM
and SGLang list per family (vLLM docs/features/tool_calling.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from agent.tool_text_values import NOTHING, as_schema, json_at, read_loose
from audit.records.base import Json


class Found(NamedTuple):
    """Calls as (name, arguments), and the characters [start, end) that they stand in."""

    calls: list[tuple[str, dict[str, Json]]]
    start: int
    end: int
    format: str


class Step(NamedTuple):
    """One call and the position behind it."""

    name: str
    given: dict[str, Json]
    end: int


Schemas = Mapping[str, Json]
_NAME = re.compile(r"[\w.:-]{1,80}")
_SPACE = re.compile(r"[\s;,]*")


def _each(
    text: str, marker: re.Pattern[str], step: Callable[[int], Step | None], name: str
) -> Found | None:
    """Every block that begins with the marker; one that is broken leaves no call at all."""
    first = marker.search(text)
    if first is None:
        return None
    calls: list[tuple[str, dict[str, Json]]] = []
    found: re.Match[str] | None = first
    end = first.end()
    while found is not None:
        one = step(found.end())
        if one is None:
            return Found([], first.start(), len(text), name)
        calls.append((one.name, one.given))
        end = one.end
        found = marker.search(text, end)
    return Found(calls, first.start(), end, name)


_INVOKE = re.compile(r"<\s*｜\s*DSML\s*｜\s*invoke\s+name=\"([\w.:-]+)\"\s*>|"
                     r"<\s*\|\s*DSML\s*\|\s*invoke\s+name=\"([\w.:-]+)\"\s*>")  # fmt: skip
_DSML_WORD = r"<\s*/?\s*[｜|]\s*DSML\s*[｜|]\s*"
_DSML_PARAMETER = re.compile(
    _DSML_WORD + r"parameter\s+name=\"(\w+)\"(?:\s+string=\"(true|false)\")?\s*>"
)
_DSML_CLOSE = re.compile(r"</\s*[｜|]\s*DSML\s*[｜|]\s*(parameter|invoke)\s*>")
_DSML_WRAP = re.compile(r"\s*</\s*[｜|]\s*DSML\s*[｜|]\s*(?:function_calls|tool_calls)\s*>")


def deepseek_dsml(text: str, schemas: Schemas) -> Found | None:
    """DeepSeek V3.2 and V4: DSML invoke blocks, with either kind of bar."""

    def step(position: int) -> Step | None:
        head = text[text.rindex("<", 0, position) : position]
        name = re.findall(r'name="([\w.:-]+)"', head)[0]
        given: dict[str, Json] = {}
        while True:
            close = _DSML_CLOSE.search(text, position)
            opening = _DSML_PARAMETER.search(text, position)
            if close is None:
                return None
            if close.group(1) == "invoke" and (opening is None or close.start() < opening.start()):
                break
            if opening is None or close.group(1) != "parameter" or close.start() < opening.end():
                return None
            raw = text[opening.end() : close.start()]
            value = raw if opening.group(2) != "false" else read_loose(raw)
            if value is NOTHING:
                return None
            given[opening.group(1)] = value
            position = close.end()
        wrap = _DSML_WRAP.match(text, close.end())
        return Step(name, given, wrap.end() if wrap else close.end())

    return _each(text, _INVOKE, step, "deepseek_dsml")


_TOOL_BEGIN = re.compile(r"<｜tool▁call▁begin｜>")
_TOOL_END = re.compile(r"\s*(?:```)?\s*<｜tool▁call▁end｜>(?:\s*<｜tool▁calls▁end｜>)?")
_V3_HEAD = re.compile(r"(?:function<｜tool▁sep｜>)?([\w.:-]+)(?:<｜tool▁sep｜>)?\s*(?:```json\s*)?")


def deepseek_tokens(text: str, schemas: Schemas) -> Found | None:
    """DeepSeek V3, R1 (fenced JSON behind the name) and V3.1 (JSON at once)."""

    def step(position: int) -> Step | None:
        head = _V3_HEAD.match(text, position)
        return _json_step(text, head, _TOOL_END, head.group(1)) if head else None

    return _each(text, _TOOL_BEGIN, step, "deepseek_tokens")


_KIMI_BEGIN = re.compile(r"<\|tool_call_begin\|>\s*")
_KIMI_HEAD = re.compile(r"([\w.:-]+)\s*<\|tool_call_argument_begin\|>\s*")
_KIMI_END = re.compile(r"\s*<\|tool_call_end\|>(?:\s*<\|tool_calls_section_end\|>)?")


def kimi(text: str, schemas: Schemas) -> Found | None:
    """Kimi K2: functions.NAME:0 and JSON between special tokens."""

    def step(position: int) -> Step | None:
        head = _KIMI_HEAD.match(text, position)
        return _json_step(text, head, _KIMI_END, head.group(1)) if head else None

    return _each(text, _KIMI_BEGIN, step, "kimi")


def _json_step(text: str, head: re.Match[str], end: re.Pattern[str], name: str) -> Step | None:
    """A JSON object behind a head, and the closing mark that must follow it."""
    value, position = json_at(text, head.end())
    close = end.match(text, position) if isinstance(value, dict) else None
    return Step(name, value, close.end()) if close else None


_MINIMAX = re.compile(r"<minimax:tool_call>\s*|<invoke\s+name=")
_XML_INVOKE = re.compile(r"(?:<invoke\s+name=)?[\"']?([\w.:-]+)[\"']?\s*>")
_XML_PARAMETER = re.compile(r"\s*<parameter\s+name=[\"']?(\w+)[\"']?\s*>")
_XML_END = re.compile(r"\s*</invoke>(?:\s*</minimax:tool_call>)?")


def minimax(text: str, schemas: Schemas) -> Found | None:
    """MiniMax M2: invoke and parameter tags."""

    def step(position: int) -> Step | None:
        head = _XML_INVOKE.match(text, position)
        if head is None:
            return None
        pairs = _tagged(text, head.end(), _XML_PARAMETER, "</parameter>")
        end = _XML_END.match(text, pairs.end)
        if end is None:
            return None
        return Step(head.group(1), as_schema(pairs.raw, schemas.get(head.group(1))), end.end())

    return _each(text, _MINIMAX, step, "minimax")


_FUNCTION = re.compile(r"(?:<tool_call>\s*)?<function=([\w.:-]+)>")
_PARAMETER = re.compile(r"\s*<parameter=(\w+)>")
_FUNCTION_END = re.compile(r"\s*</function>(?:\s*</tool_call>)?")


def qwen_xml(text: str, schemas: Schemas) -> Found | None:
    """Qwen3-Coder and later: function= and parameter= tags with raw values."""
    names = [found.group(1) for found in _FUNCTION.finditer(text)]
    number = iter(names)

    def step(position: int) -> Step | None:
        name = next(number)
        pairs = _tagged(text, position, _PARAMETER, "</parameter>")
        end = _FUNCTION_END.match(text, pairs.end)
        return Step(name, as_schema(pairs.raw, schemas.get(name)), end.end()) if end else None

    return _each(text, _FUNCTION, step, "qwen_xml")


_NEXT_TAG = re.compile(r"\r?\n[ \t]*(?=<parameter[= ]|</function>|</invoke>)")


class _Pairs(NamedTuple):
    raw: dict[str, str]
    end: int


def _tagged(text: str, position: int, opening: re.Pattern[str], close: str) -> _Pairs:
    """Parameters with raw values; one without its close tag ends where the next tag begins."""
    raw: dict[str, str] = {}
    while found := opening.match(text, position):
        end = text.find(close, found.end())
        following = _NEXT_TAG.search(text, found.end())
        if following and (end < 0 or following.start() < end):
            raw[found.group(1)] = text[found.end() : following.start()]
            position = following.start()
            continue
        if end < 0:
            return _Pairs(raw, len(text))
        raw[found.group(1)] = text[found.end() : end]
        position = end + len(close)
    return _Pairs(raw, position)


_TOOL_CALL = re.compile(r"<tool_call>\s*")
_TOOL_CALL_END = re.compile(r"\s*</tool_call>")
_GLM_HEAD = re.compile(r"([\w.:-]+)\s*")
_GLM_PAIR = re.compile(
    r"\s*<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL
)


def tool_call_tags(text: str, schemas: Schemas) -> Found | None:
    """Hermes, Qwen2.5 and Qwen3 (JSON inside the tag); GLM (name and key-value tags)."""

    def step(position: int) -> Step | None:
        if text.startswith("{", position):
            value, end = json_at(text, position)
            one = named(value)
            close = _TOOL_CALL_END.match(text, end)
            open_at_end = not text[end:].strip()
            if one is None or not (close or open_at_end):
                return None
            return Step(*one, close.end() if close else end)
        head = _GLM_HEAD.match(text, position)
        if head is None:
            return None
        raw: dict[str, str] = {}
        position = head.end()
        while pair := _GLM_PAIR.match(text, position):
            raw[pair.group(1)] = pair.group(2)
            position = pair.end()
        close = _TOOL_CALL_END.match(text, position)
        name = head.group(1)
        return Step(name, as_schema(raw, schemas.get(name)), close.end()) if close else None

    return _each(text, _TOOL_CALL, step, "tool_call_tags")


_MISTRAL_HEAD = re.compile(r"([\w.:-]+)(?:\[ARGS\])?\s*")
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*")


def mistral(text: str, schemas: Schemas) -> Found | None:
    """Mistral: a JSON list behind the marker (before v11), or NAME{json} for every call."""
    first = _MISTRAL.search(text)
    if first is None:
        return None
    if text.startswith("[", first.end()):
        value, end = json_at(text, first.end())
        calls = [named(one) for one in value] if isinstance(value, list) else []
        if not calls or None in calls:
            return Found([], first.start(), len(text), "mistral")
        return Found([one for one in calls if one], first.start(), end, "mistral")

    def step(position: int) -> Step | None:
        head = _MISTRAL_HEAD.match(text, position)
        if head is None:
            return None
        value, end = json_at(text, head.end())
        return Step(head.group(1), value, end) if isinstance(value, dict) else None

    return _each(text, _MISTRAL, step, "mistral")


_GEMMA = re.compile(r"<\|tool_call>call:|<start_function_call>call:")


def gemma(text: str, schemas: Schemas) -> Found | None:
    """Gemma 4 and FunctionGemma: call:NAME{key:value} with their own quotes."""
    from agent.tool_text_values import gemma_object

    def step(position: int) -> Step | None:
        head = _NAME.match(text, position)
        if head is None:
            return None
        read = gemma_object(text, head.end())
        if read is None:
            return None
        for close in ("<tool_call|>", "<end_function_call>"):
            if text.startswith(close, read.end):
                return Step(head.group(), read.given, read.end + len(close))
        return None

    return _each(text, _GEMMA, step, "gemma")


MAX_PYTHON = 20_000
"""Characters of a list of calls that are parsed."""


def pythonic(text: str, schemas: Schemas) -> Found | None:
    """Llama 3.2 and 4, ToolACE, Olmo 3: a list of calls as the whole text, read without eval."""
    stripped = text.strip()
    tagged = re.fullmatch(r"<function_calls>(.*)</function_calls>", stripped, re.DOTALL)
    source = tagged.group(1).strip() if tagged else stripped
    if tagged:
        source = f"[{', '.join(line for line in source.splitlines() if line.strip())}]"
    if not source.startswith("[") or not source.endswith(")]") or len(source) > MAX_PYTHON:
        return None
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(tree, ast.List) or not tree.elts:
        return None
    calls = [_python_call(item) for item in tree.elts]
    known = all(one is not None and one[0] in schemas for one in calls)
    if not known:
        return None
    return Found([one for one in calls if one], 0, len(text), "pythonic")


def _python_call(node: ast.expr) -> tuple[str, dict[str, Json]] | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.args:
        return None
    try:
        return node.func.id, {word.arg or "": _python_value(word.value) for word in node.keywords}
    except ValueError:
        return None


def _python_value(node: ast.expr) -> Json:
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    return ast.literal_eval(node)


def bare_call(text: str, schemas: Schemas) -> Found | None:
    """JSON that is the whole text or its last paragraph and names a known tool (Llama 3)."""
    stripped = text.strip().removeprefix("<|python_tag|>").removesuffix("</tool_call>").strip()
    body = stripped
    if stripped.endswith("```") and (fence := stripped.rfind("```", 0, -3)) >= 0:
        body = stripped[fence + 3 : -3].removeprefix("json").strip()
        start = text.rfind("```", 0, text.rfind("```"))
    else:
        start = 0
    calls = _bare(body, schemas)
    if not calls and body is stripped:
        body = stripped.rpartition("\n\n")[2].strip()
        calls, start = _bare(body, schemas), text.rfind(body) if body else 0
    return Found(calls, start, len(text), "bare_json") if calls else None


def _bare(text: str, schemas: Schemas) -> list[tuple[str, dict[str, Json]]]:
    """The calls of a text that is nothing but JSON calls of known tools."""
    calls: list[tuple[str, dict[str, Json]]] = []
    position = 0
    while position < len(text):
        value, position = json_at(text, position)
        for one in value if isinstance(value, list) and value else [value]:
            call = named(one)
            if call is None or call[0] not in schemas:
                return []
            calls.append(call)
        space = _SPACE.match(text, position)
        position = space.end() if space else position
    return calls


def named(value: Json) -> tuple[str, dict[str, Json]] | None:
    """Name and arguments of a call written as a JSON object."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    for key in ("arguments", "parameters", "args"):
        given = value.get(key)
        if isinstance(given, str):
            inner, end = json_at(given, 0)
            given = inner if not given[end:].strip() else None
        if isinstance(given, dict):
            return value["name"], given
    return None


FORMATS: tuple[Callable[[str, Schemas], Found | None], ...] = (
    deepseek_dsml,
    deepseek_tokens,
    kimi,
    minimax,
    qwen_xml,
    tool_call_tags,
    mistral,
    gemma,
    pythonic,
)
"""In the order in which they are tried: the more telling marker first."""
