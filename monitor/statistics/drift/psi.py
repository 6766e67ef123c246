"""Population stability index."""

from __future__ import annotations

import numpy as np

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Cells

PRIOR = 0.5
"""Rows added to every cell of both sides (Jeffreys' prior), so that an empty cell is finite."""


@statistic(
    name="psi",
    over=Cells,
    worse="higher",
    unit="nats",
    least=0.0,
    neutral=0.0,
    rows_min=200,
    paper="Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4)",
)
def psi(cells: Cells) -> Figures:
    """Population stability index: the sum over cells of (q - p) ln(q / p), in nats.

    p, q: shares of reference and current after `PRIOR` rows were added to every cell. Without drift its mean is not 0
    but about (B - 1)(1/n + 1/m) for B cells, n and m rows: 0.019 for 20 cells and 1,000 rows.

    >>> import numpy as np
    >>> round(psi(Cells(np.array([500, 500]), np.array([600, 400]), ordered=False)).value, 4)
    0.0405
    """
    p, q = cells.shares(PRIOR)
    return Figures(np.sum((q - p) * np.log(q / p), axis=-1))
