"""Profiles are a commutative monoid, exact to the bit, and say what numpy says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import CodecError, LayoutMismatchError
from monitor.events.batch import CategoricalColumn, NumericColumn
from monitor.events.schema import Schema
from monitor.profiles import numeric
from monitor.profiles.layout import CATEGORIES_MAX, OTHERS_MAX, CategoricalLayout, NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile, fold_parts
from monitor.profiles.reference import Reference
from monitor.profiles.sample import SIZE, mix
from tests.profiles.rows import SCHEMA, pairs, predictions, truths

REFERENCE = Reference.build(SCHEMA, predictions(np.random.default_rng(0), 3_000), None, version="3")
LAYOUT = REFERENCE.layout


def profile_of(batch: object, *parts: np.ndarray) -> Profile:
    profile = Profile.empty(LAYOUT)
    for part in parts:
        profile.fold(batch.take(part))  # type: ignore[attr-defined]
    return profile


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 700), max_size=4), shift=st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_folding_any_order_and_any_split_gives_the_same_bytes(seed: int, cuts: list[int], shift: float) -> None:
    random = np.random.default_rng(seed)
    batch = predictions(random, 700, shift=shift)
    whole = profile_of(batch, np.arange(700))
    parts = np.split(random.permutation(700), sorted(cuts))
    random.shuffle(parts)
    assert profile_of(batch, *parts).dump() == whole.dump()
    merged = Profile.empty(LAYOUT)
    for part in parts:
        before = merged.dump()
        single = profile_of(batch, part)
        one, other = merged.merge(single), single.merge(merged)
        assert one.dump() == other.dump()
        assert merged.dump() == before
        merged = one
    assert merged.dump() == whole.dump()


@given(
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 700), max_size=400),
    profiles=st.integers(1, 400),
    longest=st.sampled_from([7, 100, 1 << 20]),
)
@settings(max_examples=40, deadline=None)
def test_folding_parts_together_is_folding_each_on_its_own(
    seed: int, cuts: list[int], profiles: int, longest: int
) -> None:
    batch = predictions(np.random.default_rng(seed), 700)
    starts = np.array([0, *sorted(cuts)])
    ends = [*starts[1:], 700]
    found = [Profile.empty(LAYOUT) for _ in range(min(profiles, len(starts)))]
    wanted = [Profile.empty(LAYOUT) for _ in found]
    for part, (start, end) in enumerate(zip(starts, ends, strict=True)):
        wanted[part % len(found)].fold(batch.take(np.arange(start, end)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numeric, "_ROWS_MAX", longest)
        fold_parts([found[part % len(found)] for part in range(len(starts))], batch, starts)
    assert [each.dump() for each in found] == [each.dump() for each in wanted]


def test_an_empty_profile_is_the_identity_of_merge() -> None:
    profile = profile_of(predictions(np.random.default_rng(1), 50), np.arange(50))
    assert profile.merge(Profile.empty(LAYOUT)).dump() == profile.dump()


def test_bytes_round_trip_and_are_bounded_however_many_rows_there_are() -> None:
    profile = Profile.empty(LAYOUT)
    random = np.random.default_rng(2)
    for _ in range(20):
        profile.fold(predictions(random, 5_000))
    assert Profile.load(LAYOUT, profile.dump()).dump() == profile.dump()
    assert profile.rows == 100_000
    assert len(profile.sample.order) == SIZE
    assert len(profile.dump()) < 40_000


def test_a_summary_has_the_counts_and_moments_that_numpy_computes() -> None:
    batch = predictions(np.random.default_rng(3), 2_000, shift=0.7)
    profile = profile_of(batch, np.arange(2_000))
    for name in ("amount", "age"):
        layout, summary, column = LAYOUT.features[name], profile.features[name], batch.features[name]
        assert isinstance(layout, NumericLayout)
        assert isinstance(summary, NumericSummary)
        assert isinstance(column, NumericColumn)
        values = column.values[column.state == 0]
        edges = np.concatenate([[-np.inf], layout.edges, [np.inf]])
        np.testing.assert_array_equal(summary.counts, np.histogram(values, edges)[0])
        assert summary.mean(layout) == pytest.approx(values.mean(), abs=1e-6 * layout.scale)
        assert summary.deviation(layout) == pytest.approx(values.std(), abs=1e-5 * layout.scale)
        assert (summary.low, summary.high) == (values.min(), values.max())
        assert summary.missing == np.count_nonzero(column.state == 1)
        assert summary.invalid == np.count_nonzero(column.state == 2)
        assert summary.rows == 2_000


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=200), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_any_floats_give_a_layout_whose_cells_hold_every_row_once(values: list[float], seed: int) -> None:
    column = NumericColumn.of(np.array(values))
    batch = predictions(np.random.default_rng(seed), len(values))
    batch.features["amount"] = column  # type: ignore[index]
    reference = Reference.build(SCHEMA, batch, None)
    layout, summary = reference.layout.features["amount"], reference.profile.features["amount"]
    assert isinstance(layout, NumericLayout)
    assert isinstance(summary, NumericSummary)
    assert np.all(np.diff(layout.edges) > 0)
    assert np.isfinite([layout.centre, layout.scale]).all()
    assert layout.scale > 0
    assert summary.rows == len(values)
    assert summary.unusual == 0
    assert np.isfinite([summary.mean(layout), summary.deviation(layout)]).all()


def test_cells_of_a_continuous_reference_hold_equal_shares() -> None:
    counts = REFERENCE.profile.features["amount"].counts
    assert len(counts) == 258
    assert counts[1:-1].max() <= 2 * 3_000 / 256


def test_a_value_that_many_rows_share_has_a_cell_of_its_own() -> None:
    random = np.random.default_rng(4)
    batch = predictions(random, 2_000)
    values = np.where(random.random(2_000) < 0.4, 0.0, random.exponential(1.0, 2_000))
    batch.features["amount"] = NumericColumn.of(values)  # type: ignore[index]
    reference = Reference.build(SCHEMA, batch, None)
    layout = reference.layout.features["amount"]
    assert isinstance(layout, NumericLayout)
    cell = int(layout.assign(np.array([0.0]))[0])
    assert reference.profile.features["amount"].counts[cell] == np.count_nonzero(values == 0.0)


def test_rarer_categories_share_cells_and_new_ones_are_unseen() -> None:
    others = tuple(f"other{number}" for number in range(1_000))
    layout = CategoricalLayout(("PL", "DE"), others)
    assert layout.cells == 2 + OTHERS_MAX + 1
    assert [layout.index["PL"], layout.index["DE"]] == [0, 1]
    shared = np.bincount([layout.index[name] for name in others])
    assert (len(shared), shared[:2].tolist()) == (2 + OTHERS_MAX, [0, 0])
    assert shared[2:].min() > 30, "they are spread over all of their cells"
    few = CategoricalLayout(("PL",), ("FR", "US"))
    assert few.cells == 4
    assert {few.index["FR"], few.index["US"]} <= {1, 2}


def test_which_cell_a_rarer_category_shares_depends_on_its_name_alone() -> None:
    """Frozen: a compiled reference counts the same on every machine."""
    names = tuple(f"other{number}" for number in range(16))
    one, other = CategoricalLayout((), names), CategoricalLayout((), names[::-1])
    assert one.index == other.index
    assert [one.index[name] for name in names] == [xxhash.xxh3_64_intdigest(name.encode()) % 16 for name in names]


@pytest.mark.parametrize(("categories", "own"), [(CATEGORIES_MAX, CATEGORIES_MAX), (CATEGORIES_MAX + 1, 0)])
def test_only_features_of_too_many_categories_have_rarer_ones(categories: int, own: int) -> None:
    """Of as many as may have a cell each has one; of more, those alone that came often."""
    schema = Schema("m", "regression", {"code": "categorical"})
    batch = predictions(np.random.default_rng(0), 10 * categories)
    column = CategoricalColumn(
        np.arange(len(batch), dtype=np.int32) % categories, tuple(f"{code}" for code in range(categories))
    )
    layout = Reference.build(schema, replace(batch, features={"code": column}, scores={}), None).layout.features["code"]
    assert isinstance(layout, CategoricalLayout)
    assert (len(layout.vocabulary), len(layout.others)) == (own, categories - own)


def test_a_reference_expects_as_many_new_categories_as_further_rows_of_its_source_bring() -> None:
    """Codes of ten thousand kinds, of which a reference of twice as many rows has seen 86 %."""
    random = np.random.default_rng(8)
    codes = [f"{code}" for code in range(10_000)]

    def drawn(rows: int) -> CategoricalColumn:
        return CategoricalColumn(random.integers(0, len(codes), rows).astype(np.int32), tuple(codes))

    schema = Schema("m", "regression", {"code": "categorical"})
    batch = predictions(random, 20_000)
    reference = Reference.build(schema, replace(batch, features={"code": drawn(20_000)}, scores={}), None)
    window = Profile.empty(reference.layout)
    window.fold(replace(batch, features={"code": drawn(20_000)}))
    expected, found = (each.features["code"].counts / 20_000 for each in (reference.profile, window))
    assert found[-1] > 0.1
    assert expected[-1] == pytest.approx(found[-1], abs=0.01)


def test_the_sample_keeps_the_rows_whose_digests_are_smallest() -> None:
    batch = predictions(np.random.default_rng(5), 5_000)
    sample = profile_of(batch, np.arange(5_000)).sample
    np.testing.assert_array_equal(sample.order, np.sort(mix(batch.key))[:SIZE])
    rows = np.argsort(mix(batch.key))[:SIZE]
    column = sample.columns["feature:amount"]
    assert isinstance(column, NumericColumn)
    np.testing.assert_array_equal(column.values, batch.features["amount"].take(rows).values)  # type: ignore[union-attr]


def test_profiles_of_different_layouts_are_not_merged_nor_loaded() -> None:
    other = Reference.build(SCHEMA, predictions(np.random.default_rng(9), 500), None).profile
    with pytest.raises(LayoutMismatchError):
        other.merge(REFERENCE.profile)
    with pytest.raises(LayoutMismatchError):
        Profile.load(LAYOUT, other.dump())


def test_a_reference_round_trips_and_a_flipped_byte_is_noticed() -> None:
    random = np.random.default_rng(6)
    batch = predictions(random, 800)
    reference = Reference.build(SCHEMA, batch, pairs(batch, truths(random, batch)), version="7", threshold=0.4)
    data = reference.dump()
    again = Reference.load(data)
    assert again.dump() == data
    assert again.digest == reference.digest
    assert (again.version, again.rows, again.layout.outcome.threshold) == ("7", 800, 0.4)
    for place in (2, 9, len(data) // 2, len(data) - 1):
        broken = bytearray(data)
        broken[place] ^= 1
        with pytest.raises(CodecError):
            Reference.load(bytes(broken))
    with pytest.raises(CodecError, match="no REFE summary"):
        Reference.load(b"")


def test_the_reference_does_not_depend_on_the_order_of_its_rows() -> None:
    random = np.random.default_rng(7)
    batch = predictions(random, 900)
    label = truths(random, batch)
    order = random.permutation(900)
    one = Reference.build(SCHEMA, batch, pairs(batch, label))
    other = Reference.build(SCHEMA, batch.take(order), pairs(batch, label).take(order))
    assert one.dump() == other.dump()
