"""The HTTP server: uvicorn in a thread, on a socket that is bound before the thread starts; who does not say what he
wants, or takes too many connections, is hung up on.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.config.network import own_url
from monitor.errors import UnavailableError

_BACKLOG = 128
_GRACE_S = 3

HEAD_S = 10.0
"""Longest wait for the head of a connection's request."""

BODY_S = 60.0
"""Longest wait for head and body, which may be a reference of 64 MiB."""

CONNECTIONS_MAX = 400
"""At a time: the store and Kafka need descriptors too, of which a process often has 1,024."""


class Connection(H11Protocol):
    """A client's, which must get to the point: what does not say in time what it wants is closed."""

    head_s, body_s, most = HEAD_S, BODY_S, CONNECTIONS_MAX

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        """The next one, after the requests so far."""
        so_far = self.cycle
        self.loop.call_later(self.head_s, lambda: self._close_if(self.cycle is so_far))
        self.loop.call_later(self.body_s, lambda: self._close_if(self.cycle is so_far or self._half(so_far)))

    def _half(self, so_far: object) -> bool:
        """Whether a request has begun to come, and is not whole."""
        return self.cycle is not so_far and self.cycle.more_body and not self.cycle.response_complete

    def _close_if(self, late: bool) -> None:
        if late and not self.transport.is_closing():
            self.transport.close()


class HttpServer:
    """One address, held from construction (which binds) until `stop`.

    Port 0 takes any free one; `port` is the one in use. Raises UnavailableError where the address cannot be had.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 8000) -> None:
        self._socket = _bind(host, port)
        self.host: Final = host
        self.port: Final[int] = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return own_url(self.host, self.port)

    def start(self, app: ASGIApp) -> None:
        """Answer requests with `app`; those that came since construction have waited."""
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )
        self._thread.start()

    def stop(self, timeout_s: float = 2 * _GRACE_S) -> None:
        """Finish the requests that are under way, then close; may be called twice, or before `start`."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout_s)
        self._socket.close()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnavailableError(f"{host} is no address to serve on; set server.host") from error
    try:
        # A restart need not wait for the old connections' TIME_WAIT; it does not let two servers share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(_unbindable(error, host, port)) from error
    return listener


def _unbindable(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program; set server.port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs privileges that this process lacks; set server.port"
    return f"{host} is no address of this machine; set server.host"
