"""Ways to make coarser cells of few rows' worth: fewer cells find small shifts in small windows, more find odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.decision import bins, runs

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

TARGETS = (20, 10, 7, 5, 4, 3)
"""Numbers of cells that coarser groupings aim at; the finest way of all keeps every cell that has any rows."""

_LEAST = 0.25  # Of an equal share: a cell with less joins another.


@dataclass(frozen=True, eq=False)
class Grouping:
    """C ways for each of S streams of K cells.

    groups: int64[C, S, K], the new cell of each, from 0; cells: int64[C, S], how many there are; least: float64[C, S],
    the smallest share of the reference that one of them has.
    """

    groups: Counts
    cells: Counts
    least: Floats

    @property
    def number(self) -> int:
        return len(self.groups)

    def matrix(self, way: int) -> Floats:
        """float64[S, K, K]: 1 where a cell (row) goes into a group (column)."""
        goes: Floats = (self.groups[way][:, :, None] == np.arange(self.groups.shape[2])).astype(np.float64)
        return goes

    def merge(self, way: Counts, values: Floats) -> Floats:
        """float64[S, K]: sums of values float64[S, K] by group; way: int64[S], which one each stream takes."""
        streams, width = values.shape
        groups = self.groups[way, np.arange(streams)]
        places = (groups + width * np.arange(streams)[:, None]).ravel()
        merged = np.bincount(places, weights=values.ravel(), minlength=values.size).astype(np.float64)
        return merged.reshape(values.shape)

    @classmethod
    def concatenate(cls, parts: Sequence[Grouping]) -> Grouping:
        return cls(
            np.concatenate([part.groups for part in parts], axis=1),
            np.concatenate([part.cells for part in parts], axis=1),
            np.concatenate([part.least for part in parts], axis=1),
        )


def groupings(counts: Counts, ordered: NDArray[np.bool_]) -> Grouping:
    """counts: int64[S, K], the reference's; a stream with fewer cells has none in the last ones. ordered: bool[S]."""
    targets = TARGETS if counts.shape[1] > 2 else ()  # Two cells are two.
    ways = [_way(counts, ordered, None), *(_way(counts, ordered, target) for target in targets)]
    groups = np.stack(ways)
    cells, least = np.zeros(groups.shape[:2], dtype=np.int64), np.zeros(groups.shape[:2])
    for way, each in enumerate(groups):
        for stream, group in enumerate(each):
            held = np.bincount(group, weights=counts[stream])
            held = held[held > 0]
            cells[way, stream] = max(len(held), 1)
            least[way, stream] = held.min() / held.sum() if len(held) else 1.0
    return Grouping(groups, cells, least)


def _way(counts: Counts, ordered: NDArray[np.bool_], target: int | None) -> Counts:
    groups = [_of_one(each, neighbours, target) for each, neighbours in zip(counts, ordered, strict=True)]
    return np.array(groups, dtype=np.int64).reshape(counts.shape)


def _of_one(counts: Counts, ordered: bool, target: int | None) -> Counts:
    """int64[K]: the group of each cell of one stream; one that the reference leaves empty joins another. Where it fills
    two, two are left, as one alone would show nothing.
    """
    goal = len(counts) if target is None else target
    groups = np.arange(len(counts)) if target is None else runs(counts, goal) if ordered else bins(counts, goal)
    floor = 1.0 if target is None else max(1.0, _LEAST * counts.sum() / goal)
    while True:
        held = np.bincount(groups, weights=counts)
        used = np.unique(groups)
        smallest = used[np.argmin(held[used])]
        if held[smallest] >= floor or len(used) == 1 or (len(used) == 2 and held[smallest] > 0):
            return np.unique(groups, return_inverse=True)[1].astype(np.int64)
        if ordered:
            place = int(np.searchsorted(used, smallest))
            sides = [used[side] for side in (place - 1, place + 1) if 0 <= side < len(used)]
            other = min(sides, key=lambda side: held[side])
        else:
            others = used[used != smallest]
            other = others[np.argmin(held[others])]
        groups = np.where(groups == smallest, other, groups)
