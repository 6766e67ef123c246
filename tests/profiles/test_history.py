"""A history is the tally of each window's own profile, of the newest windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.batch import PREDICTION, SCORE, CategoricalColumn, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles import history as module
from monitor.profiles.decision import MISSING, WIDTH
from monitor.profiles.history import History
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from tests.profiles.rows import SCHEMA, predictions

REFERENCE = Reference.build(SCHEMA, predictions(np.random.default_rng(0), 3_000), None)


def brute_force(reference: Reference, batch: Predictions, size: int) -> dict[int, np.ndarray]:
    """Tally by start of each window, one profile a window."""
    found = {}
    for start in sorted({int(time) // size * size for time in batch.time_ms}):
        profile = Profile.empty(reference.layout)
        profile.fold(batch.take((batch.time_ms >= start) & (batch.time_ms < start + size)))
        found[start] = reference.cells.tally(profile)
    return found


def same(history: History, wanted: dict[int, np.ndarray]) -> bool:
    tallies = zip(history.tallies, wanted.values(), strict=True)
    return history.starts.tolist() == list(wanted) and all((one == other).all() for one, other in tallies)


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 400), size=st.sampled_from([1, 7, 50, 1_000]))
@settings(max_examples=30, deadline=None)
def test_a_history_is_each_windows_own_tally(seed: int, rows: int, size: int) -> None:
    random = np.random.default_rng(seed)
    batch = predictions(random, rows, shift=1.0, time_ms=random.integers(-500, 1_500, rows))
    found = History.of_rows(REFERENCE.cells, batch, "ms", size)
    assert found is not None
    assert (found.unit, found.size) == ("ms", size)
    assert same(found, brute_force(REFERENCE, batch, size))


def test_no_rows_have_no_history() -> None:
    assert History.of_rows(REFERENCE.cells, predictions(np.random.default_rng(0), 0), "ms", 10) is None


def test_the_newest_windows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOWS_MAX", 5)
    batch = predictions(np.random.default_rng(2), 120, time_ms=np.random.default_rng(3).permutation(120) * 10)
    found = History.of_rows(REFERENCE.cells, batch, "ms", 100)
    assert found is not None
    assert same(found, dict(list(brute_force(REFERENCE, batch, 100).items())[-5:]))


@given(factor=st.integers(1, 9), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_windows_of_a_multiple_are_cut_from_the_same_rows(factor: int, seed: int) -> None:
    batch = predictions(np.random.default_rng(seed), 200, time_ms=np.random.default_rng(seed).integers(-99, 999, 200))
    fine = History.of_rows(REFERENCE.cells, batch, "ms", 20)
    assert fine is not None
    before = fine.tallies.copy()
    assert same(fine.in_windows_of(20 * factor), brute_force(REFERENCE, batch, 20 * factor))
    assert (fine.tallies == before).all()


@pytest.mark.parametrize("size", [10, 20, 30, 50])
def test_windows_that_are_no_multiple_are_left_as_they_are(size: int) -> None:
    fine = History.of_rows(REFERENCE.cells, predictions(np.random.default_rng(0), 50), "ms", 20)
    assert fine is not None
    assert fine.in_windows_of(size) is fine


def test_a_reference_keeps_its_history_in_its_file() -> None:
    batch = predictions(np.random.default_rng(4), 500)
    reference = Reference.build(SCHEMA, batch, None, windows=("ms", 60_000))
    assert reference.history is not None
    assert reference.history.tallies.sum() == 500 * len(reference.layout.features)
    again = Reference.load(reference.dump())
    assert again.history is not None
    assert (again.history.unit, again.history.size) == ("ms", 60_000)
    assert (again.history.starts == reference.history.starts).all()
    assert (again.history.tallies == reference.history.tallies).all()
    assert again.dump() == reference.dump()
    assert Reference.load(replace(reference, history=None).dump()).history is None


def test_few_rows_are_cut_into_parts_of_a_window() -> None:
    batch = predictions(np.random.default_rng(4), 600, time_ms=np.arange(600))
    reference = Reference.build(SCHEMA, batch, None, windows=("rows", 500))
    assert reference.history is not None
    assert (reference.history.unit, reference.history.size) == ("rows", 50)
    assert reference.history.starts.tolist() == list(range(0, 600, 50))


def answered(schema: Schema, prediction: object, scores: object) -> Predictions:
    batch = predictions(np.random.default_rng(0), 6, time_ms=np.array([0, 0, 0, 10, 10, 10]))
    features = {name: batch.features[name] for name in schema.features}
    return replace(batch, features=features, prediction=prediction, scores=scores)


def outputs(reference: Reference, batch: Predictions) -> dict[str, list[list[int]]]:
    """Rows by window and cell of what the model answered, cells without rows left out."""
    history = History.of_rows(reference.cells, batch, "ms", 10)
    assert history is not None
    names = list(reference.layout.features)
    return {
        name: [np.flatnonzero(tally[names.index(name)]).tolist() for tally in history.tallies]
        for name in (PREDICTION, SCORE)
        if name in names
    }


def test_the_answers_of_a_binary_model_are_counted() -> None:
    schema = Schema("m", "binary", {}, positive="1")
    batch = answered(
        schema,
        CategoricalColumn(np.array([0, 0, 0, 1, 1, 1], dtype=np.int32), ("0", "1")),
        {"1": NumericColumn.of(np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9]))},
    )
    reference = Reference.build(schema, batch, None)
    assert outputs(reference, batch) == {PREDICTION: [[0], [1]], SCORE: [[0], [1]]}


def test_the_score_of_a_multiclass_model_is_that_of_its_likeliest_class() -> None:
    schema = Schema("m", "multiclass", {})
    nan, inf = np.nan, np.inf
    scores = {
        "a": NumericColumn.of(np.array([0.5, 0.1, 0.2, nan, inf, 0.9])),
        "b": NumericColumn.of(np.array([0.3, 0.5, 0.3, nan, nan, nan])),
        "c": NumericColumn.of(np.array([0.2, 0.4, 0.5, nan, inf, 0.1])),
    }
    batch = answered(schema, None, scores)
    reference = Reference.build(schema, batch, None)
    assert list(reference.layout.features) == [SCORE]
    # Half in every row of the first window; then none, none but wrong ones beside one that is missing, and 0.9.
    assert outputs(reference, batch) == {SCORE: [[0], [1, MISSING]]}
    column = batch.column(SCORE, numeric=True)
    assert isinstance(column, NumericColumn)
    assert column.values.tolist() == [0.5, 0.5, 0.5, 0.0, 0.0, 0.9]
    assert column.state.tolist() == [0, 0, 0, 1, 1, 0]


def test_the_numbers_of_a_regression_are_counted() -> None:
    schema = Schema("m", "regression", {})
    batch = answered(schema, NumericColumn.of(np.array([1.0, 1.0, 1.0, 2.0, 2.0, np.nan])), {})
    reference = Reference.build(schema, batch, None)
    assert outputs(reference, batch) == {PREDICTION: [[0], [1, MISSING]]}


def test_answers_that_come_no_more_are_missing() -> None:
    schema = Schema("m", "binary", {"amount": "numeric"}, positive="1")
    classes = CategoricalColumn(np.array([0, 0, 0, 1, 1, 1], dtype=np.int32), ("0", "1"))
    reference = Reference.build(schema, answered(schema, classes, {"1": NumericColumn.of(np.linspace(0, 1, 6))}), None)
    silent = answered(schema, None, {})
    assert outputs(reference, silent) == {PREDICTION: [[MISSING], [MISSING]], SCORE: [[MISSING], [MISSING]]}
    assert same(History.of_rows(reference.cells, silent, "ms", 10), brute_force(reference, silent, 10))  # type: ignore[arg-type]


def test_a_model_without_features_has_windows_all_the_same() -> None:
    schema = Schema("m", "regression", {})
    batch = answered(schema, None, {})
    history = History.of_rows(Reference.build(schema, batch, None).cells, batch, "ms", 10)
    assert history is not None
    assert history.tallies.shape == (2, 0, WIDTH)
