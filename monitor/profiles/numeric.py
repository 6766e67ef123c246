"""Summary of a numeric feature: counts and sums by cell, in integers, so that order cannot matter.

A value x is kept in sums as z = (x - centre) / scale, rounded to 2**-20 and clipped to +-4096 (a reference of m rows
holds no |z| above sqrt(m), so nothing inside its range is clipped below 16 million rows). Every sum is then a sum of
integers: exact, associative and commutative. Memory: 16 bytes a cell, about 4 kB a feature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import INVALID, MISSING, PRESENT, NumericColumn
from monitor.profiles.layout import NumericLayout

UNIT = 1 << 20
"""Fixed point: a sum of n means n / UNIT reference standard deviations."""

_CLIP = float(1 << 32)
_ROWS_MAX = 1 << 20  # Below this many rows a float64 sum of integers of at most 2**32 is exact (2**52 < 2**53).


@dataclass(slots=True)
class NumericSummary:
    """counts, sums: int64[layout.cells]; square: the exact sum of squared fixed-point values."""

    counts: NDArray[np.int64]
    sums: NDArray[np.int64]
    square: int = 0
    missing: int = 0
    invalid: int = 0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def empty(cls, layout: NumericLayout) -> NumericSummary:
        return cls(np.zeros(layout.cells, dtype=np.int64), np.zeros(layout.cells, dtype=np.int64))

    @property
    def present(self) -> int:
        """Rows with a usable value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        return self.present + self.missing + self.invalid

    @property
    def unusual(self) -> int:
        """Rows below or above the reference's range."""
        return int(self.counts[0] + self.counts[-1])

    def merge(self, other: NumericSummary) -> NumericSummary:
        """The summary of both summaries' rows; the two stay as they are."""
        if len(self.counts) != len(other.counts):
            raise LayoutMismatchError(f"cannot merge {len(self.counts)} cells with {len(other.counts)}")
        return NumericSummary(
            self.counts + other.counts,
            self.sums + other.sums,
            self.square + other.square,
            self.missing + other.missing,
            self.invalid + other.invalid,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    def standard_moments(self) -> tuple[float, float]:
        """Mean and population standard deviation of z; 0.0 of no values."""
        n = self.present
        if n == 0:
            return 0.0, 0.0
        total = int(self.sums.sum())
        # Integers throughout: n * sum(z^2) - sum(z)^2 cannot cancel.
        return total / (n * UNIT), math.sqrt(n * self.square - total * total) / (n * UNIT)

    def mean(self, layout: NumericLayout) -> float:
        """Mean of the present values, clipped as the module says; the reference's of none."""
        return layout.centre + layout.scale * self.standard_moments()[0]

    def deviation(self, layout: NumericLayout) -> float:
        """Population standard deviation of the present values; 0.0 of none."""
        return layout.scale * self.standard_moments()[1]

    def plain(self) -> list[Any]:
        square = self.square.to_bytes((self.square.bit_length() + 7) // 8, "little")
        return [
            self.counts.tobytes(),
            self.sums.tobytes(),
            square,
            self.missing,
            self.invalid,
            self.low,
            self.high,
        ]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> NumericSummary:
        counts, sums, square, *rest = plain
        return cls(
            np.frombuffer(counts, dtype="<i8").copy(),
            np.frombuffer(sums, dtype="<i8").copy(),
            int.from_bytes(square, "little"),
            *rest,
        )


def fold_parts(
    summaries: Sequence[NumericSummary], layout: NumericLayout, column: NumericColumn, starts: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Add the rows from starts[i] on, up to the next start or the end, to summary i: one pass over the column.

    starts: intp[parts], from 0, ascending; a part may be empty, and a summary may have several. Folding parts in any
    order and any split gives the same bits as folding the whole. Returns intp[k]: the cells of its usable values.
    """
    # No part may be longer than float64 sums are exact for.
    cuts = np.unique(np.append(starts, np.arange(0, len(column.values), _ROWS_MAX)))
    owners = [summaries[part] for part in np.searchsorted(starts, cuts, side="right") - 1]
    present = column.state == PRESENT
    values = column.values
    if not present.all():
        missing, invalid = (_count(column.state == state, cuts) for state in (MISSING, INVALID))
        for summary, without, wrong in zip(owners, missing, invalid, strict=True):
            summary.missing += without
            summary.invalid += wrong
        values = values[present]
        cuts = np.append(0, np.cumsum(present))[cuts]
    sizes = np.diff(np.append(cuts, len(values)))
    filled, cells = np.flatnonzero(sizes), layout.assign(values)
    if len(filled):
        _fold_filled([owners[part] for part in filled], layout, values, cells, sizes[filled])
    return cells


def _count(mask: NDArray[np.bool_], starts: NDArray[np.intp]) -> list[int]:
    """Rows of each part for which the mask holds."""
    before = np.append(0, np.cumsum(mask))
    counts: list[int] = np.diff(before[np.append(starts, len(mask))]).tolist()
    return counts


def _fold_filled(
    summaries: Sequence[NumericSummary],
    layout: NumericLayout,
    values: NDArray[np.float64],
    cells: NDArray[np.intp],
    sizes: NDArray[np.intp],
) -> None:
    """Add successive parts of finite values, each of 1 to _ROWS_MAX rows."""
    starts = np.cumsum(sizes) - sizes
    place = cells + np.repeat(layout.cells * np.arange(len(sizes)), sizes)
    with np.errstate(over="ignore"):  # An enormous value overflows to infinity and is clipped.
        z = (values - layout.centre) * (UNIT / layout.scale)
    z = np.rint(np.minimum(np.maximum(z, -_CLIP), _CLIP))
    places = len(sizes) * layout.cells
    counts = np.bincount(place, minlength=places).reshape(len(sizes), -1)
    sums = np.bincount(place, weights=z, minlength=places).astype(np.int64).reshape(len(sizes), -1)
    high = np.floor(z / 65536.0)
    low = z - high * 65536.0
    squares = [np.add.reduceat(product, starts).tolist() for product in (high * high, high * low, low * low)]
    least, greatest = np.minimum.reduceat(values, starts).tolist(), np.maximum.reduceat(values, starts).tolist()
    for part, summary in enumerate(summaries):
        summary.counts += counts[part]
        summary.sums += sums[part]
        both, mixed, rest = (int(square[part]) for square in squares)
        summary.square += (both << 32) + (mixed << 17) + rest
        summary.low = min(summary.low, least[part])
        summary.high = max(summary.high, greatest[part])
