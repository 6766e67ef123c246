"""L-infinity distance."""

from __future__ import annotations

import numpy as np

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="l_infinity",
    over=Cells,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    neutral=0.0,
    rows_min=100,
    paper="Breck et al. 2019, Data Validation for Machine Learning, MLSys",
)
def l_infinity(cells: Cells) -> Figures:
    """L-infinity distance: the greatest change of any one cell's share.

    >>> import numpy as np
    >>> round(l_infinity(Cells(np.array([50, 50]), np.array([60, 40]), ordered=False)).value, 4)
    0.1
    """
    p, q = cells.shares()
    return Figures(np.abs(q - p).max(axis=-1))
