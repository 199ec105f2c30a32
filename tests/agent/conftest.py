"""The command line for the tests of this folder."""

from __future__ import annotations

import subprocess

import pytest

from agent.__main__ import main
from tests.agent.spoken import Said


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The command line in this process: its status and what it printed."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        status = main(words)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, status, out, err)

    return call
