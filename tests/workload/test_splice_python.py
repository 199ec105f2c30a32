"""Arguments are replaced, inserted and removed at their characters; nothing else moves."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from workload.splice import python as splice
from workload.splice.python import PythonText
from workload.splice.python_literal import literal


def first_call(text: str) -> ast.Call:
    return next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def inserted(text: str, new: str = "new=1") -> str:
    python = PythonText(text)
    group = splice.call_group(python, first_call(text))
    return splice.apply(text, splice.insert(python, group, new))


def removed(text: str, index: int) -> str:
    python = PythonText(text)
    group = splice.call_group(python, first_call(text))
    return splice.apply(text, [splice.remove(python, group, index)])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("f()", "f(new=1)"),
        ("f(a, b=2)", "f(a, b=2, new=1)"),
        ("f(a, b=2,)", "f(a, b=2, new=1,)"),
        ("f(a, **more)", "f(a, new=1, **more)"),
        ("f(**more)", "f(new=1, **more)"),
        ("f(\n    a=1,\n    b=2,\n)", "f(\n    a=1,\n    b=2,\n    new=1,\n)"),
        ("f(\n    a=1,\n    b=2\n)", "f(\n    a=1,\n    b=2,\n    new=1\n)"),
        ("f(\n    a=1,\n    b=2)", "f(\n    a=1,\n    b=2,\n    new=1)"),
        ("f(\n    b=2  # last\n)", "f(\n    b=2,  # last\n    new=1\n)"),
        ("f(\n    b=2,  # last, (really)\n)", "f(\n    b=2,  # last, (really)\n    new=1,\n)"),
        ("f(\n    b=2,\n    **more,\n)", "f(\n    b=2,\n    new=1,\n    **more,\n)"),
        ("f(\n    **more,\n)", "f(\n    new=1,\n    **more,\n)"),
        ("f(a,\n  b=(2))", "f(a,\n  b=(2),\n  new=1)"),
        ("f(a, b=2,\n  c=3, d=4)", "f(a, b=2,\n  c=3, d=4, new=1)"),
        ("f(\r\n\ta=1,\r\n)", "f(\r\n\ta=1,\r\n\tnew=1,\r\n)"),
        ("f(\n    x='ä', b='größe',\n)", "f(\n    x='ä', b='größe', new=1,\n)"),
        ("(f)(a)", "(f)(a, new=1)"),
        (f"f(\n  a={'1' * 45}, b={'2' * 45})", f"f(\n  a={'1' * 45}, b={'2' * 45},\n  new=1)"),
        (f"f(a={'1' * 95})", f"f(a={'1' * 95}, new=1)"),
        ("f (((a)), ((b)))", "f (((a)), ((b)), new=1)"),
    ],
)
def test_a_keyword_is_laid_out_like_its_siblings(text: str, wanted: str) -> None:
    assert inserted(text) == wanted


@pytest.mark.parametrize(
    ("text", "index", "wanted"),
    [
        ("f(a=1)", 0, "f()"),
        ("f(a=1,)", 0, "f()"),
        ("f(a=1, b=2, c=3)", 0, "f(b=2, c=3)"),
        ("f(a=1, b=2, c=3)", 1, "f(a=1, c=3)"),
        ("f(a=1, b=2, c=3)", 2, "f(a=1, b=2)"),
        ("f(\n    a=1,  # one\n    b=2,\n)", 0, "f(\n    b=2,\n)"),
        ("f(\n    a=1,\n    b=2  # two\n)", 1, "f(\n    a=1,\n)"),
        ("f(\n    a=1,\n    b=2)", 1, "f(\n    a=1)"),
        ("f(\n    a=1,  # one\n    b=2)", 1, "f(\n    a=1,  # one\n    )"),
        ("f(\n    a={\n        'x': 1,\n    },\n    b=2,\n)", 0, "f(\n    b=2,\n)"),
        ("f(\r\n    a=1,\r\n    b=2,\r\n)", 0, "f(\r\n    b=2,\r\n)"),
    ],
)
def test_a_keyword_goes_with_its_line_or_one_comma(text: str, index: int, wanted: str) -> None:
    assert removed(text, index) == wanted


def test_entries_of_a_dict_come_and_go_like_keywords() -> None:
    text = 'x = {\n    "a": 1,\n    **more,\n}\n'
    display = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Dict))
    python = PythonText(text)
    group = splice.dict_group(python, display)
    added = splice.apply(text, splice.insert(python, group, '"b": 2'))
    assert added == 'x = {\n    "a": 1,\n    "b": 2,\n    **more,\n}\n'
    assert splice.apply(text, [splice.remove(python, group, 0)]) == "x = {\n    **more,\n}\n"


def test_a_statement_goes_with_its_comment_only_where_it_stands_alone() -> None:
    text = "a = 1\nmodel.enable()  # why\nb = 2; c = 3\n"
    tree, python = ast.parse(text), PythonText(text)
    change = splice.remove_statement(python, tree.body[1])
    assert change is not None
    assert splice.apply(text, [change]) == "a = 1\nb = 2; c = 3\n"
    assert splice.remove_statement(python, tree.body[2]) is None


def test_a_lone_carriage_return_and_a_form_feed_do_not_shift_positions() -> None:
    text = "a = 'ü'\rb = '語'; c = f(x=1)\n\x0cd = 2\n"
    assert inserted(text) == text.replace("x=1", "x=1, new=1")


@pytest.mark.parametrize(
    ("value", "like", "wanted"),
    [
        (True, "", "True"),
        (None, "", "None"),
        (0.0001, "2e-4", "1e-4"),
        (0.00015, "2e-4", "1.5e-4"),
        (1e-05, "", "1e-5"),
        (0.05, "0.1", "0.05"),
        (4.0, "3", "4"),
        (4.5, "3", "4.5"),
        ("it's", "'x'", "'it\\'s'"),
        ("a\\b\n", "", '"a\\\\b\\n"'),
        (["q", "v"], "", '["q", "v"]'),
        ({"use_reentrant": False}, "", '{"use_reentrant": False}'),
        (1e22, "", "1e22"),
    ],
)
def test_a_literal_takes_the_style_of_what_it_replaces(
    value: object, like: str, wanted: str
) -> None:
    assert literal(value, like) == wanted
    assert ast.literal_eval(literal(value, like)) == value


NAMES = some.sampled_from(["a", "größe", "rate", "名前", "_x", "seed"])
VALUES = some.sampled_from(
    ["1", "2e-4", "'ä,)#'", '"""x\n  y"""', "(3)", "g(1, b=2)", "[1, 2]", "{'k': (1)}", "not (x)"]
)
GAPS = some.sampled_from([" ", "\n    ", "\n    # note, with (brackets\n    ", "  # ü\n    "])


@settings(max_examples=300, deadline=None)
@given(
    some.lists(some.tuples(NAMES, VALUES, GAPS), min_size=1, max_size=5, unique_by=lambda x: x[0]),
    some.booleans(),
    some.integers(0, 4),
    some.sampled_from(["\n", "\r\n"]),
)
def test_only_the_edited_argument_differs(
    keywords: list[tuple[str, str, str]], comma: bool, index: int, line_end: str
) -> None:
    parts = [f"{gap}{name}={value}" for name, value, gap in keywords]
    text = f"é = 1\ncall = f({','.join(parts)}{',' if comma else ''}\n)  # end\nb = 'ö'\n"
    text = text.replace("\n", line_end)
    python, call = PythonText(text), first_call(text)
    group = splice.call_group(python, call)
    index %= len(keywords)
    before = [ast.dump(keyword) for keyword in call.keywords]

    def after(new: str) -> list[str]:
        return [ast.dump(keyword) for keyword in first_call(new).keywords]

    added = splice.apply(text, splice.insert(python, group, "new=True"))
    assert after(added)[:-1] == before
    assert first_call(added).keywords[-1].arg == "new"
    assert kept(text, added)
    gone = splice.apply(text, [splice.remove(python, group, index)])
    assert after(gone) == [*before[:index], *before[index + 1 :]]
    node = call.keywords[index].value
    change = splice.replace(python, node, "77")
    put = splice.apply(text, [change])
    wanted = [*before]
    wanted[index] = ast.dump(ast.keyword(call.keywords[index].arg, ast.Constant(77)))
    assert after(put) == wanted
    assert put == text[: change.start] + "77" + text[change.end :]


def kept(old: str, new: str) -> bool:
    """Whether every character of the old text stands in the new one, in its order."""
    rest = iter(new)
    return all(character in rest for character in old)
