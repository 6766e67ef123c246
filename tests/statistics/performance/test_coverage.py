"""How often 95 % intervals hold the truth: samples with replacement from a population that scikit-learn has read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import performance
from tests.statistics.performance.populations import (
    Population,
    truth,
    typical_binary,
    typical_multiclass,
    typical_regression,
)

REPEATS = 300
ROWS = 1000

WIDE = {"calibration_error", "roc_auc_macro", "roc_auc_weighted"}
"""Intervals that are documented to be bounds, hence wider than 95 %."""


@pytest.mark.parametrize(
    "population",
    [
        pytest.param(typical_binary(50_000, 1), id="binary"),
        pytest.param(typical_binary(50_000, 2, base=0.1, distance=2.0), id="imbalanced"),
        pytest.param(typical_multiclass(20_000, 3), id="three classes"),
        pytest.param(typical_multiclass(20_000, 4, classes=8), id="eight classes"),
        pytest.param(typical_regression(50_000, 5), id="regression"),
    ],
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(population: Population) -> None:
    rng, expected = np.random.default_rng(7), truth(population)
    held: Counter[str] = Counter()
    for _ in range(REPEATS):
        outcome = Outcome.empty(population.layout)
        outcome.fold(population.layout, population.pairs.take(rng.integers(0, len(population), ROWS)))
        for name, value in expected.items():
            estimate = performance(population.layout, outcome, name)[1]
            assert estimate is not None
            assert estimate.lower is not None
            assert estimate.upper is not None
            held[name] += estimate.lower <= value <= estimate.upper
    coverage = {name: held[name] / REPEATS for name in expected}
    assert all(share >= 0.9 for share in coverage.values()), coverage
    assert all(share <= 0.99 for name, share in coverage.items() if name not in WIDE), coverage
