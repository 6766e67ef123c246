"""How a reference's rows came, window by window, in decision cells: what its noise and its seasons are learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import Predictions
from monitor.profiles.decision import WIDTH, DecisionCells, coded
from monitor.profiles.profile import column_of

WINDOWS_MAX = 2_200
"""Newest windows that are kept: a quarter of a year of hours. What was usual before that is usual no more."""

Counts = NDArray[np.int64]
Unit = Literal["ms", "rows"]


@dataclass(frozen=True, eq=False)
class History:
    """unit, size: windows are of `size` milliseconds of event time, or rows. starts: int64[W], ascending, the time or
    row number at which each begins; windows without rows are left out. tallies: int64[W, features, WIDTH], or smaller
    integers, as `DecisionCells.tally` gives them; features in the order of the layout, those of segments one after the
    other.
    """

    unit: Unit
    size: int
    starts: Counts
    tallies: Counts

    @classmethod
    def of_rows(cls, cells: DecisionCells, predictions: Predictions, unit: Unit, size: int) -> History | None:
        """Of the rows of a table, whose event time is the row number where `unit` is "rows"; None of no rows."""
        if not len(predictions):
            return None
        starts, window = np.unique(predictions.time_ms // size * size, return_inverse=True)
        first = max(0, len(starts) - WINDOWS_MAX)
        kept = window >= first
        window, windows = window[kept] - first, len(starts) - first
        tallies = [
            _by_window(
                cells.places(name)[coded(layout, column_of(predictions, name, layout).take(kept)) + 2], window, windows
            )
            for name, layout in cells.layout.features.items()
        ]
        empty = np.empty((windows, 0, WIDTH), dtype=np.int64)
        return cls(unit, size, starts[first:], np.stack(tallies, axis=1) if tallies else empty)

    def in_windows_of(self, size: int) -> History:
        """The same rows in windows of a multiple of the size; itself where it is none."""
        if size <= self.size or size % self.size:
            return self
        starts, window = np.unique(self.starts // size * size, return_inverse=True)
        tallies = np.zeros((len(starts), *self.tallies.shape[1:]), dtype=np.int64)
        np.add.at(tallies, window, self.tallies)
        return History(self.unit, size, starts, tallies)

    def newest(self, windows: int) -> History:
        """At most so many of its windows."""
        return replace(self, starts=self.starts[-windows:], tallies=self.tallies[-windows:])

    def plain(self) -> list[Any]:
        kind = self.tallies.dtype.newbyteorder("<")
        content = [self.unit, self.size, self.starts.tobytes(), list(self.tallies.shape), self.tallies.tobytes()]
        return content if kind == np.dtype("<i8") else [*content, kind.str]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> History:
        unit, size, starts, shape, tallies, *kind = plain
        counts = np.frombuffer(tallies, dtype=kind[0] if kind else "<i8").reshape(tuple(shape))
        return cls(unit, size, np.frombuffer(starts, dtype="<i8"), counts)


def _by_window(place: Counts, window: NDArray[np.intp], windows: int) -> Counts:
    """int64[windows, WIDTH]: one feature's rows by window and place in a tally."""
    return np.bincount(window * WIDTH + place, minlength=windows * WIDTH).reshape(windows, WIDTH).astype(np.int64)
