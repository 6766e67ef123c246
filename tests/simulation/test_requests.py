"""What a retrain request says of the data: told an event a poll, and all at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from monitor.events.timestamps import iso
from monitor.spec import RetrainSpec
from tests.simulation.story import CROWD, PLAIN, Story, at
from tests.simulation.traffic import LABELS, PREDICTIONS

pytestmark = pytest.mark.parametrize("poll_max", [1, 1_000])


def fallen() -> Story:
    """Three windows, the last of which turns out wrong. Of its labels, one is corrected before it could count, and one
    after the decision.
    """
    story = Story(partitions=2, label_partitions=2)
    story.label("c", 0.1, partition=1)
    for name, minute, value in (("a", 0.5, "fraud"), ("b", 1.5, "fraud"), *((name, 2.5, "ok") for name in "cdef")):
        story.predict(name, minute, partition=ord(name) % 2)
        story.label(name, minute + 0.2, value, partition=ord(name) % 2)
    story.reach(4)
    story.label("c", 4.5, partition=1)
    story.reach(8)
    return story


def requested(labels_min: int, poll_max: int) -> Any:
    """The data of the one request."""
    retrain = RetrainSpec("pipeline", frozenset({"performance"}), labels_min=labels_min)
    (message,) = fallen().told(replace(PLAIN, retrain=retrain), poll_max=poll_max).receiver.bodies.values()
    return orjson.loads(message)["data"]


def offsets(topic: str) -> dict[str, list[int]]:
    """[first, last + 1) of the records of c to f with a time in the last window."""
    found = {}
    for (name, partition), records in fallen().log().items():
        events = [orjson.loads(record.value or b"") for record in records] if name == topic else []
        mine = [
            offset
            for offset, event in enumerate(events)
            if isinstance(event, list) and event[0]["id"][0] in "cdef" and at(2) <= event[0]["timestamp"] < at(3)
        ]
        if mine:
            found[str(partition)] = [mine[0], mine[-1] + 1]
    return found


def test_it_says_where_the_predictions_of_its_window_lie_and_the_labels_that_had_counted(poll_max: int) -> None:
    data = requested(4 * CROWD, poll_max)
    assert data["window"] == {"start": iso(at(2)), "end": iso(at(3))}
    assert data["data"]["offsets"]["predictions"] == offsets(PREDICTIONS)
    assert data["data"]["offsets"]["labels"] == offsets(LABELS)
    assert [end - first for first, end in offsets(LABELS).values()] == [2, 2]


@pytest.mark.parametrize(("crowds", "start"), [(4, 2), (5, 1), (6, 0)])
def test_its_training_window_begins_where_it_holds_as_many_labels_as_retraining_needs(
    crowds: int, start: int, poll_max: int
) -> None:
    data = requested(crowds * CROWD, poll_max)
    assert data["onset"] == iso(at(2))
    assert data["training_window"] == {"start": iso(at(start)), "end": iso(at(3))}
