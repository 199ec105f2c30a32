"""What the server keeps of each visitor: their own values, and not the whole page once more.

Gradio writes down the configuration of every component for every session, and each value sent to
it, for links that restore a page as somebody left it. Our links lead to an audit, so here that copy
is not made: it took 14 ms of the event loop and 0.3 MB for every view of the page, kept for up to
10,000 views. What a visitor's own components hold (`gr.State`) is kept as before.
"""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
from gradio.state_holder import SessionState, StateHolder

NOT_DRAWN_WITH = ("bokeh", "matplotlib")
"""Gradio tries to import these for every plot and every event; a failed import is never remembered,
so each try walks the whole path of modules, on the event loop."""


class Session(SessionState):  # type: ignore[misc]
    """One visitor's values."""

    def __init__(self, blocks: gr.Blocks) -> None:
        empty = SimpleNamespace(default_config=blocks.default_config, blocks={})
        super().__init__(cast(Any, empty))

    def _update_config(self, key: int) -> None:
        """Nothing restores a page from it."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """As above: a report's charts and patch would stay in memory for each reader."""


class Sessions(StateHolder):  # type: ignore[misc]
    """All visitors' values, the newest 10,000."""

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        return cast(SessionState, super().__getitem__(session_id))


def keep_little(demo: gr.Blocks) -> None:
    """Make a launched app keep its visitors' sessions this way."""
    sessions = Sessions()
    sessions.set_blocks(demo)
    demo.app.state_holder = sessions
    for name in NOT_DRAWN_WITH:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules[name] = cast(Any, None)  # Python's own mark: it cannot be imported
