"""Names the card of this machine for an audit that names none; quick, or not at all.

Without a vendor's tool on PATH no process is started, so a start without a card costs nothing.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from runner.box.cards import has_gpu_tool, read_devices
from runner.box.command import QUICK


@cache
def detect_hardware() -> str | None:
    """The catalogue's id of the card there is most of; None: no tool, no answer, not known."""
    if not has_gpu_tool():
        return None
    known = Counter(device.id for device in read_devices(QUICK) if device.id)
    return known.most_common(1)[0][0] if known else None
