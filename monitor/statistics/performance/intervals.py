"""Confidence intervals at 95 %, all of them closed forms of sums: no resampling, the same bits on every run."""

from __future__ import annotations

import math
from collections.abc import Callable

from monitor.profiles.outcome_summaries import Moments
from monitor.statistics.reading import Estimate

Z = 1.959963984540054
"""The normal law's 97.5 % quantile."""


def wilson(share: float, rows: float) -> Estimate:
    """A share of `rows` > 0 rows, with Wilson's score interval (1927, J. Am. Stat. Assoc. 22).

    >>> wilson(0.5, Z * Z)
    Estimate(value=0.5, lower=0.14644660940672627, upper=0.8535533905932737)
    """
    weight = Z * Z / rows
    centre = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / rows + weight / (4 * rows)) / (1 + weight)
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def share(value: float, variance: float, rows_least: float) -> Estimate:
    """A value in [0, 1] of known variance: Wilson's interval at the effective number of rows, v (1 - v) / variance.

    At 0 and 1, and wherever the variance vanishes, `rows_least` > 0 stands in: an n at which v (1 - v) / n is no
    smaller than the variance can be. Franco et al. 2019, J. Surv. Stat. Methodol. 7(3).
    """
    spread = value * (1 - value)
    return wilson(value, spread / variance if spread > 0 and variance > 0 else rows_least)


def mean(moments: Moments, low: float = -math.inf, high: float = math.inf) -> Estimate:
    """The mean of at least two rows by the central limit theorem, clipped to [low, high]."""
    value = min(high, max(low, moments.mean))
    half = Z * math.sqrt(moments.variance / (moments.rows - 1))
    return Estimate(value, max(low, value - half), min(high, value + half))


def positive(value: float, variance: float) -> Estimate:
    """A value >= 0 by the delta method on its logarithm, whose variance is given."""
    factor = math.exp(Z * math.sqrt(max(0.0, variance)))
    return Estimate(value, value / factor, value * factor)


def widened(estimate: Estimate, below: float, above: float) -> Estimate:
    """The estimate of a share, its interval longer by what is not known of the value itself."""
    value, lower, upper = _parts(estimate)
    return Estimate(value, max(0.0, lower - below), min(1.0, upper + above))


def mapped(estimate: Estimate, function: Callable[[float], float]) -> Estimate:
    """The estimate of a strictly monotone function of what is estimated."""
    value, lower, upper = map(function, _parts(estimate))
    return Estimate(value, min(lower, upper), max(lower, upper))


def _parts(estimate: Estimate) -> tuple[float, float, float]:
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.value, estimate.lower, estimate.upper
