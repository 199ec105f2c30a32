"""A small Hub over HTTP: the requests that huggingface_hub's own client makes of a dataset."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c" * 40


@dataclass
class Hub:
    """Datasets by name; what was asked, and with which token."""

    repos: dict[str, dict[str, tuple[bytes, datetime]]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    token: str = ""
    refuse: int = 0
    """Status that every request gets instead of an answer."""
    url: str = ""


@contextmanager
def hub(token: str) -> Iterator[Hub]:
    """A running Hub on loopback that knows one token."""
    state = Hub(token=token)

    class Handler(_Handler):
        here = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    here: Hub

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, body: object = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _open(self) -> bool:
        """Whether the request may go on; the refusal is sent where not."""
        self.here.asked.append(f"{self.command} {self.path}")
        if self.here.refuse:
            self._body()
            self._answer(self.here.refuse, {"error": "no"})
            return False
        if self.headers.get("Authorization") != f"Bearer {self.here.token}":
            self._body()
            self._answer(401, {"error": "who are you"})
            return False
        return True

    def do_HEAD(self) -> None:
        if self._open():
            self._file()

    def do_GET(self) -> None:
        if not self._open():
            return
        path = urlsplit(self.path).path
        if path.startswith("/api/datasets/") and path.count("/") == 4:
            name = path.removeprefix("/api/datasets/")
            if name in self.here.repos:
                private = self.here.private.get(name, True)
                self._answer(200, {"id": name, "private": private})
            else:
                self._answer(404, {"error": "none"}, X_Error_Code="RepoNotFound")
        elif path.startswith("/api/datasets/"):
            self._tree(path)
        else:
            self._file()

    def _file(self) -> None:
        owner, name, _, _, *rest = unquote(urlsplit(self.path).path).split("/")[2:]
        files = self.here.repos.get(f"{owner}/{name}")
        found = (files or {}).get("/".join(rest))
        if found is None:
            code = "RepoNotFound" if files is None else "EntryNotFound"
            self._answer(404, {"error": code}, X_Error_Code=code)
        else:
            self._answer(200, found[0], ETag=f'"{_oid(found[0])}"', X_Repo_Commit=COMMIT)

    def _tree(self, path: str) -> None:
        _, _, _, owner, name, _, _, *under = unquote(path).split("/")
        files = self.here.repos.get(f"{owner}/{name}")
        if files is None:
            self._answer(404, {"error": "no"}, X_Error_Code="RepoNotFound")
            return
        expand = parse_qs(urlsplit(self.path).query).get("expand") == ["true"]
        head = "/".join(under)
        self._answer(
            200,
            [
                _entry(place, data, moment if expand else None)
                for place, (data, moment) in files.items()
                if place.startswith(head)
            ],
        )

    def do_POST(self) -> None:
        if not self._open():
            return
        body, path = self._body(), urlsplit(self.path).path
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.here.repos.setdefault(name, {})
            self.here.private.setdefault(name, asked.get("visibility") == "private")
            self._answer(200, {"url": f"{self.here.url}/datasets/{name}"})
            return
        _, _, _, owner, repo, what, _ = path.split("/")
        files = self.here.repos[f"{owner}/{repo}"]
        if what == "preupload":
            asked = json.loads(body)["files"]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer(200, {"files": [{"path": one["path"], **plain} for one in asked]})
        elif what == "paths-info":
            wanted = parse_qs(body.decode()).get("paths") or json.loads(body)["paths"]
            found = [_entry(one, files[one][0]) for one in wanted if one in files]
            self._answer(200, found)
        else:
            self._commit(f"{owner}/{repo}", [json.loads(line) for line in body.splitlines()])

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        changed: dict[str, Any] = {"summary": lines[0]["value"]["summary"], "paths": []}
        for line in lines[1:]:
            place = line["value"]["path"]
            changed["paths"].append((line["key"], place))
            if line["key"] == "file":
                data = b64decode(line["value"]["content"])
                self.here.repos[repo][place] = (data, datetime.now(UTC))
            else:
                del self.here.repos[repo][place]
        self.here.commits.append(changed)
        url = f"{self.here.url}/datasets/{repo}/commit/{COMMIT}"
        self._answer(200, {"success": True, "commitOid": COMMIT, "commitUrl": url})


def _entry(place: str, data: bytes, moment: datetime | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": place, "size": len(data), "oid": _oid(data)}
    if moment is not None:
        date = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        entry["lastCommit"] = {"id": COMMIT, "title": "audit", "date": date}
    return entry


def _oid(data: bytes) -> str:
    return sha1(data, usedforsecurity=False).hexdigest()
