"""Proper scores of probabilities: log loss and Brier loss, with intervals by the central limit theorem."""

from __future__ import annotations

import math

from monitor.profiles.outcome_summaries import PROBABILITY_MIN, BinaryOutcome, MulticlassOutcome
from monitor.statistics.performance.intervals import mean
from monitor.statistics.performance.metric import metric
from monitor.statistics.reading import Estimate

LOG_LOSS_MAX = -math.log(PROBABILITY_MIN)


@metric(
    "binary",
    "multiclass",
    better="lower",
    range=(0.0, LOG_LOSS_MAX),
    needs="scores",
    unit="nats",
    paper="Good 1952, J. R. Stat. Soc. B 14(1)",
)
def log_loss(outcome: BinaryOutcome | MulticlassOutcome) -> Estimate:
    """Mean of -ln of the probability given to the true class, which is taken for at least 1e-15."""
    return mean(outcome.log_loss, 0.0, LOG_LOSS_MAX)


@metric(
    "binary",
    "multiclass",
    better="lower",
    range=(0.0, 2.0),
    needs="scores",
    unit="squared probability",
    paper="Brier 1950, Mon. Weather Rev. 78(1)",
)
def brier(outcome: BinaryOutcome | MulticlassOutcome) -> Estimate:
    """Mean squared distance of score and label: at most 1 for a binary task, summed over classes at most 2."""
    return mean(outcome.brier, 0.0, 1.0 if isinstance(outcome, BinaryOutcome) else 2.0)
