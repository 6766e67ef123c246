"""How labels come: how long after their prediction, and what becomes of those that find none: they wait, and expire.

A label waits if no prediction of its id has come by the boundary from which it counts, or only one whose own waiting
was over by then. A prediction finds it if its pane ends within `retention` of when the label was known; if none
does, the label expires. Both are functions of event times alone, so counters are equal under any interleaving, with one
exception: where an id is answered by another version after its first prediction has gone with its retention, nobody
knows any more that its label had been found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.engine.durations import Durations
from monitor.engine.strays import Strays
from monitor.events.batch import Matched
from monitor.spec import DAY_MS, HOUR_MS, ModelSpec

_NONE = 1 << 62
"""A boundary that never comes."""

DELAYS_MS = (1_000, 60_000, HOUR_MS, 6 * HOUR_MS, *(days * DAY_MS for days in (1, 7, 14, 30, 90)))
"""Upper ends, inclusive, of the cells that delays are counted in; longer ones have a cell of their own."""


@dataclass(frozen=True, slots=True)
class Due:
    """Performance can be settled up to a boundary. joined: whether the store has to be asked for the labels.

    since_ms, until_ms: what to ask `Store.matched` for.
    """

    model: str
    since_ms: int
    until_ms: int
    joined: bool


@dataclass(slots=True)
class LabelFlow:
    """Labels that are not settled, those that wait, and the delays of those that were matched.

    arrived: by the boundary from which they count. waiting: by the day in which the grid cell before it ends. delays:
    of the first labels of predictions, in cells of DELAYS_MS. strays: whether labels match.
    """

    arrived: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    delays: Durations = field(default_factory=lambda: Durations.empty([1_000 * end_ms for end_ms in DELAYS_MS]))
    strays: Strays = field(default_factory=Strays)

    def arrive(self, known_ms: NDArray[np.int64], grid_ms: int) -> None:
        """Labels were accepted. known_ms: int64[n], when each counts from."""
        boundaries, rows = np.unique((known_ms // grid_ms + 1) * grid_ms, return_counts=True)
        for boundary, count in zip(boundaries.tolist(), rows.tolist(), strict=True):
            self.arrived[boundary] = self.arrived.get(boundary, 0) + count

    def match(self, delay_ms: NDArray[np.int64]) -> None:
        """Predictions have got their first label. delay_ms: int64[n], its time less theirs; it may have come before."""
        self.delays.add(1_000 * np.maximum(delay_ms, 0))

    def settle(self, matched: Matched, spec: ModelSpec, since_ms: int, until_ms: int) -> tuple[int, int]:
        """Move on from one boundary to another; how many labels began to wait, and how many waiting ones expired.

        matched: every pair that `Store.matched` gives between the two.
        """
        counts_from, found_at = _found(matched, spec)
        fresh = counts_from > since_ms
        at_once = fresh & (found_at <= counts_from)
        later = (found_at > counts_from) & (found_at > since_ms) & (found_at < _NONE)
        arrived = {boundary: self.arrived.pop(boundary) for boundary in [*self.arrived] if boundary <= until_ms}
        found = np.concatenate([counts_from[at_once], found_at[later]])
        self.strays.count(
            arrived, dict(zip(*map(np.ndarray.tolist, np.unique(found, return_counts=True)), strict=True))
        )
        began: Counter[int] = Counter()
        for boundary, rows in arrived.items():
            began[_day(boundary)] += rows
        began.subtract(_by_day(counts_from[at_once]))
        waiting = Counter(self.waiting)
        waiting.update(began)
        for day, rows in _by_day(counts_from[later]).items():
            waiting[day] = max(0, waiting[day] - rows)
        over = [day for day in waiting if (day + 1) * DAY_MS + spec.retention_ms <= until_ms]
        expired = sum(waiting.pop(day) for day in over)
        self.waiting = {day: rows for day, rows in waiting.items() if rows}
        return began.total(), expired


def _day(boundary_ms: int) -> int:
    return (boundary_ms - 1) // DAY_MS


def _by_day(boundary_ms: NDArray[np.int64]) -> dict[int, int]:
    """How many boundaries lie in each day."""
    days, rows = np.unique((boundary_ms - 1) // DAY_MS, return_counts=True)
    return dict(zip(days.tolist(), rows.tolist(), strict=True))


def _found(matched: Matched, spec: ModelSpec) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[m] twice, one a label that has a pair: the boundary from which it counts, and that by which the first
    prediction that finds it had come (_NONE where none does).
    """
    grid_ms = spec.window.grid_ms
    pane = (matched.time_ms // grid_ms + 1) * grid_ms
    counts_from = (matched.known_ms // grid_ms + 1) * grid_ms
    pending = pane >= counts_from - max(spec.retention_ms, spec.performance.wait_ms)
    found_at = np.where(pending & (pane <= matched.known_ms + spec.retention_ms), pane, _NONE)
    # A label stands beside the prediction of each version that answered; its place among those of its id says which
    # of them are the same.
    order = np.lexsort((matched.version.codes, matched.key))
    key, version = matched.key[order], matched.version.codes[order]
    place = _places(np.r_[True, (key[1:] != key[:-1]) | (version[1:] != version[:-1])][: len(order)])
    same = np.lexsort((place, key))
    order, key, place = order[same], key[same], place[same]
    first = np.flatnonzero(np.r_[True, (key[1:] != key[:-1]) | (place[1:] != place[:-1])][: len(order)])
    if not len(first):
        return counts_from, found_at
    return counts_from[order[first]], np.minimum.reduceat(found_at[order], first)


def _places(first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64[n]: each row's place in its group. first: where a group begins."""
    rows = np.arange(len(first))
    return rows - np.maximum.accumulate(np.where(first, rows, 0))
