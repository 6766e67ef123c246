"""What a stream of counts looks like while nothing is wrong: its usual shares at each hour, and how far windows stray.

A stream is one feature's values in cells, or the share of its rows that are missing or the like. From a history it is
learned which windows are alike (seasons), how much the shares of few of them lean on those of all (shrinkage), and how
much more windows vary than independent rows would (over-dispersion). Each choice is judged on days that were left out:
what a season predicts of a day is compared with the counts of that day.

Dirichlet-multinomial counts of n rows vary by 1 + (n - 1) rho times as much as independent ones: Brier 1980, Biometrika
67(3). Within a day's windows nothing is assumed of their dependence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.statistics.drift.jensen_shannon import jensen_shannon_divergence
from monitor.statistics.pooling import Grouping, groupings
from monitor.windows.season import HOURS, SEASONS, Season, slots

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

SHRINKAGE = (200.0, 1_000.0, 5_000.0, 20_000.0)
"""Rows that the shares of all windows count for among those of like windows; the history chooses."""

LUCK = 3.0
"""Standard errors that a season's gain must exceed, as a dozen are tried; to miss one is worse than to make one up."""

EXPECTED_MIN = 5.0
"""Rows that a cell must be expected to hold: Cochran 1954, Biometrics 10(4)."""

DAYS_MIN = 2
"""Days, or windows by number of rows, that anything is learned from at least."""

WINDOWS_MIN = 4
"""Windows that over-dispersion is learned from at least."""

_ELEMENTS = 1 << 21  # Counts that are worked on at a time.


@dataclass(frozen=True, eq=False)
class Baseline:
    """S streams of at most K cells each; H is 168 hours of the week, or 1 where no stream has a season.

    shares: float64[H, S, K]; rows: float64[H, S], how many rows these shares rest on; total: float64[S], rows that all
    of them rest on together. groupings: C ways to make coarser cells, the finest first. rho: float64[2, C, S],
    over-dispersion of windows and of days. typical: float64[2, S], rows of a window and of a day of the history.
    season: which one each stream has.
    """

    shares: Floats
    rows: Floats
    total: Floats
    groupings: Grouping
    rho: Floats
    typical: Floats
    season: tuple[Season, ...]

    def of(self, total: Counts, windows: float, days: float) -> Baseline:
        """Other rows, int64[S, K], of so many windows and days, that stray as these do."""
        rows = np.maximum(total.sum(axis=1), 1).astype(np.float64)
        typical = np.stack([rows / windows, rows / days])
        return replace(self, shares=_shares(total)[None], rows=rows[None], total=rows, typical=typical)

    @classmethod
    def concatenate(cls, parts: Sequence[Baseline]) -> Baseline:
        """Streams of one number of cells, one after the other."""
        longest = max(len(part.shares) for part in parts)
        return cls(
            np.concatenate([np.broadcast_to(part.shares, (longest, *part.shares.shape[1:])) for part in parts], axis=1),
            np.concatenate([np.broadcast_to(part.rows, (longest, part.rows.shape[1])) for part in parts], axis=1),
            np.concatenate([part.total for part in parts]),
            Grouping.concatenate([part.groupings for part in parts]),
            np.concatenate([part.rho for part in parts], axis=2),
            np.concatenate([part.typical for part in parts], axis=1),
            tuple(season for part in parts for season in part.season),
        )

    def at(self, hour: int) -> tuple[Floats, Floats]:
        """Shares and rows of an hour of the week."""
        place = hour if len(self.shares) > 1 else 0
        return self.shares[place], self.rows[place]


def learn(
    total: Counts,
    ordered: NDArray[np.bool_],
    history: Counts,
    hours: Counts,
    days: Counts,
    else_rho: Floats | None = None,
) -> Baseline:
    """total: int64[S, K], all rows of the reference; ordered: bool[S], whether neighbouring cells are neighbouring
    values. history: int64[W, S, K], W >= 0 windows of it; hours, days: int64[W], the hour of the week and the day of
    each. else_rho: float64[2, S], over-dispersion where the history does not tell; left out: none.
    """
    step = max(1, _ELEMENTS // max(history.shape[0] * history.shape[2], 1))
    if else_rho is None:
        else_rho = np.zeros((2, len(total)))
    blocks = [slice(first, first + step) for first in range(0, max(len(total), 1), step)]
    return Baseline.concatenate(
        [_learn(total[each], ordered[each], history[:, each], hours, days, else_rho[:, each]) for each in blocks]
    )


def _learn(
    total: Counts, ordered: NDArray[np.bool_], history: Counts, hours: Counts, days: Counts, else_rho: Floats
) -> Baseline:
    coarser = groupings(total, ordered)
    shares, rows = _shares(total), np.maximum(total.sum(axis=1), 1).astype(np.float64)
    past = _Past(history.transpose(1, 0, 2).astype(np.float64), hours, days)
    if past.days < DAYS_MIN:
        rho = np.repeat(else_rho[:, None], coarser.number, axis=1)
        return Baseline(shares[None], rows[None], rows, coarser, rho, past.typical, (SEASONS[0],) * len(total))
    chosen = _choose(past, shares, rows)
    rho = np.stack([past.dispersion(coarser, *each) for each in past.scales(chosen.expected, chosen.resting)])
    # What one scale cannot tell, the other does.
    rho = np.where(np.isnan(rho), np.where(np.isnan(rho[::-1]), else_rho[:, None], rho[::-1]), rho)
    hourly = slice(None) if any(season != "none" for season in chosen.season) else slice(1)
    return Baseline(chosen.shares[hourly], chosen.rows[hourly], rows, coarser, rho, past.typical, tuple(chosen.season))


@dataclass(slots=True)
class _Choice:
    """The season and shrinkage of each stream.

    shares, rows: as in `Baseline`, for 168 hours. expected: float64[S, W, K] and resting: float64[S, W], the same for
    each window of the history as learned from other days. gain: float64[S], of log-likelihood over no season.
    """

    season: list[Season]
    shares: Floats
    rows: Floats
    expected: Floats
    resting: Floats
    gain: Floats

    def take(self, better: NDArray[np.bool_], other: _Choice) -> None:
        """What is better in another choice."""
        self.shares[:, better], self.rows[:, better] = other.shares[:, better], other.rows[:, better]
        self.expected[better], self.resting[better] = other.expected[better], other.resting[better]
        self.gain[better] = other.gain[better]
        for stream in np.flatnonzero(better).tolist():
            self.season[stream] = other.season[stream]


def _choose(past: _Past, shares: Floats, rows: Floats) -> _Choice:
    """A season must be worth more than the luck of the days: than LUCK errors of its gain."""
    streams = len(rows)
    everywhere = np.tile(shares, (HOURS, 1, 1)), np.tile(rows, (HOURS, 1))
    best = _Choice(["none"] * streams, *everywhere, *past.without_day(shares), np.zeros(streams))
    plain = past.likelihood(best.expected)
    for season in SEASONS[1:]:
        if len(np.unique(slots(past.hours, season))) < 2:
            continue  # Of windows without times, or of whole days by the hour: no season, only less smoothing.
        for kappa, (expected, resting) in zip(SHRINKAGE, past.like_without_day(season, shares), strict=True):
            gain = past.likelihood(expected) - plain
            worth = gain.sum(axis=1) - LUCK * np.sqrt(past.days) * gain.std(axis=1, ddof=1)
            fitted, on = past.fitted(season, kappa, shares)
            other = _Choice([season] * streams, fitted, np.minimum(on, rows), expected, resting, gain.sum(axis=1))
            best.take((worth > 0) & (other.gain > best.gain), other)
    return best


def _shares(counts: Counts) -> Floats:
    """float64[S, K]: shares with half a row more in every cell that has any, as in Krichevsky and Trofimov 1981."""
    used = counts > 0
    smoothed = np.where(used, counts + 0.5, 0.0)
    held = smoothed.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(smoothed, held, out=np.zeros_like(smoothed), where=held > 0)
    return shares


class _Past:
    """A history, stream by stream: counts float64[S, W, K]."""

    def __init__(self, counts: Floats, hours: Counts, days: Counts) -> None:
        self.counts = counts
        self.hours = hours
        self.rows = counts.sum(axis=2)
        self.day = np.unique(days, return_inverse=True)[1]
        self.days = int(self.day.max()) + 1 if len(days) else 0
        by_day = self._sums(self.day).sum(axis=2)
        self.typical = np.stack([_mean_of_used(self.rows), _mean_of_used(by_day)])

    def _sums(self, group: Counts, groups: int = 0) -> Floats:
        """float64[S, groups, K]: counts of each group of windows; at least so many groups."""
        groups = max(groups, int(group.max(initial=-1)) + 1)
        sums = np.zeros((self.counts.shape[0], groups, self.counts.shape[2]))
        if len(group):
            order = np.argsort(group, kind="stable")
            present, starts = np.unique(group[order], return_index=True)
            sums[:, present] = np.add.reduceat(self.counts[:, order], starts, axis=1)
        return sums

    def without_day(self, overall: Floats) -> tuple[Floats, Floats]:
        """Shares float64[S, W, K] that other days' windows let expect of each window, and the rows they rest on."""
        all_others = self.counts.sum(axis=1)[:, None] - self._sums(self.day)[:, self.day]
        rows = all_others.sum(axis=2)
        # A cell that only the day left out ever filled is expected to hold a little all the same.
        everywhere = (all_others + 0.5 * (overall > 0)[:, None]) / np.maximum(
            rows + 0.5 * (overall > 0).sum(axis=1)[:, None], 1.0
        )[:, :, None]
        return everywhere, np.maximum(rows, 1.0)

    def like_without_day(self, season: Season, overall: Floats) -> Iterator[tuple[Floats, Floats]]:
        """The same of other days' like windows, for each SHRINKAGE towards all of them."""
        everywhere, most = self.without_day(overall)
        slot = slots(self.hours, season)
        pair = np.unique(self.day * HOURS + slot, return_inverse=True)[1]
        like = self._sums(slot)[:, slot] - self._sums(pair)[:, pair]
        held = like.sum(axis=2)
        for kappa in SHRINKAGE:
            resting = held + kappa
            yield (like + kappa * everywhere) / resting[:, :, None], np.minimum(resting, most)

    def fitted(self, season: Season, kappa: float, overall: Floats) -> tuple[Floats, Floats]:
        """Shares float64[168, S, K] of each hour of the week from all windows, and float64[168, S] rows."""
        wanted = slots(np.arange(HOURS), season)
        sums = self._sums(slots(self.hours, season), int(wanted.max()) + 1)
        rows = sums.sum(axis=2) + kappa
        shares = (sums + kappa * overall[:, None]) / rows[:, :, None]
        return shares.transpose(1, 0, 2)[wanted], rows.T[wanted]

    def likelihood(self, expected: Floats) -> Floats:
        """float64[S, days]: log-likelihood of each day's counts."""
        logs = np.log(expected, out=np.zeros_like(expected), where=expected > 0)
        by_day: Floats = (self.counts * logs).sum(axis=2) @ _members(self.day).T
        return by_day

    def scales(self, expected: Floats, resting: Floats) -> Iterator[tuple[Floats, Floats, Floats]]:
        """counts, expected shares and the rows these rest on: of windows, then of days."""
        yield self.counts, expected, resting
        held = self._sums(self.day)
        mixture = _members(self.day) @ (self.rows[:, :, None] * expected)
        variance = (self.rows**2 / resting) @ _members(self.day).T
        rows = held.sum(axis=2)
        shares = mixture / np.maximum(rows, 1.0)[:, :, None]
        most = np.maximum(self.rows.sum(axis=1)[:, None] - rows, 1.0)
        on = np.divide(rows**2, variance, out=np.ones_like(rows), where=variance > 0)
        yield held, shares, np.minimum(on, most)

    @staticmethod
    def dispersion(coarser: Grouping, counts: Floats, expected: Floats, resting: Floats) -> Floats:
        """float64[C, S]: rho by moments, plus its standard error; NaN where too few windows say anything."""
        rho = np.full((coarser.number, len(counts)), np.nan)
        rows = counts.sum(axis=2)
        noise = 1.0 / np.maximum(rows, 1.0) + 1.0 / resting
        for way in range(coarser.number):
            if counts.shape[2] == 2:
                usable, excess = _of_shares(counts, expected, noise)
            else:
                matrix = coarser.matrix(way)
                q = (counts @ matrix) / np.maximum(rows, 1.0)[:, :, None]
                free = np.maximum(coarser.cells[way] - 1, 1)[:, None]
                excess = 8.0 * jensen_shannon_divergence(expected @ matrix, q) / noise / free
                usable = rows * coarser.least[way][:, None] >= EXPECTED_MIN
            a = np.where(usable, excess - 1.0, 0.0)
            b = np.where(usable, rows - 1.0, 0.0)
            held = np.maximum(b.sum(axis=1), 1.0)
            ratio = a.sum(axis=1) / held
            windows = usable.sum(axis=1)
            spread = ((a - ratio[:, None] * b) ** 2).sum(axis=1) * windows / np.maximum(windows - 1, 1)
            found = np.maximum(ratio, 0.0) + np.sqrt(spread) / held
            rho[way] = np.where(windows >= WINDOWS_MIN, np.minimum(found, 1.0), np.nan)
        rho[:, coarser.cells[0] <= 1] = 0.0
        # Cells too fine for the history's windows take what coarser ones showed, and the other way about.
        for way in range(coarser.number - 2, -1, -1):
            rho[way] = np.where(np.isnan(rho[way]), rho[way + 1], rho[way])
        for way in range(1, coarser.number):
            rho[way] = np.where(np.isnan(rho[way]), rho[way - 1], rho[way])
        return rho


def _of_shares(counts: Floats, expected: Floats, noise: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Which windows say how much a share varies, and by how often more than chance: by Pearson's statistic, whose mean
    is right however rare the rows are. Values that are missing in bursts are rare in all windows but a few.
    """
    rows, share = counts.sum(axis=2), expected[:, :, 0]
    usable = (rows > 0) & (share > 0) & (share < 1)
    variance = np.where(usable, share * (1.0 - share) * noise, 1.0)
    return usable, (counts[:, :, 0] / np.maximum(rows, 1.0) - share) ** 2 / variance


def _mean_of_used(rows: Floats) -> Floats:
    """float64[S]: mean of rows float64[S, n] that are not 0."""
    mean: Floats = rows.sum(axis=1) / np.maximum((rows > 0).sum(axis=1), 1)
    return mean


def _members(group: Counts) -> Floats:
    """float64[groups, W]: 1 where a window belongs to a group."""
    groups = int(group.max(initial=-1)) + 1
    members: Floats = (np.arange(groups)[:, None] == group).astype(np.float64)
    return members


def covered(hours: Sequence[int], window_hours: int) -> NDArray[np.bool_]:
    """bool[168]: hours of the week whose like - the same hour of a working day, or of a weekend - two windows hold."""
    seen = np.zeros(HOURS, dtype=np.int64)
    for hour in hours:
        seen[np.unique(slots((hour + np.arange(window_hours)) % HOURS, "day type"))] += 1
    found: NDArray[np.bool_] = seen[slots(np.arange(HOURS), "day type")] >= 2
    return found
