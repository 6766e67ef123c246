"""Simulated traffic has the moments that theory gives it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, norm

from tests.acceptance.traffic import LARGE, MONTH, NULLS, WEEK, Model, Shift, simulate, watched

CELLS = 20


def chi_square(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """X^2 against equal masses: float64[T, F]."""
    expected = counts.sum(axis=-1, keepdims=True) / counts.shape[-1]
    return ((counts - expected) ** 2 / expected).sum(axis=-1)


def shares(mean: float) -> NDArray[np.float64]:
    limits = norm.ppf(np.linspace(0.0, 1.0, CELLS + 1))
    return np.diff(norm.cdf(limits, loc=mean))


@pytest.mark.parametrize(("rho", "rows"), [(0.0, 1_000), (5e-4, 1_000), (5e-4, 20_000), (0.01, 200)])
def test_the_variance_of_cells_is_inflated_by_one_plus_n_less_one_rho(rho: float, rows: int) -> None:
    found = chi_square(simulate(Model(rows=(rows, rows), rho=rho), 300, 1).merged(CELLS))
    wanted = (CELLS - 1) * (1 + (rows - 1) * rho)
    assert found.mean() == pytest.approx(wanted, rel=5 * np.sqrt(2 / (CELLS - 1) / found.size))


@pytest.mark.parametrize("sd", [0.0, 0.15, 0.5])
def test_a_shift_moves_the_cells_of_its_features_from_its_window_on(sd: float) -> None:
    reference, live = watched(Model(features=10, cells=40), 1, 400, 2, Shift(sd, (3, 7), 100))
    assert (reference.windows, live.windows) == (WEEK, 400)
    assert not reference.means.any()
    assert not live.means[:100].any()
    assert live.means[100:].sum(axis=0) == pytest.approx(300 * sd * np.isin(np.arange(10), (3, 7)))
    found = chi_square(live.merged(CELLS))
    p, q, n = shares(0.0), shares(sd), 1_000
    wanted = np.sum((q * (1 - q) + n * (q - p) ** 2) / p)  # The mean of X^2 of a multinomial.
    spread = np.sqrt(2 * (CELLS - 1) + 4 * n * np.sum((q - p) ** 2 / p))
    shifted = found[100:, [3, 7]]
    assert shifted.mean() == pytest.approx(wanted, abs=5 * spread / np.sqrt(shifted.size))
    rest = np.concatenate([found[:100].ravel(), np.delete(found, [3, 7], axis=1).ravel()])
    assert rest.mean() == pytest.approx(CELLS - 1, abs=5 * np.sqrt(2 * (CELLS - 1) / rest.size))


def test_the_mean_follows_the_day_with_a_phase_for_each_feature() -> None:
    traffic = simulate(Model(features=8, rows=(5_000, 5_000), cycle=0.3), 3 * 24, 3)
    found = np.array([traffic.raw(window).mean(axis=1) for window in range(72)])
    assert found == pytest.approx(traffic.means, abs=5 / np.sqrt(5_000))
    assert traffic.means[:24] == pytest.approx(traffic.means[24:48], abs=1e-12)
    assert np.sqrt(2 * np.mean(traffic.means**2, axis=0)) == pytest.approx(np.full(8, 0.3))
    assert len(set(traffic.means[0].round(6))) == 8


def test_a_wandering_mean_has_its_deviation_and_its_memory() -> None:
    means = simulate(Model(features=50, wander=0.05, cells=2), 2_000, 4).means
    assert means.std() == pytest.approx(0.05, rel=0.05)
    assert means[0].std() == pytest.approx(0.05, rel=0.5)
    for hours in (1, 5):
        remembered = np.mean(means[hours:] * means[:-hours]) / np.mean(means**2)
        assert remembered == pytest.approx(0.9**hours, abs=0.03)


def test_rows_are_fewest_at_midnight_and_most_at_noon() -> None:
    rows = simulate(Model(features=1, rows=LARGE), 48, 5).rows
    assert (rows[0], rows[12], rows[24]) == (4_000, 40_000, 4_000)
    assert rows.mean() == pytest.approx(22_000, rel=1e-3)


def test_raw_rows_fill_the_cells_and_are_normal() -> None:
    traffic = simulate(Model(features=4, cycle=0.3, rows=(3_000, 3_000)), 5, 6)
    limits = norm.ppf(np.linspace(0.0, 1.0, 41))
    values = traffic.raw(4)
    for feature, rows in enumerate(values):
        np.testing.assert_array_equal(np.histogram(rows, limits)[0], traffic.counts[4, feature])
        assert kstest(rows, "norm", args=(traffic.means[4, feature],)).pvalue > 1e-3
    np.testing.assert_array_equal(traffic.between(1, 5).between(2, 4).raw(1), values)


def test_windows_of_equal_counts_have_raw_rows_of_their_own() -> None:
    traffic = simulate(Model(features=1, cells=1), 2, 6)
    assert not np.array_equal(traffic.raw(0), traffic.raw(1))


def test_a_sample_is_of_the_rows_of_all_windows() -> None:
    found = simulate(Model(features=3, cycle=1.0, cells=1), 48, 7).sample(4_000)
    assert found.shape == (3, 4_000)
    # Over a day the mean is that of a sine, and its square adds to the variance.
    assert found.mean(axis=1) == pytest.approx(np.zeros(3), abs=0.1)
    assert found.var() == pytest.approx(1.5, abs=0.1)
    traffic = simulate(Model(features=3), 2, 7)
    whole = traffic.between(0, 1).sample(1_000)
    limits = norm.ppf(np.linspace(0.0, 1.0, 41))
    np.testing.assert_array_equal(np.histogram(whole[2], limits)[0], traffic.counts[0, 2])


def test_traffic_is_a_function_of_the_seed_and_goes_on_where_the_reference_ends() -> None:
    model = replace(NULLS["daily cycle, over-dispersed"], features=3, wander=0.05)
    reference, live = watched(model, 2, 50, 8)
    whole = simulate(model, 2 * WEEK + 50, 8)
    np.testing.assert_array_equal(np.concatenate([reference.counts, live.counts]), whole.counts)
    assert not np.array_equal(simulate(model, 50, 9).counts, simulate(model, 50, 8).counts)
    assert all(each.rows != (0, 0) for each in NULLS.values())
    assert MONTH == 720
