"""How columns go together: beside scipy's ranks, pair by pair; and what must change nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from monitor.events.batch import PREDICTION, SCORE, CategoricalColumn, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles.history import History
from monitor.profiles.layout import CategoricalLayout, Layout, NumericLayout, OutcomeLayout
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.sample import SIZE
from monitor.profiles.together import COLUMNS_MAX, Together, counts
from tests.profiles.rows import SCHEMA, predictions

HOUR_MS = 3_600_000
NAN = float("nan")
REFERENCE = Reference.build(SCHEMA, predictions(np.random.default_rng(0), 3_000), None)
TOGETHER = Together.of(REFERENCE.layout)


def counted(values: NDArray[np.float64]) -> NDArray[np.int64]:
    present = ~np.isnan(values)
    return counts(np.where(present, values, 0.0), present)


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, int]:
    """Of normal scores, by scipy, over the rows that have both; and how many these are."""
    scores = []
    for column in (one, other):
        score = np.full(column.shape, np.nan)
        known = ~np.isnan(column)
        score[known] = stats.norm.ppf((stats.rankdata(column[known]) - 0.5) / known.sum())
        scores.append(score)
    both = ~np.isnan(scores[0]) & ~np.isnan(scores[1])
    return float(np.corrcoef(scores[0][both], scores[1][both])[0, 1]), int(both.sum())


def mixed(random: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """float64[6, rows]: normal, one that goes with it, skewed, counts, ones, and one with an outlier; with gaps."""
    normal = random.normal(size=rows)
    values = np.stack(
        [
            normal,
            0.6 * normal + random.normal(size=rows),
            random.lognormal(0.0, 2.0, rows),
            random.poisson(2.0, rows).astype(float),
            (random.random(rows) < 0.3).astype(float),
            np.where(np.arange(rows) == 0, 1e300, -normal),
        ]
    )
    values[random.random(values.shape) < random.choice([0.0, 0.02, 0.4], size=(6, 1))] = np.nan
    return values


@given(seed=st.integers(0, 2**32), rows=st.integers(60, 500))
@settings(max_examples=40, deadline=None)
def test_each_pair_has_the_correlation_of_its_normal_scores(seed: int, rows: int) -> None:
    values = mixed(np.random.default_rng(seed), rows)
    found = counted(values)
    for one, other in combinations(range(len(values)), 2):
        r, held = correlation(values[one], values[other])
        if found[one, other].sum():
            assert found[one, other].sum() == held - 1
            assert found[one, other, 0] == pytest.approx((held - 1) * (1.0 + r) / 2.0, abs=0.5 + 1e-6)
        else:  # Only where one column is mostly of one value, or too few rows have both.
            assert held < 60 or {one, other} & {3, 4}
    assert (found == found.swapaxes(0, 1)).all()


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_neither_order_nor_what_happens_to_one_column_alone_changes_anything(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    values = mixed(random, rows)
    found = counted(values)
    assert (counted(values[:, random.permutation(rows)]) == found).all()
    moved = np.stack([values[0] + 7.0, 40.0 * values[1], np.sqrt(values[2]), values[3] ** 3, *values[4:]])
    assert (counted(moved) == found).all()
    turned = counted(np.concatenate([-values[:1], values[1:]]))
    assert (turned[0, 1:].sum(axis=1) == found[0, 1:].sum(axis=1)).all()
    assert (np.abs(turned[0, 1:, 0] - found[0, 1:, 1]) <= 1).all()  # Half a row is rounded to the even one.


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (np.arange(50.0), np.arange(50.0), (49, 0)),
        (np.arange(50.0), -np.arange(50.0), (0, 49)),
        (np.full(50, 3.0), np.arange(50.0), (0, 0)),
        (np.full(50, NAN), np.arange(50.0), (0, 0)),
        (np.r_[np.full(25, NAN), np.arange(25.0)], np.r_[np.arange(25.0), np.full(25, NAN)], (0, 0)),
        (np.arange(6.0), np.arange(6.0), (0, 0)),
        (np.arange(8.0), np.arange(8.0), (7, 0)),
    ],
    ids=["the same", "opposite", "constant", "missing", "never both", "six rows", "eight rows"],
)
def test_columns_say_what_they_can(one: NDArray[np.float64], other: NDArray[np.float64], told: tuple[int, int]) -> None:
    assert tuple(counted(np.stack([one, other]))[0, 1].tolist()) == told


def test_rare_ones_go_with_a_continuous_column_and_not_with_each_other() -> None:
    rare, frequent, smooth = (np.arange(500) < 6).astype(float), (np.arange(500) % 2).astype(float), np.arange(500.0)
    found = counted(np.stack([rare, np.roll(rare, 3), frequent, smooth])).sum(axis=2)
    assert (found[0, 1], found[0, 2], found[0, 3], found[2, 3]) == (0, 0, 499, 499)


def test_what_the_model_answers_comes_first_and_further_columns_are_left_out() -> None:
    numeric = NumericLayout(np.array([0.0, 1.0]), 0.0, 1.0)
    features = {f"f{number}": numeric for number in range(COLUMNS_MAX)}
    layout = Layout({**features, "c": CategoricalLayout(("a",)), SCORE: numeric}, OutcomeLayout("binary"))
    together = Together.of(layout)
    assert together.columns == (SCORE, *(f"f{number}" for number in range(COLUMNS_MAX - 1)))
    assert together.left_out == (f"f{COLUMNS_MAX - 1}",)
    assert len(together.pairs) == len(together.none) == COLUMNS_MAX * (COLUMNS_MAX - 1) // 2
    assert together.pairs[0] == (SCORE, "f0")
    assert together.touching({"f3"}).sum() == COLUMNS_MAX - 1
    assert not together.touching(()).any()


def test_one_numeric_column_has_no_pair() -> None:
    alone = Together(("amount",))
    assert alone.of_sample(REFERENCE.profile.sample).shape == (0, 2)


def test_numbers_that_are_predicted_are_a_column() -> None:
    schema = Schema("m", "regression", {"amount": "numeric"})
    batch = predictions(np.random.default_rng(1), 400)
    amount = batch.features["amount"]
    batch = replace(batch, features={"amount": amount}, prediction=amount, scores={})
    reference = Reference.build(schema, batch, None, windows=("rows", 400))
    assert Together.of(reference.layout).pairs == ((PREDICTION, "amount"),)
    assert Together.of(reference.layout).of_sample(reference.profile.sample).tolist() == [[399, 0]]


def test_the_score_of_several_classes_is_that_of_the_likeliest_one() -> None:
    schema, rows = Schema("m", "multiclass", {"amount": "numeric"}), 300
    batch = predictions(np.random.default_rng(1), rows)
    first = np.linspace(0.5, 0.9, rows)
    scores = {"a": NumericColumn.of(first), "b": NumericColumn.of(1.0 - first)}
    amount = NumericColumn.of(-first)
    batch = replace(batch, features={"amount": amount}, prediction=None, scores=scores)
    reference = Reference.build(schema, batch, None)
    assert Together.of(reference.layout).of_sample(reference.profile.sample).tolist() == [[0, rows - 1]]


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 2_500))
@settings(max_examples=15, deadline=None)
def test_a_history_has_the_pairs_of_each_windows_own_sample(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    batch = predictions(random, rows, time_ms=random.integers(-500, 1_500, rows))
    found = History.of_rows(REFERENCE.cells, batch, "ms", 1_000)
    assert found is not None
    for start, pairs in zip(found.starts.tolist(), found.pairs, strict=True):
        profile = Profile.empty(REFERENCE.layout)
        profile.fold(batch.take((batch.time_ms >= start) & (batch.time_ms < start + 1_000)))
        assert len(profile.sample.order) <= SIZE
        assert (pairs == TOGETHER.of_sample(profile.sample)).all()


def history(size: int) -> History:
    batch = predictions(np.random.default_rng(3), 600, time_ms=np.arange(600) * 240_000)  # 40 hours.
    found = History.of_rows(REFERENCE.cells, batch, "ms", size)
    assert found is not None
    return found


def test_ranks_within_an_hour_are_those_of_its_parts_and_say_nothing_of_a_day() -> None:
    quarters = history(HOUR_MS // 2)
    hours = quarters.in_windows_of(HOUR_MS)
    assert hours.pairs.sum() == quarters.pairs.sum() > 0
    assert (hours.pairs[0] == quarters.pairs[:2].sum(axis=0)).all()
    assert hours.in_windows_of(HOUR_MS // 4).pairs.sum() > 0
    assert hours.in_windows_of(6 * HOUR_MS).pairs.sum() == 0
    assert hours.in_windows_of(6 * HOUR_MS).tallies.sum() == hours.tallies.sum()
    assert history(6 * HOUR_MS).in_windows_of(HOUR_MS).pairs.sum() == 0
    assert replace(hours, unit="rows").in_windows_of(6 * HOUR_MS).pairs.sum() == hours.pairs.sum()


def test_a_file_keeps_pairs() -> None:
    batch = predictions(np.random.default_rng(4), 500)
    reference = Reference.build(SCHEMA, batch, None, windows=("ms", 60_000))
    again = Reference.load(reference.dump())
    assert reference.history is not None
    assert again.history is not None
    assert (again.history.pairs == reference.history.pairs).all()
    assert again.history.pairs.sum() > 0


def test_pairs_of_other_columns_are_found_by_their_names() -> None:
    few, more = Together(("b", "c")), Together(("a", "b", "c"))
    assert few.reordered(np.array([[[3, 4]]]), more).tolist() == [[[0, 0], [0, 0], [3, 4]]]
    assert more.reordered(np.array([[[1, 2], [3, 4], [5, 6]]]), few).tolist() == [[[5, 6]]]


def test_a_categorical_column_is_none() -> None:
    schema = Schema("m", "binary", {"country": "categorical"}, positive="1")
    batch: Predictions = predictions(np.random.default_rng(1), 100)
    country = batch.features["country"]
    assert isinstance(country, CategoricalColumn)
    reference = Reference.build(schema, replace(batch, features={"country": country}), None)
    assert Together.of(reference.layout).columns == (SCORE,)
