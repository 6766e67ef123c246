"""How often decisions are right: accuracy, and precision, recall, specificity and F1 of a binary task.

Each is a binomial share of its own denominator, so each has Wilson's interval.
"""

from __future__ import annotations

from monitor.profiles.outcome_summaries import BinaryOutcome, MulticlassOutcome
from monitor.statistics.performance.intervals import mapped, wilson
from monitor.statistics.performance.metric import metric
from monitor.statistics.reading import Estimate

_WILSON = "Wilson 1927, J. Am. Stat. Assoc. 22(158)"


def _share(part: int, whole: int) -> Estimate | None:
    return wilson(part / whole, whole) if whole else None


@metric("binary", "multiclass", better="higher", range=(0.0, 1.0), needs="decisions", unit="share", paper=_WILSON)
def accuracy(outcome: BinaryOutcome | MulticlassOutcome) -> Estimate | None:
    """Share of decisions that equal the label."""
    return _share(outcome.correct, outcome.decided)


@metric("binary", better="higher", range=(0.0, 1.0), needs="decisions", unit="share", paper=_WILSON)
def precision(outcome: BinaryOutcome) -> Estimate | None:
    """Share of positive decisions that are right; none without a positive decision."""
    (_, false_positive), (_, true_positive) = outcome.confusion.tolist()
    return _share(true_positive, true_positive + false_positive)


@metric("binary", better="higher", range=(0.0, 1.0), needs="decisions", unit="share", paper=_WILSON)
def recall(outcome: BinaryOutcome) -> Estimate | None:
    """Share of positive labels that were decided positive; none without a positive label."""
    _, (false_negative, true_positive) = outcome.confusion.tolist()
    return _share(true_positive, true_positive + false_negative)


@metric("binary", better="higher", range=(0.0, 1.0), needs="decisions", unit="share", paper=_WILSON)
def specificity(outcome: BinaryOutcome) -> Estimate | None:
    """Share of negative labels that were decided negative; none without a negative label."""
    (true_negative, false_positive), _ = outcome.confusion.tolist()
    return _share(true_negative, true_negative + false_positive)


@metric(
    "binary",
    better="higher",
    range=(0.0, 1.0),
    needs="decisions",
    unit="share",
    paper="van Rijsbergen 1979, Information Retrieval, ch. 7; Wilson 1927 for the interval",
)
def f1(outcome: BinaryOutcome) -> Estimate | None:
    """Harmonic mean of precision and recall; none where both lack a denominator.

    F1 = 2 J / (1 + J) with J = tp / (tp + fp + fn), a binomial share; J's Wilson interval is mapped alike, which
    agrees with the delta method to first order and stays in range at 0 and 1.
    """
    (_, false_positive), (false_negative, true_positive) = outcome.confusion.tolist()
    jaccard = _share(true_positive, true_positive + false_positive + false_negative)
    return jaccard and mapped(jaccard, lambda j: 2 * j / (1 + j))
