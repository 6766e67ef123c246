"""Shift of the mean."""

from __future__ import annotations

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Grid


@statistic(
    name="mean_shift",
    over=Grid,
    worse="away",
    unit="reference standard deviations",
    neutral=0.0,
    rows_min=30,
    paper="Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2",
    applies=("numeric",),
)
def mean_shift(grid: Grid) -> Figures:
    """How far the mean has moved, in reference standard deviations: positive is up.

    Values count as at most 4096 standard deviations from the reference's mean, so that one of them cannot hide the
    others.
    """
    return Figures(grid.current.mean - grid.reference.mean)
