"""What is remembered of streams of counts, what their limits are, and what a window says of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.detection.budget import largest, pace

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counted:
    """One window's counts, float64[S, K], and rows, float64[S]. expected, variance: as of `Merged`. of: bool[S], which
    streams it is a window of.
    """

    start_ms: int
    counts: Floats
    rows: Floats
    expected: Floats
    variance: Floats
    of: Bools

    @classmethod
    def beside(cls, start_ms: int, counts: Floats, shares: Floats, resting: Floats, of: Bools) -> Counted:
        """The shares that are usual for it, and the rows that these rest on."""
        rows = counts.sum(axis=1)
        return cls(start_ms, counts, rows, rows[:, None] * shares, rows**2 / resting, of)


@dataclass(slots=True)
class Merged:
    """Windows, or days, of S streams taken together since the last look. expected: float64[S, K], rows that the
    baseline lets expect; variance: float64[S], sum of squared rows over those the baseline rests on; windows: int64[S],
    how many; newest: float64[S], rows of the newest of them; squares: float64[2, S], sums of squared rows, of single
    windows and of these; since_ms: int64[S], start of the first.
    """

    counts: Floats
    expected: Floats
    variance: Floats
    windows: Counts
    newest: Floats
    squares: Floats
    since_ms: Counts

    @classmethod
    def empty(cls, streams: int, cells: int) -> Merged:
        zeros = np.zeros((streams, cells))
        none = np.zeros(streams, dtype=np.int64)
        return cls(zeros, zeros.copy(), np.zeros(streams), none, np.zeros(streams), np.zeros((2, streams)), none.copy())

    @property
    def rows(self) -> Floats:
        held: Floats = self.counts.sum(axis=1)
        return held

    def add(self, window: Counted, *, begins: bool | Bools = True) -> None:
        """One more window of the streams that it is one of; begins: as one of its own, or as the first of a day, and
        not as more of the newest day; of all streams, or bool[S].
        """
        first = (self.windows == 0) & window.of
        new = (begins & window.of) | first
        self.since_ms[first] = window.start_ms
        before = np.where(new, 0.0, self.newest)
        self.newest = before + window.rows
        self.squares += window.rows**2, self.newest**2 - before**2
        self.counts += window.counts
        self.expected += window.expected
        self.variance += window.variance
        self.windows += new

    def forget(self, which: Bools) -> None:
        which = which & (self.windows > 0)
        if not which.any():
            return
        for part in (self.counts, self.expected, self.variance, self.windows, self.newest, self.squares.T):
            part[which] = 0


@dataclass(slots=True)
class Scale:
    """Evidence on one scale. evidence: float64[S]; run: float64[S], log of how far it has grown without a break since
    onset_ms: int64[S], the start of the first window of that growth.
    """

    merged: Merged
    evidence: Floats
    run: Floats
    onset_ms: Counts

    @classmethod
    def empty(cls, streams: int, cells: int) -> Scale:
        zeros = np.zeros(streams)
        return cls(Merged.empty(streams, cells), zeros, zeros.copy(), np.full(streams, -1, dtype=np.int64))


@dataclass(slots=True)
class StreamState:
    """What is remembered of S streams. unknown: windows that the baseline does not know, together. recent: windows, or
    days, since a drifting stream last looked wrong. by_day: whether it was the day that alarmed of a drifting stream;
    day_effect: float64[S], the effect of the newest whole day. lasting: float64[S], evidence of the last windows in a
    row that the baseline does not know, as long as their effect is major. untestable: whether the last MERGED_MAX
    windows held too few rows.
    """

    scales: tuple[Scale, Scale]
    unknown: Merged
    recent: Merged
    drifting: Bools
    untestable: Bools
    lasting: Floats
    by_day: Bools
    day_effect: Floats
    day: int = -1

    @classmethod
    def empty(cls, streams: int, cells: int) -> StreamState:
        return cls(
            (Scale.empty(streams, cells), Scale.empty(streams, cells)),
            Merged.empty(streams, cells),
            Merged.empty(streams, cells),
            np.zeros(streams, dtype=np.bool_),
            np.zeros(streams, dtype=np.bool_),
            np.zeros(streams),
            np.zeros(streams, dtype=np.bool_),
            np.zeros(streams),
        )

    def forget(self, which: Bools) -> None:
        """Begin anew with some streams."""
        for scale in self.scales:
            scale.merged.forget(which)
            scale.evidence[which] = scale.run[which] = 0.0
            scale.onset_ms[which] = -1
        self.unknown.forget(which)
        self.recent.forget(which)
        self.drifting[which] = self.untestable[which] = self.by_day[which] = False
        self.lasting[which] = 0.0


@dataclass(slots=True)
class Judged:
    """What one window says of S streams; NaN where it says nothing. effect: de-biased; floor: what chance alone gives;
    p_value: of no more than the tolerance; within: of no less; ratio: float64[S], evidence over the alarm's limit, of
    the scale where it is greater; alarmed: began to drift now. day_effect: of the newest whole day, of streams of which
    the day alarmed, else NaN.
    """

    effect: Floats
    floor: Floats
    p_value: Floats
    within: Floats
    ratio: Floats
    tested: Bools
    alarmed: Bools
    drifting: Bools
    watch: Bools
    untestable: Bools
    onset_ms: Counts
    day_effect: Floats

    @classmethod
    def of(cls, effect: Floats, floor: Floats, p_value: Floats, within: Floats) -> Judged:
        """Of streams of which nothing follows yet."""
        none, nothing = np.zeros(len(effect), dtype=np.bool_), np.zeros(len(effect))
        onset = np.full(len(effect), -1)
        unsaid = np.full(len(effect), np.nan)
        return cls(effect, floor, p_value, within, nothing, none, none, none, none, none, onset, unsaid)

    def with_one(self, other: Judged, place: int) -> Judged:
        """With one more stream, which is another's."""
        parts = [each.name for each in fields(self)]
        return Judged(*(np.append(getattr(self, part), getattr(other, part)[place]) for part in parts))


@dataclass(frozen=True, eq=False)
class Limits:
    """tolerance: float64[S]. limit: float64[2, S], evidence at the alarm, on each scale (infinite: not used).
    persistence: windows needed. shares: the streams are shares of rows, in two cells, and any number of rows says
    something. rare: these are of rows that may be so rare that their law is that of counts (wrong, right), and of which
    `both` may also fall too low.
    """

    tolerance: Floats
    limit: Floats
    persistence: int
    shares: bool = False
    rare: bool = False
    both: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @cached_property
    def active(self) -> Bools:
        """Streams that may alarm."""
        active: Bools = np.isfinite(self.limit[0])
        return active

    def shared(self, versions: int) -> tuple[Floats, Floats]:
        """float64[2, S] each: `limit`, and the largest e-value, where so many versions share the budget."""
        limit = self.limit * versions
        return limit, largest(limit, self.persistence)

    @property
    def pace(self) -> Floats:
        """float64[2, S]: the e-value of which as many windows as a change should persist make an alarm."""
        return pace(self.limit, self.persistence)
