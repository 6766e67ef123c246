"""ROC AUC and DeLong's variance from cells, against every pair of rows."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.profiles.score_cells import CLASS_SCORE_CELLS
from monitor.statistics.performance import performance
from monitor.statistics.performance.intervals import wilson
from monitor.statistics.performance.ranking import Ranking, ranking
from tests.statistics.performance.populations import (
    Population,
    binary,
    crowded,
    multiclass,
    truth,
    typical_binary,
    typical_multiclass,
)

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def ranked(population: Population) -> Ranking:
    return ranking(population.outcome().summary.counts)


def delong(positive: Floats, negative: Floats) -> tuple[float, float]:
    """The variance's two parts by comparing every positive with every negative."""
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return wins.mean(axis=1).var(ddof=1) / len(positive), wins.mean(axis=0).var(ddof=1) / len(negative)


@given(rows=st.integers(40, 200), seed=SEEDS, steps=st.integers(1, 5000), exponent=st.floats(0.2, 20))
@settings(deadline=None)
def test_the_rows_own_auc_lies_within_the_doubt(rows: int, seed: int, steps: int, exponent: float) -> None:
    population = crowded(rows, seed, steps, exponent)
    got = ranked(population)
    assert abs(got.auc - sk.roc_auc_score(population.label, population.scores)) <= got.doubt + 1e-12


@given(rows=st.integers(40, 120), seed=SEEDS, steps=st.sampled_from([1, 2, 16, 1024]))
@settings(deadline=None)
def test_value_and_variance_are_delongs_where_cells_hold_true_ties(rows: int, seed: int, steps: int) -> None:
    population = crowded(rows, seed, steps, 1.0)
    label, score = population.label, population.scores
    got = ranked(population)
    assert got.auc == pytest.approx(sk.roc_auc_score(label, score), abs=1e-12)
    expected = delong(score[label == 1], score[label == 0])
    assert (got.of_positives, got.of_negatives) == pytest.approx(expected, abs=1e-12)


def test_the_interval_is_wilsons_at_delongs_variance_plus_the_doubt() -> None:
    population = typical_binary(400, 2)
    got, ranks = population.estimate("roc_auc"), ranked(population)
    inner = wilson(ranks.auc, ranks.auc * (1 - ranks.auc) / (ranks.of_positives + ranks.of_negatives))
    assert ranks.doubt > 0
    assert (got.lower, got.upper) == pytest.approx((inner.lower - ranks.doubt, inner.upper + ranks.doubt), abs=1e-12)


def test_scores_of_exactly_0_and_1_leave_no_doubt() -> None:
    assert ranked(binary(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 0.0, 1.0]))).doubt == 0.0


def test_one_constant_score_leaves_everything_in_doubt() -> None:
    got = binary(np.repeat([0, 1], 50), np.full(100, 0.3)).estimate("roc_auc")
    assert (got.value, got.lower, got.upper) == (0.5, 0.0, 1.0)


def test_perfect_order_of_few_rows_is_no_certainty() -> None:
    got = binary(np.repeat([0, 1], [500, 12]), np.repeat([0.1, 0.9], [500, 12])).estimate("roc_auc")
    assert (got.value, got.lower, got.upper) == (1.0, pytest.approx(wilson(1.0, 12).lower), 1.0)


@pytest.mark.parametrize(("positives", "status"), [(0, "insufficient"), (9, "insufficient"), (10, "ok")])
def test_both_classes_are_needed(positives: int, status: str) -> None:
    population = binary(np.repeat([0, 1], [200, positives]), np.linspace(0, 1, 200 + positives))
    for name in ("roc_auc", "pr_auc"):
        assert performance(population.layout, population.outcome(), name)[0] == status


@given(seed=SEEDS, classes=st.integers(3, 6))
@settings(max_examples=20, deadline=None)
def test_averages_over_classes_are_scikit_learns_within_the_doubt(seed: int, classes: int) -> None:
    population = typical_multiclass(400, seed, classes)
    expected = truth(population)
    for name in ("roc_auc_macro", "roc_auc_weighted"):
        got = population.estimate(name)
        assert got.value == pytest.approx(expected[name], abs=2 / CLASS_SCORE_CELLS.count)
        assert got.lower < expected[name] < got.upper


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_the_deviation_of_an_average_is_bounded_from_above(average: str) -> None:
    """Bootstrap of the raw rows: the bound holds, and is less than twice too wide."""
    population = typical_multiclass(1000, 8, 4)
    rng, resampled = np.random.default_rng(0), []
    for _ in range(100):
        rows = rng.integers(0, 1000, 1000)
        resampled.append(
            sk.roc_auc_score(population.label[rows], population.scores[rows], multi_class="ovr", average=average)
        )
    got = population.estimate(f"roc_auc_{average}")
    assert 0.9 < (got.upper - got.lower) / 2 / (1.96 * np.std(resampled)) < 2.0


def test_a_macro_average_waits_for_every_class() -> None:
    label = np.repeat([0, 1], 50)
    scores = np.full((100, 3), 0.3)
    population = multiclass(label, scores)
    assert performance(population.layout, population.outcome(), "roc_auc_macro") == ("insufficient", None)
    assert performance(population.layout, population.outcome(), "roc_auc_weighted")[0] == "ok"
