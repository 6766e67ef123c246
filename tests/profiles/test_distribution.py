"""What is shown of a window: counted again here, row by row, by its cells' own bounds and names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.batch import INVALID, MISSING, PRESENT, CategoricalColumn, NumericColumn, Predictions
from monitor.profiles.distribution import Basis, Cell, Distribution, span
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from tests.profiles.rows import SCHEMA, predictions


def shown(reference: Reference, rows: Predictions, feature: str, *, again: bool = False) -> Distribution:
    basis = Basis.of(reference, "standing", "name")
    basis = Basis.load(basis.dump()) if again else basis
    profile = Profile.empty(reference.layout)
    profile.fold(rows)
    return basis.compared(feature, reference.cells.tally(profile))


def with_column(rows: Predictions, **columns: NumericColumn | CategoricalColumn) -> Predictions:
    return replace(rows, features={**rows.features, **columns})


def inside(cell: Cell, column: NumericColumn) -> int:
    low, high = cell.low, cell.high
    assert low is not None
    assert high is not None
    return sum(
        low <= value < high for value, state in zip(column.values, column.state, strict=True) if state == PRESENT
    )


@given(seed=st.integers(0, 1 << 30), rows=st.integers(1, 400), shift=st.floats(-9, 9))
@settings(max_examples=40)
def test_numbers_are_counted_within_the_bounds_that_are_shown(seed: int, rows: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    known, now = predictions(random, 600), predictions(random, rows, shift=shift)
    reference = Reference.build(SCHEMA, known, None)
    for feature in ("amount", "age"):
        before, after = known.features[feature], now.features[feature]
        assert isinstance(before, NumericColumn)
        assert isinstance(after, NumericColumn)
        found = shown(reference, now, feature, again=seed % 2 == 0)
        *cells, missing, wrong, beyond = found.cells
        assert found.numeric
        assert [(each.reference, each.current) for each in cells] == [
            (inside(each, before), inside(each, after)) for each in cells
        ]
        assert [each.high for each in cells[:-1]] == [each.low for each in cells[1:]], "no gap, no overlap"
        assert (missing.name, wrong.name, beyond.name) == ("missing", "invalid", "out of range")
        assert missing[3:] == tuple(int((each.state == MISSING).sum()) for each in (before, after))
        assert wrong[3:] == tuple(int((each.state == INVALID).sum()) for each in (before, after))
        assert found.rows == rows == sum(each.current for each in found.cells)
        assert found.reference_rows == 600 == sum(each.reference for each in found.cells)


def test_categories_are_named_and_what_no_reference_had_is_counted_apart() -> None:
    random = np.random.default_rng(3)
    reference = Reference.build(SCHEMA, predictions(random, 600), None)
    values = ("PL", "DE", "XX")
    column = CategoricalColumn(np.array([0] * 5 + [1] * 3 + [2] * 2 + [-1] * 4, dtype=np.int32), values)
    found = shown(reference, with_column(predictions(random, 14), country=column), "country", again=True)
    now = {each.name: each.current for each in found.cells if each.current}
    assert now == {"PL": 5, "DE": 3, "unseen": 2, "missing": 4}
    assert {each.name for each in found.cells[:4]} == {"PL", "DE", "US", "FR"}
    assert all(each.low is each.high is None for each in found.cells)
    assert not found.numeric


def test_many_categories_share_cells_whose_names_stay_short() -> None:
    random = np.random.default_rng(4)
    values = tuple(f"city {number:03}" for number in range(150))
    column = CategoricalColumn(random.integers(0, 150, 9_000).astype(np.int32), values)
    reference = Reference.build(SCHEMA, with_column(predictions(random, 9_000), country=column), None)
    *cells, _, _, unseen = shown(reference, predictions(random, 10), "country").cells
    assert len(cells) == 20
    assert all("more" in each.name and each.name.count("city") == 3 for each in cells)
    rare = CategoricalColumn(np.arange(600, dtype=np.int32) % 300, tuple(f"id {number}" for number in range(300)))
    reference = Reference.build(SCHEMA, with_column(predictions(random, 600), country=rare), None)
    assert {each.name for each in shown(reference, predictions(random, 10), "country").cells[:-3]} == {"rarer ones"}
    assert sum(each.current for each in cells) == 0, "these have other countries"
    assert unseen.current > 0


def test_outputs_are_shown_as_features_are() -> None:
    random = np.random.default_rng(5)
    known, now = predictions(random, 600), predictions(random, 50)
    reference = Reference.build(SCHEMA, known, None)
    found = shown(reference, now, "@prediction")
    assert {each.name: each.current for each in found.cells[:2]} == {
        "1": int((now.scores["1"].values >= 0.5).sum()),
        "0": int((now.scores["1"].values < 0.5).sum()),
    }
    assert shown(reference, now, "@score").numeric
    with pytest.raises(KeyError):
        shown(reference, now, "nothing")


def test_a_window_may_be_compared_with_other_rows_in_the_same_cells() -> None:
    random = np.random.default_rng(6)
    reference, newer = Reference.build(SCHEMA, predictions(random, 600), None), predictions(random, 70, shift=2.0)
    profile = Profile.empty(reference.layout)
    profile.fold(newer)
    facing = replace(reference, profile=profile)
    facing.__dict__["cells"] = reference.cells
    before, after = (shown(each, newer, "amount") for each in (reference, facing))
    assert [each[:3] for each in before.cells] == [each[:3] for each in after.cells]
    assert all(each.reference == each.current for each in after.cells)
    assert after.reference_rows == 70


def test_bounds_are_written_as_people_write_them() -> None:
    assert span(0.25, 18_200.4) == "0.25 to 18,200"
