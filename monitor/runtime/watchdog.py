"""Ends the process when a call that has to return does not.

kafka-python 3.0 spins for ever in the poll that follows an exception inside a fetch, and no timeout of its own ends
that. The service's state is on disk, so the way out is to say where every thread stands, stop, and be started again.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Callable
from typing import Self

STUCK_EXIT = 70
_LIMIT_S = 10.0
_LIMIT_TIMEOUTS = 5
_CHECK_S = 1.0
_STDERR = 2  # The descriptor: sys.stderr and logging take locks that a stuck thread may hold.


def limit_s(timeout_ms: int) -> float:
    """How long a call with this timeout may take before it counts as stuck, in seconds."""
    return max(_LIMIT_S, _LIMIT_TIMEOUTS * timeout_ms / 1000)


def end() -> None:
    """End the process at once, without the clean-up that a stuck thread would block."""
    os._exit(STUCK_EXIT)


class Watchdog:
    """`with watchdog:` around each call that must return within `limit_s` seconds, by one thread, never nested.

    `start` watches from a thread of its own. A call that overstays has the stack of every thread written to standard
    error, then `on_stuck` is called, once.
    """

    def __init__(
        self, limit_s: float, on_stuck: Callable[[], object] = end, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_s = limit_s
        self._on_stuck = on_stuck
        self._clock = clock
        self._since: float | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._since = self._clock()
        return self

    def __exit__(self, *exception: object) -> None:
        self._since = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def check(self) -> bool:
        """Whether the watched call was found stuck, and everything done about it."""
        since = self._since
        if since is None or self._clock() - since <= self._limit_s:
            return False
        os.write(_STDERR, b"watchdog: a call to Kafka has not returned for %d s; stopping\n" % (self._clock() - since))
        faulthandler.dump_traceback(_STDERR)
        self._on_stuck()
        return True

    def _watch(self) -> None:
        while not self._stopped.wait(_CHECK_S):
            if self.check():
                return
