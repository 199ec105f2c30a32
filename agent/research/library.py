"""What one research has read so far: leads are held to it, figure by figure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit.records.lead import Lead

_FIGURE = re.compile(
    r"(\d+(?:[.,]\d+)*)"
    r"(?:[\s-]?(x(?![a-z0-9])|×|times\b|fold\b|%|percent\b|gib\b|gb\b|mib\b|mb\b|ms\b|s\b|sec|min|hour|h\b))?",
    re.IGNORECASE,
)
_SAME = {"×": "x", "times": "x", "fold": "x", "percent": "%", "gib": "gb", "mib": "mb", "sec": "s"}
"""Units that sources write in several ways."""
MAX_TEXT = 300


class Library:
    """Sources and their texts."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def add(self, source: str, text: str) -> None:
        """Remember what a source said; a source that is read twice says both."""
        self._texts[source] = f"{self._texts.get(source, '')}\n{text}"

    def checked(self, leads: Iterable[Lead]) -> tuple[tuple[Lead, ...], int]:
        """The leads whose source was read, without figures that it does not state.

        Returns:
            The leads, each once, and how many were left out.
        """
        kept: dict[tuple[str, str], Lead] = {}
        left_out = 0
        for lead in leads:
            text = self._texts.get(lead.source)
            if text is None:
                left_out += 1
                continue
            kept[(lead.change, lead.source)] = lead.model_copy(
                update={
                    "change": lead.change[:MAX_TEXT],
                    "evidence": lead.evidence[:MAX_TEXT],
                    "expected": _stated(lead.expected, text),
                    "measured": _stated(lead.measured, text),
                }
            )
        return tuple(kept.values()), left_out


def _stated(claim: str | None, text: str) -> str | None:
    """The claim, where it has a figure and the source holds every figure of it, unit and all.

    A bare number may stand in the source with any unit, as `2-8x` has its unit at the end.
    """
    if not claim:
        return None
    known = figures_of(text)
    numbers = {number for number, _ in known}
    figures = figures_of(claim)
    found = all((number, unit) in known if unit else number in numbers for number, unit in figures)
    return claim[:MAX_TEXT] if figures and found else None


def figures_of(text: str) -> set[tuple[str, str]]:
    """Number and unit ("" where none follows) of every figure."""
    return {
        (number, _SAME.get(unit.lower(), unit.lower())) for number, unit in _FIGURE.findall(text)
    }
