"""docs/page-checklist.md is complete, and every test that it names exists and runs."""

from __future__ import annotations

import ast
import re

from tests.file_map import ROOT

TABLE = ROOT / "docs" / "page-checklist.md"
POINTS = 30
ROW = re.compile(r"\| (\d+) \| ([^|]+) \| ([^|]+) \|")


def rows() -> dict[int, list[str]]:
    """Point -> the tests that hold it."""
    found = ROW.findall(TABLE.read_text())
    return {int(number): re.findall(r"`(tests/[^`]+)`", tests) for number, _, tests in found}


def functions_of(path: str) -> set[str]:
    """Names of the test functions of a file that are not skipped outright."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not any("skip" in ast.unparse(mark) for mark in node.decorator_list)
    }


def test_every_point_has_a_test_and_every_named_test_exists() -> None:
    table = rows()
    assert sorted(table) == list(range(1, POINTS + 1))
    for number, tests in table.items():
        assert tests, f"point {number} has no test"
        for name in tests:
            path, _, function = name.partition("::")
            assert function in functions_of(path), f"point {number}: {name} does not exist"
