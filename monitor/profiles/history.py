"""How a reference's rows came, window by window, in decision cells: what its noise and its seasons are learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import Predictions
from monitor.profiles.decision import WIDTH, DecisionCells, coded
from monitor.profiles.profile import column_of
from monitor.profiles.together import Together

WINDOWS_MAX = 2_200
"""Newest windows that are kept: a quarter of a year of hours. What was usual before that is usual no more."""

_HOUR_MS = 3_600_000

Counts = NDArray[np.int64]
Unit = Literal["ms", "rows"]


@dataclass(frozen=True, eq=False)
class History:
    """unit, size: windows are of `size` milliseconds of event time, or rows. starts: int64[W], ascending, the time or
    row number at which each begins; windows without rows are left out. tallies: int64[W, S, WIDTH], as
    `DecisionCells.tally` gives them; features in the order of the layout, those of segments behind them (see
    `Reference.streams`). pairs: int64[W, P, 2], of each window's sample, as `Together` gives them; none where windows
    are not those that rows were ranked in.
    """

    unit: Unit
    size: int
    starts: Counts
    tallies: Counts
    pairs: Counts

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
        pairs = Together.of(cells.layout).of_rows(predictions.take(kept), window, windows)
        return cls(unit, size, starts[first:], np.stack(tallies, axis=1) if tallies else empty, pairs)

    def in_windows_of(self, size: int) -> History:
        """The same rows in windows of a multiple of the size; itself where it is none. Ranks within some windows say
        nothing of ranks within others, unless an hour holds both: of its levels, each day has others.
        """
        ranked = self.unit == "rows" or max(size, _HOUR_MS) == max(self.size, _HOUR_MS)
        past = self if ranked else replace(self, pairs=np.zeros_like(self.pairs))
        if size <= self.size or size % self.size:
            return past
        starts, window = np.unique(self.starts // size * size, return_inverse=True)
        sums = [np.zeros((len(starts), *part.shape[1:]), dtype=np.int64) for part in (past.tallies, past.pairs)]
        np.add.at(sums[0], window, past.tallies)
        np.add.at(sums[1], window, past.pairs)
        return History(self.unit, size, starts, *sums)

    def plain(self) -> list[Any]:
        arrays = [self.starts, self.tallies, self.pairs]
        return [self.unit, self.size, *(part for each in arrays for part in (list(each.shape), each.tobytes()))]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> History:
        unit, size, *parts = plain
        shapes, arrays = parts[::2], parts[1::2]
        starts, tallies, pairs = (
            np.frombuffer(array, dtype="<i8").reshape(tuple(shape)) for shape, array in zip(shapes, arrays, strict=True)
        )
        return cls(unit, size, starts, tallies, pairs)


def _by_window(place: Counts, window: NDArray[np.intp], windows: int) -> Counts:
    """int64[windows, WIDTH]: one feature's rows by window and place in a tally."""
    return np.bincount(window * WIDTH + place, minlength=windows * WIDTH).reshape(windows, WIDTH).astype(np.int64)
