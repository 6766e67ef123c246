"""How long a model takes to answer, where its events say."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.engine.durations import Durations
from monitor.events.batch import INVALID, PRESENT, NumericColumn
from monitor.snapshot import Histogram

LATENCIES_MS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
"""Upper ends, inclusive, of the cells: those that Prometheus' own clients have, one more for trees that answer at once
and one for models that write at length.
"""


@dataclass(slots=True)
class Latencies:
    """Of all predictions that were accepted. invalid: those that said something that can be no latency."""

    durations: Durations = field(default_factory=lambda: Durations.empty([int(end * 1_000) for end in LATENCIES_MS]))
    invalid: int = 0

    def add(self, latency_ms: NumericColumn) -> None:
        usable = latency_ms.state == PRESENT
        self.durations.add(np.rint(latency_ms.values[usable] * 1_000).astype(np.int64))
        self.invalid += int(np.count_nonzero(latency_ms.state == INVALID))

    def histogram(self) -> Histogram | None:
        """In seconds; None where no event has said anything."""
        return self.durations.histogram() if self.invalid or any(self.durations.rows) else None
