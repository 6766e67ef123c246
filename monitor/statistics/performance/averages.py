"""Precision, recall and F1 of a multiclass task, averaged over its classes.

Classes that occur among labels or predictions take part; those the layout does not name count as one class. An
empty denominator gives that class 0, as in scikit-learn. Intervals: the delta method on the multinomial counts of
the confusion matrix (Takahashi et al. 2022, Appl. Intell. 52), which wants some ten labels of each class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.outcome_summaries import MulticlassOutcome
from monitor.statistics.performance.intervals import share
from monitor.statistics.performance.metric import Metric, metric
from monitor.statistics.reading import Estimate

Floats = NDArray[np.float64]
Part = tuple[Floats, Floats, Floats, Floats]
"""Value by class, and its derivatives by the class's correct, predicted and labelled rows; each float64[C + 1]."""

_average: Callable[[Callable[[MulticlassOutcome], Estimate | None]], Metric] = metric(
    "multiclass",
    better="higher",
    range=(0.0, 1.0),
    needs="decisions",
    unit="share",
    paper="Sokolova & Lapalme 2009, Inf. Process. Manag. 45(4); Takahashi et al. 2022 for the interval",
)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)


def _precision(hits: Floats, predicted: Floats, _labelled: Floats) -> Part:
    value, slope = _ratio(hits, predicted), _ratio(np.ones(len(hits)), predicted)
    return value, slope, -value * slope, np.zeros(len(hits))


def _recall(hits: Floats, _predicted: Floats, labelled: Floats) -> Part:
    value, slope = _ratio(hits, labelled), _ratio(np.ones(len(hits)), labelled)
    return value, slope, np.zeros(len(hits)), -value * slope


def _f1(hits: Floats, predicted: Floats, labelled: Floats) -> Part:
    value, slope = _ratio(2 * hits, predicted + labelled), _ratio(np.ones(len(hits)), predicted + labelled)
    return value, 2 * slope, -value * slope, -value * slope


def _mean(outcome: MulticlassOutcome, part: Callable[[Floats, Floats, Floats], Part], *, weighted: bool) -> Estimate:
    hits = outcome.hits.astype(np.float64)
    predicted = outcome.confusion.sum(axis=0).astype(np.float64)
    labelled = outcome.confusion.sum(axis=1).astype(np.float64)
    occurs = predicted + labelled > 0
    weight = labelled / outcome.decided if weighted else occurs / np.count_nonzero(occurs)
    value, by_hits, by_predicted, by_labelled = part(hits, predicted, labelled)
    mean = min(1.0, float(weight @ value))
    by_labelled = weight * by_labelled
    if weighted:
        by_labelled += (value - mean) / outcome.decided
    # Influence of one row on the mean, by its label and prediction, wrong or right; over all rows they sum to zero.
    influence = by_labelled[:, None] + weight * by_predicted
    wrong = outcome.confusion - np.diag(outcome.hits)
    variance = float(np.sum(wrong * influence**2) + hits @ (influence.diagonal() + weight * by_hits) ** 2)
    # Were every class right at one rate, this many rows would vary like the mean of the classes' shares.
    rows_least = 1.0 / float(np.sum(weight**2 / np.maximum(labelled, 1.0)))
    return share(mean, variance, rows_least)


@_average
def precision_macro(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' precisions."""
    return _mean(outcome, _precision, weighted=False)


@_average
def recall_macro(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' recalls (balanced accuracy, where every class has a label)."""
    return _mean(outcome, _recall, weighted=False)


@_average
def f1_macro(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' F1."""
    return _mean(outcome, _f1, weighted=False)


@_average
def precision_weighted(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' precisions by their share of labels."""
    return _mean(outcome, _precision, weighted=True)


@_average
def recall_weighted(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' recalls by their share of labels, which is accuracy."""
    return _mean(outcome, _recall, weighted=True)


@_average
def f1_weighted(outcome: MulticlassOutcome) -> Estimate:
    """Mean of the classes' F1 by their share of labels."""
    return _mean(outcome, _f1, weighted=True)
