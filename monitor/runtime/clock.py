"""The one wall clock of the shell; the core is told the time. Durations are measured with `time.monotonic`."""

from __future__ import annotations

import time


def wall_clock_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
