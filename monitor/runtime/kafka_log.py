"""Keeps kafka-python's log readable: warnings and worse, and no more of them than someone reads.

An endless loop inside the client was seen to log 360,000 errors, 356 MB, in about a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LINES_MAX = 20
PERIOD_S = 60.0


class _Limit(logging.Handler):
    """Passes at most LINES_MAX records a period to the handlers above; says in the next how many it held back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._mutex = threading.Lock()
        self._until = 0.0
        self._passed = self._held = 0

    def emit(self, record: logging.LogRecord) -> None:
        with self._mutex:
            held = self._turn()
            self._passed += 1
            passes = self._passed <= LINES_MAX
            self._held += not passes
        root = logging.getLogger()
        if held:
            root.handle(_note(record, held))
        if passes:
            record.exc_info = record.exc_text = None  # Its text says what happened; the trace is the client's own.
            root.handle(record)

    def _turn(self) -> int:
        """How many were held back in the period that has just ended."""
        if self._clock() < self._until:
            return 0
        held, self._held, self._passed = self._held, 0, 0
        self._until = self._clock() + PERIOD_S
        return held


def _note(record: logging.LogRecord, held: int) -> logging.LogRecord:
    text = f"{held} more lines of the Kafka client were not written"
    return logging.LogRecord(record.name, logging.WARNING, __file__, 0, text, None, None)


def limit_kafka_log(clock: Callable[[], float] = time.monotonic) -> None:
    """Limit the `kafka` logger of this process; doing so again changes nothing."""
    logger = logging.getLogger("kafka")
    if not any(isinstance(handler, _Limit) for handler in logger.handlers):
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(_Limit(clock))
