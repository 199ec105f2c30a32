"""Figures in a model's own words that no tool has given."""

from __future__ import annotations

import pytest

from agent.figures_said import unbacked

ANSWERS = ["bench_1: 12,345.6 tokens/s per GPU, peak 81.25 GB", "real tokens: 43%", "step: 0.873 s"]


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("It is 9.9x faster.", ["9.9x"]),
        ("It takes 81 GB, or 81.3 GB, at 12,346 tokens/s.", []),
        ("43% of the tokens are real, 0.87 s a step.", []),
        ("It takes 87 % less.", []),
        ("Speed: 20,000 tokens/s, 2 times as fast.", ["20,000 tokens", "2 times"]),
        ("Take f_1 and f_2 of wl_1, batch 4, line 17, bf16, Llama-3.1-8B.", []),
        ("9.9x and 9.9x", ["9.9x"]),
        ("It is 9,999 tok/s.", ["9,999 tok"]),
        ("", []),
        ("1.2.3.4x and 5. Then ROCm 6.4 and torch 2.5.", []),
    ],
)
def test_what_no_tool_gave_is_found(text: str, flagged: list[str]) -> None:
    assert unbacked(text, ANSWERS) == flagged


def test_it_is_linear_and_bounded() -> None:
    text = " ".join(f"{number}.5x" for number in range(8000))
    assert len(unbacked(text, ANSWERS)) == 20
    assert unbacked("1" * 100_000, ANSWERS) == []
