"""Kullback-Leibler divergence."""

from __future__ import annotations

from scipy.special import kl_div

from monitor.statistics.drift.psi import PRIOR
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells


@statistic(
    name="kl",
    over=Cells,
    worse="higher",
    unit="nats",
    least=0.0,
    neutral=0.0,
    rows_min=200,
    paper="Kullback & Leibler 1951, Annals of Mathematical Statistics 22(1)",
)
def kl(cells: Cells) -> Figures:
    """Kullback-Leibler divergence of the current from the reference: the sum over cells of p ln(p / q), in nats.

    p, q: shares of reference and current after `PRIOR` rows were added to every cell. Without drift its mean is about
    half that of psi.

    >>> import numpy as np
    >>> round(kl(Cells(np.array([500, 500]), np.array([600, 400]), ordered=False)).value, 4)
    0.0204
    """
    p, q = cells.shares(PRIOR)
    # kl_div adds q - p to each term, which sums to 0 and leaves no term below 0.
    return Figures(kl_div(p, q).sum(axis=-1))
