"""The clocks of the shell; the core is told the time. Durations are measured with `time.monotonic`."""

from __future__ import annotations

import time

from monitor.windows.streams import Now

_STARTED_NS = time.time_ns() - time.monotonic_ns()


def wall_clock_ms() -> int:
    """Epoch milliseconds by the machine's clock, which may be set on or back at any time."""
    return time.time_ns() // 1_000_000


def steady_clock_ms() -> int:
    """What the wall clock would say if nobody had set it since the process began."""
    return (_STARTED_NS + time.monotonic_ns()) // 1_000_000


def now() -> Now:
    """By both clocks."""
    return Now(wall_clock_ms(), steady_clock_ms())
