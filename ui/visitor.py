"""Who is asking: the visitor behind the event under way, for fair turns and limits.

On a Space it is the address that the proxy in front reports, else the browser's session. The
address can be claimed by who speaks to the server past the proxy, so limits on all visitors
together stand behind it (`agent.jobs.MAX_WAITING`).
"""

from __future__ import annotations

from gradio.context import LocalContext

from agent.settings import Settings

FORWARDED = "x-forwarded-for"
ALONE = ""
"""The visitor where there is no telling: the command line, a test."""
MAX_NAME = 64


def visitor_of(settings: Settings) -> str:
    """A name for the visitor of the running event; it is never stored."""
    request = LocalContext.request.get(None)
    if request is None:
        return ALONE
    headers = getattr(request, "headers", None)
    address = str(headers.get(FORWARDED) or "") if headers is not None else ""
    if settings.on_space and address:
        return address.split(",")[0].strip()[:MAX_NAME]
    session = getattr(request, "session_hash", None)
    return str(session or ALONE)[:MAX_NAME]
