"""What a lead claims is held to its source: each figure, and the unit that it has there."""

from __future__ import annotations

import pytest

from agent.research.library import Library
from audit.records.lead import Lead

SOURCE = "page"
TEXT = (
    "On 2 cards a step took 1.5 s instead of 3 s, 2x as fast, with 41 GiB of 192 GB used. Tokens "
    "rose by 35 percent over 500 steps, 1,024 tokens each; others saw 2-8x. Released in 2024."
)


def checked(claim: str) -> str | None:
    library = Library()
    library.add(SOURCE, TEXT)
    lead = Lead(change="a", evidence="b", expected=claim, source=SOURCE)
    (found,), _ = library.checked([lead])
    return found.expected


@pytest.mark.parametrize(
    "claim",
    [
        "2x", "2 times as fast", "2× over 500 steps", "35% more tokens", "1.5 s per step", "41 GB",
        "2-8x", "1,024 tokens", "41 GiB of 192 GB",
    ],
)  # fmt: skip
def test_what_the_source_states_is_kept(claim: str) -> None:
    assert checked(claim) == claim


@pytest.mark.parametrize(
    "claim", ["3x", "35x", "500%", "192 s", "2 GB", "faster", "", "1.5x", "2024%", "9x"]
)
def test_a_figure_with_another_unit_is_another_figure(claim: str) -> None:
    assert checked(claim) is None
