"""What every request passes: who may ask, how much may be sent, and the headers of every answer.

A server on a loopback address has no other protection against the pages a browser on the same machine shows: by
rebinding its own name to 127.0.0.1 a page could read the API. Hence names other than the server's own are refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.addresses import API
from monitor.config.network import is_loopback
from monitor.exports.problems import refusal

BODY_MAX_BYTES = 1 << 20

REFERENCE_MAX_BYTES = 64 << 20
"""Of the body that brings a reference: some 10 kB a feature, and a third more in base64."""

OPEN = frozenset({"/livez", "/readyz"})
"""What may be asked without a token: it says nothing of any model."""

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # With `no-referrer`, a form of our own pages would come from the origin `null`.
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,15}")

_log = logging.getLogger(__name__)


def own_names(host: str) -> frozenset[str] | None:
    """Names under which a server bound to a loopback `host` may be asked for; None where any name may be."""
    if not is_loopback(host):
        return None
    return frozenset({"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host})


class Guard:
    """ASGI middleware around `app`. names: hosts that may be asked for, or None for any. token: what everybody has to
    know who asks, None where all may. public: host, and port, under which a proxy hands on requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: frozenset[str] | None,
        body_max_bytes: int = BODY_MAX_BYTES,
        token: str | None = None,
        public: str | None = None,
    ) -> None:
        self._app = app
        self._public = (public or "").lower()
        self._names = names if names is None else names | {_name(self._public)} - {None}
        self._body_max_bytes = body_max_bytes
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        most = max(self._body_max_bytes, REFERENCE_MAX_BYTES) if _brings_a_reference(scope) else self._body_max_bytes
        refused = self._refusal(scope, most)
        if refused is not None:
            await refused(scope, receive, answer.send)
            return
        try:
            await self._app(scope, _Body(receive, most).receive, answer.send)
        except Exception:
            _log.exception("the answer to %s failed", scope["method"])
            if answer.begun:
                raise
            failed = refusal(scope, 500, "an unexpected error; the service's log has its traceback")
            await failed(scope, receive, answer.send)

    def _refusal(self, scope: Scope, most: int) -> Response | None:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if self._names is not None:
            if _name(host) not in self._names:
                return refusal(
                    scope, 421, "the Host header names another server; ask for localhost or the bound address"
                )
            if origin is not None and _name(origin.partition("://")[2]) not in self._names:
                return refusal(scope, 403, "requests from pages of another origin are refused")
        # Pages of other servers, also of this machine, may look, but give no orders.
        # `null` is what a browser says where it keeps the page to itself, and is none of ours.
        foreign = origin is not None and origin.partition("://")[2].lower() not in {host, self._public} - {""}
        if foreign and method not in ("GET", "HEAD"):
            return refusal(scope, 403, "requests from pages of another server are refused")
        if _from_another_site(path, headers):
            return refusal(
                scope, 403, "pages of other sites may only link to this; open it from a page of the service's own"
            )
        known = self._token is None or _knows(self._token, headers.get("authorization", ""))
        scope.setdefault("state", {})["known"] = known
        if not known and path not in OPEN:
            return refusal(
                scope,
                401,
                "the token of server.token_file is needed: send it as a bearer token, or as a password",
                headers={"www-authenticate": 'Basic realm="model-monitor", charset="UTF-8"'},
            )
        length = headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > most:
            return refusal(scope, 413, _too_large(most))
        return None


def _from_another_site(path: str, headers: Headers) -> bool:
    """Whether a page of another site asks for something itself: browsers say so of what has no Origin, too, such as
    images. People may follow a link; not to a backup, which is no page, and to a report only by a click, as it costs.
    """
    if headers.get("sec-fetch-site") != "cross-site":
        return False
    followed = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    clicked = headers.get("sec-fetch-user") == "?1"
    return not followed or path == f"{API}/backup" or (path.rstrip("/").endswith("/report") and not clicked)


class _Answer:
    """Adds the security headers to what is sent, but for those it has of its own; remembers whether anything was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


class _Body:
    """Counts a body as it arrives: one sent in chunks announces no length."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self._most = most

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, _too_large(self._most))
        return message


def _knows(token: bytes, authorization: str) -> bool:
    """Whether a request brings the token: as such, or, as browsers ask for it, as anybody's password."""
    scheme, _, given = authorization.partition(" ")
    shown = given.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            shown = base64.b64decode(shown, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    return scheme.lower() in ("basic", "bearer") and hmac.compare_digest(shown, token)


def _brings_a_reference(scope: Scope) -> bool:
    path: str = scope["path"]
    return bool(scope["method"] == "POST" and path.startswith("/api/v1/models/") and path.endswith("/versions"))


def _name(host: str) -> str | None:
    match = _HOST.fullmatch(host)
    return match["name"].lower() if match else None


def _too_large(most: int) -> str:
    return f"the body is larger than {most:,} bytes; send it in parts"
