"""The alarm budget: how much evidence an alarm needs so that a model has no more false ones than were agreed.

Every window's p-value becomes an e-value, whose mean is at most 1 while nothing has changed; evidence grows as
M <- (M + 1) e, and the alarm is at M >= c. Then M + c * alarms - windows is a supermartingale, so that c is the least
mean number of windows between false alarms, whatever the streams have in common and whenever one looks. With windows W
a month, a stream that may have a share s of the budget of A alarms a month gets c = W / (A s), and the shares add up to
one. Sources: Vovk and Wang 2021, Annals of Statistics 49(3) (calibration); Shin, Ramdas and Rinaldo 2024, The New
England Journal of Statistics in Data Science 2(2) (e-detectors).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.spec import DAY_MS
from monitor.windows.window import WindowSpec

Floats = NDArray[np.float64]

MONTH_MS = 30.4375 * DAY_MS

DAY_WINDOWS = MONTH_MS / DAY_MS
"""Days of a month."""

ROW_WINDOWS = 730.5
"""Windows by number of rows that count as a month, where no clock says how many there are: as many as hours."""


VALUES_SHARE, CORRELATION_SHARE, DATA_SHARE, ROWS_SHARE, PERFORMANCE_SHARE = 0.6, 0.05, 0.12, 0.03, 0.2
"""Of the budget: for the distribution of values, for how they go together, for causes in the data, for how many rows
come, for performance."""

SEGMENTS_SHARE = 0.3
"""Of what is for values, and for causes in the data: for segments, where there are any that can be tested."""


def divided(share: float, weights: Floats, parts: NDArray[np.bool_]) -> Floats:
    """float64[S]: a share of the budget in proportion to the weights, float64[S]; but streams of segments (`parts`,
    bool[S]) have SEGMENTS_SHARE of it together, and whole traffic the rest. Where either weighs nothing, the other has
    all.
    """
    shares = np.zeros_like(weights)
    both = weights[parts].sum() > 0 and weights[~parts].sum() > 0
    for which, part in ((~parts, 1.0 - SEGMENTS_SHARE), (parts, SEGMENTS_SHARE)):
        shares[which] = share * (part if both else 1.0) * weights[which] / max(weights[which].sum(), 1e-300)
    return shares


LAST = 30.0
"""e-value that an alarm needs of one more window after overwhelming ones: a p-value of 0.0006."""


def windows_a_month(window: WindowSpec) -> float:
    """Windows that end in a month."""
    return MONTH_MS / window.size if window.timed else ROW_WINDOWS


def e_value(p: Floats, cap: Floats | float) -> Floats:
    """(1 - p + p ln p) / (p ln^2 p), at most `cap`: its mean is at most 1 where p is a p-value.

    p: float64[...] in (0, 1]. From 1/2 at p = 1 to infinity at 0; a cap makes an alarm need several windows.
    """
    log = np.log(np.minimum(p, 1.0 - 1e-4))  # Nearer to 1 the quotient loses its digits; its limit there is 1/2.
    e: Floats = np.minimum((1.0 - p + p * log) / (p * log * log), cap)
    return np.where(p > 1.0 - 1e-4, np.minimum(0.5, cap), e)


def pace(limit: Floats, persistence: int) -> Floats:
    """The e-value of which so many windows make an alarm. limit: evidence at the alarm; infinite, which is never: 1."""
    return np.where(np.isfinite(limit), limit, 1.0) ** (1.0 / persistence)


def largest(limit: Floats, persistence: int) -> Floats:
    """The cap of e-values: an alarm from nothing takes so many windows, but what one of them lacks others may make up
    for, as long as the last is at least LAST.
    """
    even = pace(limit, persistence)
    return even if persistence == 1 else np.maximum(even, pace(limit / LAST, persistence - 1))


def p_of(e: Floats | float) -> Floats:
    """float64[...]: the p-value whose e-value is `e`, or 1 where that is less, within one part in a million."""
    wanted = np.maximum(np.asarray(e, dtype=np.float64), 1.0)
    log = np.log(wanted) + 2.0 * np.log(np.log(wanted) + 3.0)  # -ln p
    for _ in range(60):
        p = np.exp(-log)
        log = np.maximum(log + np.log(wanted) - np.log(e_value(p, np.inf)), 1e-3)
    return np.exp(-log)


def evidence_limit(windows: float, budget: float, share: Floats | float) -> Floats:
    """W / (A s): evidence at which a stream of W windows a month alarms, if it may use the share s of the A false
    alarms a month that its model is allowed; infinite where that is none.
    """
    with np.errstate(divide="ignore"):
        return windows / (budget * np.asarray(share, dtype=np.float64))
