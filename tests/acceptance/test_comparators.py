"""Comparators decide as the originals do, and cry wolf as often as theory says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp, wasserstein_distance

from benchmarks import comparators
from benchmarks.comparators import CELLS, METHODS, Flags, greatest_distance, mean_way
from monitor.statistics import evidently
from tests.acceptance.traffic import VARYING, Model, Shift, Traffic, watched

SHIFT = Shift(0.5, (0, 2), 5)


@pytest.fixture(scope="module")
def traffic() -> tuple[Traffic, Traffic]:
    """Six features in a week and in twelve windows, some of which are shifted enough to be seen by most."""
    return watched(Model(features=6, rows=VARYING, cycle=0.3), 1, 12, 11, SHIFT)


def flags(name: str, traffic: tuple[Traffic, Traffic]) -> Flags:
    reference, live = traffic
    found = np.zeros((live.windows, live.features), dtype=np.bool_)
    alarms = next(method for method in METHODS if method.name == name).alarms(reference, live)
    for window, feature in alarms:
        found[window, feature] = True
    assert 0 < found.sum() < found.size
    return found


def test_distances_of_sorted_samples_are_scipy_s() -> None:
    rng = np.random.default_rng(1)
    for m, n in [(1, 1), (1, 7), (7, 1), (5, 5), (1_000, 300), (10_000, 2_000), (300, 1_700)]:
        for shift in (0.0, 0.3, 9.0):
            reference, live = np.sort(rng.normal(size=m)), np.sort(rng.normal(shift, 1.5, size=n))
            assert mean_way(reference, live) == pytest.approx(wasserstein_distance(reference, live), abs=1e-12)
            with np.errstate(divide="ignore"):
                assert greatest_distance(reference, live) == pytest.approx(
                    ks_2samp(reference, live, method="asymp").statistic, abs=1e-12
                )


@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_evidently_s_defaults_are_those_of_compatibility_mode(rows: int, traffic: tuple[Traffic, Traffic]) -> None:
    reference, live = traffic
    known = reference.sample(rows)
    wanted = [
        [evidently.default_drift(*sides).drifted for sides in zip(known, live.raw(window), strict=True)]
        for window in range(live.windows)
    ]
    np.testing.assert_array_equal(flags(f"Evidently's defaults, reference of {rows:,} rows", traffic), wanted)


def test_kolmogorov_smirnov_is_scipy_s(traffic: tuple[Traffic, Traffic]) -> None:
    reference, live = traffic
    known = reference.sample(10_000)
    wanted = [
        [ks_2samp(*sides, method="asymp").pvalue < 0.05 for sides in zip(known, live.raw(window), strict=True)]
        for window in range(live.windows)
    ]
    np.testing.assert_array_equal(flags("Kolmogorov-Smirnov p < 0.05", traffic), wanted)


def test_chi_square_and_its_false_discovery_control_are_scipy_s(traffic: tuple[Traffic, Traffic]) -> None:
    known, live = traffic[0].merged(CELLS).sum(axis=0), traffic[1].merged(CELLS)
    p = np.array([[chi2_contingency(sides).pvalue for sides in zip(known, window, strict=True)] for window in live])
    np.testing.assert_allclose(comparators.chi_square_p(traffic[0].merged(CELLS), live), p, rtol=1e-9)
    np.testing.assert_array_equal(flags("chi-square p < 0.05", traffic), p < 0.05)
    adjusted = false_discovery_control(p, axis=1)
    np.testing.assert_array_equal(flags("Benjamini-Hochberg 5 % a window", traffic), adjusted <= 0.05)


def test_psi_is_the_sum_over_cells(traffic: tuple[Traffic, Traffic]) -> None:
    known, live = traffic[0].merged(CELLS).sum(axis=0), traffic[1].merged(CELLS)
    wanted = np.array([[psi_of(*sides) for sides in zip(known, window, strict=True)] for window in live])
    np.testing.assert_allclose(comparators.stability_index(traffic[0].merged(CELLS), live), wanted, rtol=1e-9)
    np.testing.assert_array_equal(flags("PSI of 0.1 or more", traffic), wanted >= 0.1)


def psi_of(reference: np.ndarray, current: np.ndarray) -> float:
    r, c = ((side + 0.5) / (side + 0.5).sum() for side in (reference, current))
    return sum((a - b) * np.log(a / b) for a, b in zip(r, c, strict=True))


def test_three_sigma_is_of_the_reference_s_own_windows(traffic: tuple[Traffic, Traffic]) -> None:
    reference, live = (each.merged(CELLS) for each in traffic)
    wanted = np.zeros(live.shape[:2], dtype=np.bool_)
    for feature in range(live.shape[1]):
        whole = reference[:, feature].sum(axis=0)
        known = [jensenshannon(whole, window, base=2) for window in reference[:, feature]]
        limit = np.mean(known) + 3 * np.std(known)
        assert comparators.three_sigma_limit(reference)[feature] == pytest.approx(limit, rel=1e-9)
        wanted[:, feature] = [jensenshannon(whole, window, base=2) > limit for window in live[:, feature]]
    np.testing.assert_array_equal(flags("JS distance above mean + 3 sd", traffic), wanted)


@pytest.mark.parametrize("name", ["chi-square p < 0.05", "Evidently's defaults, reference of 1,000 rows"])
def test_tests_at_five_percent_alarm_in_five_percent_of_clean_windows(name: str) -> None:
    """Many features rather than windows, as all windows of a feature share the noise of its small reference."""
    assert flags(name, watched(Model(features=150), 2, 20, 12)).mean() == pytest.approx(0.05, abs=0.02)
