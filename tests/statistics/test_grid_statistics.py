"""Statistics of fine cells against scipy on the raw rows: bounds must hold whatever the rows are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import cramervonmises_2samp, energy_distance, ks_2samp, wasserstein_distance

from monitor.profiles.layout import NumericLayout
from monitor.statistics.reading import Estimate
from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Grid
from tests.statistics.samples import Rows, grid, numeric, quantile_layout

NAMES = ("kolmogorov_smirnov", "wasserstein", "energy", "cramer_von_mises")
CASES = 300


def rows_of(shape: int, rows: int, rng: np.random.Generator) -> Rows:
    """One of many kinds of samples: smooth, with ties, with atoms, heavy-tailed, constant, huge, tiny."""
    shapes = [
        lambda: rng.normal(size=rows),
        lambda: np.round(rng.normal(size=rows), 1),
        lambda: np.where(rng.random(rows) < 0.6, 0.0, rng.normal(size=rows)),
        lambda: rng.lognormal(sigma=2.0, size=rows),
        lambda: rng.standard_t(1.5, size=rows),
        lambda: rng.poisson(2.0, size=rows).astype(float),
        lambda: np.full(rows, rng.integers(3)).astype(float),
        lambda: rng.integers(2, size=rows).astype(float),
        lambda: rng.normal(1e9, 1e-3, size=rows),
        lambda: 1e-12 * rng.exponential(size=rows),
    ]
    return shapes[shape % len(shapes)]()


def case(seed: int) -> tuple[Rows, Rows, int]:
    """Reference, current and number of cells; one case in four takes another kind for the current rows."""
    rng = np.random.default_rng(seed)
    m, n = (int(size) for size in np.exp(rng.uniform(0.0, 7.0, size=2)))
    reference = rows_of(seed, m, rng)
    current = rows_of(seed if seed % 4 else seed // 4, n, rng)
    spread = float(reference.std()) or 1.0
    move, stretch = spread * rng.normal() * rng.integers(3), math.exp(rng.normal() * rng.integers(2))
    return reference, current * stretch + move, int(rng.choice([2, 16, 256]))


def exact(name: str, reference: Rows, current: Rows, scale: float) -> float:
    if name == "kolmogorov_smirnov":
        with np.errstate(divide="ignore"):  # Scipy's p-value of two rows.
            return float(ks_2samp(reference, current, method="asymp").statistic)
    if name == "wasserstein":
        return float(wasserstein_distance(reference, current)) / scale
    if name == "energy":
        return float(energy_distance(reference, current)) / math.sqrt(scale)
    return cramer_von_mises(reference, current)


def cramer_von_mises(reference: Rows, current: Rows) -> float:
    both = np.concatenate([reference, current])
    f = np.searchsorted(np.sort(reference), both, side="right") / len(reference)
    g = np.searchsorted(np.sort(current), both, side="right") / len(current)
    return len(reference) * len(current) / len(both) ** 2 * float(np.sum((f - g) ** 2))


def within(estimate: Estimate, truth: float) -> bool:
    assert estimate.lower is not None
    assert estimate.upper is not None
    slack = 1e-9 * (1.0 + truth)
    assert estimate.lower <= estimate.value <= estimate.upper
    return estimate.lower - slack <= truth <= estimate.upper + slack


@pytest.mark.parametrize("name", NAMES)
def test_bounds_hold_the_exact_value_in_random_cases(name: str) -> None:
    missed = []
    for seed in range(CASES):
        reference, current, cells = case(seed)
        view = grid(reference, current, cells)
        if not within(REGISTRY[name](view), exact(name, reference, current, view.scale)):
            missed.append(seed)
    assert missed == []


@pytest.mark.parametrize("name", NAMES)
def test_bounds_hold_the_exact_value_of_rows_far_out_of_range(name: str) -> None:
    rng = np.random.default_rng(5)
    reference = rng.normal(size=500)
    for far in (1e4, 1e6, -1e9):
        current = np.where(rng.random(300) < 0.1, far * rng.random(300), rng.normal(size=300))
        layout = quantile_layout(reference)
        later = np.append(reference, -far)  # Of a reference whose cells were made from earlier rows.
        view = Grid.of(layout, numeric(layout, later), numeric(layout, current))
        truth = exact(name, later, current, view.scale)
        assert within(REGISTRY[name](view), truth)


@pytest.mark.parametrize("name", NAMES)
def test_bounds_hold_the_exact_value_where_the_range_itself_is_beyond_the_reach_of_sums(name: str) -> None:
    rng = np.random.default_rng(9)
    layout = NumericLayout(np.array([-1e6, -1e5, -5e3, 0.0, 3e3, 1e5, 2e5]), 0.0, 1.0)
    for _ in range(20):
        reference, current = (rng.choice([1.0, 1e3, 1e5]) * rng.normal(size=rng.integers(1, 200)) for _ in range(2))
        view = Grid.of(layout, numeric(layout, reference), numeric(layout, current))
        assert within(REGISTRY[name](view), exact(name, reference, current, view.scale))


def test_the_kolmogorov_smirnov_gap_is_at_most_one_cell_of_the_reference() -> None:
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.1, 1.0):
        estimate = REGISTRY["kolmogorov_smirnov"](grid(rng.normal(size=25_600), rng.normal(shift, size=999)))
        assert estimate.upper - estimate.lower <= 1 / 256 + 1e-4


def test_wasserstein_is_exact_where_one_distribution_stays_above_the_other() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=10_000)
    view = grid(reference, reference + 3.0)
    estimate = REGISTRY["wasserstein"](view)
    assert estimate.value == pytest.approx(3.0 / view.scale, abs=1e-5)
    assert estimate.upper - estimate.lower < 1e-3


@pytest.mark.parametrize(
    ("name", "error", "width"),
    [
        ("kolmogorov_smirnov", 0.004, 0.004),
        ("wasserstein", 0.0005, 0.01),
        ("energy", 0.0005, 0.004),
        ("cramer_von_mises", 0.05, 2.5),
    ],
)
def test_a_small_shift_is_bounded_narrowly(name: str, error: float, width: float) -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=20_000), rng.normal(0.1, size=5_000)
    view = grid(reference, current)
    estimate = REGISTRY[name](view)
    truth = exact(name, reference, current, view.scale)
    assert estimate.value == pytest.approx(truth, abs=error)
    assert estimate.upper - estimate.lower < width


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_cramer_von_mises_is_that_of_scipy_without_ties(shift: float) -> None:
    rng = np.random.default_rng(4)
    reference, current = rng.normal(size=5_000), rng.normal(shift, size=700)
    truth = cramervonmises_2samp(reference, current, method="asymptotic").statistic
    assert cramer_von_mises(reference, current) == pytest.approx(truth, rel=1e-6)
    estimate = REGISTRY["cramer_von_mises"](grid(reference, current))
    assert estimate.value == pytest.approx(truth, rel=0.01)
    assert estimate.lower > 0.9 * truth


def test_cramer_von_mises_is_exact_where_each_cell_holds_rows_of_one_side() -> None:
    reference, current = np.arange(4.0), np.arange(10.0, 13.0)
    estimate = REGISTRY["cramer_von_mises"](grid(reference, current, cells=1))
    assert estimate.value == pytest.approx(cramer_von_mises(reference, current), rel=1e-12)


def test_mean_and_spread_are_those_of_numpy() -> None:
    rng = np.random.default_rng(6)
    for seed in range(20):
        reference, current = rng.normal(10.0, 3.0, size=500), rng.normal(seed, 1.0 + seed, size=400)
        view = grid(reference, current)
        shift = (current.mean() - reference.mean()) / reference.std()
        assert REGISTRY["mean_shift"](view).value == pytest.approx(shift, abs=1e-6)
        spread = math.log(current.std() / reference.std())
        assert REGISTRY["spread_shift"](view).value == pytest.approx(spread, abs=1e-6)


def test_one_wild_value_moves_the_mean_by_no_more_than_the_reach_of_sums() -> None:
    reference = np.random.default_rng(8).normal(size=1_000)
    view = grid(reference, np.append(reference, 1e30))
    assert REGISTRY["mean_shift"](view).value == pytest.approx(4096 / 1_001, abs=1e-2)
