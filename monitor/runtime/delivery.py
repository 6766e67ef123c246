"""Sends committed messages, each receiver on its own thread, so that a dead one delays no other.

At least once: a message is offered after the transaction that holds it, and every attempt's outcome goes back to the
loop, which stores it. Nothing is stored here; what a crash forgets is sent again under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from monitor.actions.outbox import Attempt, DeliveryState, Message
from monitor.actions.receiver import NoResponse, Outcome, Receiver, Reply, Response, Sent
from monitor.actions.retry import asked_for_ms, judge
from monitor.runtime.clock import now
from monitor.runtime.sending import send
from monitor.windows.streams import Now

LOOK_AGAIN_S = 60.0
"""The longest wait before the clock is read again."""

Clock = Callable[[], Now]
Post = Callable[[Sent, float], Awaitable[Reply]]

_log = logging.getLogger(__name__)


class Delivery:
    """A queue and a thread for each receiver. `offer`, `outcomes` and `close` may be called from any one thread."""

    def __init__(
        self,
        receivers: Iterable[Receiver],
        clock: Clock = now,
        jitter: Callable[[], float] = random.random,
        post: Post = send,
    ) -> None:
        """clock: the wall one dates attempts, the steady one measures waits. jitter: uniform in [0, 1). post: makes one
        attempt; tests replace it.
        """
        self._clock = clock
        self._outcomes: dict[tuple[str, int, DeliveryState], Attempt] = {}
        self._arrived = threading.Condition()
        self._workers = {each.name: _Worker(each, self._report, clock, jitter, post) for each in receivers}

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
                self._report(
                    _unsent(message, self._clock().wall_ms, "failed", "No receiver of this name is configured.")
                )
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
    """One receiver's queue, in order of due time by the steady clock, and the thread that empties it."""

    def __init__(
        self,
        receiver: Receiver,
        report: Callable[[Attempt], None],
        clock: Clock,
        jitter: Callable[[], float],
        post: Post,
    ) -> None:
        super().__init__(name=f"deliver to {receiver.name}", daemon=True)
        self._receiver, self._report, self._clock, self._jitter, self._post = receiver, report, clock, jitter, post
        self._changed = threading.Condition()
        self._queue: list[tuple[int, int, str, Message]] = []
        self._known: dict[str, Attempt | None] = {}
        self._newest: dict[str, str] = {}
        self._free_ms = 0
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
                    self._supersede(message)
                    self._push(message)
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        # One event loop for the thread's life: closing a loop waits for name resolutions that a deadline cut off.
        with asyncio.Runner() as runner:
            while messages := self._take():
                self._settle(messages, self._attempt(runner, messages))

    def _take(self) -> list[Message]:
        """The next messages once one is due, as many as go together; none when it is time to stop."""
        with self._changed:
            while not self._stopping:
                wait_s = self._wait_s()
                if wait_s <= 0:
                    now_ms, most = self._clock().steady_ms, 1 if self._gone else self._receiver.most
                    taken = [heapq.heappop(self._queue)[-1]]
                    while len(taken) < most and self._queue and self._queue[0][0] <= now_ms:
                        taken.append(heapq.heappop(self._queue)[-1])
                    return taken
                self._changed.wait(min(wait_s, LOOK_AGAIN_S))
        return []

    def _wait_s(self) -> float:
        if not self._queue:
            return math.inf
        return 0.0 if self._gone else (max(self._queue[0][0], self._free_ms) - self._clock().steady_ms) / 1000

    def _attempt(self, runner: asyncio.Runner, messages: Sequence[Message]) -> list[Attempt]:
        if self._gone:
            detail = "Not sent: the receiver has answered that it is gone."
            return [_unsent(message, self._clock().wall_ms, "disabled", detail) for message in messages]
        outcome = runner.run(self._converse(messages))
        now, jitter = self._clock(), self._jitter()
        # Who says 429 means every message, not this one.
        busy = isinstance(outcome, Response) and outcome.status == 429
        asked_ms = asked_for_ms(outcome, now.wall_ms) if busy else 0
        self._free_ms = now.steady_ms + max(self._receiver.pace_ms, asked_ms)
        return [judge(outcome, message, now.wall_ms, jitter) for message in messages]

    async def _converse(self, messages: Sequence[Message]) -> Outcome:
        """All requests of one attempt, within one deadline. Never raises."""
        deadline_s = time.monotonic() + self._receiver.timeout_s
        try:
            conversation = self._receiver.deliver(messages, self._clock().wall_ms)
            request = next(conversation)
            while True:
                reply = await self._post(request, deadline_s - time.monotonic())
                request = conversation.send(reply)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome
        except Exception:  # noqa: BLE001 - a thread that dies delivers nothing more, so no error may pass.
            _log.exception("a request to %s could not be made", self._receiver.name)
            return NoResponse("internal")

    def _settle(self, messages: Sequence[Message], attempts: Sequence[Attempt]) -> None:
        with self._changed:
            for message, attempt in zip(messages, attempts, strict=True):
                ended = attempt
                if attempt.state == "pending" and self._newest[message.subject] != message.id:
                    ended = replace(attempt, state="superseded")
                if ended.state == "pending":
                    self._push(replace(message, attempts=ended.attempts, due_ms=ended.due_ms))
                else:
                    self._known[message.id] = ended
                    self._gone = self._gone or ended.state == "disabled"
                self._report(ended)

    def _supersede(self, newer: Message) -> None:
        """What waits about the same subject need not be said any more."""
        self._newest[newer.subject] = newer.id
        older = [entry for entry in self._queue if entry[-1].subject == newer.subject]
        for entry in older:
            self._queue.remove(entry)
            message = entry[-1]
            self._known[message.id] = attempt = _unsent(
                message, self._clock().wall_ms, "superseded", "Not sent: a newer message about the same went instead."
            )
            self._report(attempt)
        if older:
            heapq.heapify(self._queue)

    def _push(self, message: Message) -> None:
        """The wall clock may be set while it waits, so how long it does is worked out once. One that was never tried
        and comes from the future is older than a clock that was set back.
        """
        now = self._clock()
        wait_ms = 0 if not message.attempts and message.created_ms > now.wall_ms else message.due_ms - now.wall_ms
        heapq.heappush(self._queue, (now.steady_ms + wait_ms, message.created_ms, message.id, message))


def _unsent(message: Message, now_ms: int, state: DeliveryState, detail: str) -> Attempt:
    """The outcome of a message that was not tried (again)."""
    return Attempt(
        message=message.id,
        receiver=message.receiver,
        subject=message.subject,
        at_ms=now_ms,
        state=state,
        attempts=message.attempts,
        due_ms=now_ms,
        status=None,
        detail=detail,
    )
