"""`--offline`: what needs the network is refused before the run, and sockets while it runs.

The guard is an audit hook of Python: it sees every connect and every look-up of a name, whoever
makes it, in the threads that are sealed. It cannot see what another process does.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agent.named import MODELS, REMOTE_RUNNERS
from audit.records.errors import SetupError

REFUSED = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
        "socket.sendto",
        "socket.sendmsg",
        "urllib.Request",
    }
)
_state = threading.local()
_installed = threading.Lock()
_hooks: list[bool] = []


def check_offline(backend: str, runner: str) -> None:
    """Refuse a backend or a runner that cannot work without the network.

    Raises:
        SetupError: it needs the network; the remedy names what works without.
    """
    if backend in MODELS:
        message = f"the backend {backend} needs the network, and --offline refuses it"
        raise SetupError(message, remedy="Take --backend rules, or leave --offline out.")
    if runner in REMOTE_RUNNERS:
        message = f"the runner {runner} needs the network, and --offline refuses it"
        raise SetupError(message, remedy="Take --runner fake or local, or leave --offline out.")


@contextmanager
def sealed(offline: bool = True) -> Iterator[None]:
    """Refuse the network to this thread while the block runs; nothing where not `offline`."""
    if not offline:
        yield
        return
    with _installed:
        if not _hooks:
            sys.addaudithook(_look)  # it cannot be taken away again, only be told to look away
            _hooks.append(True)
    before = getattr(_state, "sealed", False)
    _state.sealed = True
    try:
        yield
    finally:
        _state.sealed = before


def is_sealed() -> bool:
    """Whether the network is refused to this thread."""
    return bool(getattr(_state, "sealed", False))


def _look(event: str, given: tuple[object, ...]) -> None:
    if event not in REFUSED or not getattr(_state, "sealed", False):
        return
    address = given[1] if event == "socket.connect" and len(given) > 1 else None
    if isinstance(address, str | bytes):  # a socket of this machine's own file system
        return
    message = "something reached for the network in an audit that is offline"
    raise SetupError(message, remedy="Leave --offline out.")
