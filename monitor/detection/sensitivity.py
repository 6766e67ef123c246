"""The smallest change that would be found, of each stream, at a given traffic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.detection.detector import MERGED_MAX, Detector, kept
from monitor.detection.streams import StreamState

Floats = NDArray[np.float64]

_MERGED = (1, 2, 3, 5, 8, 12, 20, MERGED_MAX)
"""Numbers of windows that are tried, the fewest first."""

_HALVINGS = 20  # To a millionth of the rows.
_HARDLY_ANY = 1e-3  # Rows of a window of a feature that the reference has no value of.


class Detectable(NamedTuple):
    """effect: what windows of a size show as often as not, in as few of them as an alarm takes; windows: how many are
    judged together, as each alone holds too few rows. way: the grouping of cells that they are judged on; apart: the
    effect as these cells show it.
    """

    effect: float
    windows: int
    way: int = 0
    apart: float = 0.0


def sensitivity(detector: Detector, scale: int, rows: Floats) -> list[Detectable | None]:
    """Of each stream; None where even MERGED_MAX windows of `rows` rows (float64[S]) would hold too few."""
    streams, rows = np.arange(len(rows)), np.maximum(rows, _HARDLY_ANY)
    found: list[Detectable | None] = [None] * len(rows)
    for windows in _MERGED:
        if None not in found:
            break
        effects, allowed = detector.detectable(scale, rows * windows, windows)
        ways = np.where(allowed, effects, np.inf).argmin(axis=0)
        shown = kept(detector.baseline.groupings.cells[ways, streams])
        for stream in np.flatnonzero(allowed[ways, streams]).tolist():
            if found[stream] is None:
                effect = float(effects[ways[stream], stream])
                found[stream] = Detectable(effect, windows, int(ways[stream]), effect * float(shown[stream]))
    return found


def smallest_shares(detector: Detector, rows: Floats) -> Floats:
    """float64[S]: the smallest share of `rows` rows (float64[S]) going wrong that alarms in one window, of streams that
    are shares of rows; NaN where not even all of them would.
    """
    inner, outer, usual = np.zeros(len(rows)), np.ones(len(rows)), detector.baseline.at(0)[0][:, 0]
    alarmed = _alarm(detector, rows, outer) & (outer > usual)
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2.0
        found = _alarm(detector, rows, middle) & (middle > usual)
        inner, outer = np.where(found, inner, middle), np.where(found, middle, outer)
    return np.where(alarmed, outer, np.nan)


def smallest_departures(detector: Detector, rows: Floats) -> Floats:
    """float64[S]: by how much the share of `rows` rows (float64[S]) must change, away from the nearer end, to alarm in
    as few windows as an alarm takes; NaN where it cannot.
    """
    usual = detector.baseline.at(0)[0][:, 0]
    away = np.where(usual < 0.5, 1.0, -1.0)
    inner, outer = np.zeros(len(rows)), np.maximum(usual, 1.0 - usual)
    alarmed = _alarm(detector, rows, usual + away * outer)
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2.0
        found = _alarm(detector, rows, usual + away * middle)
        inner, outer = np.where(found, inner, middle), np.where(found, middle, outer)
    return np.where(alarmed, outer, np.nan)


def _alarm(detector: Detector, rows: Floats, share: Floats) -> NDArray[np.bool_]:
    """bool[S]: whether the first windows of so many rows alarm, as soon as any may, if their share is this one."""
    counts = np.stack([rows * share, rows - rows * share], axis=1)
    state = StreamState.empty(len(rows), 2)
    for _ in range(detector.limits.persistence):
        judged = detector.judge(state, counts, 0, 0, 0, known=True)
    return judged.alarmed
