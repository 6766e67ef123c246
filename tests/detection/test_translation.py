"""Effects in a feature's own unit, against raw rows that are really moved and SciPy's divergence of their counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from monitor.detection.translation import Growth, Move, Odds, Shift, Translator
from monitor.events.batch import CategoricalColumn, NumericColumn
from monitor.events.schema import Schema
from monitor.profiles.layout import CategoricalLayout
from monitor.profiles.reference import Reference
from tests.detection.feature_rows import table

CELLS = 20
SAME = np.arange(CELLS)


def effect(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    return float(8.0 * jensenshannon(before, after) ** 2)


def translator(name: str, values: NDArray[np.float64] | CategoricalColumn) -> Translator:
    column = values if isinstance(values, CategoricalColumn) else NumericColumn.of(values)
    kind = "categorical" if isinstance(values, CategoricalColumn) else "numeric"
    reference = Reference.build(Schema("m", "binary", {name: kind}, positive="a"), table({name: column}), None)
    counts = reference.profile.features[name].counts
    return Translator(reference.layout.features[name], counts, reference.cells.groups[name])


@pytest.mark.parametrize("wanted", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("shape", ["normal", "whole numbers", "skewed below 0"])
def test_a_mean_moved_by_what_is_said_shows_the_effect(shape: str, wanted: float) -> None:
    random = np.random.default_rng(1)
    values = {
        "normal": random.normal(50.0, 4.0, 200_000),
        "skewed below 0": random.lognormal(3.0, 0.7, 200_000) - 100.0,
        "whole numbers": random.poisson(200.0, 200_000) + random.random(200_000) - 0.5,
    }[shape]
    change = translator("x", values).of(wanted, SAME)
    assert isinstance(change, Shift)
    assert change.amount == pytest.approx(change.sd * values.std(), rel=1e-3)
    edges = np.quantile(values, np.linspace(0, 1, CELLS + 1))
    moved = np.histogram(values + change.amount, edges)[0]
    assert effect(np.histogram(values, edges)[0].astype(float), moved.astype(float)) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("wanted", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("shape", ["lognormal", "exponential", "heavy lognormal"])
def test_positive_skewed_values_multiplied_by_what_is_said_show_the_effect(shape: str, wanted: float) -> None:
    random = np.random.default_rng(4)
    values = {
        "lognormal": random.lognormal(3.0, 0.7, 200_000),
        "exponential": random.exponential(5.0, 200_000),
        "heavy lognormal": random.lognormal(0.0, 2.0, 200_000),
    }[shape]
    change = translator("x", values).of(wanted, SAME)
    assert isinstance(change, Growth)
    assert change.amount == pytest.approx((change.factor - 1.0) * values.mean(), rel=1e-3)
    edges = np.quantile(values, np.linspace(0, 1, CELLS + 1))
    grown = np.histogram(values * change.factor, edges)[0]
    assert effect(np.histogram(values, edges)[0].astype(float), grown.astype(float)) == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("wanted", [0.02, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 8.0])
def test_scores_whose_odds_are_multiplied_by_what_is_said_show_the_effect_and_stay_below_1(
    alpha: float, wanted: float
) -> None:
    scores = np.random.default_rng(6).beta(alpha, 4.0, 200_000)
    change = replace(translator("x", scores), probabilities=True).of(wanted, SAME)
    assert isinstance(change, Odds)
    odds = scores / (1.0 - scores) * change.factor
    moved = odds / (1.0 + odds)
    assert moved.max() <= 1.0
    assert change.amount == pytest.approx(moved.mean() - scores.mean(), rel=0.03)
    edges = np.quantile(scores, np.linspace(0, 1, CELLS + 1))
    before, after = (np.histogram(each, edges)[0].astype(float) for each in (scores, moved))
    assert effect(before, after) == pytest.approx(wanted, rel=0.08)


@pytest.mark.parametrize("wanted", [0.02, 0.1, 0.5])
def test_of_numbers_that_pile_up_it_is_said_how_many_rows_leave_the_pile(wanted: float) -> None:
    random = np.random.default_rng(5)
    amounts = random.lognormal(3.0, 1.0, 200_000)
    values = np.where(random.random(200_000) < 0.6, 0.0, amounts)
    known = translator("x", values)
    change = known.of(wanted, SAME)
    assert isinstance(change, Move)
    assert change.category.startswith("0 to ")
    assert change.before == pytest.approx(0.6, abs=0.005)
    leave = (values == 0.0) & (random.random(200_000) < 1.0 - change.after / change.before)
    moved = np.where(leave, random.permutation(values[values > 0])[random.integers(0, 70_000, 200_000)], values)
    edges = np.unique([0.0, 1e-9, *np.quantile(values[values > 0], np.linspace(0, 1, 9))[1:]])
    before, after = (np.histogram(each, edges)[0].astype(float) for each in (values, moved))
    # Two kinds of rows, those of the pile and others: cells of the others keep their proportions.
    assert effect(before, after) == pytest.approx(wanted, rel=0.06)


def test_the_default_tolerance_is_a_seventh_of_a_normals_standard_deviation() -> None:
    change = translator("x", np.random.default_rng(2).normal(0.0, 128.0, 200_000)).of(0.02, SAME)
    assert isinstance(change, Shift)
    assert change.sd == pytest.approx(0.142, abs=0.002)
    assert change.amount == pytest.approx(18.2, abs=0.3)


def test_the_default_tolerance_is_seven_points_of_a_category_that_half_of_the_rows_have() -> None:
    codes = np.repeat(np.arange(3, dtype=np.int32), [500, 300, 200])
    change = translator("c", CategoricalColumn(codes, ("PL", "DE", "FR"))).of(0.02, SAME)
    assert isinstance(change, Move)
    assert (change.category, change.before) == ("PL", 0.5)
    assert change.after == pytest.approx(0.43, abs=0.002)
    rest = (1 - change.after) / 0.5
    moved = np.array([change.after, 0.3 * rest, 0.2 * rest])
    assert effect(np.array([0.5, 0.3, 0.2]), moved) == pytest.approx(0.02, rel=1e-6)


def test_a_category_too_rare_to_fall_that_far_rises() -> None:
    codes = np.repeat(np.arange(1_000, dtype=np.int32), 20)
    known = translator("c", CategoricalColumn(codes, tuple(f"c{code}" for code in range(1_000))))
    change = known.of(0.3, SAME)
    assert isinstance(change, Move)
    assert change.after > change.before
    assert known.effect(change, SAME) == pytest.approx(0.3, rel=1e-6)


def test_a_change_that_nothing_can_show_is_none() -> None:
    codes = np.repeat(np.arange(2, dtype=np.int32), [500, 500])
    assert translator("c", CategoricalColumn(codes, ("a", "b"))).of(5.5, SAME) is None
    assert translator("x", np.ones(100)).of(0.02, SAME) is None


def test_fewer_cells_need_a_larger_change() -> None:
    known = translator("x", np.random.default_rng(3).normal(size=100_000))
    fine, coarse = known.of(0.1, SAME), known.of(0.1, SAME // 7)
    assert isinstance(fine, Shift)
    assert isinstance(coarse, Shift)
    assert coarse.sd > 1.05 * fine.sd
    assert known.effect(coarse, SAME // 7) == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize(("values", "rows"), [(5_000, 200_000), (1_000, 200_000), (150, 60_000)])
def test_the_share_of_values_that_may_vanish_unseen_shows_the_effect_when_it_does(values: int, rows: int) -> None:
    random = np.random.default_rng(values)
    known = translator("c", CategoricalColumn(random.integers(0, values, rows, np.int32), names := labels(values)))
    layout = known.layout
    assert isinstance(layout, CategoricalLayout)
    # The cell of each value on which decisions are taken, by the layout's own rule of places.
    place = np.array([known.groups[layout.index[name]] for name in names])
    before = np.bincount(place, minlength=CELLS).astype(float)
    for share in (0.5, 0.8):
        shown = []
        for _ in range(200):
            stays = random.permutation(values) >= share * values
            shown.append(effect(before, np.bincount(place[stays], minlength=CELLS).astype(float)))
        assert known.vanishing(float(np.mean(shown)), SAME) == pytest.approx(share, abs=0.06)


def test_few_values_do_not_vanish_unseen() -> None:
    codes = np.repeat(np.arange(4, dtype=np.int32), [40, 30, 20, 10])
    assert translator("c", CategoricalColumn(codes, ("a", "b", "c", "d"))).vanishing(0.1, SAME) < 0.2
    assert translator("x", np.arange(100.0)).vanishing(0.1, SAME) == 0.0


def labels(values: int) -> tuple[str, ...]:
    return tuple(f"sku{value}" for value in range(values))


@pytest.mark.parametrize("zeros", [0.6, 0.8, 0.97])
def test_a_change_of_rare_counts_is_told_as_one_of_their_zeros(zeros: float) -> None:
    """Multiplied by anything less than 1.5 they would stay in their cells."""
    random = np.random.default_rng(8)
    counts = np.where(random.random(100_000) < zeros, 0, random.integers(1, 6, 100_000)).astype(np.float64)
    change = translator("x", counts).of(0.02, SAME)
    assert isinstance(change, Move)
    assert change.before == pytest.approx(zeros, abs=0.01)
