"""Projects speed and memory of a training job from its dimensions; never measures anything."""

from __future__ import annotations
