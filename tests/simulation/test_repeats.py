"""What is sent again, in another order, or under a clock that jumps is what was sent once: no figure may move."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.scripted import Clock
from tests.simulation.story import Story, figures
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Log, Record, fraud_event, record, truth
from tests.simulation.world import FRAUD, LATER_MS, World

MINUTES = 8
HOUR_MS = 60 * MINUTE_MS
PATIENT = replace(FRAUD, lateness_ms=30 * MINUTE_MS)
"""Nothing below is ever too late for it."""


@pytest.fixture(scope="module")
def log() -> Log:
    """Predictions of some minutes, of which the later ones have drifted, and a label for each."""
    drawn = random.Random(3)
    predictions, labels = [], []
    for number in range(MINUTES * 300):
        at = START_MS + number * MINUTE_MS // 300
        drifted = number >= 4 * 300
        event = fraud_event(drawn, str(number), at, drifted)
        label = {"type": "label", "id": str(number), "model": "fraud", "timestamp": at + 1_000}
        predictions.append(record(at, event))
        labels.append(record(at, label | {"label": truth(drawn, event["score"], drifted)}))
    return {(PREDICTIONS, 0): predictions, (LABELS, 0): labels}


def ended(log: Log) -> Log:
    """The same, and behind it events so much later that every window closes."""
    at = START_MS + 60 * MINUTE_MS
    last = {"type": "label", "id": "last", "model": "fraud", "timestamp": at, "label": "ok"}
    ends = {PREDICTIONS: fraud_event(random.Random(0), "last", at, False), LABELS: last}
    return {place: [*records, record(at, ends[place[0]])] for place, records in log.items()}


def measured(log: Log, **options: Any) -> dict[str, Any]:
    """All figures and decisions that `fraud` is given, but for where its events lie in the topic."""
    world = World(ended(log), (PATIENT,), **options)
    observed = world.run()
    world.close()
    return {
        "readings": observed.readings["fraud"],
        "incidents": [(change.incident.id, change.event) for each in observed.changes.values() for change in each],
        "triggers": [(trigger.id, trigger.profile, trigger.withheld) for trigger in observed.triggers["fraud"]],
        "messages": set(observed.messages),
        "accepted": observed.events[PREDICTIONS, "accepted"],
    }


@pytest.fixture(scope="module")
def once(log: Log) -> dict[str, Any]:
    figures = measured(log)
    assert figures["accepted"] == MINUTES * 300 + 1
    assert figures["messages"], "the log is to hold something worth asking for"
    return figures


def test_events_that_are_sent_up_to_three_times_count_once(log: Log, once: dict[str, Any]) -> None:
    drawn = random.Random(1)
    assert measured({place: list(_repeated(records, drawn)) for place, records in log.items()}) == once


def _repeated(records: list[Record], drawn: random.Random) -> Iterator[Record]:
    """Each record up to three times: at once, and with a producer's late retry."""
    waiting: list[Record] = []
    for each in records:
        yield from [each] * drawn.randint(1, 2)
        waiting += [each] * drawn.randint(0, 1)
        if drawn.random() < 0.02:
            yield from waiting
            waiting = []
    yield from waiting


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_events_within_the_lateness_changes_nothing(log: Log, once: dict[str, Any], seed: int) -> None:
    """Of predictions: a label counts from when it became known, so their order is a part of what happened."""
    predictions = log[PREDICTIONS, 0]
    shuffled = random.Random(seed).sample(predictions, len(predictions))
    assert measured({**log, (PREDICTIONS, 0): shuffled}) == once


class Jumping(Clock):
    """A wall clock that somebody keeps setting, an hour ahead or back."""

    def __call__(self) -> int:
        self.now_ms += random.Random(self.now_ms).choice((-60, -1, 0, 1, 60)) * MINUTE_MS
        return self.now_ms


def test_a_wall_clock_that_jumps_changes_nothing(log: Log, once: dict[str, Any]) -> None:
    assert measured(log, clock=Jumping(LATER_MS)) == once


@pytest.mark.parametrize("seed", range(2))
def test_a_wall_clock_that_jumps_while_partitions_fall_idle_changes_nothing(log: Log, seed: int) -> None:
    def paced(jumps: tuple[int, ...]) -> tuple[Any, ...]:
        drawn, hours = random.Random(seed), random.Random(seed)
        world = World(log, (replace(FRAUD, future_ms=3 * HOUR_MS),), source_options={"paced": True})
        world.clock.now_ms = START_MS
        while not world.source.exhausted or any(model.panes for model in world.loop.monitor.models.values()):
            world.clock.now_ms += drawn.choice((0, 1_000, 20_000, 60_000))
            world.set_on_ms = hours.choice(jumps) * HOUR_MS
            world.step()
        observed = world.observe()
        world.close()
        return observed.events, observed.readings, observed.triggers, observed.changes

    assert paced((-2, -1, 0, 1, 2)) == paced((0,))


def test_a_topic_that_is_sent_again_from_its_beginning_raises_nothing_new(log: Log, tmp_path: Path) -> None:
    """The same events at new offsets, over the state that the first time left."""
    world = World(ended(log), (PATIENT,), directory=tmp_path)
    first = world.run()
    world.log = {place: [*records, *ended(log)[place]] for place, records in world.log.items()}
    world.restart()
    second = world.run()
    world.close()
    assert (second.readings, second.changes, second.triggers) == (first.readings, first.changes, first.triggers)
    assert second.messages == first.messages
    repeated = {result: second.events[PREDICTIONS, result] for result in ("late", "duplicate")}
    assert sum(repeated.values()) == MINUTES * 300 + 1
    assert second.events[PREDICTIONS, "accepted"] == first.events[PREDICTIONS, "accepted"]


def test_offsets_that_the_store_has_are_not_read_again(log: Log, tmp_path: Path) -> None:
    world = World(ended(log), (PATIENT,), directory=tmp_path)
    first = world.run()
    for _ in range(3):
        world.restart()
        assert world.run() == first
    world.close()


@pytest.mark.parametrize("last", [(0.9, "fraud"), (0.7, "ok")], ids=["of another time", "of the same time"])
def test_labels_that_contradict_each_other_mean_the_same_in_any_order(last: tuple[float, str]) -> None:
    found = set()
    for order in permutations([(0.6, "fraud"), (0.7, "fraud"), (0.65, "ok"), last]):
        story = Story()
        story.predict("a", 0.5)
        for minute, value in order:
            story.label("a", minute, value)
        story.reach(9)
        found.add(tuple(figures(story.told())))
    assert len(found) == 1
    assert {labelled for each in found for labelled, _ in each} == {1}
