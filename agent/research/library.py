"""What one research has read so far: leads are held to it, figure by figure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit.records.lead import Lead

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
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
    """The claim, where it has a figure and the source holds every figure of it."""
    if not claim:
        return None
    figures = _NUMBER.findall(claim)
    known = set(_NUMBER.findall(text))
    return claim[:MAX_TEXT] if figures and set(figures) <= known else None
