"""Energy distance."""

from __future__ import annotations

import numpy as np

from monitor.statistics.bounds import integral
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Grid


@statistic(
    name="energy",
    over=Grid,
    worse="higher",
    unit="square root of reference standard deviations",
    least=0.0,
    neutral=0.0,
    rows_min=50,
    paper="Székely & Rizzo 2013, Journal of Statistical Planning and Inference 143(8)",
    applies=("numeric",),
)
def energy(grid: Grid) -> Figures:
    """Energy distance: the square root of twice the integral of (F - G)^2, over the root of the reference's deviation.

    Scipy's and Evidently's figure is this one times the root of the standard deviation, and so depends on the unit.
    """
    # np.square on [-1, 1] has slope at most 2.
    value, lower, upper = (np.sqrt(2.0 * part) for part in integral(grid, np.square, slope=2.0))
    return Figures(value, lower, upper)
