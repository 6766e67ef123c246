"""One call of Grafana's HTTP API. The library's own way, a session of `requests`, follows redirects with the token,
reads without end and takes any answer for Grafana's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from monitor.actions.receiver import JSON, NoResponse, Problem, Request, Response
from monitor.config.network import without_query
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.exports.text import printable
from monitor.runtime.post import post

TIMEOUT_S = 15.0
"""Of one call, from looking up the name to the last byte of the answer."""

ANSWER_MAX = 16 << 20
"""Bytes of an answer: some 30,000 annotations."""

SAID_MAX = 200
"""Characters of what Grafana says that are shown."""

_PROBLEMS: Mapping[Problem, str] = {
    "timeout": f"no answer within {TIMEOUT_S:.0f} s",
    "dns": "its name is not known",
    "refused": "nobody listens there",
    "unreachable": "there is no way to it",
    "tls": "its certificate is not trusted, or it speaks no TLS; SSL_CERT_FILE names another authority",
    "reset": "the connection broke off",
    "protocol": "it speaks no HTTP",
    "internal": "the request cannot be sent",
}


class GrafanaRefusedError(RefusedError):
    """Grafana's own word that it does not do this; status: as of HTTP."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Transport:
    """What the library sends by, in place of its session of `requests`: each call within a deadline, never led
    elsewhere, and answered by nothing but JSON of a bounded size.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, url: str, **given: Any) -> Any:
        return self._send("GET", url, **given)

    def post(self, url: str, **given: Any) -> Any:
        return self._send("POST", url, **given)

    def put(self, url: str, **given: Any) -> Any:
        return self._send("PUT", url, **given)

    def _send(self, method: str, url: str, *, json: Any, auth: Callable[[Any], Any], **_: object) -> Any:
        asking = SimpleNamespace(headers={**JSON, "accept": "application/json"})
        auth(asking)
        body = b"" if json is None else _bytes(json)
        reply = asyncio.run(post(Request(url, body, asking.headers, method), TIMEOUT_S, ANSWER_MAX))
        if not isinstance(reply, Response):
            assert isinstance(reply, NoResponse), "an HTTP request is answered or not"
            why = _PROBLEMS[reply.problem]
            raise UnavailableError(
                f"Grafana at {self._url} cannot be reached ({why}): start it, or correct grafana.url"
            )
        said = _Said(reply.status, *_json(reply.body))
        self._judge(reply, said, _role(method, url))
        return said

    def _judge(self, reply: Response, said: _Said, role: str) -> None:
        """Raise what an answer means that is not what was asked for. role: what the call takes."""
        status = reply.status
        if 300 <= status < 400:
            raise ConfigError(
                f"Grafana at {self._url} sends us on to {_place(reply.location)} (HTTP {status}), where the token does "
                "not go: correct grafana.url"
            )
        if status == 401:
            raise ConfigError(
                f"Grafana at {self._url} does not know this token: put one of a service account into grafana.token_file"
            )
        if status == 429 or status >= 500:
            raise UnavailableError(f"Grafana at {self._url} fails (HTTP {status}): look at its log, or try again")
        if not said.is_json:
            raise UnavailableError(no_grafana(self._url, f"HTTP {status} without whole JSON"))
        if status == 403:
            raise ConfigError(
                f"Grafana at {self._url} does not let this token do that: give its service account the role {role}"
                f"{said.message}"
            )
        if status >= 400:
            raise GrafanaRefusedError(f"Grafana refuses that (HTTP {status}){said.message}", status)


class _Said(NamedTuple):
    """An answer, as the library looks at it."""

    status_code: int
    is_json: bool
    value: Any

    def json(self) -> Any:
        return self.value

    @property
    def message(self) -> str:
        """What Grafana says, for the end of a sentence."""
        said = self.value.get("message") if isinstance(self.value, dict) else None
        return f": {printable(said)[:SAID_MAX]}" if isinstance(said, str) and said else ""


def no_grafana(url: str, why: str) -> str:
    return f"no Grafana answers at {url} ({why}): correct grafana.url, with the path that Grafana is behind"


def _role(method: str, url: str) -> str:
    """The least that a call takes."""
    if "/api/datasources" in url:
        return "Admin"
    return "Viewer" if method == "GET" else "Editor"


def _place(location: str | None) -> str:
    """Where a redirect leads, for a sentence."""
    try:
        return printable(without_query(location or ""))[:SAID_MAX] or "nowhere"
    except ValueError:
        return "what is no address"


def _json(body: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(body)
    except (ValueError, RecursionError):
        return False, None


def _bytes(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()
