"""Performance without labels: what is to be expected of a window's predictions if scores mean what they meant.

Confidence-based performance estimation (CBPE; NannyML): the reference's labels say how likely a positive is at each
score, the window says how many rows have each score and decision, and each metric is what these rows would have on
average. It sees a change in who comes, not a change in what is true of them: a model whose scores have come to mean
something else keeps its estimate.

All is exact from score cells, so windows add up. A row's label is drawn apart from the others': hence what a row would
be compared with itself in is left out of a ranking, and the interval holds the figure that 95 % of such draws give,
widened by the reference's own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from monitor.events.schema import Task
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import (
    PROBABILITY_MIN,
    RANKED_CLASSES_MAX,
    BinaryOutcome,
    Counts,
    MulticlassOutcome,
)
from monitor.profiles.predicted import NEGATIVE, POSITIVE, PredictedScores
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS
from monitor.statistics.performance.intervals import Z, share
from monitor.statistics.performance.likelihood import Likelihood
from monitor.statistics.performance.metric import CLASS_ROWS_MIN, ROWS_MIN
from monitor.statistics.performance.probability import LOG_LOSS_MAX
from monitor.statistics.reading import Estimate, Status

Floats = NDArray[np.float64]


Slope = NDArray[np.float64]
"""How much one label that is positive instead of negative adds to a metric: float64[3, 1] by the decision of its row,
or float64[cells] by its score."""

Figure = tuple[float, Slope, float]
"""A metric's value, its slope, and how many rows a share of this value is of that varies as much as this one can."""


class Expected:
    """What is to be expected of one window's labels, in the cells that hold any row, by rising score.

    counts: float64[3, cells], by decision; rows: float64[cells]; middle: float64[cells], their score; chance, spread:
    float64[cells], of a positive label and its variance; positive, negative: float64[cells], labels expected.
    """

    def __init__(self, counts: Counts, likelihood: Likelihood) -> None:
        held = np.flatnonzero(counts.any(axis=0))
        self.counts: Floats = counts[:, held].astype(np.float64)
        self.rows: Floats = self.counts.sum(axis=0)
        self.middle = SCORE_CELLS.middles[held]
        self.chance = likelihood.chance[held]
        self.spread = self.chance * (1.0 - self.chance)
        self.positive = self.rows * self.chance
        self.negative = self.rows - self.positive
        self._held = held
        self._likelihood = likelihood

    @cached_property
    def confusion(self) -> tuple[float, float, float, float]:
        """Expected true negatives, false positives, false negatives and true positives, of rows with a decision."""
        _, false_negative, true_positive = (self.counts @ self.chance).tolist()
        _, negative, positive = self.counts.sum(axis=1).tolist()
        return negative - false_negative, positive - true_positive, false_negative, true_positive

    @cached_property
    def _by_decision(self) -> tuple[Floats, Floats]:
        """float64[3] and float64[3, groups]: variance of the positive labels, and rows in each group of scores."""
        return self.counts @ self.spread, np.stack([self._likelihood.grouped(each, self._held) for each in self.counts])

    def variance(self, slope: Slope) -> float:
        """Of a metric. Every label is a draw of its own; the reference's error is one that all rows share."""
        if slope.ndim == 2:
            labels, rows = self._by_decision
            drawn, pull = float(slope[:, 0] ** 2 @ labels), slope[:, 0] @ rows
        else:
            drawn = float((self.rows * self.spread) @ slope**2)
            pull = self._likelihood.grouped(self.rows * slope, self._held)
        return drawn + float(pull**2 @ self._likelihood.variance)


def _slope(negative: float, positive: float) -> Slope:
    """By decision: of rows without one, none."""
    return np.array([[0.0], [negative], [positive]])


def _accuracy(window: Expected) -> Figure:
    true_negative, false_positive, false_negative, true_positive = window.confusion
    decided = true_negative + false_positive + false_negative + true_positive
    return (true_negative + true_positive) / decided, _slope(-1 / decided, 1 / decided), decided


def _precision(window: Expected) -> Figure | None:
    _, false_positive, _, true_positive = window.confusion
    rows = true_positive + false_positive
    return (true_positive / rows, _slope(0.0, 1 / rows), rows) if rows else None


def _recall(window: Expected) -> Figure | None:
    _, _, false_negative, true_positive = window.confusion
    rows = true_positive + false_negative
    if rows < CLASS_ROWS_MIN:
        return None
    value = true_positive / rows
    return value, _slope(-value / rows, (1 - value) / rows), rows


def _specificity(window: Expected) -> Figure | None:
    true_negative, false_positive, _, _ = window.confusion
    rows = true_negative + false_positive
    if rows < CLASS_ROWS_MIN:
        return None
    value = true_negative / rows
    return value, _slope((value - 1) / rows, value / rows), rows


def _f1(window: Expected) -> Figure | None:
    _, false_positive, false_negative, true_positive = window.confusion
    rows = 2 * true_positive + false_positive + false_negative
    if true_positive + false_negative < CLASS_ROWS_MIN:
        return None
    value = 2 * true_positive / rows
    return value, _slope(-value / rows, (2 - value) / rows), rows


def _roc_auc(window: Expected) -> Figure | None:
    """Expected pairs that are in order over expected pairs, each of two different rows; ties count half."""
    positive, negative = window.positive, window.negative
    positives, negatives = float(positive.sum()), float(negative.sum())
    if min(positives, negatives) < CLASS_ROWS_MIN:
        return None
    below = np.cumsum(negative) - negative / 2
    above = positives - np.cumsum(positive) + positive / 2
    alone = float(positive @ (1.0 - window.chance))  # A row's pairs with itself.
    pairs = positives * negatives - alone
    value = min(1.0, max(0.0, (float(positive @ below) - alone / 2) / pairs))
    return value, (below - above - value * (negatives - positives)) / pairs, min(positives, negatives)


def _pr_auc(window: Expected) -> Figure | None:
    """Expected average precision: a positive row is surely right itself, whatever the others above it are."""
    positive, rows = window.positive[::-1], window.rows[::-1]  # By falling score.
    positives = float(positive.sum())
    if min(positives, float(rows.sum()) - positives) < CLASS_ROWS_MIN:
        return None
    reached = np.maximum(np.cumsum(rows), 1.0)
    right = np.cumsum(positive)
    value = min(1.0, float(positive @ ((right + 1.0 - window.chance[::-1]) / reached)) / positives)
    gain = np.cumsum((positive / reached)[::-1])[::-1]
    return value, ((right / reached - value + gain) / positives)[::-1], positives


def _brier(window: Expected) -> Figure:
    return _mean(window, (1.0 - window.middle) ** 2, window.middle**2)


def _log_loss(window: Expected) -> Figure:
    score = np.clip(window.middle, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)
    return _mean(window, -np.log(score), -np.log1p(-score))


def _mean(window: Expected, of_positive: Floats, of_negative: Floats) -> Figure:
    """The mean of a loss of each row, by its label."""
    rows = float(window.rows.sum())
    value = float(window.positive @ of_positive + window.negative @ of_negative) / rows
    return value, (of_positive - of_negative) / rows, rows


_DECIDED = ("accuracy", "precision", "recall", "specificity", "f1")

_BINARY: Mapping[str, Callable[[Expected], Figure | None]] = MappingProxyType(
    {
        "accuracy": _accuracy,
        "precision": _precision,
        "recall": _recall,
        "specificity": _specificity,
        "f1": _f1,
        "roc_auc": _roc_auc,
        "pr_auc": _pr_auc,
        "log_loss": _log_loss,
        "brier": _brier,
    }
)

_LOSSES: Mapping[str, float] = MappingProxyType({"log_loss": LOG_LOSS_MAX, "brier": 1.0})
"""Means of a loss, each with the most it can be."""

ESTIMATED: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {"binary": tuple(_BINARY), "multiclass": ("accuracy",), "regression": ()}
)
"""The metrics that have an estimate. Others are not applicable: the error of a regression is not told by its
prediction, a calibration error would be estimated from what it measures, and of more than two classes only the score of
the predicted one is kept."""


class Estimator:
    """What the labelled rows of a reference say of windows without labels."""

    def __init__(self, layout: OutcomeLayout, reference: Outcome | None) -> None:
        """reference: None where it had no labels; then nothing is applicable."""
        self._task = layout.task
        self._likelihoods = tuple(_likelihoods(reference))

    def rows(self, scores: PredictedScores, metric: str) -> int:
        """Rows that an estimate rests on; 0 where it is not applicable."""
        if metric not in ESTIMATED[self._task] or not self._likelihoods or scores.counts is None:
            return 0
        decided = self._task == "binary" and metric in _DECIDED
        return int((scores.counts[[NEGATIVE, POSITIVE]] if decided else scores.counts).sum())

    def estimates(
        self, scores: PredictedScores, metrics: Iterable[str]
    ) -> dict[str, tuple[Status, int, Estimate | None]]:
        """By metric: its status, how many rows it rests on, and what is to be expected of them, with its 95 % interval.

        "not_applicable": a metric without estimate, a reference that had fewer than CLASS_ROWS_MIN scored labels of
        either class, or no row with the score and decision it needs. "insufficient": too few rows. Rows without a score
        are left out, though they may have a decision.
        """
        rows = {metric: self.rows(scores, metric) for metric in metrics}
        found: dict[str, tuple[Status, int, Estimate | None]] = {}
        window = None
        for metric, usable in rows.items():
            estimate = None
            if usable >= ROWS_MIN and scores.counts is not None:
                if self._task == "multiclass":
                    estimate = self._agreement(scores.counts)
                else:
                    window = window or Expected(scores.counts, self._likelihoods[0])
                    estimate = _estimate(window, metric)
            status: Status = "not_applicable" if not usable else "insufficient" if estimate is None else "ok"
            found[metric] = status, usable, estimate
        return found

    def _agreement(self, counts: Counts) -> Estimate:
        """Of more than two classes, the share of rows whose label is the predicted class, by that class's own score."""
        rows = int(counts.sum())
        right, variance = 0.0, 0.0
        for likelihood, mine in zip(self._likelihoods, counts, strict=True):
            chance = likelihood.chance
            right += float(mine @ chance)
            variance += float(mine @ (chance * (1.0 - chance)))
            variance += float(likelihood.grouped(mine, slice(None)) ** 2 @ likelihood.variance)
        return share(min(1.0, right / rows), variance / rows**2, rows)


def _estimate(window: Expected, metric: str) -> Estimate | None:
    figure = _BINARY[metric](window)
    if figure is None:
        return None
    value, slope, rows_least = figure
    variance = window.variance(slope)
    if metric not in _LOSSES:
        return share(value, variance, rows_least)
    half = Z * math.sqrt(variance)
    return Estimate(value, max(0.0, value - half), min(_LOSSES[metric], value + half))


def _likelihoods(reference: Outcome | None) -> list[Likelihood]:
    """Of each class that has a score; none where the reference holds too little to go by."""
    match reference.summary if reference is not None else None:
        case BinaryOutcome(counts=counts) if counts.sum(axis=1).min() >= CLASS_ROWS_MIN:
            return [Likelihood.of(counts, SCORE_CELLS)]
        case MulticlassOutcome(counts=counts) if 0 < len(counts) <= RANKED_CLASSES_MAX and counts.any():
            return [Likelihood.of(each, CLASS_SCORE_CELLS) for each in counts]
    return []
