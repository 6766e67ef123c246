"""Outcomes form a group: pairs in any order, any split, taken out again; and every field is what a loop would count."""

from __future__ import annotations

import math
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import LayoutMismatchError
from monitor.events.batch import INVALID, MISSING, PRESENT, CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import (
    BINS,
    PROBABILITY_MIN,
    UNIT,
    BinaryOutcome,
    Moments,
    MulticlassOutcome,
    RegressionOutcome,
)
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS, ScoreCells

NAMES = ("a", "b", "c", "new", "newer")
LAYOUTS = {
    "binary": OutcomeLayout("binary", ("a", "b"), "b", 0.5),
    "binary without threshold": OutcomeLayout("binary", ("a", "b"), "b"),
    "multiclass": OutcomeLayout("multiclass", ("a", "b", "c")),
    "regression": OutcomeLayout("regression", centre=3.0, scale=0.7),
}

CODES = st.integers(-2, len(NAMES) - 1)
SCORES = st.one_of(
    st.floats(0.0, 1.0),
    st.sampled_from([0.0, 1.0, 0.5, 5e-324, 1 - 2**-53, 1e-16, math.nan, math.inf, -0.1, 1.1]),
)
NUMBERS = st.one_of(
    st.floats(-10.0, 10.0),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 3.0, 1e300, -1e300, 5e-324, 1.7976931348623157e308]),
)


def classes(codes: list[int]) -> CategoricalColumn:
    return CategoricalColumn(np.array(codes, dtype=np.int32), NAMES)


def numbers(values: list[float]) -> NumericColumn:
    return NumericColumn.of(np.array(values, dtype=np.float64))


def rows_of(task: str) -> st.SearchStrategy[list[tuple[float, ...]]]:
    """Rows of (label, prediction) numbers, or of (label, prediction, three scores)."""
    number = st.tuples(NUMBERS, NUMBERS)
    scored = st.tuples(CODES, CODES, SCORES, SCORES, SCORES)
    return st.lists(number if task == "regression" else scored, max_size=40)


def pairs_of(layout: OutcomeLayout, rows: list[tuple[float, ...]]) -> Pairs:
    label, prediction, *scores = zip(*rows, strict=True) if rows else [()] * (2 if layout.task == "regression" else 5)
    if layout.task == "regression":
        return Pairs(numbers(prediction), {}, numbers(label))
    columns = dict(zip(NAMES[:3], map(numbers, scores), strict=True))
    return Pairs(classes(prediction), columns, classes(label))


def outcome_of(layout: OutcomeLayout, *parts: list[tuple[float, ...]]) -> Outcome:
    outcome = Outcome.empty(layout)
    for part in parts:
        outcome.fold(layout, pairs_of(layout, part))
    return outcome


def bits(outcome: Outcome) -> bytes:
    return msgspec.msgpack.encode(outcome.plain())


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_order_any_split_and_any_merge_give_the_same_bits(layout: OutcomeLayout, data: st.DataObject) -> None:
    rows = data.draw(rows_of(layout.task))
    whole = bits(outcome_of(layout, rows))
    shuffled = data.draw(st.permutations(rows))
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(rows))] * 2)))
    a, b, c = shuffled[:first], shuffled[first:second], shuffled[second:]
    assert bits(outcome_of(layout, a, b, c)) == whole
    one, two, three = (outcome_of(layout, part) for part in (a, b, c))
    before = [bits(part) for part in (one, two, three)]
    assert bits(one.merge(two).merge(three)) == whole
    assert bits(three.merge(two.merge(one))) == whole
    assert bits(one.merge(two).without(one)) == before[1]
    assert bits(Outcome.empty(layout).merge(outcome_of(layout, rows))) == whole
    assert [bits(part) for part in (one, two, three)] == before


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_retracted_was_never_there(layout: OutcomeLayout, data: st.DataObject) -> None:
    kept, wrong = data.draw(rows_of(layout.task)), data.draw(rows_of(layout.task))
    outcome = outcome_of(layout, wrong, kept)
    outcome.retract(layout, pairs_of(layout, wrong))
    assert bits(outcome) == bits(outcome_of(layout, kept))
    outcome.retract(layout, pairs_of(layout, kept))
    assert bits(outcome) == bits(Outcome.empty(layout))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_bytes_bring_back_the_outcome_which_can_be_folded_on(layout: OutcomeLayout, data: st.DataObject) -> None:
    rows = data.draw(rows_of(layout.task))
    restored = Outcome.of_plain(msgspec.msgpack.decode(bits(outcome_of(layout, rows))))
    assert bits(restored) == bits(outcome_of(layout, rows))
    restored.fold(layout, pairs_of(layout, rows))
    assert bits(restored) == bits(outcome_of(layout, rows, rows))


def test_a_corrected_label_costs_one_retraction_and_one_fold() -> None:
    layout = LAYOUTS["multiclass"]
    outcome = outcome_of(layout, [(0, 1, 0.2, 0.3, 0.5), (2, 2, 0.0, 0.0, 1.0)])
    outcome.retract(layout, pairs_of(layout, [(0, 1, 0.2, 0.3, 0.5)]))
    outcome.fold(layout, pairs_of(layout, [(1, 1, 0.2, 0.3, 0.5)]))
    assert bits(outcome) == bits(outcome_of(layout, [(2, 2, 0.0, 0.0, 1.0), (1, 1, 0.2, 0.3, 0.5)]))


def usable(score: float) -> bool:
    return 0.0 <= score <= 1.0


def fixed(value: float) -> int:
    return round(max(-4096.0, min(4096.0, value)) * UNIT)


def loss(given: float) -> int:
    return fixed(-math.log(min(max(given, PROBABILITY_MIN), 1 - PROBABILITY_MIN)))


def cell(score: float, cells: ScoreCells) -> int:
    return 0 if score == 0.0 else 1 + sum(edge <= score for edge in cells.edges.tolist()) + (score == 1.0)


def within(moments: Moments, expected: list[int], slack: int) -> bool:
    """Whether the moments are those of the expected integers, each at most `slack` away (logarithms differ by libm)."""
    return moments.rows == len(expected) and abs(moments.total - sum(expected)) <= slack * len(expected)


@pytest.mark.parametrize("threshold", [0.5, None])
@given(rows=rows_of("binary"))
@settings(max_examples=60, deadline=None)
def test_a_binary_outcome_holds_what_a_loop_counts(threshold: float | None, rows: list[tuple[float, ...]]) -> None:
    layout = OutcomeLayout("binary", ("a", "b"), "b", threshold)
    labels, confusion = [0, 0], [[0, 0], [0, 0]]
    counts, bins = np.zeros((2, SCORE_CELLS.count + 2), dtype=int), np.zeros((3, 2, BINS), dtype=int)
    losses, distances = [], []
    for label, prediction, _, score, _ in rows:
        if label not in (0, 1):  # None, or of no class of the model.
            continue
        truth, decision = int(label == 1), None
        labels[truth] += 1
        if usable(score):
            counts[truth, cell(score, SCORE_CELLS)] += 1
            distance = abs(score - truth)
            bins[:, truth, min(14, math.floor(score * 15))] += (1, fixed(distance), fixed(distance**2))
            losses.append(loss(score if truth else 1.0 - score))
            distances.append(fixed((score - truth) ** 2))
            decision = None if threshold is None else int(score >= threshold)
        if prediction >= 0:
            decision = int(prediction == 1)
        if decision is not None:
            confusion[truth][decision] += 1
    outcome = outcome_of(layout, rows)
    got = outcome.summary
    assert isinstance(got, BinaryOutcome)
    assert outcome.rows == sum(labels)
    assert got.labels.tolist() == labels
    assert got.confusion.tolist() == confusion
    assert (got.decided, got.correct) == (sum(map(sum, confusion)), confusion[0][0] + confusion[1][1])
    np.testing.assert_array_equal(got.counts, counts)
    np.testing.assert_array_equal(got.bins, bins)
    assert within(got.log_loss, losses, slack=1)
    assert got.brier == Moments(len(distances), sum(distances), sum(k * k for k in distances))


@given(rows=rows_of("multiclass"))
@settings(max_examples=60, deadline=None)
def test_a_multiclass_outcome_holds_what_a_loop_counts(rows: list[tuple[float, ...]]) -> None:
    labels, confusion, agreed = [0] * 4, np.zeros((4, 4), dtype=int), 0
    counts = np.zeros((3, 2, CLASS_SCORE_CELLS.count + 2), dtype=int)
    losses, distances = [], []
    for label, prediction, *scores in rows:
        if label < 0:
            continue
        truth = min(label, 3)
        labels[truth] += 1
        if prediction >= 0:
            confusion[truth, min(prediction, 3)] += 1
            agreed += truth == 3 and label == prediction
        if all(map(usable, scores)):
            losses.append(loss([*scores, 0.0][truth]))
            one_hot = [int(truth == place) for place in range(4)]
            distances.append(fixed(sum((s - hot) ** 2 for s, hot in zip([*scores, 0.0], one_hot, strict=True))))
            for place, score in enumerate(scores):
                counts[place, one_hot[place], cell(score, CLASS_SCORE_CELLS)] += 1
    got = outcome_of(LAYOUTS["multiclass"], rows).summary
    assert isinstance(got, MulticlassOutcome)
    assert got.labels.tolist() == labels
    np.testing.assert_array_equal(got.confusion, confusion)
    assert got.agreed == agreed
    assert got.hits.tolist() == [*np.diag(confusion)[:3].tolist(), agreed]
    assert got.correct == int(np.trace(confusion[:3, :3])) + agreed
    np.testing.assert_array_equal(got.counts, counts)
    assert within(got.log_loss, losses, slack=1)
    assert within(got.brier, distances, slack=1)


@given(rows=rows_of("regression"))
@settings(max_examples=60, deadline=None)
def test_a_regression_outcome_holds_what_a_loop_sums(rows: list[tuple[float, ...]]) -> None:
    layout = LAYOUTS["regression"]
    labelled = [(y, p) for y, p in rows if math.isfinite(y)]
    compared = [(y, p) for y, p in labelled if math.isfinite(p)]
    errors = [fixed((p - y) / layout.scale) for y, p in compared]
    labels = [fixed((y - layout.centre) / layout.scale) for y, _ in compared]
    # Python's division by a denormal overflows; only the size matters here.
    relative = [
        fixed(min(Fraction(abs(p - y)) / abs(Fraction(y)), 5000)) if math.isfinite(p - y) else fixed(math.inf)
        for y, p in compared
        if y != 0
    ]
    got = outcome_of(layout, rows).summary
    assert isinstance(got, RegressionOutcome)
    assert got.rows == len(labelled)
    assert got.error == Moments(len(errors), sum(errors), sum(k * k for k in errors))
    assert got.absolute == Moments(len(errors), sum(map(abs, errors)), sum(k * k for k in errors))
    assert got.label == Moments(len(labels), sum(labels), sum(k * k for k in labels))
    assert within(got.relative, relative, slack=1)
    # A cell begins at 2^(i / 4), rounded, for i = 0 to 128; several of the smallest are the same.
    begins = sorted({round(2 ** (i / 4)) for i in range(129)})
    places = [sum(abs(e) >= edge for edge in begins) for e in errors]
    assert got.sizes.tolist() == [places.count(place) for place in range(len(begins) + 1)]
    both = list(zip(errors, labels, strict=True))
    for name, products in {
        "error_4": [e**4 for e, _ in both],
        "label_3": [y**3 for _, y in both],
        "label_4": [y**4 for _, y in both],
        "error_2_label": [e * e * y for e, y in both],
        "error_2_label_2": [e * e * y * y for e, y in both],
    }.items():
        assert abs(getattr(got, name) - sum(products)) <= sum(map(abs, products)) >> 50, name


def test_rows_of_the_largest_size_sum_exactly_across_the_limit_of_one_pass() -> None:
    layout = LAYOUTS["regression"]
    rows = 2**20 + 3
    outcome = Outcome.empty(layout)
    outcome.fold(layout, Pairs(numbers(np.full(rows, -1e300)), {}, numbers(np.full(rows, 1e300))))
    got = outcome.summary
    assert isinstance(got, RegressionOutcome)
    assert got.error == Moments(rows, -rows * 2**32, rows * 2**64)
    assert (got.error_4, got.label_3, got.error_2_label_2) == (rows * 2**128, rows * 2**96, rows * 2**128)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_billion_rows_do_not_overflow(layout: OutcomeLayout) -> None:
    row = (1e300, -1e300) if layout.task == "regression" else (0, 1, 1.0, 1.0, 1.0)
    outcome = outcome_of(layout, [row] * 1000)
    single = outcome.summary
    for _ in range(20):
        outcome = outcome.merge(outcome)
    assert outcome.rows == 1000 * 2**20
    for name in ("log_loss", "brier", "error", "label"):
        if hasattr(single, name):
            assert getattr(outcome.summary, name).mean == getattr(single, name).mean
            assert getattr(outcome.summary, name).variance == 0.0
    if isinstance(outcome.summary, BinaryOutcome):
        assert outcome.summary.bins[1].max() == 1000 * 2**20 * UNIT


@pytest.mark.parametrize(
    ("layout", "most"),
    [(LAYOUTS["binary"], 33_900), (LAYOUTS["multiclass"], 3 * 4_160 + 300), (LAYOUTS["regression"], 1_250)],
)
def test_a_summary_takes_no_more_bytes_than_its_module_says(layout: OutcomeLayout, most: int) -> None:
    rng = np.random.default_rng(0)
    if layout.task == "regression":
        pairs = Pairs(numbers(rng.normal(size=100_000)), {}, numbers(rng.normal(size=100_000)))
    else:
        columns = {name: numbers(rng.random(100_000)) for name in layout.classes}
        pairs = Pairs(None, columns, classes(rng.integers(0, 3, 100_000)))
    outcome = Outcome.empty(layout)
    outcome.fold(layout, pairs)
    assert len(bits(outcome)) <= most


def test_beyond_fifty_classes_no_score_cells_are_kept_but_losses_are() -> None:
    names = tuple(map(str, range(51)))
    layout = OutcomeLayout("multiclass", names)
    label = CategoricalColumn(np.arange(51, dtype=np.int32), names)
    outcome = Outcome.empty(layout)
    outcome.fold(layout, Pairs(None, {name: numbers(np.full(51, 1 / 51)) for name in names}, label))
    assert isinstance(outcome.summary, MulticlassOutcome)
    assert outcome.summary.counts.shape == (0, 2, CLASS_SCORE_CELLS.count + 2)
    assert outcome.summary.log_loss.mean == pytest.approx(math.log(51), abs=1e-6)


def test_a_score_that_some_class_lacks_is_no_score() -> None:
    layout = LAYOUTS["multiclass"]
    outcome = Outcome.empty(layout)
    outcome.fold(layout, Pairs(None, {"a": numbers([0.5]), "b": numbers([0.5])}, classes([0])))
    assert isinstance(outcome.summary, MulticlassOutcome)
    assert (outcome.rows, outcome.summary.brier.rows, outcome.summary.decided) == (1, 0, 0)


def test_predicted_numbers_that_are_missing_or_invalid_still_count_as_labelled() -> None:
    layout = LAYOUTS["regression"]
    state = np.array([PRESENT, MISSING, INVALID], dtype=np.uint8)
    outcome = Outcome.empty(layout)
    outcome.fold(layout, Pairs(NumericColumn(np.zeros(3), state), {}, numbers([1.0, 2.0, 3.0])))
    outcome.fold(layout, Pairs(None, {}, numbers([4.0])))
    assert isinstance(outcome.summary, RegressionOutcome)
    assert (outcome.rows, outcome.summary.error.rows) == (4, 1)


@pytest.mark.parametrize(
    "other", [LAYOUTS["binary"], LAYOUTS["regression"], OutcomeLayout("multiclass", ("a", "b"))], ids=lambda o: o.task
)
def test_outcomes_of_different_layouts_do_not_merge(other: OutcomeLayout) -> None:
    with pytest.raises(LayoutMismatchError):
        Outcome.empty(LAYOUTS["multiclass"]).merge(Outcome.empty(other))


@given(st.lists(st.integers(-(2**32), 2**32), max_size=50), st.lists(st.integers(-(2**32), 2**32), max_size=50))
@settings(deadline=None)
def test_moments_are_exact_and_subtract_what_was_added(some: list[int], more: list[int]) -> None:
    def moments(values: list[int]) -> Moments:
        return Moments.of(np.array(values, dtype=np.float64))

    assert moments(some) == Moments(len(some), sum(some), sum(k * k for k in some))
    assert moments(some) + moments(more) == moments(some + more)
    assert moments(some + more) - moments(more) == moments(some)
    if some:
        mean = Fraction(sum(some), len(some))
        expected = sum((k - mean) ** 2 for k in some) / len(some) / UNIT**2
        assert moments(some).variance == pytest.approx(float(expected), rel=1e-12)
        assert moments(some).mean_square == pytest.approx(sum(k * k for k in some) / len(some) / UNIT**2)
