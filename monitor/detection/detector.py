"""Evidence that streams of counts have changed, window by window, and the states that follow from it.

Each window gives each stream a p-value of "no more than the tolerance", an e-value of that, and more or less evidence
(see `monitor.detection.budget`). Streams whose windows hold too few rows are judged on several together. Two scales
share the budget: the window, and the day, on which smaller and slower changes show.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.detection.baseline import EXPECTED_MIN, Baseline
from monitor.detection.budget import e_value, p_of
from monitor.detection.severity import MAJOR
from monitor.statistics.tolerance import (
    divergence8,
    noncentral_isf,
    noncentral_sf,
    share_p_values,
    tolerated_shares,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]

MERGED_MAX = 30
"""Windows, or days, that are judged together at most; a stream that needs more cannot be tested."""

LEARNING_WINDOWS = 3
"""Windows in a row with a major effect that alarm where the usual noise is not known yet."""

STILL = 0.05
"""p-value of a single window below which a drifting stream has not come back."""

CALM = 2.0
"""Windows that must look as they should before drift is over, in units of the persistence."""

GUARD = 1e-4
"""Chance that a reference's own error is larger than what is tolerated for it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One window's counts, float64[S, K], beside the shares that are usual for it and the rows that these rest on."""

    start_ms: int
    counts: Floats
    shares: Floats
    resting: Floats


@dataclass(slots=True)
class Merged:
    """Windows of S streams taken together since the last look. expected: float64[S, K], rows that the baseline lets
    expect; variance: float64[S], sum of squared rows over those the baseline rests on; since_ms: int64[S], start of the
    first.
    """

    counts: Floats
    expected: Floats
    variance: Floats
    windows: Counts
    since_ms: Counts

    @classmethod
    def empty(cls, streams: int, cells: int) -> Merged:
        zeros = np.zeros((streams, cells))
        none = np.zeros(streams, dtype=np.int64)
        return cls(zeros, zeros.copy(), np.zeros(streams), none, none.copy())

    @property
    def rows(self) -> Floats:
        held: Floats = self.counts.sum(axis=1)
        return held

    def add(self, window: Counted) -> None:
        self.since_ms[:] = np.where(self.windows == 0, window.start_ms, self.since_ms)
        rows = window.counts.sum(axis=1)
        self.counts += window.counts
        self.expected += rows[:, None] * window.shares
        self.variance += rows**2 / window.resting
        self.windows += 1

    def forget(self, which: Bools) -> None:
        for part in (self.counts, self.expected):
            part[which] = 0.0
        self.variance[which] = 0.0
        self.windows[which] = 0


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
    """What is remembered of S streams. recent: windows since a drifting stream last looked wrong. streak: windows in a
    row with a major effect. untestable: whether the last MERGED_MAX windows held too few rows.
    """

    scales: tuple[Scale, Scale]
    recent: Merged
    drifting: Bools
    untestable: Bools
    streak: Counts
    day: int = -1

    @classmethod
    def empty(cls, streams: int, cells: int) -> StreamState:
        return cls(
            (Scale.empty(streams, cells), Scale.empty(streams, cells)),
            Merged.empty(streams, cells),
            np.zeros(streams, dtype=np.bool_),
            np.zeros(streams, dtype=np.bool_),
            np.zeros(streams, dtype=np.int64),
        )


@dataclass(slots=True)
class Judged:
    """What one window says of S streams; NaN where it says nothing. effect: de-biased; floor: what chance alone gives;
    ratio: float64[S], evidence over the alarm's limit, of the scale where it is greater; alarmed: began to drift now.
    """

    effect: Floats
    floor: Floats
    p_value: Floats
    ratio: Floats
    tested: Bools
    alarmed: Bools
    drifting: Bools
    watch: Bools
    untestable: Bools
    onset_ms: Counts

    @classmethod
    def of(cls, effect: Floats, floor: Floats, p_value: Floats) -> Judged:
        """Of streams of which nothing follows yet."""
        none = np.zeros(len(effect), dtype=np.bool_)
        return cls(
            effect, floor, p_value, np.zeros(len(effect)), none, none, none, none, none, np.full(len(effect), -1)
        )


@dataclass(frozen=True, eq=False)
class Limits:
    """tolerance: float64[S]. limit: float64[2, S], evidence at the alarm, on each scale (infinite: not used).
    persistence: windows needed. shares: the streams are shares of rows, in cells (wrong, right), of which `both` may
    also fall too low.
    """

    tolerance: Floats
    limit: Floats
    persistence: int
    shares: bool = False
    both: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @property
    def active(self) -> Bools:
        """Streams that may alarm."""
        active: Bools = np.isfinite(self.limit[0])
        return active

    @property
    def cap(self) -> Floats:
        """Largest e-value, so that an alarm from nothing takes as many windows as it should persist."""
        return np.where(np.isfinite(self.limit), self.limit ** (1.0 / self.persistence), 1.0)


class Detector:
    """Judges S streams that have one baseline; pure: what it remembers is the caller's `StreamState`."""

    def __init__(self, baseline: Baseline, limits: Limits) -> None:
        self.baseline = baseline
        self.limits = limits
        self._streams = np.arange(baseline.rows.shape[1])
        self._ways: dict[tuple[int, int], Counts] = {}
        self._wanted = p_of(np.minimum(limits.cap, 1e14))

    def judge(self, state: StreamState, counts: Floats, start_ms: int, hour: int, day: int, *, known: bool) -> Judged:
        """One more window. counts: float64[S, K]; hour, day: of the week, and a number, in local time. known: whether
        the baseline knows windows like this one: others only alarm of what is major.
        """
        window = Counted(start_ms, counts, *self.baseline.at(hour))
        short, long = state.scales
        ended = None
        if known:
            if state.day != day:
                ended = self._look(state, 1)
                state.day = day
            long.merged.add(window)
        short.merged.add(window)
        judged = self._look(state, 0) if known else self._learn(state)
        if ended is not None:
            judged.onset_ms = np.where(ended.alarmed, ended.onset_ms, judged.onset_ms)
            judged.alarmed = judged.alarmed | ended.alarmed
        self._recover(state, window, judged)
        limits = self.limits
        judged.drifting = state.drifting.copy()
        judged.untestable = state.untestable.copy()
        judged.ratio = np.maximum(short.evidence / limits.limit[0], long.evidence / limits.limit[1])
        judged.watch = limits.active & (judged.ratio >= limits.limit[0] ** -0.5)
        return judged

    def _look(self, state: StreamState, which: int) -> Judged:
        """Judge what one scale has merged, where that is enough, and take it as evidence."""
        scale, limits = state.scales[which], self.limits
        judged, enough = self._test(which, scale.merged)
        judged.tested = enough & np.isfinite(limits.limit[which])
        fresh = judged.tested & ~state.drifting
        e = e_value(judged.p_value, limits.cap[which])
        scale.evidence = np.where(fresh, (scale.evidence + 1.0) * e, scale.evidence)
        scale.onset_ms = np.where(fresh & (scale.run <= 0.0), scale.merged.since_ms, scale.onset_ms)
        scale.run = np.where(fresh, np.maximum(scale.run + np.log(e), 0.0), scale.run)
        judged.alarmed = fresh & (scale.evidence >= limits.limit[which]) & (judged.effect >= limits.tolerance)
        judged.onset_ms = scale.onset_ms.copy()
        self._conclude(state, which, judged)
        return judged

    def _learn(self, state: StreamState) -> Judged:
        """Judge a window whose usual noise is not known: nothing is evidence, only what is major alarms."""
        judged, enough = self._test(0, state.scales[0].merged)
        judged.tested = enough
        major = judged.effect >= MAJOR
        state.streak = np.where(judged.tested, np.where(major, state.streak + 1, 0), state.streak)
        long_enough = state.streak >= LEARNING_WINDOWS
        judged.alarmed = judged.tested & self.limits.active & long_enough & ~state.drifting
        self._conclude(state, 0, judged)
        return judged

    def _conclude(self, state: StreamState, which: int, judged: Judged) -> None:
        """Streams that alarmed drift from now on; what was judged is not judged again."""
        merged = state.scales[which].merged
        state.drifting |= judged.alarmed
        state.recent.forget(judged.alarmed)
        full = merged.windows >= MERGED_MAX
        if which == 0:
            state.untestable = (state.untestable | full) & ~judged.tested
        merged.forget(judged.tested | full)
        for part in (judged.effect, judged.floor, judged.p_value):
            part[~judged.tested] = np.nan

    def _recover(self, state: StreamState, window: Counted, judged: Judged) -> None:
        """End the drift of streams that look as they should: of several windows together, as one is too noisy."""
        if not state.drifting.any():
            return
        recent = state.recent
        recent.add(window)
        recent.forget(~state.drifting | judged.alarmed | (judged.p_value < STILL) | (recent.windows > MERGED_MAX))
        found, enough = self._test(0, recent)
        calm = recent.windows >= CALM * self.limits.persistence
        over = state.drifting & enough & calm & (found.effect < self.limits.tolerance / 2.0)
        state.drifting &= ~over
        state.streak[over] = 0
        for scale in state.scales:
            scale.evidence[over] = 0.0
            scale.run[over] = 0.0
            scale.merged.forget(over)

    def _test(self, which: int, merged: Merged) -> tuple[Judged, Bools]:
        """Effects and p-values of what was merged, and which streams hold enough rows for these to mean anything."""
        baseline, limits = self.baseline, self.limits
        way, enough = self._way(which, merged)
        rows = np.maximum(merged.rows, 1.0)
        rho = baseline.rho[which, way, self._streams]
        each = rows / np.maximum(merged.windows, 1)
        inflation = 1.0 + np.maximum(each - 1.0, 0.0) * rho
        resting = rows**2 / np.maximum(merged.variance, 1e-300) / self._clustering(rho)
        noise = inflation / rows + 1.0 / np.maximum(resting, 1.0)
        counts, expected, free = merged.counts, merged.expected, np.ones(len(rows))
        if not limits.shares:
            counts, expected = baseline.groupings.merge(way, counts), baseline.groupings.merge(way, expected)
            free = np.maximum(baseline.groupings.cells[way, self._streams] - 1.0, 1.0)
        p, q = expected / rows[:, None], counts / rows[:, None]
        apart = divergence8(p, q)
        if limits.shares:
            p_value = self._share_p_values(counts[:, 0], rows, inflation, p[:, 0], np.maximum(resting, 1.0))
        else:
            tolerance = np.maximum(limits.tolerance, _guard(free, resting))
            p_value = noncentral_sf(apart / noise, free, tolerance / noise)
        return Judged.of(np.maximum(0.0, apart - free * noise), free * noise, p_value), enough

    def _clustering(self, rho: Floats) -> Floats:
        """By how much fewer independent rows the baseline's shares rest on, as its rows came in windows too."""
        return 1.0 + np.maximum(self.baseline.typical - 1.0, 0.0) * rho

    def _share_p_values(self, bad: Floats, rows: Floats, inflation: Floats, share: Floats, resting: Floats) -> Floats:
        """Of shares of rows, whose reference's share is known as well as `resting` rows let know it."""
        held = share * resting
        top = special.betaincinv(held + 1.0, np.maximum(resting - held, 1e-9), 1.0 - GUARD)
        low = np.where(held > 0, special.betaincinv(np.maximum(held, 1e-9), resting - held + 1.0, GUARD), 0.0)
        delta = float(self.limits.tolerance[0]) if len(self.limits.tolerance) else 0.0
        least, _ = tolerated_shares(low.astype(np.float64), delta)
        _, most = tolerated_shares(top.astype(np.float64), delta)
        upper, lower = share_p_values(bad / inflation, rows / inflation, least, most)
        return np.where(self.limits.both, np.minimum(1.0, 2.0 * np.minimum(upper, lower)), upper)

    def _way(self, which: int, merged: Merged) -> tuple[Counts, Bools]:
        """int64[S]: the grouping that finds the smallest shift in so many rows; bool[S]: whether any may be used."""
        rows = merged.rows
        if self.limits.shares:
            return np.zeros(len(rows), dtype=np.int64), rows > 0
        bucket = np.floor(2.0 * np.log2(np.maximum(rows, 1.0))).astype(np.int64)
        way = np.full(len(rows), -1, dtype=np.int64)
        for size in np.unique(bucket).tolist():
            if (which, size) not in self._ways:
                self._ways[which, size] = self._best(which, 2.0 ** (size / 2.0))
            way = np.where(bucket == size, self._ways[which, size], way)
        return np.maximum(way, 0), way >= 0

    def _best(self, which: int, rows: float) -> Counts:
        """int64[S]: the best grouping of windows of `rows` rows; -1 where each has a cell that would hold too few."""
        found, allowed = self.detectable(which, rows)
        best = np.where(allowed, found, np.inf).argmin(axis=0)
        return np.where(allowed.any(axis=0), best, -1)

    def detectable(self, which: int, rows: float | Floats) -> tuple[Floats, Bools]:
        """float64[C, S]: the effect that windows of `rows` rows show as often as not in as few windows as an alarm
        takes, by grouping; bool[C, S]: whether every cell of it would hold enough rows. rows: of all streams, or
        float64[S].
        """
        baseline, limits = self.baseline, self.limits
        rho = baseline.rho[which]
        resting = np.maximum(np.median(baseline.rows, axis=0) / self._clustering(rho), 1.0)
        noise = (1.0 + (rows - 1.0) * rho) / rows + 1.0 / resting
        free = np.maximum(baseline.groupings.cells - 1.0, 1.0)
        tolerance = self.tolerated(which)
        needed = noncentral_isf(np.broadcast_to(self._wanted[which], free.shape), free, tolerance / noise)
        lucky = special.ndtri(0.5 ** (1.0 / limits.persistence))  # All of them must show it, each a little more often.
        shown = np.maximum(needed - free, 0.0)
        shown += lucky * np.sqrt(2.0 * (free + 2.0 * shown))
        return shown * noise / kept(free + 1.0), rows * baseline.groupings.least >= EXPECTED_MIN

    def tolerated(self, which: int) -> Floats:
        """float64[C, S]: the tolerance in force, raised to what the reference's own rows cannot tell, by grouping."""
        baseline = self.baseline
        resting = np.maximum(np.median(baseline.rows, axis=0) / self._clustering(baseline.rho[which]), 1.0)
        free = np.maximum(baseline.groupings.cells - 1.0, 1.0)
        tolerated: Floats = np.maximum(self.limits.tolerance, _guard(free, resting))
        return tolerated


def kept(cells: Floats | float) -> Floats:
    """What cells of equal mass keep of a normal's shift: 0.64 with two, 0.86 with four, 0.98 with twenty."""
    return np.asarray(1.0 - 0.947 / np.asarray(cells) ** 1.384)


def _guard(free: Floats, resting: Floats) -> Floats:
    """The difference that a reference of so many rows has from the truth, but with a chance of GUARD: a sequential test
    would find it in the end. The chi-square limit of its own estimate.
    """
    guard: Floats = special.chdtri(free, GUARD) / np.maximum(resting, 1.0)
    return guard
