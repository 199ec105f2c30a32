"""A small OpenID provider on loopback, as Hugging Face is one for a Space: one user, ada."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "goblin-client", "goblin-secret"


class Provider(NamedTuple):
    """Its address, the token that it gives, and the nonces of sign-ins under way by code."""

    url: str
    token: str
    nonces: dict[str, str]
    asked: list[str]


@contextmanager
def provider(token: str) -> Iterator[Provider]:
    """A running provider whose only user is `ada`."""
    key = RSAKey.generate_key(2048, {"kid": "1"})
    nonces: dict[str, str] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def _json(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.endswith("openid-configuration"):
                self._json(
                    {
                        "issuer": url,
                        "authorization_endpoint": f"{url}/oauth/authorize",
                        "token_endpoint": f"{url}/oauth/token",
                        "jwks_uri": f"{url}/oauth/jwks",
                        "id_token_signing_alg_values_supported": ["RS256"],
                    }
                )
            else:
                self._json({"keys": [key.as_dict(private=False)]})

        def do_POST(self) -> None:
            given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append(self.path)
            now = int(time.time())
            claims = {
                "iss": url,
                "sub": "1",
                "aud": CLIENT,
                "iat": now,
                "exp": now + 600,
                "nonce": nonces[given["code"][0]],
                "name": "Ada",
                "preferred_username": "ada",
                "profile": f"{url}/ada",
                "picture": "",
            }
            self._json(
                {
                    "access_token": token,
                    "token_type": "bearer",
                    "expires_in": 600,
                    "scope": "openid profile inference-api",
                    "id_token": jwt.encode({"alg": "RS256", "kid": "1"}, claims, key),
                }
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Provider(url, token, nonces, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def approve(asking: str, at: Provider) -> tuple[str, str]:
    """What the user's browser brings back from an authorize address: (code, state)."""
    query = parse_qs(urlsplit(asking).query)
    assert asking.startswith(f"{at.url}/oauth/authorize?")
    assert query["client_id"] == [CLIENT]
    assert "inference-api" in query["scope"][0].split()
    at.nonces["code-1"] = query["nonce"][0]
    return "code-1", query["state"][0]
