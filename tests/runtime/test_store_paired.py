"""What two versions answered to the same requests, by two loops over plain rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.batch import Pairs
from monitor.events.ids import digest
from monitor.runtime.store import Store
from tests.runtime.rows import L, P, add, from_column

MODELS = itertools.count()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def shown(pairs: Pairs) -> list[tuple[Any, ...]]:
    score = pairs.scores.get("fraud")
    return [
        (from_column(pairs.prediction, row), from_column(score, row), from_column(pairs.label, row))
        for row in range(len(pairs))
    ]


def expected(predictions: list[P], labels: list[L]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    first: dict[tuple[str, int], P] = {}
    for row in sorted(predictions, key=lambda row: (row.window_end_ms, row.place)):
        first.setdefault((row.version, row.key), row)
    truth: dict[int, L] = {}
    for label in sorted(labels, key=lambda label: (label.time_ms, digest(str(label.value)))):
        truth[label.key] = label
    both = [key for version, key in first if version == "1" and ("2", key) in first and key in truth]
    both.sort(key=lambda key: (max(first["1", key].time_ms, first["2", key].time_ms), key))
    sides = [[first[version, key] for key in both] for version in ("1", "2")]
    champion, challenger = (
        [(row.prediction, None if np.isnan(row.scores[0]) else row.scores[0], truth[row.key].value) for row in side]
        for side in sides
    )
    return champion, challenger


@st.composite
def some_predictions(draw: st.DrawFn) -> list[P]:
    rows = []
    for offset in range(draw(st.integers(0, 14))):
        time_ms = draw(st.integers(0, 50))
        version = draw(st.sampled_from(["1", "2", "2", "3"]))
        decision, score = draw(st.sampled_from(["fraud", "ok", None])), draw(st.sampled_from([0.0, 0.25, np.nan]))
        key = draw(st.sampled_from([0, 1, 2, 2**63, 2**64 - 1]))
        rows.append(P(key, time_ms, (time_ms // 10 + 1) * 10, version, decision, (score,), (0, offset, 0)))
    return rows


LABELS = st.lists(
    st.builds(
        L,
        st.sampled_from([0, 1, 2, 2**63]),
        st.integers(0, 50),
        st.just(0),
        st.sampled_from(["fraud", "ok"]),
        st.just(0),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(some_predictions(), LABELS)
def test_pairs_are_the_first_answers_of_both_with_the_newest_label(
    store: Store, predictions: list[P], labels: list[L]
) -> None:
    model = f"m{next(MODELS)}"
    with store.transaction():
        add(store, predictions, labels, model)
    champion, challenger = store.paired(model, "1", "2")
    assert (shown(champion), shown(challenger)) == expected(predictions, labels)


def test_a_model_that_nothing_is_known_of_has_no_pairs(store: Store) -> None:
    assert [len(each) for each in store.paired("nobody's", "1", "2")] == [0, 0]
