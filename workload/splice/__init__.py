"""Exact positions in a text and exact replacement there: one module per way of writing."""

from __future__ import annotations
