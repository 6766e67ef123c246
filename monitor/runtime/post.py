"""One HTTP request and its answer, within a deadline and with bounds on everything that the other side sends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import httpx

from monitor import __version__
from monitor.actions.receiver import NoResponse, Problem, Reply, Request, Response

BODY_MAX = 65_536
"""Bytes of an answer's body that are read, so that an orderly receiver is not cut short; then the connection closes."""


async def post(request: Request, timeout_s: float, most: int = BODY_MAX) -> Reply:
    """One request, over after `timeout_s` whatever the receiver does. most: bytes of the answer's body that are kept.
    Never raises.

    The deadline covers name resolution, connect, TLS, sending, headers and body: a timeout per read would let a
    receiver that drips bytes hold on for ever. The status line decides; a body that is endless, slow or broken off
    changes nothing but what is read of it. The transport is used without a client, which would log the URL, and
    asks for no compression, so that a body is what it says.
    """
    answer: Response | None = None
    body = bytearray()
    try:
        headers = {"user-agent": f"model-monitor/{__version__}", **request.headers}
        sent = httpx.Request(request.method, request.url, headers=headers, content=request.body)
        async with AsyncExitStack() as connections, asyncio.timeout(timeout_s), _transport() as transport:
            sent.extensions["trace"] = _closer(connections)
            reply = await transport.handle_async_request(sent)
            answer = Response(reply.status_code, reply.headers.get("retry-after"), reply.headers.get("location"))
            await _read_some(reply, body, most)
    except Exception as error:  # noqa: BLE001 - a thread that dies delivers nothing more, so no error may pass.
        if answer is None:
            return NoResponse(_problem(error))
    assert answer is not None, "the transport answers or raises"
    return replace(answer, body=bytes(body[:most]))


def _transport() -> httpx.AsyncHTTPTransport:
    """A connection of its own for every attempt. The system's trust store, or the one SSL_CERT_FILE names."""
    return httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), trust_env=False)


def _closer(connections: AsyncExitStack) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
    """A trace hook that closes with the stack what was connected: httpcore forgets it when cut in a TLS handshake."""

    async def on_event(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            connections.push_async_callback(info["return_value"].aclose)

    return on_event


async def _read_some(reply: httpx.Response, body: bytearray, most: int) -> None:
    async with aclosing(reply):
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) >= most:
                break


_PROBLEMS: tuple[tuple[type[BaseException], Problem], ...] = (
    (TimeoutError, "timeout"),
    (socket.gaierror, "dns"),
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (httpx.RemoteProtocolError, "protocol"),
    (ConnectionError, "reset"),
    (httpx.ConnectError, "unreachable"),
    (httpx.NetworkError, "reset"),
)
"""The first row with any of an error's causes names the problem, so the more telling ones stand first."""


def _problem(error: BaseException) -> Problem:
    causes = tuple(_causes(error))
    return next((name for kind, name in _PROBLEMS if any(isinstance(cause, kind) for cause in causes)), "internal")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on; httpx wraps the operating system's errors twice."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
