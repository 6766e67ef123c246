"""Total variation distance."""

from __future__ import annotations

import numpy as np

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="total_variation",
    over=Cells,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    neutral=0.0,
    rows_min=100,
    paper="Gibbs & Su 2002, International Statistical Review 70(3)",
)
def total_variation(cells: Cells) -> Figures:
    """Total variation distance: half the sum over cells of |q - p|, the share of rows that changed cells.

    >>> import numpy as np
    >>> round(total_variation(Cells(np.array([50, 50]), np.array([60, 40]), ordered=False)).value, 4)
    0.1
    """
    p, q = cells.shares()
    return Figures(np.minimum(1.0, np.abs(q - p).sum(axis=-1) / 2.0))
