"""Performance is estimated without labels to within a few thousandths, where what scores mean has not changed.

Simulated models: the chance of a positive label is known row by row, so what is true of a window is the mean over all
the labels that it could have, not those of one draw. Beside each error stands what the reference's own figure, taken
for every window's, errs by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from monitor.profiles.predicted import PredictedScores
from monitor.profiles.score_cells import SCORE_CELLS
from monitor.statistics.performance import performance
from monitor.statistics.performance.estimate import Estimator
from tests.acceptance.figures import Figure
from tests.statistics.performance.populations import BINARY, THRESHOLD, binary

SEEDS = range(10)
REFERENCE, ROWS, WINDOWS = 20_000, 2_000, 10

TARGETS: Mapping[str, float] = {
    "roc_auc": 0.004,
    "pr_auc": 0.01,
    "accuracy": 0.006,
    "precision": 0.015,
    "recall": 0.015,
    "f1": 0.015,
    "brier": 0.003,
}

Floats = NDArray[np.float64]
Random = np.random.Generator


class Rows(NamedTuple):
    """chance: of a positive label; score: what the model says of it."""

    chance: Floats
    score: Floats


def _rows(log_odds: Floats, score: Callable[[Floats], Floats] = lambda score: score, sharpness: float = 1.0) -> Rows:
    return Rows(expit(log_odds), score(expit(sharpness * log_odds)))


MODELS: Mapping[str, Callable[[Random, int, float, float], Rows]] = {
    "calibrated": lambda rng, n, at, spread: _rows(rng.normal(at, spread, n)),
    "overconfident": lambda rng, n, at, spread: _rows(rng.normal(at, spread, n), sharpness=2.5),
    "slightly overconfident": lambda rng, n, at, spread: _rows(rng.normal(at, spread, n), sharpness=1.2),
    "rising too slowly": lambda rng, n, at, spread: _rows(rng.normal(at, spread, n), lambda score: score**3),
    "two decimals": lambda rng, n, at, spread: _rows(rng.normal(at, spread, n), lambda score: np.round(score, 2)),
    "base rate of 5 %": lambda rng, n, at, spread: _rows(rng.normal(at - 3.6, spread, n)),
}
"""By log-odds around `at`, as wide as `spread`: 0 and 1.5 of a reference, so that positives are half of it."""


def _windows(rng: Random) -> Iterator[tuple[float, float]]:
    """Where the windows' rows lie and how wide: other people come, the same is true of them."""
    for _ in range(WINDOWS):
        yield rng.uniform(-0.7, 0.7), rng.uniform(1.2, 1.8)


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Mean absolute errors over all windows."""
    everything: list[dict[str, tuple[float, float]]] = []
    for name, model in MODELS.items():
        errors = [error for seed in seeds for error in _errors(model, np.random.default_rng([seed, 5]))]
        constant = _mean(errors, "roc_auc", 1)
        what = f"roc_auc, {name} (the reference's: {constant:.4f})"
        yield Figure.at_most("D", what, _mean(errors, "roc_auc", 0), TARGETS["roc_auc"])
        everything += errors
    for metric, target in TARGETS.items():
        what = f"{metric}, all {len(everything)} windows (the reference's: {_mean(everything, metric, 1):.4f})"
        yield Figure.at_most("D", what, _mean(everything, metric, 0), target)
    same = [error for seed in seeds for error in _errors(MODELS["calibrated"], np.random.default_rng([seed, 6]), 1.0)]
    what = "roc_auc missed where what is true of the rows has changed (not promised)"
    yield Figure("D", what, _mean(same, "roc_auc", 0), "shown", True)


def _mean(errors: Sequence[Mapping[str, tuple[float, float]]], metric: str, place: int) -> float:
    return float(np.mean([error[metric][place] for error in errors if metric in error]))


def _errors(
    model: Callable[[Random, int, float, float], Rows], rng: Random, concept: float = 0.0
) -> Iterator[dict[str, tuple[float, float]]]:
    """Of each window, by metric: the error of the estimate, and of the reference's own figure. concept: by how much the
    log-odds of every row have come to vary, unknown to the model.
    """
    known = model(rng, REFERENCE, 0.0, 1.5)
    outcome = binary((rng.random(REFERENCE) < known.chance).astype(np.int64), known.score).outcome()
    constants = {metric: performance(BINARY, outcome, metric)[1] for metric in TARGETS}
    estimator = Estimator(BINARY, outcome)
    for at, spread in _windows(rng):
        rows = model(rng, ROWS, at, spread)
        if concept:
            rows = Rows(expit(np.log(rows.chance / (1.0 - rows.chance)) + rng.normal(0.0, concept, ROWS)), rows.score)
        estimates = estimator.estimates(_held(rows.score), TARGETS)
        errors = {}
        for metric, truth in _truth(rows).items():
            estimate, constant = estimates[metric][2], constants[metric]
            assert estimate is not None, metric
            assert constant is not None, metric
            errors[metric] = abs(estimate.value - truth), abs(constant.value - truth)
        yield errors


def _held(score: Floats) -> PredictedScores:
    counts = np.zeros((3, SCORE_CELLS.count + 2), dtype=np.int64)
    np.add.at(counts, ((score >= THRESHOLD) + 1, SCORE_CELLS.place(score)), 1)
    return PredictedScores(counts)


def _truth(rows: Rows) -> dict[str, float]:
    """The metrics that the rows' own chances give, by their definition on rows; rankings by drawn labels."""
    chance, score = rows
    positive = score >= THRESHOLD
    right, wrong = chance[positive].sum(), (1.0 - chance[positive]).sum()
    missed, passed = chance[~positive].sum(), (1.0 - chance[~positive]).sum()
    order = np.argsort(-score, kind="stable")
    ends = np.searchsorted(-score[order], -score[order], side="right")
    found = np.cumsum(chance[order])[ends - 1]
    precision = (found + 1.0 - chance[order]) / ends  # A positive row is surely right itself.
    return {
        "roc_auc": _ranked(chance, score),
        "pr_auc": float(chance[order] @ precision / chance.sum()),
        "accuracy": float(right + passed) / len(score),
        "precision": float(right / (right + wrong)),
        "recall": float(right / (right + missed)),
        "f1": float(2 * right / (2 * right + wrong + missed)),
        "brier": float(np.mean(chance * (1.0 - score) ** 2 + (1.0 - chance) * score**2)),
    }


def _ranked(chance: Floats, score: Floats) -> float:
    """The chance that a positive row outscores a negative one, of all pairs of different rows."""
    order = np.argsort(score, kind="stable")
    negative, ranks = np.append(0.0, np.cumsum(1.0 - chance[order])), rankdata(score)
    first = np.searchsorted(score[order], score, side="left")
    last = np.searchsorted(score[order], score, side="right")
    assert np.allclose((first + last + 1) / 2, ranks)
    itself = chance * (1.0 - chance)
    below = (negative[first] + negative[last]) / 2
    pairs = chance.sum() * (1.0 - chance).sum() - itself.sum()
    return float((chance @ below - itself.sum() / 2) / pairs)
