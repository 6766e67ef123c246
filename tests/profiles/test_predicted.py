"""What is kept of scores is a commutative group's element, exact, and nothing where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import CodecError, LayoutMismatchError
from monitor.events.batch import CategoricalColumn, NumericColumn
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.predicted import PredictedScores
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS
from tests.profiles.rows import SCHEMA, predictions

LAYOUT = Reference.build(SCHEMA, predictions(np.random.default_rng(0), 500), None).layout
CLASSES = ("a", "b", "c")


def scores_of(batch: object, layout: Layout = LAYOUT) -> PredictedScores:
    profile = Profile.empty(layout)
    profile.fold(batch)  # type: ignore[arg-type]
    return profile.scores


def test_binary_rows_are_counted_by_decision_and_score() -> None:
    batch = predictions(np.random.default_rng(1), 400)
    codes = batch.prediction.codes.copy()  # type: ignore[union-attr]
    codes[::5] = -1
    values = batch.scores["1"].values.copy()
    values[::7] = np.nan
    values[3] = 1.5
    batch = replace(batch, prediction=CategoricalColumn(codes, ("0", "1")), scores={"1": NumericColumn.of(values)})
    counts = scores_of(batch).counts
    assert counts is not None
    wanted = np.zeros((3, SCORE_CELLS.count + 2), dtype=np.int64)
    edges = np.concatenate([[np.nextafter(0.0, 1.0)], SCORE_CELLS.edges, [1.0]])
    for code, value in zip(codes.tolist(), values.tolist(), strict=True):
        if 0.0 <= value <= 1.0:
            wanted[code + 1, int((edges <= value).sum())] += 1
    np.testing.assert_array_equal(counts, wanted)


def test_without_a_decision_the_threshold_decides() -> None:
    layout = Layout(LAYOUT.features, replace(LAYOUT.outcome, threshold=0.25))
    batch = replace(predictions(np.random.default_rng(2), 300), prediction=None)
    counts = scores_of(batch, layout).counts
    assert counts is not None
    above = int((batch.scores["1"].values >= 0.25).sum())
    assert counts.sum(axis=1).tolist() == [0, 300 - above, above]


def test_of_several_classes_the_predicted_ones_score_is_counted() -> None:
    random = np.random.default_rng(3)
    scores = random.dirichlet(np.ones(3), 200)
    guess = random.integers(-1, 4, 200).astype(np.int32)
    batch = replace(
        predictions(random, 200),
        prediction=CategoricalColumn(guess, (*CLASSES, "new")),
        scores={name: NumericColumn.of(scores[:, place]) for place, name in enumerate(CLASSES)},
    )
    outcome = OutcomeLayout("multiclass", CLASSES)
    counts = scores_of(batch, Layout(LAYOUT.features | {"@prediction": LAYOUT.features["country"]}, outcome)).counts
    assert counts is not None
    wanted = np.zeros((3, CLASS_SCORE_CELLS.count + 2), dtype=np.int64)
    for row, code in enumerate(guess.tolist()):
        if 0 <= code < 3:
            wanted[code, 1 + int((CLASS_SCORE_CELLS.edges <= scores[row, code]).sum())] += 1
    np.testing.assert_array_equal(counts, wanted)


@given(seed=st.integers(0, 2**32), cut=st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_what_was_merged_in_can_be_taken_out_again_to_the_bit(seed: int, cut: int) -> None:
    random = np.random.default_rng(seed)
    batch = predictions(random, 300)
    order = random.permutation(300)
    one, other = scores_of(batch.take(order[:cut])), scores_of(batch.take(order[cut:]))
    before = one.plain(), other.plain()
    whole = one.merge(other)
    assert whole.plain() == other.merge(one).plain() == scores_of(batch).plain()
    assert whole.without(other).plain() == one.plain()
    assert whole.without(other).without(one).plain() is None
    assert (one.plain(), other.plain()) == before
    assert PredictedScores.of_plain(whole.plain()).plain() == whole.plain()


def test_a_model_without_scores_keeps_nothing() -> None:
    batch = replace(predictions(np.random.default_rng(4), 100), scores={})
    assert scores_of(batch).counts is None
    absent = replace(batch, scores={"1": NumericColumn.of(np.full(100, np.nan))})
    assert scores_of(absent).counts is None
    regression = Schema("m", "regression", dict(SCHEMA.features))
    numbers = NumericColumn.of(np.arange(100.0))
    layout = Reference.build(regression, replace(batch, prediction=numbers), None).layout
    assert scores_of(replace(batch, prediction=numbers), layout).counts is None


def test_scores_of_other_tasks_are_not_merged() -> None:
    with pytest.raises(LayoutMismatchError):
        PredictedScores(np.ones((3, 2), dtype=np.int64)).merge(PredictedScores(np.ones((4, 2), dtype=np.int64)))


def test_a_profile_from_before_scores_were_kept_is_read_without_them() -> None:
    profile = Profile.empty(LAYOUT)
    profile.fold(predictions(np.random.default_rng(5), 100))
    plain = profile.plain()
    old = Profile.load(LAYOUT, codec.pack("PROF", 1, (LAYOUT.digest, plain[:3])))
    assert old.plain() == [*plain[:3], None]
    with pytest.raises(CodecError, match="version 3, this program reads up to 2"):
        Profile.load(LAYOUT, codec.pack("PROF", 3, (LAYOUT.digest, plain)))
