"""How far scores are from the shares of positives they promise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.outcome_summaries import UNIT, BinaryOutcome
from monitor.statistics.performance.intervals import Z
from monitor.statistics.performance.metric import metric
from monitor.statistics.reading import Estimate


@metric(
    "binary",
    better="lower",
    range=(0.0, 1.0),
    needs="scores",
    unit="share",
    paper="Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, ICML",
)
def calibration_error(outcome: BinaryOutcome) -> Estimate:
    """Plain l1 expected calibration error: mean, by rows, of |share of positives - mean score| in 15 equal-width bins.

    The plain estimator is above 0 even for a perfectly calibrated model: a bin whose gap has deviation s adds up to
    s sqrt(2 / pi), most where it is calibrated. The interval reaches down by that bias and up by none, and on both
    sides by 1.96 deviations, each at most the root of the sum of s^2 (a folded normal varies less than a normal). It
    errs on the wide side.
    """
    rows = int(outcome.bins[0].sum())
    gap, variance = gaps(outcome.bins)
    value = min(1.0, float(np.abs(gap).sum()) / rows)
    deviation = math.sqrt(float(variance.sum())) / rows
    bias = math.sqrt(2 / math.pi) * float(np.sqrt(variance).sum()) / rows
    return Estimate(value, max(0.0, value - bias - Z * deviation), min(1.0, value + Z * deviation))


def gaps(bins: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64[BINS] twice: sum of label minus score over each bin's rows, and the variance of that sum.

    The variance is the rows' own or, where it is larger, the one that the scores promise: a sparse bin may have
    seen none of its rare labels yet.
    """
    rows = bins[0].sum(axis=0)
    distance, square = bins[1:] / UNIT
    gap = distance[1] - distance[0]
    promised = (distance - square).sum(axis=0)  # d (1 - d) is score (1 - score), whichever the label.
    return gap, np.maximum(promised, square.sum(axis=0) - gap**2 / np.maximum(rows, 1))
