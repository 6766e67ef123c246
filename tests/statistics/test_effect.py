from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm

from monitor.statistics.effect import EXPECTED_MIN, debiased_effect, pools_of
from monitor.statistics.views import Cells
from tests.statistics.samples import cells_of

COUNTS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=25)


def expected(cells: Cells) -> np.ndarray:
    return cells.reference * cells.current.sum() / cells.reference.sum()


@given(counts=COUNTS, ordered=st.booleans())
def test_pooled_cells_are_all_expected_to_hold_enough_rows(counts: list[tuple[int, int]], ordered: bool) -> None:
    reference, current = (list(side) for side in zip((1, 1), *counts, strict=True))
    cells = cells_of(reference, current, ordered)
    pooled = pooled_of(cells)
    assert len(pooled.reference) == 1 or expected(pooled).min() >= EXPECTED_MIN - 1e-9
    assert pooled.reference.sum() == cells.reference.sum()
    assert pooled.current.sum() == cells.current.sum()
    kept = expected(cells) >= EXPECTED_MIN
    if kept.all():
        assert pooled.reference.tolist() == cells.reference.tolist()
    if not ordered:
        # No more than one frequent cell is lost, to a rare pool that does not hold enough.
        assert len(pooled.reference) >= np.count_nonzero(kept)


def pooled_of(cells: Cells) -> Cells:
    return cells.merge(pools_of(cells))


def test_rare_ordered_cells_join_their_neighbours() -> None:
    cells = cells_of([0, 1, 50, 3, 3, 50, 2], [9, 1, 50, 3, 3, 41, 2], ordered=True)
    pooled = pooled_of(cells)
    assert pooled.reference.tolist() == [51, 6, 52]
    assert pooled.current.tolist() == [60, 6, 43]


def test_rare_categories_are_pooled_together() -> None:
    pooled = pooled_of(cells_of([50, 3, 40, 4, 0], [40, 3, 40, 4, 10]))
    assert sorted(zip(pooled.reference.tolist(), pooled.current.tolist(), strict=True)) == [(7, 17), (40, 40), (50, 40)]


def test_an_unseen_category_joins_the_rarest_when_it_is_the_only_rare_one() -> None:
    pooled = pooled_of(cells_of([60, 40, 0], [60, 30, 10]))
    assert sorted(pooled.current.tolist()) == [40, 60]


def test_the_choice_of_pools_does_not_look_at_where_current_rows_lie() -> None:
    reference = [100, 3, 3, 50, 1]
    one, other = (cells_of(reference, current, ordered=True) for current in ([10, 0, 0, 90, 57], [90, 57, 10, 0, 0]))
    assert len(pooled_of(one).reference) == len(pooled_of(other).reference)


def test_without_drift_the_effect_before_debiasing_is_the_noise_floor() -> None:
    rng = np.random.default_rng(3)
    even = np.full(20, 0.05)
    draws, floors = [], []
    for _ in range(500):
        cells = cells_of(rng.multinomial(20_000, even), rng.multinomial(1_000, even), ordered=True)
        draws.append(8.0 * jensenshannon(cells.reference, cells.current) ** 2)
        floors.append(debiased_effect(cells).noise_floor)
    assert floors == pytest.approx([19 * (1 / 1_000 + 1 / 20_000)] * 500)
    assert np.mean(draws) == pytest.approx(floors[0], rel=0.05)


def test_dispersion_raises_the_floor_and_lowers_the_effect() -> None:
    cells = cells_of([100, 100], [100, 150])
    plain, clustered = debiased_effect(cells), debiased_effect(cells, dispersion=3.0)
    assert clustered.noise_floor == pytest.approx(3.0 * plain.noise_floor)
    assert clustered.effect == pytest.approx(plain.effect - 2.0 * plain.noise_floor)


@pytest.mark.parametrize("shift", [0.1, 0.25])
def test_small_effects_read_as_psi(shift: float) -> None:
    edges = norm.ppf(np.linspace(0.0, 1.0, 21))
    shares = [np.diff(norm.cdf(edges - at)) for at in (0.0, shift)]
    cells = cells_of(*(np.rint(10**8 * share) for share in shares), ordered=True)
    psi = np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))
    assert debiased_effect(cells).effect == pytest.approx(psi, rel=0.01)


def test_chance_gives_no_effect_and_one_cell_gives_nothing() -> None:
    assert debiased_effect(cells_of([500, 500], [51, 49])).effect == 0.0
    alone = debiased_effect(cells_of([3, 0], [0, 3]))
    assert (alone.effect, alone.noise_floor, alone.cells) == (0.0, 0.0, 1)
