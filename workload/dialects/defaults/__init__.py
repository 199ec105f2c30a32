"""Defaults of the frameworks by version, copied as figures from the releases named beside them."""

from __future__ import annotations
