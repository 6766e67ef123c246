"""Keeps kafka-python's log out of ours: what matters of it becomes one sentence of `KafkaSource.trouble`.

An outage makes four lines of it at each attempt to connect, and an endless loop inside the client was seen to log
360,000 errors, 356 MB, in about a minute. So its warnings and errors are handed on as debug records, and no more of
them than someone reads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LINES_MAX = 20
PERIOD_S = 60.0
RECENT_S = 30.0
"""How long a connection that failed is a reason for what fails now."""

_CONNECTION_FAILED = "Connection failed: "


class _Limit(logging.Handler):
    """Passes at most LINES_MAX records a period to the handlers above; says in the next how many it held back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._mutex = threading.Lock()
        self._until = 0.0
        self._passed = self._held = 0
        self._failure, self._failed_at = "", -RECENT_S

    def last_failure(self) -> str | None:
        with self._mutex:
            return self._failure if self._clock() - self._failed_at < RECENT_S else None

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        with self._mutex:
            if text.startswith(_CONNECTION_FAILED):
                self._failure, self._failed_at = text.removeprefix(_CONNECTION_FAILED), self._clock()
            held = self._turn()
            self._passed += 1
            passes = self._passed <= LINES_MAX
            self._held += not passes
        if held:
            _hand_on(record.name, f"{held} more lines of the Kafka client were not written")
        if passes:
            _hand_on(record.name, text)  # Without its trace, which is the client's own affair.

    def _turn(self) -> int:
        """How many were held back in the period that has just ended."""
        if self._clock() < self._until:
            return 0
        held, self._held, self._passed = self._held, 0, 0
        self._until = self._clock() + PERIOD_S
        return held


def _hand_on(name: str, text: str) -> None:
    root = logging.getLogger()
    if root.isEnabledFor(logging.DEBUG):
        root.handle(logging.LogRecord(name, logging.DEBUG, __file__, 0, text, None, None))


def limit_kafka_log(clock: Callable[[], float] = time.monotonic) -> None:
    """Limit the `kafka` logger of this process; doing so again changes nothing."""
    logger = logging.getLogger("kafka")
    if not _limits():
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(_Limit(clock))


def last_failure() -> str | None:
    """Why a connection of this process to Kafka has just failed, in the client's words; it says that nowhere else."""
    return next((limit.last_failure() for limit in _limits()), None)


def _limits() -> list[_Limit]:
    return [handler for handler in logging.getLogger("kafka").handlers if isinstance(handler, _Limit)]
