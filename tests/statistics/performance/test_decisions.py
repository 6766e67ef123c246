"""Accuracy, precision, recall, specificity and F1 against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from monitor.statistics.performance import performance
from monitor.statistics.performance.intervals import Z
from tests.statistics.performance.influence import variance
from tests.statistics.performance.populations import Population, binary, truth, typical_binary


def of_counts(true_negative: int, false_positive: int, false_negative: int, true_positive: int) -> Population:
    counts = (true_negative, false_positive, false_negative, true_positive)
    return binary(np.repeat([0, 0, 1, 1], counts), np.repeat([0.1, 0.9, 0.1, 0.9], counts))


@given(counts=st.tuples(*[st.integers(1, 60)] * 4))
@settings(max_examples=30, deadline=None)
def test_every_value_is_scikit_learns(counts: tuple[int, int, int, int]) -> None:
    population = of_counts(30 + counts[0], *counts[1:])
    expected = truth(population)
    for name in ("accuracy", "precision", "recall", "specificity", "f1"):
        assert population.estimate(name).value == pytest.approx(expected[name], abs=1e-12)


@pytest.mark.parametrize(
    ("name", "hits", "rows"),
    [("accuracy", 70, 100), ("precision", 20, 30), ("recall", 20, 40), ("specificity", 50, 60)],
)
def test_a_share_has_the_wilson_interval_of_its_own_denominator(name: str, hits: int, rows: int) -> None:
    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    got = of_counts(50, 10, 20, 20).estimate(name)
    assert (got.lower, got.upper) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_f1_interval_agrees_with_the_delta_method_in_large_samples() -> None:
    small = typical_binary(100, 5)
    brute = variance(lambda weight: sk.f1_score(small.label, small.decision, sample_weight=weight), 100)
    many = binary(np.repeat(small.label, 400), np.repeat(small.scores, 400))
    got = many.estimate("f1")
    assert (got.upper - got.lower) / 2 == pytest.approx(Z * np.sqrt(brute / 400), rel=1e-2)


@pytest.mark.parametrize(
    ("name", "counts"),
    [("precision", (40, 0, 9, 0)), ("recall", (40, 9, 0, 0)), ("specificity", (0, 0, 9, 40)), ("f1", (40, 0, 0, 0))],
)
def test_an_empty_denominator_is_insufficient(name: str, counts: tuple[int, int, int, int]) -> None:
    population = of_counts(*counts)
    assert performance(population.layout, population.outcome(), name) == ("insufficient", None)
