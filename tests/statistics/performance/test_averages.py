"""Macro and weighted averages over classes, against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.batch import CategoricalColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import performance
from monitor.statistics.performance.intervals import wilson
from tests.statistics.performance.influence import variance
from tests.statistics.performance.populations import multiclass, typical_multiclass

AVERAGES = ("macro", "weighted")
SCORES: dict[str, Callable[..., float]] = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}
LAYOUT = OutcomeLayout("multiclass", ("a", "b", "c"))
EVERYTHING = ("a", "b", "c", "new", "newer")


def value(label: np.ndarray, decision: np.ndarray, metric: str) -> float:
    """label, decision: numbers of EVERYTHING, of which the layout knows three."""
    outcome = Outcome.empty(LAYOUT)
    pairs = Pairs(
        CategoricalColumn(decision.astype(np.int32), EVERYTHING),
        {},
        CategoricalColumn(label.astype(np.int32), EVERYTHING),
    )
    outcome.fold(LAYOUT, pairs)
    estimate = performance(LAYOUT, outcome, metric)[1]
    assert estimate is not None
    return estimate.value


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", SCORES)
@given(seed=st.integers(0, 2**32 - 1), highest=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_every_value_is_scikit_learns(name: str, average: str, seed: int, highest: int) -> None:
    """Classes may lack labels or predictions, and one class (at most) is unknown to the layout."""
    label, decision = np.random.default_rng(seed).integers(0, highest, (2, 40))
    expected = SCORES[name](label, decision, average=average, zero_division=0)
    assert value(label, decision, f"{name}_{average}") == pytest.approx(expected, abs=1e-12)


def test_classes_that_the_layout_does_not_name_count_as_one_but_must_agree_to_be_right() -> None:
    label, decision = np.repeat([[0, 3, 3], [0, 3, 4]], 20, axis=1)
    assert value(label, decision, "accuracy") == pytest.approx(40 / 60)
    assert value(label, decision, "recall_macro") == pytest.approx((1 + 20 / 40) / 2)
    assert value(label, decision, "precision_macro") == pytest.approx((1 + 20 / 40) / 2)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", SCORES)
def test_the_interval_is_that_of_the_infinitesimal_jackknife(name: str, average: str) -> None:
    population = typical_multiclass(80, 3)
    got = population.estimate(f"{name}_{average}")

    def weighted(weight: np.ndarray) -> float:
        return SCORES[name](population.label, population.decision, average=average, sample_weight=weight)

    brute = variance(weighted, 80)
    expected = wilson(got.value, got.value * (1 - got.value) / brute)
    assert (got.lower, got.upper) == pytest.approx((expected.lower, expected.upper), abs=1e-6)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", SCORES)
def test_perfect_predictions_of_few_rows_are_no_certainty(name: str, average: str) -> None:
    got = multiclass(np.repeat([0, 1, 2], [10, 10, 10]), np.repeat(np.eye(3), [10, 10, 10], axis=0)).estimate(
        f"{name}_{average}"
    )
    expected = wilson(1.0, 30)
    assert (got.value, got.lower, got.upper) == pytest.approx((1.0, expected.lower, 1.0), abs=1e-9)
