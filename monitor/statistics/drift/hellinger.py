"""Hellinger distance."""

from __future__ import annotations

import numpy as np

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="hellinger",
    over=Cells,
    worse="higher",
    least=0.0,
    greatest=1.0,
    neutral=0.0,
    rows_min=100,
    paper="Hellinger 1909, Journal für die reine und angewandte Mathematik 136",
)
def hellinger(cells: Cells) -> Figures:
    """Hellinger distance: the square root of half the sum over cells of (sqrt(p) - sqrt(q))^2, from 0 to 1.

    Without drift it is about sqrt((B - 1)(1/n + 1/m) / 8) for B cells, n and m rows.

    >>> import numpy as np
    >>> hellinger(Cells(np.array([100, 0]), np.array([0, 100]), ordered=False)).value
    1.0
    """
    p, q = cells.shares()
    return Figures(np.minimum(1.0, np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2, axis=-1) / 2.0)))
