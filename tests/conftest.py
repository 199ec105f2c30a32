"""Every test runs without keys, in its own data folder, and reaches only loopback addresses."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
KEYS = ("ANTHROPIC_API_KEY", "HF_TOKEN", "GOBLIN_OPENAI_API_KEY", "SPACE_ID")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real runs of minutes wait until somebody asks for them."""
    if "long" in (config.getoption("markexpr") or ""):
        return
    wait = pytest.mark.skip(reason="takes minutes: make long")
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(wait)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys, an own data folder, and only loopback sockets."""
    for name in [*KEYS, *(name for name in os.environ if name.startswith("GOBLIN_"))]:
        if name != "GOBLIN_REQUIRE_BROWSER":
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOBLIN_DATA_DIR", str(tmp_path / "goblin"))
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in (
            "127.0.0.1",
            "localhost",
            "::1",
        ):
            message = f"a test reached for the network: {host}"
            raise OSError(message)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", only_loopback)


@pytest.fixture(autouse=True, scope="module")
def _own_garbage() -> None:
    """What earlier modules left alive is set aside: the collector's walks over it would count as
    CPU of the tests that hold a reader to its time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def shared() -> Path:
    """The data that stands beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (reference data beside the checkout), which is absent here")
    return SHARED
