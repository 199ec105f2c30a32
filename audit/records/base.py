"""What every record shares: frozen models, provenance and its order, an interval.

Records are pure data. They import nothing of ours and hold redacted text only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict with string keys."""

Provenance = Literal["measured", "imported", "stated", "projected"]
PROVENANCES: tuple[Provenance, ...] = ("measured", "imported", "stated", "projected")
"""Strongest first. A report is as strong as its weakest part."""
ArmName = Literal["baseline", "patched"]
"""The two sides of a benchmark."""


class Record(BaseModel):
    """A frozen pydantic model; its schema is built on first use: a command line starts fast."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, ser_json_inf_nan="null"
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, without the cached properties (a fingerprint) of the original."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class Interval(Record):
    """A value with its interval, in the unit of the field that holds it.

    Raises:
        ValueError: when not low <= value <= high.
    """

    low: float
    value: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            message = f"interval out of order: {self.low} <= {self.value} <= {self.high}"
            raise ValueError(message)
        return self


def weakest(*provenances: Provenance) -> Provenance:
    """The weakest of the given provenances: what a figure made of several parts may claim."""
    return max(provenances, key=PROVENANCES.index)
