"""Tells a fault of our own in one line, and where it happened on standard error."""

from __future__ import annotations

import sys


def fault_text(item: str, error: Exception) -> str:
    """What the item's answer says; the trace goes to standard error, redacted, for a bug report."""
    import traceback

    from audit.log.redact import redact

    trace = "".join(traceback.format_exception(error))
    sys.stderr.write(f"goblin: internal error at {item}\n{redact(trace)}")
    return f"internal error: {type(error).__name__}"
