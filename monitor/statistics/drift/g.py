"""Two-sample likelihood-ratio statistic."""

from __future__ import annotations

from scipy.special import kl_div

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="g",
    over=Cells,
    worse="higher",
    least=0.0,
    neutral=0.0,
    rows_min=100,
    paper="Wilks 1935, Annals of Mathematical Statistics 6(4)",
)
def g(cells: Cells) -> Figures:
    """Likelihood-ratio statistic of homogeneity: twice the sum of observed ln(observed / expected) over 2 B cells.

    It is the test statistic, not a p-value, and grows with the number of rows; without drift its mean is about B - 1
    for B cells that are not empty on both sides.

    >>> import numpy as np
    >>> g(Cells(np.array([50, 50]), np.array([60, 40]), ordered=False)).value
    2.0237...
    """
    p, q = cells.shares()
    m, n = cells.totals
    return Figures(2.0 * (m * kl_div(p, cells.pooled).sum(axis=-1) + n * kl_div(q, cells.pooled).sum(axis=-1)))
