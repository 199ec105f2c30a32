"""What we know: rules, facts, cards and models, each entry with its source and as-of date."""

from __future__ import annotations
