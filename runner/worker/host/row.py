"""One row of what was read back: what a recipe wants beside what was seen."""

from __future__ import annotations

from audit.records.measured import ReadBack


def row(
    field: str, wanted: object, found: object, how: str, *, same: bool | None = None
) -> ReadBack:
    """A row; `same`: whether it agrees, where their texts do not say."""
    agrees = str(wanted) == str(found) if same is None else same
    return ReadBack(field=field, wanted=str(wanted), seen=str(found), effective=agrees, how=how)
