"""Score cells: symmetric edges that two kinds of steps share, and a lookup that a binary search confirms."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import logit

from monitor.profiles.score_cells import LEAST, ScoreCells

COUNTS = (256, 1024, 2048, 4096)


@pytest.mark.parametrize("count", COUNTS)
def test_every_score_falls_where_a_binary_search_puts_it(count: int) -> None:
    rng, cells = np.random.default_rng(count), ScoreCells(count)
    spread = rng.random(20_000)
    inside = np.concatenate(
        [
            spread,
            1e-5 * spread,
            1.0 - 1e-5 * spread,
            cells.edges,
            np.nextafter(cells.edges, 0),
            np.nextafter(cells.edges, 1),
        ]
    )
    np.testing.assert_array_equal(cells.place(inside), 1 + np.searchsorted(cells.edges, inside, side="right"))


@pytest.mark.parametrize("count", COUNTS)
def test_exactly_0_and_exactly_1_have_cells_of_their_own(count: int) -> None:
    got = ScoreCells(count).place(np.array([0.0, 5e-324, 0.5, 1.0 - 2.0**-53, 1.0]))
    assert got.tolist() == [0, 1, count // 2 + 1, count, count + 1]


@pytest.mark.parametrize("count", COUNTS)
def test_edges_are_symmetric_and_hold_both_kinds_of_steps(count: int) -> None:
    edges = ScoreCells(count).edges
    exact = [Fraction(edge) for edge in edges.tolist()]
    assert all(low + high == 1 for low, high in zip(exact, reversed(exact), strict=True))
    assert all(low < high for low, high in pairwise(exact))
    assert set(exact) >= {Fraction(step, count // 2) for step in range(1, count // 2)}
    steps = np.linspace(logit(LEAST), -logit(LEAST), count // 2 + 1)
    nearest = np.abs(logit(edges)[:, None] - steps).min(axis=0)
    assert nearest.max() < 1e-6
