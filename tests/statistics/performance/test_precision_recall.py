"""Average precision from cells: the value, its sure bounds and its variance."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.profiles.score_cells import SCORE_CELLS
from monitor.statistics.performance.intervals import wilson
from monitor.statistics.performance.precision_recall import extremes
from tests.statistics.performance.influence import variance
from tests.statistics.performance.populations import Population, binary, crowded, typical_binary

SEEDS = st.integers(0, 2**32 - 1)


def cells_of(population: Population) -> NDArray[np.float64]:
    """float64[2, cells]: negatives and positives by falling score."""
    return population.outcome().summary.counts[:, ::-1].astype(np.float64)


@given(rows=st.integers(40, 150), seed=SEEDS, steps=st.integers(1, 5000), exponent=st.floats(0.2, 30))
@settings(deadline=None)
def test_the_rows_own_value_lies_between_the_extremes(rows: int, seed: int, steps: int, exponent: float) -> None:
    population = crowded(rows, seed, steps, exponent)
    least, most = extremes(*cells_of(population))
    exact = sk.average_precision_score(population.label, population.scores)
    got = population.estimate("pr_auc")
    assert least - 1e-12 <= exact <= most + 1e-12
    assert least - 1e-12 <= got.value <= most + 1e-12
    assert got.lower <= exact <= got.upper


def test_the_extremes_are_reached_by_rows_in_the_worst_and_the_best_order() -> None:
    label = np.repeat([[0, 1, 0, 1]], 12, axis=0).ravel()
    cell = np.repeat([0.25, 0.5, 0.75], 16)
    width = SCORE_CELLS.edges[np.searchsorted(SCORE_CELLS.edges, cell, side="right")] - cell
    inside = np.tile(np.arange(16), 3) / 16
    worst = cell + np.where(label == 0, inside + 1, inside) / 2 * width
    best = cell + np.where(label == 1, 0.5, 0.25) * width
    least, most = extremes(*cells_of(binary(label, cell)))
    assert least == pytest.approx(sk.average_precision_score(label, worst), abs=1e-12)
    assert most == pytest.approx(sk.average_precision_score(label, best), abs=1e-12)


@given(rows=st.integers(40, 150), seed=SEEDS, steps=st.sampled_from([1, 3, 64, 1024]))
@settings(deadline=None)
def test_the_value_is_scikit_learns_where_cells_hold_true_ties(rows: int, seed: int, steps: int) -> None:
    population = crowded(rows, seed, steps, 1.0)
    expected = sk.average_precision_score(population.label, population.scores)
    assert population.estimate("pr_auc").value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_scores_of_exactly_0_or_1_leave_no_doubt(certain: float) -> None:
    label = np.tile([0, 1], 20)
    least, most = extremes(*cells_of(binary(label, np.full(40, certain))))
    assert least == most == 0.5


def test_the_interval_is_that_of_the_infinitesimal_jackknife() -> None:
    """Of scores that are at the lower edge of their cells, so that the doubt can be taken off again."""
    population = typical_binary(150, 9)
    score = SCORE_CELLS.edges[np.searchsorted(SCORE_CELLS.edges, population.scores, side="right") - 1]
    cells = binary(population.label, score)
    got = cells.estimate("pr_auc")
    least, most = extremes(*cells_of(cells))
    brute = variance(
        lambda weight: sk.average_precision_score(population.label, score, sample_weight=weight), len(score)
    )
    expected = wilson(got.value, got.value * (1 - got.value) / brute)
    assert got.lower == pytest.approx(expected.lower - (got.value - least), abs=1e-6)
    assert got.upper == pytest.approx(expected.upper + (most - got.value), abs=1e-6)
