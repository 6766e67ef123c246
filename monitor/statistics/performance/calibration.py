"""How far scores are from the shares of positives they promise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.outcome import SCORE_CELLS, UNIT, BinaryOutcome
from monitor.statistics.performance.intervals import Z
from monitor.statistics.performance.metric import metric
from monitor.statistics.reading import Estimate

BINS = 15
"""Bins of equal width (Guo et al. 2017), their edges moved to the nearest edge of a score cell, by 1/2048 at most."""

_EDGES = np.rint(np.arange(1, BINS) * SCORE_CELLS / BINS).astype(np.int64)
_STARTS = np.concatenate([[0], 1 + _EDGES])
"""First cell of each bin; cell 0 holds scores of exactly 0 and the last cell those of exactly 1."""


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
    rows = int(outcome.counts.sum())
    gap, variance = gaps(outcome.counts, outcome.scores)
    value = min(1.0, float(np.abs(gap).sum()) / rows)
    deviation = math.sqrt(float(variance.sum())) / rows
    bias = math.sqrt(2 / math.pi) * float(np.sqrt(variance).sum()) / rows
    return Estimate(value, max(0.0, value - bias - Z * deviation), min(1.0, value + Z * deviation))


def gaps(counts: NDArray[np.int64], scores: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64[BINS] twice: sum of label minus score over each bin's rows, and the variance of that sum.

    The variance is the rows' own or, where it is larger, the one that the scores promise: a sparse bin may have
    seen none of its rare labels yet. Within a cell, rows of one label count as scoring alike: they do within 1/1024.
    """
    score = np.divide(scores, counts * UNIT, out=np.zeros(counts.shape), where=counts > 0)
    residual = np.array([[0.0], [1.0]]) - score
    gap = np.add.reduceat((counts * residual).sum(axis=0), _STARTS)
    square = np.add.reduceat((counts * residual**2).sum(axis=0), _STARTS)
    promised = np.add.reduceat((counts * score * (1.0 - score)).sum(axis=0), _STARTS)
    rows = np.add.reduceat(counts.sum(axis=0), _STARTS)
    return gap, np.maximum(promised, square - gap**2 / np.maximum(rows, 1))
