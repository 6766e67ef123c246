"""Intervals against SciPy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from monitor.profiles.outcome_summaries import UNIT, Moments
from monitor.statistics.performance import intervals
from monitor.statistics.reading import Estimate


def test_z_is_the_normal_quantile() -> None:
    assert pytest.approx(norm.ppf(0.975), abs=1e-15) == intervals.Z


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    hits, rows = counts
    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    got = intervals.wilson(hits / rows, rows)
    assert (got.lower, got.upper) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0.0 <= got.lower <= got.value <= got.upper <= 1.0


@given(st.floats(0.01, 0.99), st.floats(1e-8, 0.2))
def test_a_share_is_wilsons_at_the_rows_that_would_vary_as_much(value: float, variance: float) -> None:
    assert intervals.share(value, variance, 7) == intervals.wilson(value, value * (1 - value) / variance)


@pytest.mark.parametrize(("value", "variance"), [(1.0, 0.0), (0.0, 0.0), (1.0, 1e-9), (0.7, 0.0)])
def test_a_share_whose_variance_says_nothing_falls_back_on_rows(value: float, variance: float) -> None:
    assert intervals.share(value, variance, 25) == intervals.wilson(value, 25)


def test_a_mean_has_the_textbook_interval() -> None:
    rows = np.array([0.25, 0.5, 0.5, 1.0, 2.0])
    half = 1.959963984540054 * rows.std(ddof=1) / math.sqrt(5)
    got = intervals.mean(Moments.of(rows * UNIT))
    assert (got.value, got.lower, got.upper) == pytest.approx((0.85, 0.85 - half, 0.85 + half), abs=1e-12)


def test_a_mean_keeps_to_its_range() -> None:
    got = intervals.mean(Moments.of(np.array([0.0, 0.0, 0.0, 1.0]) * UNIT), 0.0, 0.5)
    assert (got.lower, got.upper) == (0.0, 0.5)


def test_a_positive_value_moves_by_one_factor_either_way() -> None:
    got = intervals.positive(3.0, 0.04)
    assert (got.lower, got.upper) == pytest.approx(
        (3.0 / math.exp(0.2 * intervals.Z), 3.0 * math.exp(0.2 * intervals.Z))
    )


def test_doubt_lengthens_an_interval_within_the_range() -> None:
    assert intervals.widened(Estimate(0.9, 0.85, 0.95), 0.25, 0.25) == Estimate(0.9, 0.6, 1.0)


def test_a_falling_function_swaps_the_ends() -> None:
    assert intervals.mapped(Estimate(0.25, 0.0, 0.5), lambda x: 1.0 - x) == Estimate(0.75, 0.5, 1.0)
