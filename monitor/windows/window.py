"""The identity of a window and how event time maps to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Place = tuple[str, int]
"""A topic and one of its partitions."""

Offsets = Mapping[str, tuple[int, int]]
"""[first, last + 1) of the records of a window, by "topic/partition"."""


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
    time is the row number, they are exactly `size` rows (unit "ms", one row a millisecond).
    """

    size: int
    unit: Literal["ms", "rows"] = "ms"
    pane_ms: int = 60_000

    @property
    def grid_ms(self) -> int:
        """Width of the panes that rows are folded into."""
        return self.size if self.unit == "ms" else self.pane_ms
