"""Which audits a browser owns: their tokens live in its storage and travel with each event.

Every event reads the storage anew and adds to it key by key, so two tabs of one browser never
overwrite each other's tokens. `ui/page.js` holds the other half.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

AUDIT_ID = re.compile(r"[0-9a-f]{32}")
_READY = "while (!window.goblin) await new Promise((go) => setTimeout(go, 20));"
"""Gradio adds the page's script on its own time; the first event may come before it."""
OWNED = f"async (...given) => {{ {_READY} return [...given.slice(0, -1), window.goblin.owned()]; }}"
"""Before an event whose last input is the tokens."""
CHOSEN = "(...given) => [...given.slice(0, -2), window.goblin.choice(), window.goblin.owned()]"
"""Before an event whose last inputs are the choice of edits on the page, and the tokens."""
KEEP = f"async (tokens) => {{ {_READY} window.goblin.keep(tokens); return []; }}"
"""After an audit was started: its token is added to the storage."""


def owner_tokens(owned: object) -> dict[str, str]:
    """The owner tokens in what the browser sent; anything else in it is left out."""
    if not isinstance(owned, Mapping):
        return {}
    return {
        name: token
        for name, token in owned.items()
        if isinstance(name, str) and AUDIT_ID.fullmatch(name) and isinstance(token, str)
    }
