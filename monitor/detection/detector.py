"""Evidence that streams of counts have changed, window by window, and the states that follow from it.

Each window gives each stream a p-value of "no more than the tolerance", an e-value of that, and more or less evidence
(see `monitor.detection.budget`). Streams whose windows hold too few rows are judged on several together. Two scales
share the budget: the window, and the day, on which smaller and slower changes show.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.detection.baseline import EXPECTED_MIN, Baseline
from monitor.detection.budget import e_value, p_of
from monitor.detection.severity import MAJOR
from monitor.detection.streams import Counted, Judged, Limits, Merged, StreamState
from monitor.profiles.decision import CELLS
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

STILL = 0.05
"""p-value of a single window below which a drifting stream has not come back."""

CALM = 2.0
"""Windows that must look as they should before drift is over, in units of the persistence."""

SURE = 0.05
"""p-value of a difference of at least the tolerance from which windows together show that drift is over."""

GUARD = 1e-4
"""Chance that a reference's own error is larger than what is tolerated for it."""

_GUARDS = special.chdtri(np.arange(1, CELLS + 1), GUARD)  # By degrees of freedom, from 1.
_BUCKETS = 16  # More than there are steps of half a power of two up to MERGED_MAX.


class Detector:
    """Judges S streams that have one baseline; pure: what it remembers is the caller's `StreamState`."""

    def __init__(self, baseline: Baseline, limits: Limits) -> None:
        self.baseline = baseline
        self.limits = limits
        self._streams = np.arange(baseline.rows.shape[1])
        self._ways: dict[tuple[int, int], Counts] = {}
        self._chosen = self._best  # Of this detector also where another compares with other rows.
        self._daily = bool(np.isfinite(limits.limit[1]).any())
        self._wanted = p_of(np.minimum(limits.pace, 1e14))

    def facing(self, total: Counts, windows: float, days: float) -> Detector:
        """A detector that compares with other rows, int64[S, K], of so many windows and days, whatever the hour."""
        other = copy(self)
        other.baseline = self.baseline.of(total, windows, days)
        return other

    def judge(
        self,
        state: StreamState,
        counts: Floats,
        start_ms: int,
        hour: int,
        day: int,
        *,
        known: bool,
        versions: int = 1,
        explained: Bools | None = None,
        unclear: Bools | None = None,
        waiting: Bools | None = None,
    ) -> Judged:
        """One more window. counts: float64[S, K]; hour, day: of the week, and a number, in local time. known: whether
        the baseline knows windows like this one: others only alarm of what is major. versions: how many of the model
        share its budget now. explained: bool[S], streams whose window tells what happened to it: one is enough.
        unclear: bool[S], streams whose window does not tell whether that is over. waiting: bool[S], streams that it is
        no window of, without counts.
        """
        at_once = np.zeros_like(state.drifting) if explained is None else explained
        of = np.ones_like(state.drifting) if waiting is None else ~waiting
        window = Counted.beside(start_ms, counts, *self.baseline.at(hour), of)
        short, long = state.scales
        ended, begins = None, known and self._daily and state.day != day
        if known:
            if begins:
                ended = self._look(state, 1, versions, np.zeros_like(at_once))
                short.onset_ms = np.where(ended.alarmed, ended.onset_ms, short.onset_ms)
                state.day = day
            if self._daily:
                long.merged.add(window, begins=begins)
            short.merged.add(window)
            state.unknown.forget(np.ones_like(state.drifting))
            state.lasting[:] = 0.0
            judged = self._look(state, 0, versions, at_once)
        else:
            state.unknown.add(window)
            judged = self._learn(state, versions, at_once)
        if ended is not None:
            state.by_day |= ended.alarmed & ~judged.alarmed
            state.day_effect = np.where(ended.tested, ended.effect, state.day_effect)
            judged.alarmed = judged.alarmed | ended.alarmed
        self._recover(state, window, judged, ended, unclear, begins=begins)
        return self._standing(state, judged, versions)

    def unjudged(self, state: StreamState, versions: int = 1) -> Judged:
        """What stands of the streams while a window is not looked at: nothing of it is evidence."""
        nothing = np.full((4, len(state.drifting)), np.nan)
        judged = Judged.of(*nothing)
        judged.onset_ms = state.scales[0].onset_ms.copy()
        return self._standing(state, judged, versions)

    def _standing(self, state: StreamState, judged: Judged, versions: int) -> Judged:
        """With what follows from all that was seen."""
        limits, (short, long) = self.limits, state.scales
        state.drifting &= limits.active  # What is watched no more, since a restart, is over.
        judged.drifting = state.drifting.copy()
        judged.day_effect = np.where(state.drifting & state.by_day, state.day_effect, np.nan)
        judged.untestable = state.untestable.copy()
        limit, _ = limits.shared(versions)
        judged.ratio = np.maximum(short.evidence / limit[0], long.evidence / limit[1])
        judged.watch = limits.active & (judged.ratio >= limit[0] ** -0.5)
        return judged

    def _look(self, state: StreamState, which: int, versions: int, at_once: Bools) -> Judged:
        """Judge what one scale has merged, where that is enough, and take it as evidence."""
        scale, limits = state.scales[which], self.limits
        limit, cap = limits.shared(versions)
        judged, enough = self._test(which, scale.merged)
        judged.tested = enough & np.isfinite(limits.limit[which])
        fresh = judged.tested & ~state.drifting
        # Without its cap it is an e-value as well: the cap is there for persistence alone.
        e = e_value(judged.p_value, np.where(at_once, np.inf, cap[which]))
        scale.evidence = np.where(fresh, (scale.evidence + 1.0) * e, scale.evidence)
        scale.onset_ms = np.where(fresh & (scale.run <= 0.0), scale.merged.since_ms, scale.onset_ms)
        scale.run = np.where(fresh, np.maximum(scale.run + np.log(e), 0.0), scale.run)
        judged.alarmed = fresh & (scale.evidence >= limit[which]) & (judged.effect >= limits.tolerance)
        judged.onset_ms = scale.onset_ms.copy()
        if which == 0:
            self._mark_untestable(state, scale.merged, judged)
        self._conclude(state, scale.merged, judged)
        return judged

    def _learn(self, state: StreamState, versions: int, at_once: Bools) -> Judged:
        """Judge a window whose usual noise is not known: only what is major is evidence, as long as it lasts."""
        short, limits = state.scales[0], self.limits
        limit, cap = limits.shared(versions)
        judged, enough = self._test(0, state.unknown)
        judged.tested = enough
        major = judged.effect >= MAJOR
        first = judged.tested & major & (state.lasting == 0.0) & ~state.drifting
        short.onset_ms = np.where(first, state.unknown.since_ms, short.onset_ms)
        judged.onset_ms = short.onset_ms.copy()
        e = e_value(judged.p_value, np.where(at_once, np.inf, cap[0]))
        fresh = judged.tested & ~state.drifting
        state.lasting = np.where(fresh, np.where(major, (state.lasting + 1.0) * e, 0.0), state.lasting)
        judged.alarmed = fresh & (state.lasting >= limit[0])
        self._mark_untestable(state, state.unknown, judged)
        self._conclude(state, state.unknown, judged)
        return judged

    @staticmethod
    def _mark_untestable(state: StreamState, merged: Merged, judged: Judged) -> None:
        state.untestable = (state.untestable | (merged.windows >= MERGED_MAX)) & ~judged.tested

    @staticmethod
    def _conclude(state: StreamState, merged: Merged, judged: Judged) -> None:
        """Streams that alarmed drift from now on; what was judged is not judged again."""
        state.drifting |= judged.alarmed
        state.recent.forget(judged.alarmed)
        merged.forget(judged.tested | (merged.windows >= MERGED_MAX))
        if not judged.tested.all():
            for part in (judged.effect, judged.floor, judged.p_value, judged.within):
                part[~judged.tested] = np.nan

    def _recover(
        self,
        state: StreamState,
        window: Counted,
        judged: Judged,
        ended: Judged | None,
        unclear: Bools | None,
        *,
        begins: bool,
    ) -> None:
        """End the drift of streams that look as they should: of several windows together, as one is too noisy, and of
        as many as show that it is not mere luck; MERGED_MAX are enough. Where the day alarmed, of several days: what
        takes a day to be seen is not over because some hours do not show it.

        ended: what the day before says, where this window begins another.
        """
        if not state.drifting.any():
            return
        recent, daily = state.recent, state.drifting & state.by_day
        recent.add(window, begins=begins | ~daily)
        wrong = judged.p_value < STILL
        if daily.any():
            wrong = np.where(daily, False if ended is None else ended.p_value < STILL, wrong)
        recent.forget(~state.drifting | judged.alarmed | wrong | (recent.windows > MERGED_MAX))
        found, enough = self._test(0, recent)
        effect, within = found.effect, found.within
        if daily.any():
            found, held = self._test(1, recent)
            effect, within = np.where(daily, found.effect, effect), np.where(daily, found.within, within)
            enough = np.where(daily, held, enough)
        calm = recent.windows >= CALM * self.limits.persistence
        sure = (within <= SURE) | (recent.windows == MERGED_MAX)
        over = state.drifting & enough & calm & sure & (effect < self.limits.tolerance / 2.0)
        over = over if unclear is None else over & ~unclear
        state.drifting &= ~over
        state.by_day &= ~over
        state.lasting[over] = 0.0
        for scale in state.scales:
            scale.evidence[over] = 0.0
            scale.run[over] = 0.0
            scale.merged.forget(over)

    def _test(self, which: int, merged: Merged) -> tuple[Judged, Bools]:
        """Effects and p-values of what was merged, and which streams hold enough rows for these to mean anything."""
        baseline, limits = self.baseline, self.limits
        way, enough = self._way(which, merged)
        rows = np.maximum(merged.rows, 1.0)
        rho = baseline.rho[:, way, self._streams]
        # A day of few windows varies as they do, not as whole days.
        clusters = np.maximum(merged.squares / rows - 1.0, 0.0) * rho
        inflation = 1.0 + clusters[: which + 1].max(axis=0)
        # Windows of one season share its error: together they know no more than all rows of the reference do.
        resting = np.minimum(rows**2 / np.maximum(merged.variance, 1e-300), baseline.total)
        resting = resting / self._clustering(which, rho[which])
        noise = inflation / rows + 1.0 / np.maximum(resting, 1.0)
        counts, expected, free = merged.counts, merged.expected, np.ones(len(rows))
        if not limits.shares:
            counts, expected = baseline.groupings.merge(way, counts), baseline.groupings.merge(way, expected)
            free = np.maximum(baseline.groupings.cells[way, self._streams] - 1.0, 1.0)
        p, q = expected / rows[:, None], counts / rows[:, None]
        apart = divergence8(p, q)
        if limits.rare:
            p_value, within = self._share_p_values(counts[:, 0], rows, inflation, p[:, 0], np.maximum(resting, 1.0))
        else:
            tolerance = np.maximum(limits.tolerance, _guard(free, resting))
            p_value = noncentral_sf(apart / noise, free, tolerance / noise)
            within = 1.0 - p_value
        return Judged.of(np.maximum(0.0, apart - free * noise), free * noise, p_value, within), enough

    def _clustering(self, which: int, rho: Floats) -> Floats:
        """By how much fewer independent rows the baseline's shares rest on, as its rows came in windows too."""
        times: Floats = 1.0 + np.maximum(self.baseline.typical[which] - 1.0, 0.0) * rho
        return times

    def _share_p_values(
        self, bad: Floats, rows: Floats, inflation: Floats, share: Floats, resting: Floats
    ) -> tuple[Floats, Floats]:
        """Of no more than the tolerance, and of no less: of rare shares of rows, whose reference's share is known as
        well as `resting` rows let know it.
        """
        held = share * resting
        top = special.betaincinv(held + 1.0, np.maximum(resting - held, 1e-9), 1.0 - GUARD)
        low = np.where(held > 0, special.betaincinv(np.maximum(held, 1e-9), resting - held + 1.0, GUARD), 0.0)
        delta = float(self.limits.tolerance[0]) if len(self.limits.tolerance) else 0.0
        least, _ = tolerated_shares(low.astype(np.float64), delta)
        _, most = tolerated_shares(top.astype(np.float64), delta)
        upper, lower = share_p_values(bad / inflation, rows / inflation, least, most)
        more, _ = share_p_values((bad + 1.0) / inflation, rows / inflation, least, most)
        return np.where(self.limits.both, np.minimum(1.0, 2.0 * np.minimum(upper, lower)), upper), 1.0 - more

    def _way(self, which: int, merged: Merged) -> tuple[Counts, Bools]:
        """int64[S]: the grouping that finds the smallest shift in so many rows; bool[S]: whether any may be used."""
        rows = merged.rows
        if self.limits.shares:
            return np.zeros(len(rows), dtype=np.int64), rows > 0
        kinds = _BUCKETS * _bucket(rows) + _bucket(merged.windows)
        way = np.full(len(rows), -1, dtype=np.int64)
        for kind in np.unique(kinds).tolist():
            if (which, kind) not in self._ways:
                size, windows = divmod(kind, _BUCKETS)
                self._ways[which, kind] = self._chosen(which, 2.0 ** (size / 2.0), 2.0 ** (windows / 2.0))
            way = np.where(kinds == kind, self._ways[which, kind], way)
        return np.maximum(way, 0), way >= 0

    def _best(self, which: int, rows: float, windows: float) -> Counts:
        """int64[S]: the best grouping of `rows` rows in so many windows; -1 where each has a cell that would hold too
        few.
        """
        found, allowed = self.detectable(which, rows, windows)
        best = np.where(allowed, found, np.inf).argmin(axis=0)
        return np.where(allowed.any(axis=0), best, -1)

    def detectable(self, which: int, rows: float | Floats, windows: float) -> tuple[Floats, Bools]:
        """float64[C, S]: the effect that `rows` rows (of all streams, or float64[S]) show as often as not where so many
        windows, or days, are judged together, by grouping; bool[C, S]: whether every cell of it would hold as much as
        enough independent rows.
        """
        baseline = self.baseline
        rho = baseline.rho[which]
        resting = np.maximum(np.median(baseline.rows, axis=0) / self._clustering(which, rho), 1.0)
        independent = rows / (1.0 + np.maximum(rows / windows - 1.0, 0.0) * rho)
        noise = 1.0 / independent + 1.0 / resting
        free = np.maximum(baseline.groupings.cells - 1.0, 1.0)
        tolerance = self.tolerated(which)
        needed = noncentral_isf(np.broadcast_to(self._wanted[which], free.shape), free, tolerance / noise)
        shown = np.maximum(needed - free, 0.0) * noise / kept(free + 1.0)
        return shown, independent * baseline.groupings.least >= EXPECTED_MIN

    def tolerated(self, which: int) -> Floats:
        """float64[C, S]: the tolerance in force, raised to what the reference's own rows cannot tell, by grouping."""
        baseline = self.baseline
        resting = np.maximum(np.median(baseline.rows, axis=0) / self._clustering(which, baseline.rho[which]), 1.0)
        free = np.maximum(baseline.groupings.cells - 1.0, 1.0)
        tolerated: Floats = np.maximum(self.limits.tolerance, _guard(free, resting))
        return tolerated


def kept(cells: Floats | float) -> Floats:
    """What cells of equal mass keep of a normal's shift: 0.64 with two, 0.86 with four, 0.98 with twenty."""
    return np.asarray(1.0 - 0.947 / np.asarray(cells) ** 1.384)


def _bucket(number: Floats | Counts) -> Counts:
    """int64[S]: in which step of half a power of two each number lies, from 0."""
    return np.floor(2.0 * np.log2(np.maximum(number, 1.0))).astype(np.int64)


def _guard(free: Floats, resting: Floats) -> Floats:
    """The difference that a reference of so many rows has from the truth, but with a chance of GUARD: a sequential test
    would find it in the end. The chi-square limit of its own estimate.
    """
    guard: Floats = _GUARDS[free.astype(np.int64) - 1] / np.maximum(resting, 1.0)
    return guard
