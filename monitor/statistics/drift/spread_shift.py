"""Change of the spread."""

from __future__ import annotations

import numpy as np

from monitor.profiles.numeric import UNIT
from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Floats, Grid, GridCounts

RESOLUTION = 1.0 / UNIT
"""Reference standard deviations below which a deviation is rounding: that of a constant counts as this."""


@statistic(
    name="spread_shift",
    over=Grid,
    worse="away",
    unit="nats",
    neutral=0.0,
    rows_min=30,
    paper="Bartlett & Kendall 1946, Supplement to the Journal of the Royal Statistical Society 8(1)",
    applies=("numeric",),
)
def spread_shift(grid: Grid) -> Figures:
    """Logarithm of the current standard deviation over the reference's: 0.69 where it has doubled, -0.69 halved.

    Values count as at most 4096 reference standard deviations from its mean.
    """
    return Figures(_log_deviation(grid.current) - _log_deviation(grid.reference))


def _log_deviation(side: GridCounts) -> Floats:
    return np.log(np.maximum(side.deviation, RESOLUTION))
