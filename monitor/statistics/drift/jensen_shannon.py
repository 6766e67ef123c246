"""Jensen-Shannon distance."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import kl_div

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells, Floats

_LN2 = math.log(2.0)


def jensen_shannon_divergence(p: Floats, q: Floats) -> Floats:
    """Divergence of the distributions along the last axis, in nats: 0 to ln 2. Cells may be empty."""
    middle = (p + q) / 2.0
    divergence: Floats = np.minimum(_LN2, (kl_div(p, middle).sum(axis=-1) + kl_div(q, middle).sum(axis=-1)) / 2.0)
    return divergence


@statistic(
    name="jensen_shannon",
    over=Cells,
    worse="higher",
    unit="√nats",
    least=0.0,
    greatest=math.sqrt(_LN2),
    neutral=0.0,
    rows_min=100,
    paper="Endres & Schindelin 2003, IEEE Transactions on Information Theory 49(7)",
)
def jensen_shannon(cells: Cells) -> Figures:
    """Jensen-Shannon distance: the square root of the divergence in nats, as scipy and Evidently have it.

    Without drift it is about sqrt((B - 1)(1/n + 1/m) / 8) for B cells, n and m rows: 0.05 for 20 cells and 1,000 rows.

    >>> import numpy as np
    >>> round(jensen_shannon(Cells(np.array([100, 0]), np.array([0, 100]), ordered=False)).value ** 2, 4)
    0.6931
    """
    return Figures(np.sqrt(jensen_shannon_divergence(*cells.shares())))
