"""Statistics of decision cells against scipy, and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, entropy, norm

from monitor.statistics.drift.psi import PRIOR
from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Cells
from tests.statistics.samples import cells_of

SHAPES = np.random.default_rng(20261123)


def tables() -> list[Cells]:
    """Counts of every size and sparsity, neither side empty."""
    made = []
    for cells in (1, 2, 3, 7, 20, 50):
        for rows in (1, 30, 1_000, 10**6):
            shares = SHAPES.dirichlet(np.full(cells, 0.5), size=2)
            made.append(cells_of(SHAPES.multinomial(3 * rows, shares[0]), SHAPES.multinomial(rows, shares[1])))
    return made


TABLES = tables()


def value(name: str, cells: Cells) -> float:
    return REGISTRY[name](cells).value


def smoothed(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    return cells.reference + PRIOR, cells.current + PRIOR


def contingency(cells: Cells, power: float) -> float:
    """Scipy's statistic of the two rows of counts; cells that are empty on both sides say nothing."""
    table = np.array([cells.reference, cells.current])
    table = table[:, table.sum(axis=0) > 0]
    return float(chi2_contingency(table, correction=False, lambda_=power).statistic)


@pytest.mark.parametrize("cells", TABLES)
def test_divergences_are_those_of_scipy(cells: Cells) -> None:
    p, q = smoothed(cells)
    near = {"rel": 1e-9, "abs": 1e-12}
    assert value("kl", cells) == pytest.approx(entropy(p, q), **near)
    assert value("psi", cells) == pytest.approx(entropy(p, q) + entropy(q, p), **near)
    # Scipy loses digits of small divergences by cancellation, and the root doubles the loss.
    assert value("jensen_shannon", cells) == pytest.approx(jensenshannon(cells.reference, cells.current), abs=1e-7)


@pytest.mark.parametrize("cells", TABLES)
def test_test_statistics_are_those_of_scipy(cells: Cells) -> None:
    assert value("chi_square", cells) == pytest.approx(contingency(cells, 1.0), rel=1e-9, abs=1e-9)
    assert value("g", cells) == pytest.approx(contingency(cells, 0.0), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("cells", TABLES)
def test_distances_of_shares_are_their_definitions(cells: Cells) -> None:
    reference, current = cells.reference.tolist(), cells.current.tolist()
    shares = [(r / sum(reference), c / sum(current)) for r, c in zip(reference, current, strict=True)]
    assert value("total_variation", cells) == pytest.approx(sum(max(q - p, 0.0) for p, q in shares))
    assert value("l_infinity", cells) == pytest.approx(max(abs(q - p) for p, q in shares))
    overlap = sum(math.sqrt(p * q) for p, q in shares)
    assert value("hellinger", cells) == pytest.approx(math.sqrt(max(0.0, 1.0 - overlap)), abs=1e-7)


@pytest.mark.parametrize(("cells", "exact"), [(10, 0.9261), (20, 0.9633), (50, 0.9849)])
def test_psi_of_a_shift_by_one_deviation_has_its_closed_form(cells: int, exact: float) -> None:
    rows = 10**9
    edges = norm.ppf(np.linspace(0.0, 1.0, cells + 1))
    view = cells_of(np.rint(rows * np.diff(norm.cdf(edges))), np.rint(rows * np.diff(norm.cdf(edges - 1.0))))
    assert value("psi", view) == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize("name", ["psi", "kl", "jensen_shannon", "hellinger", "chi_square", "g"])
def test_chance_alone_gives_what_the_chi_square_law_says(name: str) -> None:
    m, n, cells = 20_000, 2_000, 20
    times = {"psi": 1.0, "kl": 2.0, "jensen_shannon": 8.0, "hellinger": 8.0, "chi_square": 1.0, "g": 1.0}[name]
    h = 1.0 / (1.0 / m + 1.0 / n)
    power, scale = (2, h) if name in {"jensen_shannon", "hellinger"} else (1, h if name in {"psi", "kl"} else 1.0)
    chance = np.random.default_rng(7)
    even = np.full(cells, 1.0 / cells)
    draws = [
        scale * times * value(name, cells_of(chance.multinomial(m, even), chance.multinomial(n, even))) ** power
        for _ in range(1_000)
    ]
    # Mean 19 and variance 38: the standard error of this mean is 0.2.
    assert np.mean(draws) == pytest.approx(cells - 1, abs=0.8)
    assert np.var(draws) == pytest.approx(2 * (cells - 1), rel=0.25)
