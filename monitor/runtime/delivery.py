"""Sends committed messages, each receiver on its own thread, so that a dead one delays no other.

At least once: a message is offered after the transaction that holds it, and every attempt's outcome goes back to the
loop, which stores it. Nothing is stored here; what a crash forgets is sent again under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from monitor import __version__
from monitor.actions import signing
from monitor.actions.outbox import Attempt, DeliveryState, Message
from monitor.actions.retry import NoResponse, Outcome, Problem, Response, judge
from monitor.errors import ConfigError
from monitor.runtime.clock import wall_clock_ms

BODY_MAX = 65_536
"""Bytes of an answer's body that are read, so that an orderly receiver is not cut short; then the connection closes."""

LOOK_AGAIN_S = 60.0
"""The longest wait before the wall clock is read again: it may be set, or the machine may have slept."""

Clock = Callable[[], int]
Post = Callable[[httpx.Request, float], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver. secrets: keys to sign with, the first is the current one. timeout_s: deadline of a whole attempt.

    The URL may carry credentials of its own, so neither it nor the secrets are ever shown. Raises ConfigError.
    """

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    timeout_s: float = 15.0

    def __post_init__(self) -> None:
        problems = tuple(f"webhook {self.name}: {problem}" for problem in self._problems())
        if problems:
            raise ConfigError(*problems)

    def _problems(self) -> Iterator[str]:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL:
            yield "url is not a URL"
        else:
            if url.scheme not in ("http", "https") or not url.host:
                yield "url must be http:// or https:// and a host"
            if url.userinfo:
                yield "url must not carry a user name or password; the receiver checks the signature instead"
        if not self.secrets:
            yield "a signing secret is needed"
        if not self.timeout_s > 0:
            yield "timeout_s must be more than 0"


async def post(request: httpx.Request, timeout_s: float) -> Outcome:
    """One attempt, over after `timeout_s` whatever the receiver does. Never raises.

    The deadline covers name resolution, connect, TLS, sending, headers and body: a timeout per read would let a
    receiver that drips bytes hold on for ever. The status line decides; a body that is endless, slow or broken off
    changes nothing. The transport is used without a client, which would log the URL.
    """
    answer: Response | None = None
    try:
        async with AsyncExitStack() as connections, asyncio.timeout(timeout_s), _transport() as transport:
            request.extensions["trace"] = _closer(connections)
            reply = await transport.handle_async_request(request)
            answer = Response(reply.status_code, reply.headers.get("retry-after"), reply.headers.get("location"))
            await _read_some(reply)
    except Exception as error:  # noqa: BLE001 - a thread that dies delivers nothing more, so no error may pass.
        return answer or NoResponse(_problem(error))
    return answer


def _transport() -> httpx.AsyncHTTPTransport:
    """A connection of its own for every attempt. The system's trust store, or the one SSL_CERT_FILE names."""
    return httpx.AsyncHTTPTransport(verify=ssl.create_default_context(), trust_env=False)


def _closer(connections: AsyncExitStack) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
    """A trace hook that closes with the stack what was connected: httpcore forgets it when cut in a TLS handshake."""

    async def on_event(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            connections.push_async_callback(info["return_value"].aclose)

    return on_event


async def _read_some(reply: httpx.Response) -> None:
    size = 0
    async with aclosing(reply):
        async for chunk in reply.aiter_raw():
            size += len(chunk)
            if size >= BODY_MAX:
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


class Delivery:
    """A queue and a thread for each receiver. `offer`, `outcomes` and `close` may be called from any one thread."""

    def __init__(
        self,
        webhooks: Iterable[Webhook],
        clock: Clock = wall_clock_ms,
        jitter: Callable[[], float] = random.random,
        post: Post = post,
    ) -> None:
        """clock: epoch ms. jitter: uniform in [0, 1). post: makes one attempt; tests replace it."""
        self._clock = clock
        self._outcomes: dict[tuple[str, int, DeliveryState], Attempt] = {}
        self._arrived = threading.Condition()
        self._workers = {webhook.name: _Worker(webhook, self._report, clock, jitter, post) for webhook in webhooks}

    def start(self) -> None:
        """Begin to send; what was offered before waits until now."""
        for worker in self._workers.values():
            worker.start()

    def offer(self, messages: Iterable[Message]) -> None:
        """Take over committed messages; those already taken are not sent twice, whatever became of them.

        Offering a settled message again repeats its outcome: the transaction that should have stored it may have
        failed. Every call makes the threads look at the clock.
        """
        by_receiver: dict[str, list[Message]] = {name: [] for name in self._workers}
        for message in messages:
            if message.receiver in by_receiver:
                by_receiver[message.receiver].append(message)
            else:
                self._report(_unsent(message, self._clock(), "failed", "No receiver of this name is configured."))
        for name, own in by_receiver.items():
            self._workers[name].offer(own)

    def outcomes(self, wait_s: float = 0.0) -> list[Attempt]:
        """The attempts that ended since the last call, oldest first; waits up to `wait_s` seconds for the first."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._outcomes, wait_s)
            attempts = list(self._outcomes.values())
            self._outcomes.clear()
        return attempts

    def close(self, deadline_s: float) -> None:
        """Start no more attempts, and wait up to `deadline_s` for those under way; drain `outcomes` afterwards.

        An attempt that is still under way then is abandoned: its message is pending in the store, and sent again.
        """
        deadline = time.monotonic() + deadline_s
        for worker in self._workers.values():
            worker.stop()
        for worker in self._workers.values():
            if worker.is_alive():
                worker.join(max(0.0, deadline - time.monotonic()))

    def _report(self, attempt: Attempt) -> None:
        with self._arrived:
            self._outcomes[attempt.message, attempt.attempts, attempt.state] = attempt
            self._arrived.notify_all()


class _Worker(threading.Thread):
    """One receiver's queue, in order of due time, and the thread that empties it."""

    def __init__(
        self,
        webhook: Webhook,
        report: Callable[[Attempt], None],
        clock: Clock,
        jitter: Callable[[], float],
        post: Post,
    ) -> None:
        super().__init__(name=f"deliver to {webhook.name}", daemon=True)
        self._webhook, self._report, self._clock, self._jitter, self._post = webhook, report, clock, jitter, post
        self._changed = threading.Condition()
        self._queue: list[tuple[int, int, str, Message]] = []
        self._known: dict[str, Attempt | None] = {}
        self._gone = False
        self._stopping = False

    def offer(self, messages: Iterable[Message]) -> None:
        with self._changed:
            for message in messages:
                settled = self._known.get(message.id)
                if settled is not None:
                    self._report(settled)
                elif message.id not in self._known:
                    self._known[message.id] = None
                    self._push(message)
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        # One event loop for the thread's life: closing a loop waits for name resolutions that a deadline cut off.
        with asyncio.Runner() as runner:
            while (message := self._take()) is not None:
                self._settle(message, self._attempt(runner, message))

    def _take(self) -> Message | None:
        """The next message once it is due; None when it is time to stop."""
        with self._changed:
            while not self._stopping:
                wait_s = self._wait_s()
                if wait_s <= 0:
                    return heapq.heappop(self._queue)[-1]
                self._changed.wait(min(wait_s, LOOK_AGAIN_S))
        return None

    def _wait_s(self) -> float:
        if not self._queue:
            return math.inf
        return 0.0 if self._gone else (self._queue[0][0] - self._clock()) / 1000

    def _attempt(self, runner: asyncio.Runner, message: Message) -> Attempt:
        if self._gone:
            return _unsent(message, self._clock(), "disabled", "Not sent: the receiver has answered that it is gone.")
        outcome = runner.run(self._send(message))
        return judge(outcome, message, self._clock(), self._jitter())

    async def _send(self, message: Message) -> Outcome:
        """Signed anew: the timestamp is the attempt's, the id and the body are the message's."""
        webhook = self._webhook
        headers = signing.headers(webhook.secrets, message.id, self._clock() // 1000, message.body)
        headers |= {"content-type": "application/json", "user-agent": f"model-monitor/{__version__}"}
        request = httpx.Request("POST", webhook.url, headers=headers, content=message.body)
        return await self._post(request, webhook.timeout_s)

    def _settle(self, message: Message, attempt: Attempt) -> None:
        with self._changed:
            if attempt.state == "pending":
                self._push(replace(message, attempts=attempt.attempts, due_ms=attempt.due_ms))
            else:
                self._known[message.id] = attempt
                self._gone = self._gone or attempt.state == "disabled"
        self._report(attempt)

    def _push(self, message: Message) -> None:
        heapq.heappush(self._queue, (message.due_ms, message.created_ms, message.id, message))


def _unsent(message: Message, now_ms: int, state: DeliveryState, detail: str) -> Attempt:
    """The outcome of a message that was not tried (again)."""
    return Attempt(
        message=message.id,
        receiver=message.receiver,
        at_ms=now_ms,
        state=state,
        attempts=message.attempts,
        due_ms=now_ms,
        status=None,
        detail=detail,
    )
