"""Wasserstein distance."""

from __future__ import annotations

import numpy as np

from monitor.statistics.bounds import integral
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Grid


@statistic(
    name="wasserstein",
    over=Grid,
    worse="higher",
    unit="reference standard deviations",
    least=0.0,
    neutral=0.0,
    rows_min=50,
    paper="Vallender 1974, Theory of Probability & Its Applications 18(4)",
    applies=("numeric",),
)
def wasserstein(grid: Grid) -> Figures:
    """Wasserstein-1 distance, the mean way a row has moved: the integral of |F - G|, in reference standard deviations.

    The value is exact wherever one distribution stays above the other through a cell, elsewhere its lower bound.
    Beyond 4096 standard deviations, where sums are clipped, it counts nothing; upper does.
    """
    return Figures(*integral(grid, np.abs, slope=1.0))
