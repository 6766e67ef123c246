"""Two-sample chi-square statistic."""

from __future__ import annotations

import numpy as np

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="chi_square",
    over=Cells,
    worse="higher",
    least=0.0,
    neutral=0.0,
    rows_min=100,
    paper="Pearson 1911, Biometrika 8(1/2)",
)
def chi_square(cells: Cells) -> Figures:
    """Pearson's two-sample statistic of homogeneity: the sum of (observed - expected)^2 / expected over 2 B cells.

    It is the test statistic, not a p-value, and grows with the number of rows; without drift its mean is B - 1 for B
    cells that are not empty on both sides.

    >>> import numpy as np
    >>> chi_square(Cells(np.array([50, 50]), np.array([60, 40]), ordered=False)).value
    2.0202...
    """
    p, q = cells.shares()
    m, n = cells.totals
    pooled = cells.pooled
    # A cell that is empty on both sides has q - p = 0.
    return Figures(np.sum((q - p) ** 2 / np.where(pooled > 0, pooled, 1.0), axis=-1) / (1.0 / m + 1.0 / n))
