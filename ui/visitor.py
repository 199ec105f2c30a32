"""Who is asking: the visitor behind the event under way, for fair turns, limits, an own token.

On a Space it is the address that the proxy in front reports, else the browser's session. The
address can be claimed by who speaks to the server past the proxy, so limits on all visitors
together stand behind it (`agent.jobs.MAX_WAITING`). A token is there for who signed in with Hugging
Face; it stays in the visitor's own signed cookie and goes no further than one audit's backend.
"""

from __future__ import annotations

import time
from typing import Any

from gradio.context import LocalContext

from agent.request import NOBODY, Visitor
from agent.settings import Settings

FORWARDED = "x-forwarded-for"
MAX_NAME = 64


def visitor_of(settings: Settings) -> Visitor:
    """The visitor of the running event; nobody in particular where there is no telling."""
    request = LocalContext.request.get(None)
    if request is None:
        return NOBODY
    headers = getattr(request, "headers", None)
    address = str(headers.get(FORWARDED) or "") if headers is not None else ""
    name = getattr(request, "session_hash", None) or ""
    if settings.on_space and address:
        name = address.split(",")[0].strip()
    return Visitor(str(name)[:MAX_NAME], _token(request) if settings.sign_in else None)


def _token(request: Any) -> str | None:
    """The access token of who signed in, while it is valid."""
    scope = getattr(getattr(request, "request", request), "scope", None) or {}
    signed_in = scope.get("session", {}).get("oauth_info") or {}
    if (signed_in.get("expires_at") or 0) <= time.time():
        return None
    return signed_in.get("access_token")
