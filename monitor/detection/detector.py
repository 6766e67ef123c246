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

CALM = 2.0
"""Windows that must look as they should before drift is over, in units of the persistence."""

GUARD = 1e-4
"""Chance that a reference's own error is larger than what is tolerated for it."""


@dataclass(slots=True)
class Merged:
    """Windows of S streams taken together since the last look. expected: float64[S, K], rows that the baseline lets
    expect; variance: float64[S], sum of squared rows over those the baseline rests on.
    """

    counts: Floats
    expected: Floats
    variance: Floats
    windows: Counts

    @classmethod
    def empty(cls, streams: int, cells: int) -> Merged:
        zeros = np.zeros((streams, cells))
        return cls(zeros, zeros.copy(), np.zeros(streams), np.zeros(streams, dtype=np.int64))

    @property
    def rows(self) -> Floats:
        held: Floats = self.counts.sum(axis=1)
        return held

    def add(self, counts: Floats, shares: Floats, resting: Floats) -> None:
        rows = counts.sum(axis=1)
        self.counts += counts
        self.expected += rows[:, None] * shares
        self.variance += rows**2 / resting
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

    def judge(
        self, state: StreamState, counts: Floats, hour: int, day: int, span_ms: tuple[int, int], known: bool
    ) -> Judged:
        """One more window. counts: float64[S, K]; hour, day: of the week, and a number, in local time. known: whether
        the baseline knows windows like this one: others only alarm of what is major.
        """
        shares, resting = self.baseline.at(hour)
        daily = None
        if state.day != day and known:
            daily = self._look(state, 1, span_ms, due=state.scales[1].merged.windows > 0)
        state.day = day
        for scale in state.scales:
            scale.merged.add(counts, shares, resting)
        judged = self._look(state, 0, span_ms, due=None) if known else self._learn(state, counts, shares, resting)
        self._recover(state, counts, shares, resting, judged)
        if daily is not None:
            judged.onset_ms = np.where(daily.alarmed, daily.onset_ms, judged.onset_ms)
            judged.alarmed |= daily.alarmed
        judged.drifting = state.drifting.copy()
        limits = self.limits
        ratios = np.stack([scale.evidence / limit for scale, limit in zip(state.scales, limits.limit, strict=True)])
        judged.ratio = ratios.max(axis=0)
        judged.watch = limits.active & (judged.ratio >= limits.limit[0] ** -0.5)
        return judged

    def _look(self, state: StreamState, which: int, span_ms: tuple[int, int], due: Bools | None) -> Judged:
        """Judge what one scale has merged; due: streams that are to be looked at, None for all that hold enough."""
        scale, limits = state.scales[which], self.limits
        merged = scale.merged
        way, enough = self._way(which, merged)
        ready = (enough if due is None else enough & due) & np.isfinite(limits.limit[which])
        judged = self._test(which, merged, way)
        judged.tested = ready
        e = e_value(judged.p_value, limits.cap[which])
        open_ = ready & ~state.drifting
        scale.evidence = np.where(open_, (scale.evidence + 1.0) * e, scale.evidence)
        run = scale.run + np.log(e)
        begun = open_ & (scale.run <= 0.0)
        scale.onset_ms = np.where(begun, span_ms[0], scale.onset_ms)
        scale.run = np.where(open_, np.maximum(run, 0.0), scale.run)
        alarmed = open_ & (scale.evidence >= limits.limit[which]) & (judged.effect >= limits.tolerance)
        state.drifting |= alarmed
        state.recent.forget(alarmed)
        judged.alarmed = alarmed
        judged.onset_ms = scale.onset_ms.copy()
        full = merged.windows >= MERGED_MAX
        if which == 0:
            state.untestable = (state.untestable | (full & ~enough)) & ~ready
            judged.untestable = state.untestable.copy()
        merged.forget(ready | full)
        for part in ("effect", "floor", "p_value"):
            getattr(judged, part)[~ready] = np.nan
        return judged

    def _learn(self, state: StreamState, counts: Floats, shares: Floats, resting: Floats) -> Judged:
        """Judge one window without evidence."""
        merged = state.scales[0].merged
        way, enough = self._way(0, merged)
        judged = self._test(0, merged, way)
        state.streak = np.where(enough, np.where(judged.effect >= MAJOR, state.streak + 1, 0), state.streak)
        judged.alarmed = self.limits.active & enough & ~state.drifting & (state.streak >= LEARNING_WINDOWS)
        state.drifting |= judged.alarmed
        state.recent.forget(judged.alarmed)
        judged.tested = enough
        merged.forget(enough | (merged.windows >= MERGED_MAX))
        for part in ("effect", "floor", "p_value"):
            getattr(judged, part)[~enough] = np.nan
        return judged

    def _recover(self, state: StreamState, counts: Floats, shares: Floats, resting: Floats, judged: Judged) -> None:
        """End the drift of streams that look as they should: of several windows together, as one is too noisy."""
        if not state.drifting.any():
            return
        recent, limits = state.recent, self.limits
        recent.add(counts, shares, resting)
        recent.forget(~state.drifting | judged.alarmed | (judged.p_value < 0.05) | (recent.windows > MERGED_MAX))
        way, enough = self._way(0, recent)
        effect = self._test(0, recent, way).effect
        calm = recent.windows >= CALM * limits.persistence
        over = state.drifting & enough & calm & (effect < limits.tolerance / 2.0)
        state.drifting &= ~over
        for scale in state.scales:
            scale.evidence[over] = 0.0
            scale.run[over] = 0.0
            scale.merged.forget(over)
        state.streak[over] = 0

    def _test(self, which: int, merged: Merged, way: Counts) -> Judged:
        """Effects and p-values of what was merged."""
        baseline, limits = self.baseline, self.limits
        rows = np.maximum(merged.rows, 1.0)
        rho = baseline.rho[which, way, self._streams]
        each = rows / np.maximum(merged.windows, 1)
        inflation = 1.0 + np.maximum(each - 1.0, 0.0) * rho
        most = rows**2 / np.maximum(merged.variance, 1e-300)
        resting = np.maximum(most / (1.0 + np.maximum(baseline.typical - 1.0, 0.0) * rho), 1.0)
        noise = inflation / rows + 1.0 / resting
        q, p = merged.counts, merged.expected
        if not limits.shares:  # A share that the reference has none of is no cell to be merged away.
            q, p = baseline.groupings.merge(way, q), baseline.groupings.merge(way, p)
        q, p = q / rows[:, None], p / rows[:, None]
        free = np.maximum(baseline.groupings.cells[way, self._streams] - 1, 1).astype(np.float64)
        apart = divergence8(p, q)
        floor = free * noise
        if limits.shares:
            p_value = self._share_p_values(merged.counts[:, 0], rows, inflation, p[:, 0], resting)
        else:
            tolerance = np.maximum(limits.tolerance, special.chdtri(free, GUARD) / resting)
            p_value = noncentral_sf(apart / noise, free, tolerance / noise)
        none = np.zeros(len(rows), dtype=np.bool_)
        effect = np.maximum(0.0, apart - floor)
        onset = np.full(len(rows), -1, dtype=np.int64)
        ratio = np.zeros(len(rows))
        return Judged(effect, floor, p_value, ratio, none, none, none, none, none, onset)

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

    def detectable(self, which: int, rows: float) -> tuple[Floats, Bools]:
        """float64[C, S]: the effect that windows of `rows` rows show as often as not in as few windows as an alarm
        takes, by grouping; bool[C, S]: whether every cell of it would hold enough rows.
        """
        baseline, limits = self.baseline, self.limits
        rho = baseline.rho[which]
        resting = np.median(baseline.rows, axis=0) / (1.0 + np.maximum(baseline.typical - 1.0, 0.0) * rho)
        noise = (1.0 + (rows - 1.0) * rho) / rows + 1.0 / np.maximum(resting, 1.0)
        free = np.maximum(baseline.groupings.cells - 1, 1).astype(np.float64)
        tolerance = np.maximum(limits.tolerance, special.chdtri(free, GUARD) * (1.0 / np.maximum(resting, 1.0)))
        needed = noncentral_isf(np.broadcast_to(self._wanted[which], free.shape), free, tolerance / noise)
        # What cells of equal mass keep of a normal's shift: 0.64 with two, 0.86 with four, 0.98 with twenty.
        kept = 1.0 - 0.947 / (free + 1.0) ** 1.384
        return (needed - free) * noise / kept, rows * baseline.groupings.least >= EXPECTED_MIN
