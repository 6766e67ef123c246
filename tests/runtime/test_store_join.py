from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.batch import INVALID, MISSING, Matched
from monitor.events.ids import digest
from monitor.runtime.store import Store
from tests.runtime.rows import L, P, add, from_column

EVER = 1 << 60
MODELS = itertools.count()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


class Pair(NamedTuple):
    time_ms: int
    version: str
    key: int
    label_time_ms: int
    label_digest: int
    known_ms: int
    label_partition: int
    label: str | float | None
    prediction: str | float | None
    score: str | float | None


def pairs(matched: Matched) -> list[Pair]:
    score = matched.pairs.scores.get("fraud")
    return [
        Pair(
            int(matched.time_ms[row]),
            matched.version.values[matched.version.codes[row]],
            int(matched.key[row]),
            int(matched.label_time_ms[row]),
            int(matched.label_digest[row]),
            int(matched.known_ms[row]),
            int(matched.label_partition[row]),
            from_column(matched.pairs.label, row),
            from_column(matched.pairs.prediction, row),
            from_column(score, row),
        )
        for row in range(len(matched))
    ]


def joined(predictions: list[P], labels: list[L], since_ms: int, until_ms: int) -> list[Pair]:
    """By two loops over plain rows."""
    first: dict[tuple[str, int], P] = {}
    for row in sorted(predictions, key=lambda row: (row.window_end_ms, row.place)):
        if row.time_ms < until_ms:
            first.setdefault((row.version, row.key), row)
    found = []
    known = [label for label in labels if label.known_ms < until_ms]
    affected = {label.key for label in known if label.known_ms >= since_ms}
    affected |= {row.key for row in predictions if row.window_end_ms > since_ms and row.time_ms < until_ms}
    for row in first.values():
        mine = [label for label in known if label.key == row.key]
        if row.key in affected:
            for label in mine:
                text = label.value if isinstance(label.value, str) else repr(label.value)
                found.append(
                    Pair(
                        row.time_ms,
                        row.version,
                        row.key,
                        label.time_ms,
                        digest(text),
                        label.known_ms,
                        label.partition,
                        label.value,
                        row.prediction,
                        None if np.isnan(row.scores[0]) else row.scores[0],
                    )
                )
    return sorted(found, key=lambda pair: pair[:7])


TIMES = st.integers(0, 50)
KEYS = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1])


@st.composite
def some_predictions(draw: st.DrawFn) -> list[P]:
    rows = []
    for offset in range(draw(st.integers(0, 12))):
        time_ms = draw(TIMES)
        rows.append(
            P(
                draw(KEYS),
                time_ms,
                (time_ms // 10 + 1) * 10,
                draw(st.sampled_from(["1", "2", "ż\0"])),
                draw(st.sampled_from(["fraud", "ok", None])),
                (draw(st.sampled_from([0.0, 0.25, 1.0, np.nan])),),
                (draw(st.integers(0, 2)), offset, draw(st.integers(0, 1))),
            )
        )
    return draw(st.permutations(rows))


LABELS = st.lists(st.builds(L, KEYS, TIMES, TIMES, st.sampled_from(["fraud", "ok"]), st.integers(0, 2)), max_size=16)


@settings(max_examples=60, deadline=None)
@given(some_predictions(), LABELS, st.integers(-10, 60), st.integers(0, 60), st.integers(1, 4))
def test_matched_equals_a_join_by_loops_however_the_rows_were_split(
    store: Store, predictions: list[P], labels: list[L], since_ms: int, until_ms: int, chunks: int
) -> None:
    model = f"split {next(MODELS)}"
    for part in range(chunks):
        with store.transaction():
            add(store, predictions[part::chunks], labels[part::chunks], model)
    found = store.matched(model, since_ms=since_ms, until_ms=until_ms)
    assert pairs(found) == joined(predictions, labels, since_ms, until_ms)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(KEYS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=8),
    st.lists(st.tuples(KEYS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=8),
)
def test_numbers_keep_their_bits(
    store: Store, predicted: list[tuple[int, float]], known: list[tuple[int, float]]
) -> None:
    model = f"numbers {next(MODELS)}"
    predictions = [P(key, 5, 10, prediction=value, place=(0, at, 0)) for at, (key, value) in enumerate(predicted)]
    labels = [L(key, at, at, value + 0.0) for at, (key, value) in enumerate(known)]
    with store.transaction():
        add(store, predictions, labels, model)
    assert pairs(store.matched(model, since_ms=0, until_ms=100)) == joined(predictions, labels, 0, 100)


def test_zero_has_one_digest_whatever_its_sign(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10, prediction=1.0)], [L(1, 1, 1, 0.0), L(1, 2, 2, -0.0)], "zero")
        add(store, (), [L(1, 3, 3, -0.0)], "zero")
    assert set(store.matched("zero", since_ms=0, until_ms=10).label_digest) == {digest("0.0")}


def test_a_label_of_an_old_prediction_brings_all_its_earlier_labels(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10), P(2, 5, 10)], [L(1, 6, 6, "ok"), L(2, 6, 6), L(1, 31, 31)], "old")
    found = pairs(store.matched("old", since_ms=30, until_ms=40))
    assert [(pair.key, pair.label) for pair in found] == [(1, "ok"), (1, "fraud")]


def test_a_re_sent_prediction_never_counts_while_the_first_is_pending(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10, scores=(0.1,)), P(1, 25, 30, scores=(0.9,), place=(0, 9, 0))], [L(1, 6, 6)], "again")
    assert [pair.score for pair in pairs(store.matched("again", since_ms=10, until_ms=30))] == [0.1]
    with store.transaction():
        store.expire("again", 10, 0)
        found = pairs(store.matched("again", since_ms=10, until_ms=30))
    assert [pair.score for pair in found] == [0.9]


def test_the_first_prediction_is_that_of_the_lowest_offset_then_row(store: Store) -> None:
    places = [(0, 8, 0), (0, 7, 2), (0, 7, 1), (1, 1, 0)]
    with store.transaction():
        rows = [P(1, 5, 10, scores=(float(at),), place=place) for at, place in enumerate(places)]
        add(store, rows, [L(1, 6, 6)], "places")
    assert [pair.score for pair in pairs(store.matched("places", since_ms=0, until_ms=10))] == [2.0]


def test_labels_of_equal_time_and_value_come_in_the_order_in_which_they_count(store: Store) -> None:
    with store.transaction():
        add(
            store,
            [P(1, 5, 10)],
            [L(1, 6, known, "ok", partition) for known, partition in ((9, 0), (7, 2), (7, 1))],
            "tie",
        )
        add(store, (), [L(1, 6, 7, "ok", 1)], "tie")
    found = store.matched("tie", since_ms=0, until_ms=10)
    columns = (found.known_ms, found.label_partition, found.label_offset)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
        (7, 1, 0),
        (7, 1, 2),
        (7, 2, 1),
        (9, 0, 0),
    ]


def test_every_version_gets_the_label(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10, version="champion"), P(1, 5, 10, version="challenger")], [L(1, 6, 6)], "both")
    found = store.matched("both", since_ms=0, until_ms=10)
    assert found.version.values == ("challenger", "champion")
    assert found.version.codes.tolist() == [0, 1]


def test_scores_of_classes_that_come_later_have_columns_of_their_own(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 1, 10, scores=(0.1, 0.2))], [L(1, 6, 6)], "widening", classes="dog Cat")
        add(store, [P(2, 2, 10, scores=(0.3, 0.4))], [L(2, 6, 6)], "widening", classes="cat dog")
    scores = store.matched("widening", since_ms=0, until_ms=10).pairs.scores
    assert list(scores) == ["Cat", "cat", "dog"]
    assert [scores["dog"].values.tolist(), scores["cat"].values.tolist()] == [[0.1, 0.4], [0.0, 0.3]]
    assert scores["cat"].state.tolist() == [MISSING, 0]


def test_a_class_that_no_matched_row_has_a_score_of_does_not_show(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 1, 10, scores=(0.1,))], [L(1, 6, 6)], "narrow", classes="a")
        add(store, [P(2, 2, 10, scores=(0.3,))], (), "narrow", classes="b")
    assert list(store.matched("narrow", since_ms=0, until_ms=10).pairs.scores) == ["a"]


def test_models_whose_names_differ_in_case_or_are_sql_do_not_meet(store: Store) -> None:
    names = ["Fraud", "fraud", 'x"; DROP TABLE store; --', "", "zażółć"]
    with store.transaction():
        for number, name in enumerate(names):
            add(store, [P(number, 5, 10)], [L(number, 6, 6)], name)
    for number, name in enumerate(names):
        assert store.matched(name, since_ms=0, until_ms=10).key.tolist() == [number]


def test_missing_and_invalid_outputs_stay_what_they_were(store: Store) -> None:
    rows = [P(key, 5, 10, prediction=None, scores=(score,)) for key, score in enumerate((np.nan, np.inf, 0.5))]
    with store.transaction():
        add(store, rows, [L(key, 6, 6) for key in range(3)], "absent")
    found = store.matched("absent", since_ms=0, until_ms=10).pairs
    assert found.prediction is None
    assert found.scores["fraud"].state.tolist() == [MISSING, INVALID, 0]
    assert found.scores["fraud"].values.tolist() == [0.0, 0.0, 0.5]


def test_without_a_pair_there_are_no_rows(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10)], (), "unlabelled")
        add(store, (), [L(1, 5, 5)], "unpredicted")
    for model in ("unlabelled", "unpredicted", "unheard of"):
        found = store.matched(model, since_ms=0, until_ms=EVER)
        assert len(found) == len(found.pairs) == len(found.version.codes) == 0
        assert found.key.dtype == np.uint64
        assert found.time_ms.dtype == found.known_ms.dtype == np.int64


def test_a_transaction_sees_its_own_rows_and_a_rollback_takes_model_and_class_with_it(store: Store) -> None:
    def undone() -> None:
        with store.transaction():
            add(store, [P(1, 5, 10, scores=(0.1, 0.2))], [L(1, 6, 6)], "undone", classes="a b")
            assert len(store.matched("undone", since_ms=0, until_ms=10)) == 1
            raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            undone()
        assert len(store.matched("undone", since_ms=0, until_ms=10)) == 0
    with store.transaction():
        add(store, [P(1, 5, 10, scores=(0.7,))], [L(1, 6, 6)], "undone", classes="b")
    assert store.matched("undone", since_ms=0, until_ms=10).pairs.scores["b"].values.tolist() == [0.7]


@settings(max_examples=25, deadline=None)
@given(some_predictions(), st.lists(KEYS, max_size=4), st.integers(-10, 60))
def test_recent_finds_the_latest_open_window_of_each_key(
    store: Store, predictions: list[P], keys: list[int], since_ms: int
) -> None:
    model = f"recent {next(MODELS)}"
    with store.transaction():
        add(store, predictions, (), model)
    expected: dict[tuple[int, int, str], int] = {}
    for row in predictions:
        if row.key in keys and row.window_end_ms > since_ms:
            place = (row.place[0], row.key, row.version)
            expected[place] = max(expected.get(place, 0), row.window_end_ms)
    assert store.recent(model, np.array(keys, np.uint64), since_ms) == expected


def test_the_ids_of_open_windows_come_back_by_partition(store: Store) -> None:
    rows = [P(key, key, key + 10, place=(key % 2 * 3, key, 0)) for key in range(8)]
    with store.transaction():
        add(store, rows, (), "reopened")
    found = store.open_predictions("reopened", 13)
    assert {partition: sorted(zip(keys.tolist(), ends.tolist(), strict=True)) for partition, keys, ends in found} == {
        0: [(4, 14), (6, 16)],
        3: [(5, 15), (7, 17)],
    }
    assert store.open_predictions("reopened", EVER) == store.open_predictions("unheard of", 0) == []


def test_whole_windows_and_labels_expire_by_their_own_bounds(store: Store) -> None:
    with store.transaction():
        add(
            store,
            [P(key, 10 * key, 10 * key + 10) for key in range(4)],
            [L(key, key, key) for key in range(4)],
            "expiring",
        )
        assert store.expire("expiring", 20, 3) == (2, 3)
        assert store.expire("expiring", 20, 3) == (0, 0)
        assert store.expire("unheard of", 20, 3) == (0, 0)
    assert {key for _, keys, _ in store.open_predictions("expiring", -EVER) for key in keys.tolist()} == {2, 3}
    with store.transaction():
        add(store, [P(key, 95, 100) for key in range(4)], (), "expiring")
    assert store.matched("expiring", since_ms=90, until_ms=100).key.tolist() == [3]


def test_a_label_may_come_long_before_its_prediction(store: Store) -> None:
    with store.transaction():
        add(store, (), [L(1, 1, 1)], "early")
    with store.transaction():
        add(store, [P(1, 95, 100)], (), "early")
    assert len(store.matched("early", since_ms=90, until_ms=100)) == 1


def test_a_label_known_at_the_boundary_itself_counts_at_the_next(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 5, 10)], [L(1, 6, 30)], "label edge")
    assert [
        len(store.matched("label edge", since_ms=since_ms, until_ms=since_ms + 10)) for since_ms in (20, 30, 40)
    ] == [0, 1, 0]


def test_a_prediction_of_the_boundary_itself_waits_for_the_next(store: Store) -> None:
    with store.transaction():
        add(store, [P(1, 10, 20)], [L(1, 5, 5), L(1, 9, 10)], "edge")
    assert len(store.matched("edge", since_ms=0, until_ms=10)) == 0
    assert len(store.matched("edge", since_ms=10, until_ms=11)) == 2
