"""Segments are what grouping the rows by their values counts, whatever the order and the split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.engine.pane import Pane, count_parts
from monitor.engine.references import References
from monitor.events.batch import CategoricalColumn, NumericColumn, Origin, Predictions
from monitor.events.schema import Schema
from monitor.profiles import segments as module
from monitor.profiles.decision import INVALID, MISSING, UNUSUAL, WIDTH
from monitor.profiles.layout import NumericLayout
from monitor.profiles.profile import Profile, column_of
from monitor.profiles.reference import Reference
from monitor.profiles.segments import OTHER, ROWS_MIN, Segmented, Segments
from tests.engine.specs import HOURLY

SCHEMA = Schema("m", "binary", {"amount": "numeric", "country": "categorical", "channel": "categorical"}, positive="1")
COUNTRIES, CHANNELS = ("PL", "DE", "FR", "LU"), ("app", "web")


def drawn(seed: int, rows: int, *, odd: bool = False) -> Predictions:
    """A second apart; odd: with values that are missing, of the wrong type, out of range, and never seen."""
    random = np.random.default_rng(seed)
    country = random.choice(4, rows, p=[0.5, 0.3, 0.19, 0.01]).astype(np.int32)
    channel = random.choice(2, rows).astype(np.int32)
    amount = random.normal(country, 1.0)
    if odd:
        amount[random.random(rows) < 0.1] = np.nan
        amount[random.random(rows) < 0.05] = np.inf
        amount[random.random(rows) < 0.05] = 1e9
        for codes in (country, channel):
            spoilt = random.random(rows)
            codes[spoilt < 0.05], codes[spoilt > 0.95] = -1, -2
    columns = {
        "amount": NumericColumn.of(amount),
        "country": CategoricalColumn(country, (*COUNTRIES[:3], "XX") if odd else COUNTRIES),
        "channel": CategoricalColumn(channel, CHANNELS),
    }
    zeros = np.zeros(rows, dtype=np.int32)
    score = random.random(rows)
    return Predictions(
        "m",
        Origin("predictions", zeros, np.arange(rows), zeros),
        np.arange(rows) * 1_000,
        np.full(rows, -1),
        np.arange(rows).astype(np.uint64),
        np.ones(rows, dtype=np.bool_),
        CategoricalColumn(zeros, ("3",)),
        columns,
        CategoricalColumn((score > 0.5).astype(np.int32), ("0", "1")),
        {"1": NumericColumn.of(score)},
    )


def reference(by: tuple[str, ...] = ("country", "channel"), rows: int = 3_000) -> Reference:
    batch = drawn(0, rows)
    return Reference.build(SCHEMA, batch, None, version="3", windows=("ms", 600_000)).with_segments(batch, by)


REFERENCE = reference()
SPEC = replace(HOURLY, schema=SCHEMA, segments=("country", "channel"), segments_max=50)
STANDARDS = References(SPEC, {"3": REFERENCE})


def pane_of(batch: Predictions, *parts: NDArray[np.int64]) -> Pane:
    pane = Pane.empty("3", STANDARDS["3"])
    for part in parts:
        count_parts([pane], batch.take(part), np.zeros(1, dtype=np.intp), STANDARDS["3"].counting)
    return pane


def grouped(batch: Predictions, segments: Segments) -> NDArray[np.int64]:
    """The same, row by row, by pandas."""
    cells, tallies = REFERENCE.cells, []
    for column, own in segments.values.items():
        values = batch.features[column]
        assert isinstance(values, CategoricalColumn)
        named = [values.values[code] if code >= 0 else None for code in values.codes]
        segment = pd.Series([value if value in own else OTHER for value in named])
        for value in (*own, OTHER):
            tallies.append(np.zeros((len(cells.groups), WIDTH), dtype=np.int64))
            for place, (name, layout) in enumerate(cells.layout.features.items()):
                data, goes = column_of(batch, name, layout), []
                for row in np.flatnonzero(segment == value):
                    if isinstance(data, NumericColumn):
                        assert isinstance(layout, NumericLayout)
                        fine, state = int(layout.assign(data.values[[row]])[0]), data.state[row]
                        cell = {1: MISSING, 2: INVALID}.get(int(state), int(cells.groups[name][fine]))
                    else:
                        assert not isinstance(layout, NumericLayout)
                        code = int(data.codes[row])
                        known = layout.index.get(data.values[code], layout.cells - 1) if code >= 0 else 0
                        cell = {-1: MISSING, -2: INVALID}.get(code, int(cells.groups[name][known]))
                    goes.append(UNUSUAL if cell == -1 else cell)
                for cell, count in pd.Series(goes, dtype=np.int64).value_counts().items():
                    tallies[-1][place, cell] = count
    return np.stack(tallies)


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_a_tally_is_what_pandas_counts_by_value_and_cell(seed: int, rows: int) -> None:
    batch = drawn(seed, rows, odd=True)
    found = pane_of(batch, np.arange(rows)).segments
    assert found is not None
    np.testing.assert_array_equal(found, grouped(batch, STANDARDS["3"].segments))


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_order_and_any_split_give_the_same_bytes(seed: int, cuts: list[int]) -> None:
    batch, random = drawn(seed, 300, odd=True), np.random.default_rng(seed)
    whole = pane_of(batch, np.arange(300))
    parts = np.split(random.permutation(300), sorted(cuts))
    assert pane_of(batch, *parts).dump() == whole.dump()
    merged = Pane.empty("3", STANDARDS["3"])
    for part in parts:
        single = pane_of(batch, part)
        before = single.dump()
        one, other = merged.merge(single), single.merge(merged)
        assert one.dump() == other.dump()
        assert single.dump() == before
        merged = one
    assert merged.dump() == whole.dump()
    assert Pane.load(STANDARDS, merged.dump()).dump() == whole.dump()


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 300), max_size=300), panes=st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_parts_that_are_counted_together_are_counted_as_each_alone(seed: int, cuts: list[int], panes: int) -> None:
    batch, starts = drawn(seed, 300, odd=True), np.array([0, *sorted(cuts)])
    found = [Pane.empty("3", STANDARDS["3"]) for _ in range(min(panes, len(starts)))]
    count_parts([found[part % len(found)] for part in range(len(starts))], batch, starts, STANDARDS["3"].counting)
    ends = np.append(starts[1:], 300)
    for place, pane in enumerate(found):
        mine = [np.arange(starts[part], ends[part]) for part in range(place, len(starts), len(found))]
        assert pane.dump() == pane_of(batch, *mine).dump()


def test_the_segments_of_a_column_add_up_to_whole_traffic() -> None:
    batch = drawn(3, 400, odd=True)
    pane, cells = pane_of(batch, np.arange(400)), REFERENCE.cells
    assert pane.segments is not None
    for column in ("country", "channel"):
        mine = [place for place, each in enumerate(STANDARDS["3"].segments.columns) if each == column]
        np.testing.assert_array_equal(pane.segments[mine].sum(axis=0), cells.tally(pane.profile))


def test_the_frequent_values_have_a_segment_and_all_others_one_together() -> None:
    assert STANDARDS["3"].segments.names == (
        "country=PL",
        "country=DE",
        "country=FR",
        f"country={OTHER}",
        "channel=app",
        "channel=web",
        f"channel={OTHER}",
    )
    assert 0 < (drawn(0, 3_000).features["country"].codes == 3).sum() < ROWS_MIN  # type: ignore[union-attr]


def test_what_comes_first_decides_nothing_and_the_name_of_all_others_is_no_value() -> None:
    batch = drawn(1, 900)
    renamed = CategoricalColumn(batch.features["country"].codes, (OTHER, "DE", "FR", "LU"))  # type: ignore[union-attr]
    batch = replace(batch, features={**batch.features, "country": renamed})
    made = Reference.build(SCHEMA, batch, None).with_segments(batch, ["country"])
    assert made.segmented is not None
    assert made.segmented.segments.names == ("country=DE", f"country={OTHER}")
    shuffled = batch.take(np.random.default_rng(0).permutation(900))
    again = Reference.build(SCHEMA, shuffled, None).with_segments(shuffled, ["country"])
    assert again.segmented is not None
    assert again.segmented.plain() == made.segmented.plain()


@pytest.mark.parametrize(("by", "most"), [(("country",), 50), (("country",), 3), (("channel", "country"), 4)])
def test_fewer_segments_are_those_that_a_reference_of_fewer_would_have(by: tuple[str, ...], most: int) -> None:
    fewer = REFERENCE.segments_of(by, most)
    batch = drawn(0, 3_000)
    assert fewer is not None
    assert REFERENCE.history is not None
    wanted = Segmented.of_rows(REFERENCE.cells, batch, fewer.segments, REFERENCE.history)
    assert len(fewer.segments) == min(most, 4)
    assert (fewer.total == wanted.total).all()
    assert fewer.past is not None
    assert wanted.past is not None
    assert (fewer.past == wanted.past).all()


def test_no_more_than_the_limit_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENTS_MAX", 5)
    made = reference().segmented
    assert made is not None
    # The most frequent of all columns: half of the channels, and of the countries.
    assert set(made.segments.names) == {
        "country=PL",
        f"country={OTHER}",
        "channel=web",
        "channel=app",
        f"channel={OTHER}",
    }


def test_the_windows_of_a_reference_are_counted_as_its_whole_traffic_is() -> None:
    total, history = REFERENCE.streams(REFERENCE.segmented)
    assert history is not None
    assert REFERENCE.history is not None
    features = len(REFERENCE.layout.features)
    batch, size = drawn(0, 3_000), REFERENCE.history.size
    for start, tallies in zip(history.starts, history.tallies, strict=True):
        rows = np.flatnonzero((batch.time_ms >= start) & (batch.time_ms < start + size))
        np.testing.assert_array_equal(tallies, pane_of(batch, rows).tally(REFERENCE.cells))
    assert total.shape == (features * 8, WIDTH)
    assert history.tallies.dtype == np.uint16


def test_the_newest_windows_are_kept_at_the_end_of_whole_traffics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOWS_MAX", 2)
    made = reference()
    _, history = made.streams(made.segmented)
    _, wanted = REFERENCE.streams(REFERENCE.segmented)
    assert history is not None
    assert wanted is not None
    features = len(made.layout.features)
    assert (history.tallies[-2:] == wanted.tallies[-2:]).all()
    assert (history.tallies[:, :features] == wanted.tallies[:, :features]).all()
    assert not history.tallies[:-2, features:].any()


def test_a_segment_expects_as_many_new_categories_as_its_rows_of_categories_that_came_once() -> None:
    batch = drawn(5, 2_000)
    codes = np.random.default_rng(0).integers(0, 3_000, 2_000).astype(np.int32)
    zip_code = CategoricalColumn(codes, tuple(f"z{code}" for code in range(3_000)))
    schema = replace(SCHEMA, features={**SCHEMA.features, "zip": "categorical"})
    batch = replace(batch, features={**batch.features, "zip": zip_code})
    made = Reference.build(schema, batch, None).with_segments(batch, ["channel"])
    total, _ = made.streams(made.segmented)
    features, place = len(made.layout.features), list(made.layout.features).index("zip")
    by_channel = total[features:].reshape(3, features, WIDTH)[:, place, UNUSUAL]
    once = np.bincount(codes, minlength=3_000)[codes] == 1
    channel = batch.features["channel"].codes  # type: ignore[union-attr]
    assert made.segmented is not None
    order = [CHANNELS.index(value) for value in made.segmented.segments.values["channel"]]
    assert by_channel.tolist() == [int((once & (channel == code)).sum()) for code in order] + [0]
    assert by_channel.sum() == total[place, UNUSUAL] > 500


def test_a_file_keeps_them_or_that_there_are_none() -> None:
    again = Reference.load(REFERENCE.dump())
    assert again.dump() == REFERENCE.dump()
    assert again.segmented is not None
    assert REFERENCE.segmented is not None
    assert again.segmented.plain() == REFERENCE.segmented.plain()
    plain = replace(REFERENCE, segmented=None)
    assert Reference.load(plain.dump()).segmented is None
    assert REFERENCE.with_segments(drawn(0, 10), ()) is REFERENCE


def test_panes_without_segments_hold_none() -> None:
    plain = References(replace(SPEC, segments=()), {"3": REFERENCE})
    pane = Pane.empty("3", plain["3"])
    count_parts([pane], drawn(1, 50), np.zeros(1, dtype=np.intp), plain["3"].counting)
    assert pane.segments is None
    assert Pane.load(plain, pane.dump()).segments is None
    profile = Profile.empty(REFERENCE.layout)
    profile.fold(drawn(1, 50))
    np.testing.assert_array_equal(pane.tally(REFERENCE.cells), REFERENCE.cells.tally(profile))


def test_a_pane_of_other_segments_than_now_keeps_its_rows_alone() -> None:
    batch = drawn(1, 50)
    fewer = References(replace(SPEC, segments=("country",)), {"3": REFERENCE})
    pane = Pane.load(fewer, pane_of(batch, np.arange(50)).dump())
    assert pane.profile.rows == 50
    assert pane.segments is not None
    assert pane.segments.shape[0] == 4
    assert not pane.segments.any()
