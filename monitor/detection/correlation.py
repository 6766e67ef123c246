"""How features go together, under watch: each pair of numeric columns is a stream of rows that go together, and rows
that do not (see `monitor.profiles.together`), judged as any share of rows that may become too large or too small.

A change within `alarms.tolerance` is nobody's concern here, too: 0.02 is 0.14 of a correlation of 0, 0.085 of one of
0.8. A pair of which a column is wrong in its data, or drifts by itself, is not judged meanwhile.
"""

from __future__ import annotations

from collections.abc import Container
from copy import copy

import numpy as np
from numpy.typing import NDArray

from monitor.detection.baseline import learn
from monitor.detection.detector import Detector
from monitor.detection.limits import pair_limits
from monitor.detection.records import Moved
from monitor.detection.sensitivity import smallest_departures
from monitor.detection.streams import Judged, StreamState
from monitor.profiles.together import Together
from monitor.spec import ModelSpec

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PAIRS_SHOWN = 3
"""Pairs that are named, the worst first."""


class Correlations:
    """Of one version; what is remembered is the caller's `StreamState`."""

    def __init__(self, spec: ModelSpec, together: Together, past: Counts, hours: Counts, dates: Counts) -> None:
        """past: int64[W, P, 2], of windows in which nothing was wrong; hours, dates: int64[W], as of `learn`."""
        self.together = together
        total: Counts = past.sum(axis=0)
        baseline = learn(total, np.ones(len(total), dtype=np.bool_), past, hours, dates)
        self.detector = Detector(baseline, pair_limits(spec, together.pairs, total.sum(axis=1) > 0))

    def facing(self, total: Counts, windows: float, days: float) -> Correlations:
        """That compare with other rows, int64[P, 2], of so many windows and days, whatever the hour."""
        other = copy(self)
        other.detector = self.detector.facing(total, windows, days)
        return other

    @property
    def judged(self) -> Bools:
        """bool[P]: pairs that may alarm."""
        return self.detector.limits.active

    def judge(
        self,
        state: StreamState,
        counts: Counts,
        start_ms: int,
        hour: int,
        day: int,
        *,
        known: bool,
        versions: int,
        explained: Container[str],
    ) -> tuple[Judged, tuple[Moved, ...]]:
        """One more window, int64[P, 2], as of `Detector.judge`; and the pairs that changed, worst first. explained:
        columns that something else was said of.
        """
        waiting = self.together.touching(explained) | ~self.judged
        rows = np.where(waiting[:, None], 0, counts).astype(np.float64)
        judged = self.detector.judge(state, rows, start_ms, hour, day, known=known, versions=versions, waiting=waiting)
        # A day that ends may alarm, of hours before; the evidence is there when the column is itself again.
        early = judged.alarmed & waiting
        if early.any():
            state.drifting &= ~early
            state.by_day &= ~early
            judged.alarmed, judged.drifting = judged.alarmed & ~early, state.drifting.copy()
        return judged, self._changed(judged, rows, hour) if judged.drifting.any() else ()

    def _changed(self, judged: Judged, rows: Floats, hour: int) -> tuple[Moved, ...]:
        changed = np.flatnonzero(judged.drifting & (rows.sum(axis=1) > 0))
        effect = np.nan_to_num(judged.effect[changed])
        worst = changed[np.argsort(-effect, kind="stable")][:PAIRS_SHOWN].tolist()
        usual, whole = self.detector.baseline.at(hour)[0][:, 0], max(float(effect.sum()), 1e-300)
        return tuple(
            Moved(
                " and ".join(name.removeprefix("@") for name in self.together.pairs[pair]),
                2.0 * float(usual[pair]) - 1.0,
                2.0 * float(rows[pair, 0] / rows[pair].sum()) - 1.0,
                float(np.nan_to_num(judged.effect[pair])) / whole,
            )
            for pair in worst
        )

    def detectable(self, rows: float) -> Floats:
        """float64[P]: the smallest change of correlation that windows of `rows` rows show as often as not, in as few of
        them as an alarm takes; NaN where none does, or the pair is not judged.
        """
        return 2.0 * smallest_departures(self.detector, np.full(len(self.judged), max(rows - 1.0, 1.0)))


def worst(judged: Judged, watched: Bools) -> int:
    """The pair that speaks for all, of at least one: that drifts most, else the tested one that is nearest to it, else
    one of those that are watched, bool[P], and could be tested, if any.
    """
    if judged.drifting.any():
        return int(np.where(judged.drifting, np.nan_to_num(judged.effect), -1.0).argmax())
    if judged.tested.any():
        return int(np.where(judged.tested, judged.ratio, -1.0).argmax())
    return int((2 * watched - (watched & judged.untestable)).argmax())
