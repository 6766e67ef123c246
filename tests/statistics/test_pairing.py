"""Matching by id, against a dictionary that does it row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.batch import NumericColumn
from monitor.statistics.pairing import Side, paired
from tests.runtime.rows import L, P, from_column, to_labels, to_predictions

Answers = list[tuple[int, int, float]]
"""Id, time and value of each row."""

rows = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5), st.floats(0, 9)), min_size=1, max_size=20)


def first(answers: Answers) -> dict[int, tuple[int, float]]:
    """What answered each id first."""
    found: dict[int, tuple[int, float]] = {}
    for key, time, value in sorted(answers, key=lambda each: each[1]):
        found.setdefault(key, (time, value))
    return found


def newest(labels: Answers) -> dict[int, float]:
    return {key: value for key, _, value in sorted(labels, key=lambda each: each[1])}


def predictions(answers: Answers) -> Sequence[P]:
    return [P(key, time, 0, prediction=value) for key, time, value in answers]


@given(rows, rows, rows, rows)
def test_each_id_has_its_first_answers_and_its_newest_label(
    ours: Answers, theirs: Answers, some: Answers, more: Answers
) -> None:
    given_labels = [to_labels([L(key, time, 0, value) for key, time, value in part]) for part in (some, more)]
    found = paired(to_predictions(predictions(ours)), to_predictions(predictions(theirs)), given_labels)
    one, other, truth = first(ours), first(theirs), newest(some + more)
    common = one.keys() & other.keys()
    expected = [(one[key][0], one[key][1], other[key][1], truth[key]) for key in common & truth.keys()]
    columns = (found.champion.prediction, found.challenger.prediction, found.champion.label)
    got = [tuple(from_column(column, row) for column in columns) for row in range(len(found.champion))]
    assert sorted(got) == sorted(each[1:] for each in expected)
    assert found.challenger.label is found.champion.label
    assert found.common == len(common)
    assert found.sides == (
        Side(len(one) - len(common), len(ours) - len(one), 0),
        Side(len(other) - len(common), len(theirs) - len(other), 0),
    )
    said: dict[int, set[float]] = {}
    for key, _, value in some + more:
        said.setdefault(key, set()).add(value)
    assert found.differing == sum(len(said[key]) > 1 for key in common & truth.keys())


def test_pairs_stand_in_the_order_of_the_champions_time() -> None:
    ours = [(key, 100 - key, float(key)) for key in range(8)]
    labels = to_labels([L(key, 0, 0, float(key)) for key in range(8)])
    found = paired(to_predictions(predictions(ours)), to_predictions(predictions(ours[::-1])), [labels])
    assert isinstance(found.champion.label, NumericColumn)
    assert found.champion.label.values.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]


def test_rows_without_an_id_match_nothing_though_their_numbers_are_the_same() -> None:
    answers = to_predictions(predictions([(1, 0, 1.0), (2, 0, 2.0), (3, 0, 3.0)]))
    nameless = replace(answers, identified=np.array([True, False, True]))
    labels = to_labels([L(key, 0, 0, 1.0) for key in (1, 2, 3)])
    found = paired(nameless, nameless, [labels])
    assert (found.common, len(found.champion)) == (2, 2)
    assert found.sides == (Side(0, 0, 1), Side(0, 0, 1))
