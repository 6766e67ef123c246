"""Durations in fixed cells: what histograms are made of. Whole microseconds, so that no order matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monitor.snapshot import Histogram

SECOND_US = 1_000_000


@dataclass(slots=True)
class Durations:
    """ends_us: upper ends, inclusive, of the cells, ascending. rows: durations by cell, and those beyond the last.
    total_us: sum of all.
    """

    ends_us: tuple[int, ...]
    rows: list[int]
    total_us: int = 0

    @classmethod
    def empty(cls, ends_us: Sequence[int]) -> Self:
        return cls(tuple(ends_us), [0] * (len(ends_us) + 1))

    def add(self, durations_us: NDArray[np.int64]) -> None:
        """durations_us: int64[n], not negative."""
        cells = np.bincount(np.searchsorted(self.ends_us, durations_us), minlength=len(self.rows))
        self.rows = [before + rows for before, rows in zip(self.rows, cells.tolist(), strict=True)]
        self.total_us += int(durations_us.sum())

    def histogram(self) -> Histogram:
        """In seconds."""
        *rows, beyond = self.rows
        ends = (end_us / SECOND_US for end_us in self.ends_us)
        return Histogram(tuple(zip(ends, rows, strict=True)), beyond, self.total_us / SECOND_US)
