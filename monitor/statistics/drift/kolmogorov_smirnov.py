"""Kolmogorov-Smirnov statistic."""

from __future__ import annotations

import numpy as np

from monitor.statistics.bounds import pointwise
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Grid


@statistic(
    name="kolmogorov_smirnov",
    over=Grid,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    neutral=0.0,
    rows_min=50,
    paper="Smirnov 1939, Bulletin mathématique de l'Université de Moscou 2(2)",
    applies=("numeric",),
)
def kolmogorov_smirnov(grid: Grid) -> Figures:
    """Kolmogorov-Smirnov statistic D: the greatest distance between the two distribution functions.

    The value is D over the limits of the cells. D over all values lies between lower and upper, which differ by at
    most the mass that some cell holds on both sides: 1/256 for cells of equal reference mass.
    """
    f, g = grid.cdf
    at_limits = np.abs(f - g).max(axis=-1)
    return Figures(at_limits, lower=at_limits, upper=np.maximum(at_limits, pointwise(grid)[1].max(axis=-1)))
