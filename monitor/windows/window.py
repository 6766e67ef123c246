"""The identity of a window and how event time maps to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Place = tuple[str, int]
"""A topic and one of its partitions."""

Offsets = Mapping[str, tuple[int, int]]
"""[first, last + 1) of the records of a window, by "topic/partition"."""


def reaching(known: Offsets, place: str, first: int, end: int) -> dict[str, tuple[int, int]]:
    """Offsets that hold [first, end) of a place besides."""
    before = known.get(place, (first, end))
    return {**known, place: (min(before[0], first), max(before[1], end))}


def reaching_rows(
    known: Offsets, topic: str, partition: NDArray[np.int32], offset: NDArray[np.int64]
) -> dict[str, tuple[int, int]]:
    """Offsets that hold the records of n rows besides."""
    reached = dict(known)
    for number in np.unique(partition).tolist():
        mine = offset[partition == number]
        reached = reaching(reached, f"{topic}/{number}", int(mine.min()), int(mine.max()) + 1)
    return reached


class Window(NamedTuple):
    """One closed-open span [start_ms, end_ms) of one model version's events; sorts in evaluation order.

    Where windows are by row count over a table, the two are row numbers instead of times.
    """

    end_ms: int
    model: str
    version: str
    segment: str
    start_ms: int


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How events are cut: `size` milliseconds of event time, or at least `size` rows.

    Row windows over Kafka are the fewest whole panes of `pane_ms` that hold `size` rows; over a table, whose event
    time is the row number, they are exactly `size` rows (unit "numbered rows", one row a millisecond).
    """

    size: int
    unit: Literal["ms", "rows", "numbered rows"] = "ms"
    pane_ms: int = 60_000

    @property
    def timed(self) -> bool:
        """Whether windows are spans of time, so that hours, days and months mean something."""
        return self.unit == "ms"

    @property
    def grid_ms(self) -> int:
        """Width of the panes that rows are folded into."""
        return self.pane_ms if self.unit == "rows" else self.size
