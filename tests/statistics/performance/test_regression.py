"""Errors of numbers against scikit-learn and the infinitesimal jackknife."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as sk

from monitor.statistics.performance import performance
from monitor.statistics.performance.intervals import positive
from tests.statistics.performance.influence import variance
from tests.statistics.performance.populations import regression, truth, typical_regression

NAMES = ("mae", "rmse", "mape", "r2", "bias")


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_scikit_learns_in_the_labels_own_unit(name: str) -> None:
    population = typical_regression(1000, 1)
    assert population.estimate(name).value == pytest.approx(truth(population)[name], abs=1e-5)


def test_means_have_the_textbook_interval() -> None:
    population = typical_regression(500, 2)
    error = population.decision - population.label
    for name, rows in (("mae", np.abs(error)), ("bias", error), ("mape", np.abs(error / population.label))):
        half = 1.959964 * rows.std(ddof=1) / math.sqrt(500)
        got = population.estimate(name)
        assert (got.lower, got.upper) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=1e-5)


def test_the_rmse_interval_is_the_delta_method_on_its_logarithm() -> None:
    population = typical_regression(200, 3)
    brute = variance(
        lambda weight: math.log(
            sk.root_mean_squared_error(population.label, population.decision, sample_weight=weight)
        ),
        200,
    )
    expected = positive(truth(population)["rmse"], brute)
    got = population.estimate("rmse")
    assert (got.lower, got.upper) == pytest.approx((expected.lower, expected.upper), abs=1e-5)


def test_the_r2_interval_is_the_delta_method_on_the_logarithm_of_what_is_unexplained() -> None:
    population = typical_regression(200, 4)
    brute = variance(
        lambda weight: math.log(1 - sk.r2_score(population.label, population.decision, sample_weight=weight)), 200
    )
    expected = positive(1 - truth(population)["r2"], brute)
    got = population.estimate("r2")
    assert (got.lower, got.upper) == pytest.approx((1 - expected.upper, 1 - expected.lower), abs=1e-5)


def test_labels_far_from_the_layouts_centre_do_not_cancel() -> None:
    """Ten thousand label units are 4,000 scales away."""
    near = typical_regression(500, 5)
    far = regression(near.label + 10_000.0, near.decision + 10_000.0)
    for name in ("rmse", "r2", "mae", "bias"):
        here, there = near.estimate(name), far.estimate(name)
        assert (there.value, there.lower, there.upper) == pytest.approx((here.value, here.lower, here.upper), abs=1e-3)


def test_labels_that_hardly_differ_far_from_the_centre_keep_a_finite_interval() -> None:
    """Their fourth powers, rounded to doubles, say nothing of their spread."""
    label = 29.0 + 2.5 * (4000.0 + np.tile([0.0, 1e-6], 50))
    got = regression(label, label + 1.0).estimate("r2")
    assert (1 - got.lower) / (1 - got.value) <= math.exp(2 * 1.96)


@pytest.mark.parametrize("constant", [29.0, 0.0, 10_000.0, -1e300])
def test_labels_that_are_all_alike_have_no_r2(constant: float) -> None:
    population = regression(np.full(50, constant), np.linspace(0.0, 1.0, 50))
    assert performance(population.layout, population.outcome(), "r2") == ("insufficient", None)


def test_labels_of_zero_are_left_out_of_relative_errors() -> None:
    label, prediction = np.repeat([0.0, 10.0], 40), np.repeat([5.0, 11.0], 40)
    assert regression(label, prediction).estimate("mape").value == pytest.approx(0.1, abs=1e-6)
    nothing = regression(np.zeros(50), np.ones(50))
    assert performance(nothing.layout, nothing.outcome(), "mape") == ("insufficient", None)


def test_an_enormous_error_is_clipped_at_4096_scales() -> None:
    label = np.linspace(20.0, 40.0, 100)
    prediction = label.copy()
    prediction[0] = 1e300
    got = regression(label, prediction).estimate("mae")
    assert got.value == pytest.approx(4096 * 2.5 / 100)
