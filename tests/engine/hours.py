"""An engine that is given one window after the other, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from monitor.detection.records import IncidentChange
from monitor.engine import Monitor
from monitor.events.batch import Predictions
from monitor.profiles.reference import Reference
from monitor.snapshot import WindowView
from monitor.spec import ModelSpec
from monitor.windows.streams import Now
from tests.engine.saved import saved


@dataclass
class Hours:
    """hour: the number of the next window; references: of the model m."""

    spec: ModelSpec
    references: dict[str, Reference]
    hour: int
    views: list[WindowView] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Monitor([self.spec], {"m": self.references})

    def give(self, windows: int, rows: Callable[[int], Predictions]) -> Self:
        """So many windows, of the rows of each one's number plus 1, spread over it evenly."""
        size = self.spec.window.size
        for window in range(self.hour, self.hour + windows):
            batch = rows(window + 1)
            times = window * size + np.arange(len(batch), dtype=np.int64) * (size // len(batch))
            self.engine.models["m"].ingest(replace(batch, time_ms=times), (), {}, Now.at(1 << 50))
            output = self.engine.models["m"].finish((window + 1) * size)
            self.views += output.windows
            self.changes += output.changes
        self.hour += windows
        return self

    def restart(self) -> Self:
        """Go on from what was saved, beside references that were written and read again."""
        written = saved(self.engine)
        again = {version: Reference.load(each.dump()) for version, each in self.references.items()}
        self.engine = Monitor([self.spec], {"m": again})
        self.engine.restore(written)
        return self

    def kept(self) -> dict[str, bytes]:
        """All but how far the partitions have come."""
        return {key: piece for key, piece in saved(self.engine).items() if "/progress/" not in key}
