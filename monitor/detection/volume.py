"""How many rows come, hour by hour, beside what is usual at this hour: too few, or too many, are a cause in the data.

What is usual is learned from the version's own production - a training table's rows came at no rate - and goes on being
learned: the median of like hours (of working days, or of weekends) of the last MEMORY days. Rows vary around it by more
than chance: the logarithm of their number by 1 / rows + phi, where phi is how far each hour strayed from what was
expected of it beforehand. The p-value of "no further off than TOLERANCE" is that of a t distribution with as many
degrees of freedom as there were days, as the hours of a day stray together.

For the same reason a day's evidence is the mean of its hours' e-values, not their product: their sum so far, over the
hours of a day, is at most 1 in the mean however they depend on each other, and only grows, so that it may be looked at
after each hour. Vovk and Wang 2021, Annals of Statistics 49(3), section 3.

An hour, or a longer window, is judged when the next has begun: a table, or a fault of the topic, may end within it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.detection.budget import DAY_WINDOWS, ROWS_SHARE, e_value, evidence_limit, windows_a_month
from monitor.detection.records import Aspect
from monitor.spec import DAY_MS, ModelSpec
from monitor.statistics.tolerance import P_MIN, divergence8
from monitor.windows.season import days, slots, week_hours
from monitor.windows.window import Window

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

TOLERANCE = math.log(1.25)
"""A quarter more, or a fifth less, is nobody's concern."""

MEMORY = 28
"""Days that what is usual is learned from: traffic that stays at another level is usual after half of them."""

LEARNING_MS = 7 * DAY_MS
"""Of production, at least, before anything is judged."""

LIKE_MIN = 3
"""Like hours that must have been seen; to learn how far they stray takes one less."""

EXPECTED_MIN = 10.0
"""Rows that must be usual: of fewer, none at all are no surprise, and a window without rows never closes."""

CALM = 3
"""Hours in a row that look as they should end an alarm."""

_ODD = 0.05  # p-value below which an hour does not look as it should.
_NOT_YET = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """Too few rows, or too many. effect: PSI units of the pair beside an even one: 0.11 for half or twice as many.
    onset_ms: start of the hour that it was found in. ratio: evidence over the limit, at the alarm.
    """

    now: int
    usual: float
    effect: float
    onset_ms: int
    ratio: float = 0.0
    aspect: Aspect = "volume"


@dataclass(slots=True)
class VolumeState:
    """What is remembered of one version. hours: int64[n, 3], slot, local day and rows of those of the last MEMORY days.
    strays: float64[d, 3], local day, sum of squared deviations beyond chance, number of them. start_ms, rows: the hour
    that has not ended, `skipped` if it was not all under watch. since_ms: start of the first one learned from.
    evidence: of all days before `day`; today: sum of its e-values. found: what alarmed; calm: hours since in a row that
    looked as they should.
    """

    hours: Counts = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    strays: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    start_ms: int = _NOT_YET
    rows: int = 0
    skipped: bool = True
    since_ms: int = _NOT_YET
    evidence: float = 0.0
    day: int = _NOT_YET
    today: float = 0.0
    found: Rows | None = None
    calm: int = 0


class Volume:
    """Judges the rows of versions of one model; what it remembers is the caller's `VolumeState`."""

    def __init__(self, spec: ModelSpec) -> None:
        """spec: of a model with windows by event time."""
        self._size = spec.part
        self._a_day = -(-DAY_MS // self._size)
        self._limit = float(
            evidence_limit(min(DAY_WINDOWS, windows_a_month(spec.window)), spec.alarms.budget, ROWS_SHARE)
        )
        self._learning_ms = max(spec.alarms.learning_ms, LEARNING_MS)
        self._timezone = spec.timezone

    def judge(self, state: VolumeState, window: Window, rows: int) -> None:
        """One more window of the version, in their order."""
        start = window.start_ms // self._size * self._size
        if start == state.start_ms:
            state.rows += rows
            return
        if state.start_ms != _NOT_YET and not state.skipped:
            self._conclude(state, state.start_ms, state.rows)
        # The first hour may have begun before anybody watched, or have been shared.
        state.skipped = state.start_ms == _NOT_YET
        if state.skipped:
            state.found = None
        state.start_ms, state.rows = start, rows

    @staticmethod
    def pause(state: VolumeState) -> bool:
        """Another version answers, too: how they share the traffic tells nothing of the data. Whether that is new."""
        if state.start_ms == _NOT_YET:
            return False
        state.start_ms, state.evidence, state.today = _NOT_YET, 0.0, 0.0
        return True

    def ignore(self, state: VolumeState, window: Window) -> None:
        """A window that is not to be judged: neither is the hour it lies in, nor one that was still to be."""
        if state.start_ms != _NOT_YET:
            state.start_ms, state.skipped = window.start_ms // self._size * self._size, True

    def _conclude(self, state: VolumeState, start_ms: int, rows: int) -> None:
        """Judge an hour that has ended, and learn from it."""
        day = int(days([start_ms], self._timezone)[0])
        slot = int(slots(week_hours([start_ms], self._timezone), "day type")[0])
        if state.since_ms == _NOT_YET:
            state.since_ms = start_ms
        state.hours = state.hours[state.hours[:, 1] >= day - MEMORY]
        state.strays = state.strays[state.strays[:, 0] >= day - MEMORY]
        like = state.hours[(state.hours[:, 0] == slot) & (state.hours[:, 1] != day), 2]
        if len(like) >= LIKE_MIN - 1:
            usual = float(np.median(like))
            off = math.log((rows + 0.5) / (usual + 0.5))
            chance = (1.0 + 1.0 / len(like)) / (usual + 0.5)
            learned = start_ms - state.since_ms >= self._learning_ms and len(like) >= LIKE_MIN
            if learned and usual >= EXPECTED_MIN and len(state.strays) > 1:
                found, p_value = Rows(rows, usual, _effect(rows, usual), start_ms), _p_value(state, off, chance)
                before = int(np.count_nonzero(state.hours[:, 1] == day))
                self._take_in(state, day, found, p_value, spare=before >= self._a_day)
            _stray(state, day, off**2 - chance)
        state.hours = np.concatenate([state.hours, np.array([[slot, day, rows]], dtype=np.int64)])

    def _take_in(self, state: VolumeState, day: int, rows: Rows, p_value: float, *, spare: bool) -> None:
        """spare: the day has had as many hours as its evidence is the mean of, as one has 25 when clocks are set back:
        another would be evidence that is not paid for.
        """
        if day != state.day:
            state.evidence = (state.evidence + 1.0) * state.today / self._a_day if state.day != _NOT_YET else 0.0
            state.day, state.today = day, 0.0
        if state.found is not None:
            state.calm = state.calm + 1 if p_value >= _ODD else 0
            if state.calm == 0:
                state.found = replace(rows, ratio=state.found.ratio)
            elif state.calm == CALM:
                state.found = None
            return
        if spare:
            return
        state.today += float(e_value(np.array(p_value), np.inf))
        ratio = (state.evidence + 1.0) * state.today / self._a_day / self._limit
        if ratio >= 1.0:
            state.found, state.calm, state.evidence, state.today = replace(rows, ratio=ratio), 0, 0.0, 0.0


def _p_value(state: VolumeState, off: float, chance: float) -> float:
    """Of rows no further off than TOLERANCE."""
    _, excess, number = state.strays.sum(axis=0).tolist()
    spread = math.sqrt(max(excess / number, 0.0) + chance)
    beyond = max(abs(off) - TOLERANCE, 0.0) / spread
    return max(2.0 * float(special.stdtr(len(state.strays) - 1, -beyond)), P_MIN)


def _stray(state: VolumeState, day: int, excess: float) -> None:
    """Remember how far an hour strayed from what was expected of it."""
    if not len(state.strays) or state.strays[-1, 0] != day:
        state.strays = np.concatenate([state.strays, [[float(day), 0.0, 0.0]]])
    state.strays[-1, 1:] += excess, 1.0


def _effect(now: int, usual: float) -> float:
    both = np.array([now, usual]) / (now + usual)
    return float(divergence8(np.full(2, 0.5), both))
