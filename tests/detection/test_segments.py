"""A watch of segments: what of them is tested, what each may cost, and what is usual where a segment cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.baseline import learn
from monitor.detection.budget import (
    DATA_SHARE,
    DAY_WINDOWS,
    SEGMENTS_SHARE,
    VALUES_SHARE,
    divided,
    windows_a_month,
)
from monitor.detection.past import usual
from monitor.detection.watch import Watch
from monitor.events.batch import CategoricalColumn
from monitor.profiles.decision import CELLS
from monitor.profiles.reference import Reference
from monitor.profiles.segments import OTHER, ROWS_MIN
from monitor.spec import FeatureSpec
from tests.detection.test_watch import HOUR_MS, SPEC, hourly
from tests.profiles.rows import SCHEMA

BATCH = hourly(14, rows=60)
REFERENCE = Reference.build(SCHEMA, BATCH, None, windows=("ms", HOUR_MS)).with_segments(BATCH, ["country"])
SEGMENTED = replace(SPEC, segments=("country",), segments_max=50)
WATCH = Watch.of(SEGMENTED, REFERENCE)


@given(
    st.lists(st.just(0.0) | st.floats(1e-6, 1e3), min_size=1, max_size=20),
    st.lists(st.just(0.0) | st.floats(1e-6, 1e3), max_size=20),
)
def test_shares_add_up_to_what_is_divided_and_segments_have_theirs(whole: list[float], parts: list[float]) -> None:
    weights, is_part = np.array([*whole, *parts]), np.arange(len(whole) + len(parts)) >= len(whole)
    shares = divided(0.65, weights, is_part)
    if weights.sum() > 0:
        assert shares.sum() == pytest.approx(0.65)
    if sum(whole) > 0 and sum(parts) > 0:
        assert shares[is_part].sum() == pytest.approx(0.65 * SEGMENTS_SHARE)
        assert shares[0] * sum(whole) == pytest.approx(0.65 * (1 - SEGMENTS_SHARE) * whole[0])


def test_all_limits_together_spend_the_budget_and_segments_three_tenths_of_it() -> None:
    month = np.array([[windows_a_month(SPEC.window)], [DAY_WINDOWS]])
    spent = (month / WATCH.values.limits.limit).sum(axis=0)
    assert spent.sum() == pytest.approx(SPEC.alarms.budget * VALUES_SHARE)
    assert spent[WATCH.features :].sum() == pytest.approx(SPEC.alarms.budget * VALUES_SHARE * SEGMENTS_SHARE)
    data = (month / WATCH.shares.limits.limit).sum(axis=0).reshape(3, -1)
    assert data.sum() == pytest.approx(SPEC.alarms.budget * DATA_SHARE)
    assert data[:, WATCH.features :].sum() == pytest.approx(SPEC.alarms.budget * DATA_SHARE * SEGMENTS_SHARE)


def test_without_segments_whole_traffic_has_the_budget_alone() -> None:
    plain, none = Watch.of(SPEC, REFERENCE), Watch.of(SPEC, replace(REFERENCE, segmented=None))
    assert plain.names == none.names == WATCH.names[: WATCH.features]
    assert (plain.values.limits.limit == none.values.limits.limit).all()


def test_importance_weighs_in_segments_as_in_whole_traffic() -> None:
    watch = Watch.of(replace(SEGMENTED, features={"amount": FeatureSpec(importance=3.0)}), REFERENCE)
    limit = dict(zip(watch.names, watch.values.limits.limit[0].tolist(), strict=True))
    assert limit["age in country=PL"] == pytest.approx(3 * limit["amount in country=PL"])


def test_a_segments_own_column_is_not_judged_in_it_nor_is_it_looked_at() -> None:
    own = [place for place, each in enumerate(WATCH.subjects) if each.own]
    assert {WATCH.subjects[place].name for place in own} == {f"country in {name}" for name in WATCH.segments}
    assert not any(WATCH.watches(WATCH.subjects[place]) for place in own)
    assert np.isinf(WATCH.values.limits.limit[:, own]).all()
    assert np.isinf(WATCH.shares.limits.limit[0].reshape(3, -1)[:, own]).all()


def test_what_has_too_few_rows_in_the_reference_costs_nothing_and_is_said_not_to_be_tested() -> None:
    """Rows of a fifth of the countries are missing, which are 4,000; of one more there are 199."""
    assert f"country={OTHER}" in WATCH.segments
    rare = np.array(BATCH.features["country"].codes)  # type: ignore[union-attr]
    rare[rare >= 2] = 0
    rare[: ROWS_MIN - 1], rare[ROWS_MIN - 1 :][rare[ROWS_MIN - 1 :] < 0] = -1, 1
    column = CategoricalColumn(rare, BATCH.features["country"].values)  # type: ignore[union-attr]
    batch = replace(BATCH, features={**BATCH.features, "country": column})
    made = Reference.build(SCHEMA, batch, None, windows=("ms", HOUR_MS)).with_segments(batch, ["country"])
    watch = Watch.of(SEGMENTED, made)
    other = [place for place, each in enumerate(watch.subjects) if each.segment == f"country={OTHER}"]
    assert len(watch.segments) == 3
    assert not watch.testable[other].any()
    assert np.isinf(watch.values.limits.limit[:, other]).all()
    found = watch.detectable(500)
    assert found[f"amount in country={OTHER}"] is None
    assert found[f"amount in {watch.segments[0]}"] is not None


def test_windows_of_so_many_rows_show_in_a_segment_what_its_share_of_them_would_show_of_whole_traffic() -> None:
    """The smaller the segment, the larger the change that it takes."""
    found = WATCH.detectable(2_000)
    whole, part = found["amount"], found["amount in country=PL"]
    assert whole is not None
    assert part is not None
    assert part.effect > 1.5 * whole.effect
    place = WATCH.names.index("amount in country=PL")
    codes = BATCH.features["country"].codes  # type: ignore[union-attr]
    named = BATCH.features["country"].values.index("PL")  # type: ignore[union-attr]
    assert WATCH.share[place] == pytest.approx((codes == named).mean())


def windows(random: np.random.Generator, number: int, rows: int, streams: int, spread: float) -> np.ndarray:
    """Counts of windows in four cells whose shares stray."""
    shares = random.dirichlet([spread] * 4, (number, streams))
    return np.array([[random.multinomial(rows, each) for each in window] for window in shares])


def test_where_a_segments_windows_are_too_few_to_tell_how_much_they_stray_they_do_as_whole_traffics() -> None:
    random = np.random.default_rng(0)
    whole, few = windows(random, 96, 400, 1, 50.0), np.zeros((96, 1, 4), dtype=np.int64)
    few[:2] = windows(random, 2, 400, 1, 50.0)
    many = windows(random, 96, 400, 1, 500.0)
    history = np.zeros((96, 3, CELLS), dtype=np.int64)
    history[:, :, :4] = np.concatenate([whole, few, many], axis=1)
    hours, days, ordered = np.arange(96) % 24, np.arange(96) // 24, np.ones(3, dtype=np.bool_)
    found = usual(history.sum(axis=0), ordered, history, hours, days, 1)
    alone = learn(history[:, :1].sum(axis=0), ordered[:1], history[:, :1], hours, days)
    assert (found.rho[:, :, 0] == alone.rho[:, :, 0]).all()
    np.testing.assert_allclose(found.rho[:, 0, 1], alone.rho.max(axis=1)[:, 0])
    assert 0 < found.rho[0, 0, 2] < alone.rho[0, 0, 0] / 3
