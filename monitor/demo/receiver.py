"""A retraining pipeline's front door, for the demo and as an example: it checks, answers 202 and remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import orjson

from monitor.actions import signing

BODY_MAX = 1_048_576
"""Bytes; a longer request is refused unread."""


class RetrainReceiver:
    """Listens while its context is open; on loopback, unless told otherwise.

    Answers 202 to a signed request, the first time and every time it is repeated; 401 where the signature is wrong or
    stale; 400 where the body is not a JSON object.
    """

    def __init__(
        self,
        secrets: Sequence[bytes],
        port: int = 0,
        now_s: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
    ) -> None:
        """secrets: keys of which one must have signed. port: 0 takes any free one."""
        self._secrets, self._now_s = tuple(secrets), now_s
        self._lock = threading.Lock()
        self._received: dict[str, dict[str, Any]] = {}
        self._repeats = self._refused = 0
        self._server = ThreadingHTTPServer((host, port), _handler(self))
        # The argument is how often it looks whether to stop, in seconds.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="retrain receiver", daemon=True
        )

    @property
    def url(self) -> str:
        """Where this machine posts requests."""
        return f"http://127.0.0.1:{self._server.server_port}/retrain"

    def received(self) -> tuple[dict[str, Any], ...]:
        """The requests' bodies in order of arrival, each `webhook-id` once."""
        with self._lock:
            return tuple(self._received.values())

    @property
    def taken(self) -> int:
        """Number of requests, each `webhook-id` once."""
        return len(self.received())

    @property
    def repeats(self) -> int:
        """Number of requests whose `webhook-id` had been seen before."""
        return self._repeats

    @property
    def refused(self) -> int:
        """Number of requests answered with 4xx: their signature, or what was signed, was wrong."""
        return self._refused

    def __enter__(self) -> RetrainReceiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _accept(self, headers: dict[str, str], body: bytes) -> int:
        """The status to answer with."""
        if not signing.verify(self._secrets, headers, body, self._now_s()):
            return self._refuse(401)
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._refuse(400)
        if not isinstance(request, dict):
            return self._refuse(400)
        with self._lock:
            self._repeats += headers["webhook-id"] in self._received
            self._received.setdefault(headers["webhook-id"], request)
        return 202

    def _refuse(self, status: int) -> int:
        with self._lock:
            self._refused += 1
        return status


def _handler(receiver: RetrainReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not (length.isascii() and length.isdigit()):
                status = receiver._refuse(411)
            elif len(length) > 9 or int(length) > BODY_MAX:
                status = receiver._refuse(413)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._accept(headers, self.rfile.read(int(length)))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so.
            """Silent: what was asked is in `received`."""

    return Handler
