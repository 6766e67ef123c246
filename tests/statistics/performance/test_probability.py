"""Log loss and Brier loss against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.profiles.outcome_summaries import UNIT
from tests.statistics.performance.populations import (
    Population,
    binary,
    multiclass,
    truth,
    typical_binary,
    typical_multiclass,
)


@pytest.mark.parametrize("population", [typical_binary(1000, 1), typical_multiclass(1000, 1)], ids=["binary", "three"])
@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_every_value_is_scikit_learns_within_the_fixed_point(population: Population, name: str) -> None:
    assert population.estimate(name).value == pytest.approx(truth(population)[name], abs=0.5 / UNIT)


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_the_interval_is_the_textbook_one(name: str) -> None:
    population = typical_binary(800, 4)
    given = np.where(population.label == 1, population.scores, 1 - population.scores)
    rows = -np.log(given) if name == "log_loss" else (1 - given) ** 2
    half = 1.959964 * rows.std(ddof=1) / math.sqrt(800)
    got = population.estimate(name)
    assert (got.lower, got.upper) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=1e-5)


def test_a_certain_error_costs_what_the_clip_says() -> None:
    got = binary(np.repeat([0, 1], 20), np.repeat([1.0, 0.0], 20))
    assert got.estimate("log_loss").value == pytest.approx(-math.log(1e-15), abs=1e-6)
    assert got.estimate("brier").value == 1.0


def test_brier_loss_over_classes_reaches_two() -> None:
    wrong = multiclass(np.zeros(30, dtype=np.int64), np.repeat([[0.0, 1.0, 0.0]], 30, axis=0))
    assert wrong.estimate("brier").value == 2.0
