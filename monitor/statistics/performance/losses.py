"""Losses of labelled predictions, each in [0, 1]: what a sequential test can follow with a bound on its false alarms.

ROC AUC, F1 and RMSE are no means of one bounded loss a row. What makes them worse shows in one of these: under
imbalance in the false-negative rate, of scores that are off in the Brier loss. Each is a number of labels and the exact
sum of their losses, so those of windows add up and a corrected label is taken out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import UNIT, BinaryOutcome, MulticlassOutcome, RegressionOutcome

LARGE_SHARE = 0.1
"""Share of a reference's errors that a regression's are called large beyond. A quantile needs no unit, no model is too
good for it and no outlier moves it; of a tenth of the rows, errors half as large again make 27 % (normal errors)."""


class Loss(NamedTuple):
    """labels: rows that have this loss; total: the sum of their losses."""

    labels: int
    total: float


def losses(outcome: Outcome, reference: Outcome) -> Mapping[str, Loss]:
    """Every loss of the outcome's task that the reference has labels for; the outcome itself may have none.

    error_rate: of decisions. false_negative_rate: of positive labels; false_positive_rate: of negative ones; both of a
    binary task. brier: of a binary task's scores, half_brier: of a multiclass task's, whose Brier loss can be 2.
    large_error_rate: of a regression, errors larger than LARGE_SHARE of the reference's are.
    """
    ours, theirs = _losses(outcome, reference), _losses(reference, reference)
    return {name: loss for name, loss in ours.items() if theirs[name].labels}


def _losses(outcome: Outcome, reference: Outcome) -> dict[str, Loss]:
    match outcome.summary, reference.summary:
        case BinaryOutcome() as summary, _:
            (true_negative, false_positive), (false_negative, true_positive) = summary.confusion.tolist()
            return {
                "error_rate": Loss(summary.decided, float(false_positive + false_negative)),
                "false_negative_rate": Loss(false_negative + true_positive, float(false_negative)),
                "false_positive_rate": Loss(true_negative + false_positive, float(false_positive)),
                "brier": Loss(summary.brier.rows, summary.brier.total / UNIT),
            }
        case MulticlassOutcome() as summary, _:
            return {
                "error_rate": Loss(summary.decided, float(summary.decided - summary.correct)),
                # Scores that sum to more than 1 can lose more than 2.
                "half_brier": Loss(summary.brier.rows, min(summary.brier.rows, summary.brier.total / (2 * UNIT))),
            }
        case RegressionOutcome() as summary, RegressionOutcome() as against:
            large = summary.sizes[_large_from(against) :]
            return {"large_error_rate": Loss(int(summary.sizes.sum()), float(large.sum()))}
    return {}


def _large_from(reference: RegressionOutcome) -> int:
    """The first cell of sizes such that at most LARGE_SHARE of the reference's errors lie in it or beyond."""
    beyond = np.cumsum(reference.sizes[::-1])[::-1]
    return int(np.count_nonzero(beyond > LARGE_SHARE * reference.sizes.sum()))
