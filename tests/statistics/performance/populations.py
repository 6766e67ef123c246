"""Raw rows of a labelled model, and scikit-learn's word on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import sklearn.metrics as sk
from numpy.typing import NDArray
from scipy.special import expit, softmax

from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import performance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THRESHOLD = 0.4
BINARY = OutcomeLayout("binary", ("ok", "fraud"), "fraud", THRESHOLD)
REGRESSION = OutcomeLayout("regression", centre=29.0, scale=2.5)


class Figure(NamedTuple):
    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Population:
    """label, decision: class numbers or reals, n rows. scores: float64[n] of a binary task, else float64[n, C]."""

    layout: OutcomeLayout
    pairs: Pairs
    label: NDArray[np.generic]
    decision: NDArray[np.generic]
    scores: Floats

    def __len__(self) -> int:
        return len(self.label)

    def outcome(self) -> Outcome:
        outcome = Outcome.empty(self.layout)
        outcome.fold(self.layout, self.pairs)
        return outcome

    def estimate(self, metric: str) -> Figure:
        status, estimate = performance(self.layout, self.outcome(), metric)
        assert status == "ok"
        return Figure(estimate.value, estimate.lower, estimate.upper)


def classes_of(rows: Ints, classes: tuple[str, ...]) -> CategoricalColumn:
    return CategoricalColumn(rows.astype(np.int32), classes)


def binary(label: Ints, score: Floats) -> Population:
    """Decisions are the score's, by THRESHOLD."""
    pairs = Pairs(None, {"fraud": NumericColumn.of(score)}, classes_of(label, ("ok", "fraud")))
    return Population(BINARY, pairs, label, (score >= THRESHOLD).astype(np.int64), score)


def multiclass(label: Ints, scores: Floats) -> Population:
    """The decision is the class of the highest score."""
    names = tuple(f"class {place}" for place in range(scores.shape[1]))
    columns = {name: NumericColumn.of(scores[:, place]) for place, name in enumerate(names)}
    decision = scores.argmax(axis=1)
    pairs = Pairs(classes_of(decision, names), columns, classes_of(label, names))
    return Population(OutcomeLayout("multiclass", names), pairs, label, decision, scores)


def regression(label: Floats, prediction: Floats) -> Population:
    pairs = Pairs(NumericColumn.of(prediction), {}, NumericColumn.of(label))
    return Population(REGRESSION, pairs, label, prediction, np.empty(0))


def typical_binary(rows: int, seed: int, base: float = 0.3, distance: float = 1.2) -> Population:
    """Two normal classes and the calibrated score of them."""
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < base).astype(np.int64)
    x = rng.normal(size=rows) + distance * label
    return binary(label, expit(distance * x - distance**2 / 2 + np.log(base / (1 - base))))


def typical_multiclass(rows: int, seed: int, classes: int = 3) -> Population:
    rng = np.random.default_rng(seed)
    share = np.arange(1.0, classes + 1) / np.arange(1.0, classes + 1).sum()
    label = rng.choice(classes, rows, p=share)
    signal = rng.normal(size=(rows, classes))
    signal[np.arange(rows), label] += 1.5
    return multiclass(label, softmax(1.5 * signal + np.log(share), axis=1))


def typical_regression(rows: int, seed: int) -> Population:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return regression(30.0 + 2.4 * x + rng.standard_t(6, size=rows), 30.1 + 2.5 * x)


def crowded(rows: int, seed: int, steps: int, exponent: float) -> Population:
    """Scores in `steps` steps, crowded towards 0, with ties and atoms at 0 and 1; ten rows of each class at least."""
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < rng.uniform(0.2, 0.8)).astype(np.int64)
    label[:20] = np.repeat([0, 1], 10)
    return binary(label, np.round(rng.random(rows) ** exponent * steps) / steps)


def binned(score: Floats) -> Ints:
    """Bin of each score: fifteenths."""
    return np.searchsorted(np.arange(1, 15) / 15, score, side="right")


def truth(population: Population) -> dict[str, float]:
    """Every metric of the population's task, computed by scikit-learn (or a loop) on the raw rows."""
    label, decision, scores = population.label, population.decision, population.scores
    if population.layout.task == "regression":
        return {
            "mae": sk.mean_absolute_error(label, decision),
            "rmse": sk.root_mean_squared_error(label, decision),
            "mape": sk.mean_absolute_percentage_error(label, decision),
            "r2": sk.r2_score(label, decision),
            "bias": float(np.mean(decision - label)),
        }
    if population.layout.task == "binary":
        bins = binned(scores)
        return {
            "accuracy": sk.accuracy_score(label, decision),
            "precision": sk.precision_score(label, decision),
            "recall": sk.recall_score(label, decision),
            "specificity": sk.recall_score(label, decision, pos_label=0),
            "f1": sk.f1_score(label, decision),
            "roc_auc": sk.roc_auc_score(label, scores),
            "pr_auc": sk.average_precision_score(label, scores),
            "log_loss": sk.log_loss(label, scores),
            "brier": sk.brier_score_loss(label, scores),
            "calibration_error": sum(abs(np.sum((label - scores)[bins == b])) for b in range(15)) / len(label),
        }
    one_hot = np.eye(scores.shape[1])[label]
    return {
        "accuracy": sk.accuracy_score(label, decision),
        "log_loss": sk.log_loss(label, scores, labels=np.arange(scores.shape[1])),
        "brier": float(np.mean(np.sum((scores - one_hot) ** 2, axis=1))),
        **{
            f"{name}_{average}": score(label, decision, average=average, zero_division=0)
            for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score))
            for average in ("macro", "weighted")
        },
        **{
            f"roc_auc_{average}": sk.roc_auc_score(label, scores, multi_class="ovr", average=average)
            for average in ("macro", "weighted")
        },
    }
