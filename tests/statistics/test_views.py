from __future__ import annotations

import numpy as np
import pytest

from monitor.errors import LayoutMismatchError
from monitor.profiles.layout import CategoricalLayout, NumericLayout
from monitor.statistics.views import REACH, Cells, Grid, Quality, decision_groups
from tests.statistics.samples import categorical, numeric, quantile_layout

RNG = np.random.default_rng(11)


def masses(groups: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.bincount(groups, weights=counts) / counts.sum()


def test_decision_cells_of_a_smooth_feature_hold_nearly_equal_mass() -> None:
    rows = RNG.lognormal(size=10_000)
    layout = quantile_layout(rows)
    counts = numeric(layout, rows).counts
    mass = masses(decision_groups(layout, counts, cells=20), counts)
    assert len(mass) == 22
    assert mass[0] == mass[-1] == 0.0
    assert np.all(np.abs(mass[1:-1] - 1 / 20) <= 1 / 256)


def test_decision_cells_are_runs_of_adjacent_cells_with_the_outside_apart() -> None:
    for cells in (1, 3, 20, 400):
        rows = RNG.normal(size=5_000)
        layout = quantile_layout(rows)
        groups = decision_groups(layout, numeric(layout, rows).counts, cells)
        assert groups.dtype == np.int64
        assert set(np.diff(groups)) <= {0, 1}
        assert np.count_nonzero(groups == 0) == np.count_nonzero(groups == groups[-1]) == 1


def test_a_frequent_value_has_a_decision_cell_of_its_own() -> None:
    rows = np.concatenate([np.zeros(6_000), RNG.normal(size=4_000)])
    layout = NumericLayout(np.unique([*np.quantile(rows, np.linspace(0, 1, 65)), 1e-9, 10.0]), 0.0, 1.0)
    summary = numeric(layout, rows)
    groups = decision_groups(layout, summary.counts)
    atom = layout.assign(np.array([0.0]))
    assert np.count_nonzero(groups == groups[atom]) == 1
    assert masses(groups, summary.counts).max() == pytest.approx(0.6, abs=0.01)


def test_decision_cells_of_a_reference_without_values_are_inside_and_outside() -> None:
    layout = NumericLayout(np.array([0.0, 1.0, 2.0]), 0.0, 1.0)
    assert decision_groups(layout, np.zeros(4, dtype=np.int64)).tolist() == [0, 1, 1, 2]


def test_there_are_no_more_decision_cells_than_asked_for_when_the_last_are_empty() -> None:
    layout = NumericLayout(np.arange(5.0), 0.0, 1.0)
    assert decision_groups(layout, np.array([0, 9, 9, 0, 0, 0]), cells=2).tolist() == [0, 1, 2, 2, 2, 3]


def test_the_most_frequent_categories_keep_a_cell_and_the_rest_share_one() -> None:
    layout = CategoricalLayout(("a", "b", "c", "d"), ("e", "f"))
    groups = decision_groups(layout, np.array([5, 90, 70, 4, 3, 2, 0]), cells=3)
    # b, c, then a with d and the two cells of others, then the unseen.
    assert groups.tolist() == [2, 0, 1, 2, 2, 2, 3]


def test_rarer_categories_are_told_from_each_other_where_no_category_is_frequent() -> None:
    layout = CategoricalLayout((), tuple("abcdefghij"))
    groups = decision_groups(layout, np.array([*[10] * 10, 7]), cells=5)
    assert np.bincount(groups).tolist() == [2, 2, 2, 2, 2, 1]
    assert groups[-1] == 5


def test_few_categories_all_keep_a_cell() -> None:
    layout = CategoricalLayout(("a", "b"))
    assert decision_groups(layout, np.array([2, 1, 0])).tolist() == [0, 1, 2]


def test_cells_sum_the_fine_counts_of_each_side() -> None:
    cells = Cells.of(np.array([0, 1, 1, 2]), np.array([1, 2, 3, 4]), np.array([0, 9, 1, 0]), ordered=True)
    assert cells.reference.tolist() == [1, 5, 4]
    assert cells.current.tolist() == [0, 10, 0]
    assert (cells.kind, cells.rows) == ("numeric", 10)


def test_counts_of_another_layout_are_refused() -> None:
    groups, layout = np.array([0, 1]), NumericLayout(np.array([0.0, 1.0]), 0.0, 1.0)
    with pytest.raises(LayoutMismatchError):
        Cells.of(groups, np.array([1, 2, 3]), np.array([1, 2]), ordered=False)
    with pytest.raises(LayoutMismatchError):
        decision_groups(layout, np.array([1, 2]))
    other = quantile_layout(RNG.normal(size=100))
    with pytest.raises(LayoutMismatchError):
        Grid.of(layout, numeric(other, np.zeros(1)), numeric(layout, np.zeros(1)))


def test_a_grid_is_in_standard_deviations_from_the_mean_of_the_reference() -> None:
    reference, current = RNG.normal(50.0, 4.0, size=2_000), RNG.normal(58.0, 4.0, size=500)
    layout = quantile_layout(reference)
    grid = Grid.of(layout, numeric(layout, reference), numeric(layout, current))
    assert grid.rows == 500
    assert grid.edges * grid.scale + grid.centre == pytest.approx(layout.edges)
    assert grid.current.mean * grid.scale + grid.centre == pytest.approx(current.mean(), abs=1e-5)
    assert grid.current.deviation * grid.scale == pytest.approx(current.std(), abs=1e-5)
    assert grid.current.low * grid.scale + grid.centre == pytest.approx(current.min())
    cell = layout.assign(current)
    sums = np.bincount(cell, weights=(current - layout.centre) / layout.scale, minlength=layout.cells)
    assert grid.current.sums == pytest.approx(sums, abs=1e-3)


def test_sums_clip_at_the_reach() -> None:
    layout = NumericLayout(np.array([-1.0, 1.0]), 0.0, 1.0)
    summary = numeric(layout, np.array([1e9, -1e300]))
    assert Grid.of(layout, summary, summary).current.sums.tolist() == [-REACH, 0.0, REACH]


def test_quality_counts_what_is_missing_invalid_and_unusual() -> None:
    layout = NumericLayout(np.array([0.0, 1.0]), 0.0, 1.0)
    assert Quality.of(numeric(layout, np.array([0.5, np.nan, np.inf, 7.0, -7.0]))) == Quality("numeric", 5, 1, 1, 2)
    words = CategoricalLayout(("a",), ("b",))
    assert Quality.of(categorical(words, ["a", "b", "c", None])) == Quality("categorical", 4, 1, 0, 1)
