"""The failure cases of the loop by number: what is expected, on which wires, and the tests of it.

The names of the tests carry the numbers (`test_6_...`, `test_26_33_34_...`). Approvals (55 to 60)
have tests of their own, `test_approvals.py`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

Wires = Literal["both", "chat", "claude", "none"]


class Case(NamedTuple):
    """What is expected, and where: both protocols, one of them, or beneath them."""

    expected: str
    wires: Wires = "both"


CASES = {
    1: Case("no call and no report: nudged twice with the missing stage, then the rules finish"),
    2: Case("an empty answer: the same, never an endless loop"),
    3: Case("reasoning alone is a thought; a call at its end counts", "chat"),
    4: Case("an unknown tool is answered with the names"),
    5: Case("a dressed name is understood where it is clear"),
    6: Case("malformed JSON: an answer, and nothing of the batch runs"),
    7: Case("malformed twice: a hint; three times: the rules finish"),
    8: Case("arguments encoded twice are decoded where they then fit"),
    9: Case("arguments inside a wrapper are unwrapped where they then fit"),
    10: Case("null, a list or a number as arguments: an answer with the fields"),
    11: Case("an extra field is refused by name, a missing one named"),
    12: Case("a number where an id belongs is refused"),
    13: Case("ids that repeat are renamed, pairs stay pairs"),
    14: Case("ids that are missing are made"),
    15: Case("the same call twice in a turn runs once"),
    16: Case("many calls run in the order of the stages, eight a turn"),
    17: Case("a comparison before the benchmarks is told what is missing"),
    18: Case("figures of a model go nowhere, and those in its words are flagged"),
    19: Case("a patch that changes nothing has nothing to benchmark"),
    20: Case("no patch touches where a run writes or what it trains"),
    21: Case("a huge argument is refused, and bounded in history and events"),
    22: Case("a success that is only claimed is no report"),
    23: Case("cut off inside a call: not run, two different hints, then the rules"),
    24: Case("cut off inside a text: one more turn"),
    25: Case("a router that hides the cut is seen through", "chat"),
    26: Case("no stop reason: nothing runs, asked once more"),
    27: Case("a refusal is told with its category, and the rules finish"),
    28: Case("a pause is sent again unchanged", "claude"),
    29: Case("a full window: shortened once", "claude"),
    30: Case("an unknown stop reason runs nothing"),
    31: Case("429 with Retry-After: waits as told"),
    32: Case("overloaded or failing: asked again, then the rules"),
    33: Case("an error inside a stream: its text is void, asked again"),
    34: Case("broken behind a whole call: not run, asked again, nothing twice"),
    35: Case("a server that is not there: told in words, the rules finish"),
    36: Case("a stalled stream is dropped and asked again"),
    37: Case("401 and 403: no retry, the key is never echoed"),
    38: Case("402: no retry, nobody else pays"),
    39: Case("404: told with the model"),
    40: Case("a refused effort is left out once and remembered", "claude"),
    41: Case("a refused signature: thinking is left out once", "claude"),
    42: Case("too long a prompt: shortened once, never sent again unchanged"),
    43: Case("no key: told before the run, the rules are offered", "none"),
    44: Case("variants of the stream are read", "chat"),
    45: Case("usage that is missing is unknown, not 0"),
    46: Case("the turns are used up: the rules finish, one terminal event"),
    47: Case("0 turns or 1: still a report"),
    48: Case("the time is used up: the rules finish"),
    49: Case("tokens or money are used up: nothing more is paid"),
    50: Case("the same call over and over, or two by turns: one hint, then the rules"),
    51: Case("a tool that raises is an answer, without its trace"),
    52: Case("what is no JSON is refused in arguments, and null in the log"),
    53: Case("a tool that hangs is stopped"),
    54: Case("out of memory is a result"),
    61: Case("a cancel is heard within a second: stream, wait, tool"),
    62: Case("a closed tab stops nothing", "none"),
    63: Case("two at once share nothing", "none"),
    64: Case("killed: the log reads on and the audit ends once", "none"),
}
"""Numbers as in the reference of failure cases; 62 as the product reads it."""
NUMBERED = re.compile(r"^test_((?:\d+_)+)")
FOLDER = Path(__file__).parent


class Found(NamedTuple):
    """One test that carries numbers."""

    name: str
    wires: frozenset[str]
    asserts: bool


def numbered() -> dict[int, list[Found]]:
    """The tests of this folder by the numbers in their names."""
    found: dict[int, list[Found]] = {}
    for path in sorted(FOLDER.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match = isinstance(node, ast.FunctionDef) and NUMBERED.match(node.name)
            if not match or not isinstance(node, ast.FunctionDef):
                continue
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            body = ast.unparse(node)
            test = Found(node.name, _wires(marks, body), "assert " in body)
            for number in match[1].strip("_").split("_"):
                found.setdefault(int(number), []).append(test)
    return found


def _wires(marks: str, body: str) -> frozenset[str]:
    if re.search(r"\bboth\b|WIRES", marks):
        return frozenset({"claude", "chat"})
    spoken = {"chat"} if "CHAT" in marks else set()
    return frozenset(spoken | ({"claude"} if "play('claude'" in body else set()))


TESTS = numbered()


@pytest.mark.parametrize("number", CASES)
def test_a_case_has_its_tests_on_its_wires(number: int) -> None:
    tests = TESTS.get(number, [])
    assert tests, f"no test for case {number}: {CASES[number].expected}"
    assert all(test.asserts for test in tests), tests
    spoken = frozenset().union(*(test.wires for test in tests))
    wanted = {"both": {"claude", "chat"}, "chat": {"chat"}, "claude": {"claude"}, "none": set()}
    assert wanted[CASES[number].wires] <= spoken, (number, tests)


def test_every_number_is_listed() -> None:
    assert set(CASES) == {*range(1, 55), *range(61, 65)}
    assert set(TESTS) <= set(CASES) | set(range(55, 61))
