"""A Grafana on loopback, as far as its HTTP API is documented and its source tells: who asks it for anything else, or
in any other way, has failed the test.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKENS = {"glsa_admin": "Admin", "glsa_editor": "Editor", "glsa_viewer": "Viewer"}
"""Tokens of service accounts, and their roles."""

NO = {"message": "You'll need additional permissions to perform this action. Permissions needed: x:y"}
Answer = tuple[int, Any]


@dataclass
class State:
    """What it holds. calls: method and path of each request, in order."""

    folders: dict[str, str] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    folder_of: dict[str, str] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]


def kept_tags(tags: list[str]) -> list[tuple[str, str]]:
    """Pairs as Grafana keeps them: split at colons, of which the first two parts count."""
    pairs = []
    for tag in tags:
        key, *values = tag.split(":")
        pair = key.strip(" "), values[0].strip(" ") if values else ""
        assert max(map(len, pair)) <= 100, "a column of 100 characters"
        if pair[0] and pair not in pairs:
            pairs.append(pair)
    return pairs


class FakeGrafana:
    """url: where its pages begin, behind `prefix`. stopped: whether it fails each request with 503 from now on."""

    def __init__(self, prefix: str = "") -> None:
        self.state, self.faults, self.stopped = State(), list[str](), False
        self._prefix = prefix
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> FakeGrafana:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert self.faults == []

    def _handler(fake) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's.
        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                try:
                    status, said = fake._answer(self.command, self.path, self.headers, body)
                except Exception as error:  # noqa: BLE001 - told when the test ends.
                    fake.faults.append(f"{self.command} {self.path}: {error!r}")
                    status, said = 500, {"message": "the test has failed"}
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        parts = urlsplit(target)
        assert parts.path.startswith(f"{self._prefix}/api/"), "not below the prefix"
        path = parts.path.removeprefix(f"{self._prefix}/api")
        self.state.calls.append(f"{method} {path}")
        if self.stopped:
            return 503, {"message": "Service unavailable"}
        scheme, _, token = headers["authorization"].partition(" ")
        assert scheme == "Bearer"
        if token not in TOKENS:
            return 401, {"message": "Invalid API key"}
        role = TOKENS[token]
        if role == "Viewer" and method != "GET":
            return 403, NO
        if path.startswith("/datasources") and role != "Admin":
            return 403, NO
        assert method == "GET" or headers["content-type"] == "application/json"
        given = json.loads(body) if body else None
        assert (given is None) == (method == "GET")
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        kind, *rest = [unquote(part) for part in path.strip("/").split("/")]
        route: Callable[..., Answer] = getattr(self, f"_{kind}")
        return route(method, rest, query, given)

    def _search(self, method: str, rest: list[str], query: dict[str, list[str]], given: Any) -> Answer:
        assert (method, rest) == ("GET", [])
        found = [{"id": 1, "uid": uid, "title": each["title"]} for uid, each in self.state.dashboards.items()]
        return 200, found[: int(query["limit"][0])]

    def _folders(self, method: str, rest: list[str], query: dict[str, list[str]], given: Any) -> Answer:
        assert rest == []
        if method == "GET":
            assert query == {}
            return 200, [{"id": 1, "uid": uid, "title": title} for uid, title in self.state.folders.items()][:1000]
        assert method == "POST"
        assert given.keys() == {"uid", "title"}
        assert 0 < len(given["uid"]) <= 40
        if given["uid"] in self.state.folders:
            return 409, {"message": "a folder with the same uid already exists"}
        self.state.folders[given["uid"]] = given["title"]
        return 200, {"id": 1, **given, "url": f"/dashboards/f/{given['uid']}", "version": 1}

    def _dashboards(self, method: str, rest: list[str], query: dict[str, list[str]], given: Any) -> Answer:
        held = self.state.dashboards
        if method == "GET":
            assert rest[0] == "uid"
            (uid,) = rest[1:]
            if uid not in held:
                return 404, {"message": "Dashboard not found"}
            meta = {
                "folderId": 7,
                "folderUid": self.state.folder_of[uid],
                "provisioned": uid in self.state.provisioned,
                "canSave": True,
            }
            return 200, {"dashboard": held[uid], "meta": meta}
        assert (method, rest) == ("POST", ["db"])
        assert given.keys() <= {"dashboard", "folderUid", "overwrite", "message"}
        dashboard = given["dashboard"]
        uid = dashboard["uid"]
        assert dashboard["id"] is None, "numbers are each Grafana's own"
        assert len(uid) <= 40
        if uid in self.state.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if given["folderUid"] not in self.state.folders:
            return 400, {"message": "folder not found"}
        if dashboard["title"] == "refused":
            return 412, {
                "message": "A dashboard with the same name\nin the folder already exists",
                "status": "name-exists",
            }
        version = held[uid]["version"] + 1 if uid in held else 1
        if uid in held and not given["overwrite"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        held[uid] = {**dashboard, "id": 100 + len(held), "version": version}
        self.state.folder_of[uid] = given["folderUid"]
        return 200, {"id": 100, "uid": uid, "url": f"/d/{uid}/slug", "status": "success", "version": version}

    def _datasources(self, method: str, rest: list[str], query: dict[str, list[str]], given: Any) -> Answer:
        held = self.state.sources
        if method == "POST":
            assert rest == []
            assert given.keys() >= {"name", "type", "access", "url"}
            if any(given["name"] == each["name"] for each in held.values()):
                return 409, {"message": "data source with the same name already exists"}
            held[given["uid"]] = {"id": 5, "jsonData": {}, **given}
            return 200, {"message": "Datasource added", "id": 5, "datasource": held[given["uid"]]}
        assert rest[0] == "uid"
        (uid,) = rest[1:]
        if uid not in held:
            return 404, {"message": "Data source not found"}
        if method == "GET":
            return 200, held[uid]
        assert method == "PUT"
        held[uid] = given
        return 200, {"message": "Datasource updated"}

    def _annotations(self, method: str, rest: list[str], query: dict[str, list[str]], given: Any) -> Answer:
        held = self.state.annotations
        if method == "GET":
            assert rest == []
            assert query.keys() <= {"from", "to", "tags", "limit"}
            return 200, self._found(query)
        assert given.keys() <= {"dashboardId", "panelId", "time", "timeEnd", "tags", "text"}
        assert given.get("dashboardId") is None, "an annotation of the organisation"
        assert given["text"]
        assert sum(len(tag) + 3 for tag in given["tags"]) < 500, "Grafana's default limit"
        tags = [f"{key}:{value}" if value else key for key, value in kept_tags(given["tags"])]
        kept = {
            "time": given["time"],
            "timeEnd": given["timeEnd"] or given["time"],
            "tags": tags,
            "text": given["text"],
        }
        assert kept["time"] <= kept["timeEnd"]
        if method == "POST":
            assert rest == []
            held[len(held) + 1] = {"id": len(held) + 1, "dashboardUID": None, "panelId": 0, **kept, "data": {}}
            return 200, {"message": "Annotation added", "id": len(held)}
        assert method == "PUT"
        held[int(rest[0])].update(kept)
        return 200, {"message": "Annotation updated"}

    def _found(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """All tags, touching the span, the latest end first."""
        asked = kept_tags(query.get("tags", []))
        start, end = (int(query.get(name, ["0"])[0]) for name in ("from", "to"))
        fitting = [
            each
            for each in self.state.annotations.values()
            if all(any(key == k and value in ("", v) for k, v in kept_tags(each["tags"])) for key, value in asked)
            and (not (start and end) or (each["time"] <= end and each["timeEnd"] >= start))
        ]
        fitting.sort(key=lambda each: (-each["timeEnd"], -each["time"]))
        return fitting[: int(query.get("limit", ["100"])[0])]
