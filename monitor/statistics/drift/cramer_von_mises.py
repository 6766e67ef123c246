"""Cramér-von Mises statistic."""

from __future__ import annotations

import numpy as np

from monitor.statistics.bounds import pointwise
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Counts, Floats, Grid


@statistic(
    name="cramer_von_mises",
    over=Grid,
    worse="higher",
    least=0.0,
    neutral=0.0,
    rows_min=50,
    paper="Anderson 1962, Annals of Mathematical Statistics 33(3)",
    applies=("numeric",),
)
def cramer_von_mises(grid: Grid) -> Figures:
    """Cramér-von Mises statistic T: mn / (m + n)^2 times the sum of (F - G)^2 over all rows of both sides.

    It is the test statistic, not a p-value, and grows with the number of rows. The value takes the rows of a cell to
    lie evenly between its limits; lower and upper hold for any order. Ties count as the definition says, where scipy
    gives them middle ranks.
    """
    m, n = grid.reference.rows, grid.current.rows
    scale = m * n / (m + n) ** 2
    rows = grid.reference.counts + grid.current.counts
    least, greatest = pointwise(grid)
    lower, upper = (scale * np.sum(rows * part**2, axis=-1) for part in (least, greatest))
    value = scale * np.sum(rows * _mean_square(np.subtract(*grid.cdf), rows), axis=-1)
    return Figures(np.minimum(np.maximum(value, lower), upper), lower, upper)


def _mean_square(limits: Floats, rows: Counts) -> Floats:
    """Mean of d^2 over N steps k = 1 to N, with d(k) = start + k step / N in each cell."""
    start, step, each = limits[..., :-1], np.diff(limits), 1.0 / np.maximum(rows, 1)
    mean_square: Floats = start**2 + start * step * (1.0 + each) + step**2 * (1.0 + each) * (2.0 + each) / 6.0
    return mean_square
