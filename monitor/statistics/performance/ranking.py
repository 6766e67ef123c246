"""ROC AUC from score cells: the chance that a positive outscores a negative, ties counting half.

Rows of one cell count as tied, so the rows' own AUC lies within half the share of such pairs of the value, surely;
the interval is DeLong's, longer by that much at either end. Cells of exactly 0 and exactly 1 hold true ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.outcome_summaries import BinaryOutcome, MulticlassOutcome
from monitor.statistics.performance.intervals import share, widened
from monitor.statistics.performance.metric import CLASS_ROWS_MIN, metric
from monitor.statistics.reading import Estimate

_DELONG = "DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3)"


@dataclass(frozen=True, slots=True)
class Ranking:
    """AUC of one class against the rest.

    doubt: half the share of pairs whose order the cells do not tell. of_positives, of_negatives: the parts of
    DeLong's variance that the two sides' rows bring.
    """

    auc: float
    doubt: float
    of_positives: float
    of_negatives: float
    negatives: int
    positives: int

    @property
    def variance(self) -> float:
        return self.of_positives + self.of_negatives

    @property
    def rows_least(self) -> int:
        """The variance is at most A (1 - A) over this (van Dantzig 1951, Indag. Math. 13)."""
        return min(self.negatives, self.positives)


def ranking(counts: NDArray[np.int64]) -> Ranking | None:
    """Of counts: int64[2, cells], negatives and positives by rising score; None with fewer than two of either."""
    negative, positive = counts
    negatives, positives = int(negative.sum()), int(positive.sum())
    if min(negatives, positives) < 2:
        return None
    # Twice the number of negatives below a positive of each cell, and of positives above a negative: integers.
    beaten = 2 * np.cumsum(negative) - negative
    missed = 2 * positives - (2 * np.cumsum(positive) - positive)
    auc = int(positive @ beaten) / (2 * positives * negatives)
    unordered = int(positive[1:-1] @ negative[1:-1])
    return Ranking(
        auc,
        unordered / (2 * positives * negatives),
        float(positive @ (beaten / (2 * negatives) - auc) ** 2) / (positives - 1) / positives,
        float(negative @ (missed / (2 * positives) - auc) ** 2) / (negatives - 1) / negatives,
        negatives,
        positives,
    )


@metric("binary", better="higher", range=(0.0, 1.0), needs="ranks", unit="share", paper=_DELONG)
def roc_auc(outcome: BinaryOutcome) -> Estimate | None:
    """Chance that a positive row scores above a negative one, ties counting half."""
    ranks = ranking(outcome.counts)
    if ranks is None or ranks.rows_least < CLASS_ROWS_MIN:
        return None
    return widened(share(ranks.auc, ranks.variance, ranks.rows_least), ranks.doubt, ranks.doubt)


def _averaged(classes: list[tuple[Ranking, float]], variance_of_weights: float) -> Estimate:
    """Weighted mean of classes' AUCs; weights sum to 1.

    The classes share their rows, and cells do not hold their covariance. Two bounds hold whatever it is; the smaller
    one is taken. Deviations never add up to more than their sum; and positives of different classes are different
    rows, so that only their part and the negatives' part are added as deviations.
    """
    apart = sum(weight * math.sqrt(ranks.variance) for ranks, weight in classes)
    of_positives = math.sqrt(sum(weight**2 * ranks.of_positives for ranks, weight in classes))
    of_negatives = sum(weight * math.sqrt(ranks.of_negatives) for ranks, weight in classes)
    variance = min(apart, of_positives + of_negatives) ** 2 + variance_of_weights
    value = min(1.0, sum(weight * ranks.auc for ranks, weight in classes))
    doubt = sum(weight * ranks.doubt for ranks, weight in classes)
    return widened(share(value, variance, min(ranks.rows_least for ranks, _ in classes)), doubt, doubt)


@metric("multiclass", better="higher", range=(0.0, 1.0), needs="ranks", unit="share", paper=_DELONG)
def roc_auc_macro(outcome: MulticlassOutcome) -> Estimate | None:
    """Mean of the classes' ROC AUC, each against the rest; none until every class has two labels."""
    classes = [ranks for ranks in map(ranking, outcome.counts) if ranks is not None]
    whole = len(classes) == len(outcome.counts)
    return _averaged([(ranks, 1 / len(classes)) for ranks in classes], 0.0) if whole else None


@metric("multiclass", better="higher", range=(0.0, 1.0), needs="ranks", unit="share", paper=_DELONG)
def roc_auc_weighted(outcome: MulticlassOutcome) -> Estimate | None:
    """Mean of the classes' ROC AUC, each against the rest, by share of labels; a class with one label is left out."""
    classes = [ranks for ranks in map(ranking, outcome.counts) if ranks is not None]
    rows = sum(ranks.positives for ranks in classes)
    if not rows:
        return None
    weighted = [(ranks, ranks.positives / rows) for ranks in classes]
    value = sum(weight * ranks.auc for ranks, weight in weighted)
    return _averaged(weighted, sum(weight * (ranks.auc - value) ** 2 for ranks, weight in weighted) / rows)
