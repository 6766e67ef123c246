"""What people ask of a running service: handed from their threads to the loop, and answered when it is committed."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field

from monitor.engine import Monitor, Order, Output
from monitor.errors import RefusedError, UnavailableError

ANSWER_S = 30.0
"""Longest wait for an order to be carried out; a step takes a fraction of a second."""

WAITING_MAX = 10
"""Orders that wait at most, each on a thread of the server: whoever sends more is told to wait."""


@dataclass(slots=True)
class Asked:
    """An order, and what became of it."""

    order: Order
    future: Future[str]
    _said: str = ""
    _refused: RefusedError | None = None

    def obeyed(self, monitor: Monitor, now_ms: int) -> Output | None:
        """What it changes, if it can be carried out. now_ms: wall clock."""
        self._refused = None
        try:
            output, self._said = monitor.obey(self.order, now_ms)
        except RefusedError as error:
            self._refused = error
            return None
        return output

    def answer(self) -> None:
        """It is committed, or refused."""
        if self._refused is None:
            self.future.set_result(self._said)
        else:
            self.future.set_exception(self._refused)


@dataclass(slots=True)
class Orders:
    """Those that wait for the next step."""

    _waiting: queue.SimpleQueue[Asked] = field(default_factory=queue.SimpleQueue)

    def give(self, order: Order, timeout_s: float = ANSWER_S) -> str:
        """Have an order carried out; a sentence on it. For any thread but the loop's. RefusedError where it cannot be
        done, UnavailableError where the loop does not come to it in time.
        """
        if self._waiting.qsize() >= WAITING_MAX:
            raise UnavailableError(f"{WAITING_MAX} orders wait for the loop: try again later")
        asked = Asked(order, Future())
        self._waiting.put(asked)
        try:
            return asked.future.result(timeout_s)
        except FutureTimeoutError:
            raise UnavailableError(
                f"the loop has not come to it for {timeout_s:g} s, and will carry it out if it still can: look whether "
                "it has before you ask again"
            ) from None

    def taken(self) -> list[Asked]:
        """Those that wait, in their order. For the loop."""
        found = []
        while True:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                return found

    def close(self) -> None:
        """The loop has ended: nobody takes orders any more."""
        for each in self.taken():
            each.future.set_exception(UnavailableError("the service is stopping: ask again when it is up"))

    def put_back(self, asked: Iterable[Asked]) -> None:
        """A step that took these kept nothing."""
        for each in asked:
            self._waiting.put(each)
