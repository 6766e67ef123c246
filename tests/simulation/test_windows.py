"""Windows by row count and in batches, and timestamps that cannot be: told an event a poll, and all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.windows.window import WindowSpec
from tests.simulation.scripted import POINTS
from tests.simulation.story import CROWD, PLAIN, Story, at, crowd, prediction, rows, wait
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, YEAR_MS, Shape, Traffic
from tests.simulation.world import CHURN, FRAUD, LATER_MS, World

BY_ROWS = replace(PLAIN, window=WindowSpec(3 * CROWD, "rows", MINUTE_MS))
IN_BATCHES = replace(PLAIN, arrival="batch", idle_after_ms=MINUTE_MS // 2)
polls = pytest.mark.parametrize("poll_max", [1, 1_000])


@polls
def test_a_row_window_is_the_fewest_whole_panes_that_hold_enough(poll_max: int) -> None:
    story = Story(partitions=2)
    for name, minute in (("a", 0.1), ("b", 0.9), ("c", 2.1), ("d", 2.2), ("e", 2.9), ("f", 5.1), ("g", 5.2)):
        story.predict(name, minute, partition=ord(name) % 2)
    story.reach(10)
    world = story.told(BY_ROWS, poll_max=poll_max)
    windows = [view.window for output in world.outputs for view in output.windows]
    assert rows(world) == {3: 5}, "the last two wait for more"
    assert [(window.start_ms, window.end_ms) for window in windows] == [(at(0), at(3))]


def test_row_windows_are_the_same_through_interleavings_and_crashes(tmp_path: Path) -> None:
    specs = (replace(FRAUD, window=WindowSpec(400, "rows", MINUTE_MS)), CHURN)
    log = Traffic(3, Shape(minutes=8)).log()
    whole = World(log, specs, source_options={"poll_max": 100_000}).run()
    assert len({reading.window for reading in whole.readings["fraud"]}) >= 3
    for seed in range(3):
        assert World(log, specs, seed=seed).run() == whole
    crashed = World(log, specs, directory=tmp_path)
    assert crashed.run(lambda attempt: POINTS[attempt // 2 % len(POINTS)] if attempt % 2 else None) == whole
    crashed.close()


def batch_end(partition: int, story: Story) -> None:
    story.send(PREDICTIONS, {"type": "batch_end", "model": "fraud", "id": "x"}, partition)


@polls
def test_a_batch_in_any_order_is_closed_when_every_partition_has_ended_it(poll_max: int) -> None:
    story = Story(partitions=2)
    for partition in (0, 1):
        story.predict("b", 1.9, partition=partition)
        story.predict("a", 0.1, partition=partition)
    batch_end(0, story)
    unfinished = story.told(IN_BATCHES, poll_max=poll_max)
    assert rows(unfinished) == {}
    batch_end(1, story)
    assert rows(story.told(IN_BATCHES, poll_max=poll_max)) == {1: 2, 2: 2}


@polls
def test_rows_that_come_after_the_end_of_their_batch_are_late(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    batch_end(0, story)
    story.predict("b", 0.7)
    story.predict("c", 1.7)
    batch_end(0, story)
    world = story.told(IN_BATCHES, poll_max=poll_max)
    assert rows(world) == {1: 1, 2: 1}
    assert world.loop.snapshot.service.events[PREDICTIONS, "late"] == CROWD


def test_an_end_in_one_record_with_its_rows_closes_them() -> None:
    story = Story()
    story.send(PREDICTIONS, [*crowd(prediction("a", 0.5)), {"type": "batch_end", "model": "fraud", "id": "x"}])
    assert rows(story.told(IN_BATCHES)) == {1: 1}


def test_a_batch_without_an_end_is_closed_by_idleness() -> None:
    story = Story(partitions=2)
    story.predict("a", 0.2)
    story.predict("b", 0.1, partition=1)
    world = story.paced(IN_BATCHES)
    wait(world, 0.1)
    wait(world, 1.2)
    assert rows(world) == {}
    wait(world, 1.6)
    assert rows(world) == {1: 2}


@polls
@pytest.mark.parametrize("topic", [PREDICTIONS, LABELS])
@pytest.mark.parametrize("clock", ["append time", "wall clock"])
def test_a_timestamp_of_the_far_future_is_set_aside_and_moves_nothing(topic: str, clock: str, poll_max: int) -> None:
    story = Story()
    story.reach(0.2)
    far = {"type": topic.removesuffix("s"), "label": "fraud", "timestamp": LATER_MS + YEAR_MS}
    story.send(topic, prediction("z", 0) | far)
    story.predict("a", 0.3)
    story.label("a", 0.4)
    story.reach(0.9)
    appended = frozenset({PREDICTIONS, LABELS}) if clock == "append time" else frozenset[str]()
    world = story.world(poll_max=poll_max, appended=appended)
    if clock == "append time":
        world.clock.now_ms = LATER_MS + 2 * YEAR_MS  # By this clock it would be the past.
    observed = world.run()
    assert observed.events[topic, "rejected"] == 1
    assert observed.dead == [(topic, 0, 1, 0, "future_timestamp")]
    assert observed.events[PREDICTIONS, "late"] == 0
    assert rows(world) == {}
