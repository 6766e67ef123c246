"""Area under the precision-recall curve from score cells, as average precision (scikit-learn's definition).

Rows of one cell count as tied. The rows' own average precision lies between the two orders of each cell that serve
it worst and best, which are closed forms; the interval is longer by the distance to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from monitor.profiles.outcome_summaries import BinaryOutcome
from monitor.statistics.performance.intervals import share, widened
from monitor.statistics.performance.metric import CLASS_ROWS_MIN, metric
from monitor.statistics.reading import Estimate

Floats = NDArray[np.float64]


@metric(
    "binary",
    better="higher",
    range=(0.0, 1.0),
    needs="ranks",
    unit="share",
    paper="Boyd, Eng & Page 2013, ECML PKDD, LNCS 8190",
)
def pr_auc(outcome: BinaryOutcome) -> Estimate | None:
    """Average precision: the mean, over positive rows, of the precision at their score.

    Interval: the delta method on the multinomial counts of the cells, by the logic of Boyd et al. that it stays in
    [0, 1]; at 0 and 1 that of as many rows as there are positives.
    """
    negative, positive = outcome.counts[:, ::-1].astype(np.float64)  # By falling score.
    positives = float(positive.sum())
    if min(positives, float(negative.sum())) < CLASS_ROWS_MIN:
        return None
    above_true, above = np.cumsum(positive), np.cumsum(positive + negative)
    reached = above > 0
    precision = np.divide(above_true, above, out=np.zeros(len(above)), where=reached)
    value = min(1.0, float(positive @ precision) / positives)
    variance = _variance(negative, positive, precision, np.maximum(above, 1.0), value)
    least, most = extremes(negative, positive)
    return widened(share(value, variance, positives), value - least, most - value)


def _variance(negative: Floats, positive: Floats, precision: Floats, above: Floats, value: float) -> float:
    """Sum of squared influences of the rows. A row changes its own term and the precision at every lower score."""
    positives = positive.sum()
    term = positive / positives / above
    gain = np.cumsum((term * (1.0 - precision))[::-1])[::-1]
    loss = np.cumsum((term * precision)[::-1])[::-1]
    of_positive = (precision - value) / positives + gain
    return float(positive @ of_positive**2 + negative @ loss**2)


def extremes(negative: Floats, positive: Floats) -> tuple[float, float]:
    """Least and greatest average precision of any rows with these cells, ties among them or not.

    Below t positives and f negatives, a cell of a and b: at worst its j-th positive comes after all its negatives,
    with precision (t + j) / (t + j + f + b), which sums to a - (f + b) (digamma(t + f + b + a + 1) -
    digamma(t + f + b + 1)); at best all a are tied before them. Cells of exactly 0 and 1 are one tie.
    """
    true, false = np.cumsum(positive) - positive, np.cumsum(negative) - negative
    start = true + false + negative + 1.0
    worst = positive - (false + negative) * (digamma(start + positive) - digamma(start))
    best = positive * (true + positive) / np.maximum(true + positive + false, 1.0)
    for end in (0, -1):
        together = true[end] + positive[end] + false[end] + negative[end]
        worst[end] = best[end] = positive[end] * (true[end] + positive[end]) / max(together, 1.0)
    positives = float(positive.sum())
    return float(worst.sum()) / positives, float(best.sum()) / positives
