"""Partitions that fall silent and wake, and the clock that closes what they leave open.

The log alone does not tell what then counts: the control events do, and with both everything can be worked out again.
What was read is accepted, a duplicate, late or rejected, nothing is counted twice, and a window closes once.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.engine import monitor
from monitor.runtime.loop import QUIET_MS
from monitor.windows.window import Place, Window
from tests.simulation import oracle
from tests.simulation.scripted import POINTS
from tests.simulation.story import CROWD, PLAIN, Story, at, figures, prediction, rows, wait
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Log, Record, Shape, Traffic, record
from tests.simulation.world import CHURN, FRAUD, Observed, World

SEEDS = (*range(4), *filter(None, [os.environ.get("MODEL_MONITOR_SEED")]))
PATIENT = replace(PLAIN, idle_after_ms=MINUTE_MS // 2, lateness_ms=MINUTE_MS // 4)
ROWS_MAX = 100
"""More than any record of the traffic holds."""

WINDOW_CLOSES = 1 + 0.5 + 0.25
"""The minute at which the clock closes the first window of PATIENT: its end, `lateness` and `idle_after`."""


@pytest.mark.parametrize("ahead", [monitor.AHEAD_WINDOWS, 0])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_counted_twice_where_partitions_sleep_and_wake(
    seed: int | str, ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "AHEAD_WINDOWS", ahead)
    print(f"seed {seed}")
    drawn = random.Random(int(seed))
    shape = Shape(minutes=6, predictions_a_minute=80)
    log = with_pauses(Traffic(int(seed), shape).log(), shape.end_ms, drawn)
    world = World(log, (FRAUD, CHURN), seed=int(seed), directory=tmp_path, source_options={"paced": True})
    world.clock.now_ms = START_MS
    while not world.source.exhausted:
        world.clock.now_ms += drawn.choice((0, 300, 5_000, 20_000, 60_000))
        world.source.unconfirmed = set(drawn.sample(sorted(log), 2)) if drawn.random() < 0.2 else set()
        world.step(drawn.choice(POINTS) if drawn.random() < 0.1 else None)
    world.source.unconfirmed = set()
    for _ in range(20):
        world.clock.now_ms += 10 * MINUTE_MS
        world.step()
    observed = world.observe()
    panes = [model.panes for model in world.loop.monitor.models.values()]
    by_clock = [each.payload for each in world.store.control_events() if each.kind == "closed"]
    clocked = {spec.name: clock_of(world, spec.name) for spec in (FRAUD, CHURN)}
    world.close()

    for topic in (PREDICTIONS, LABELS):
        read = sum(len(oracle.events(each.value)) for place in log if place[0] == topic for each in log[place])
        assert sum(count for (name, _), count in observed.events.items() if name == topic) == read
    assert not any(panes), "a window stayed open"
    closed = {
        name: {reading.window: reading.rows for reading in readings if reading.feature}
        for name, readings in observed.readings.items()
    }
    for name, windows in closed.items():
        assert sum(windows.values()) == observed.views[name].predictions
    for readings in observed.readings.values():
        once = Counter((each.window, each.feature, each.statistic, each.revision) for each in readings)
        assert max(once.values()) == 1, "a window was closed or settled twice"
    sent = [trigger.id for each in observed.triggers.values() for trigger in each if not trigger.withheld]
    assert len(observed.messages) == len(set(sent)) == len(sent)

    # Nothing but the clock closed the last windows, and settled them.
    last = next(each for each in reversed(by_clock) if each["model"] == "fraud")
    assert (last["closed_ms"], last["joint_ms"]) == (clocked["fraud"].closed, clocked["fraud"].joint)
    assert len(by_clock) < 20, "noted without need"
    meanings = {spec.name: oracle.meaning(log, spec, 0, clocked[spec.name]) for spec in (FRAUD, CHURN)}
    for name, meaning in meanings.items():
        assert closed[name] == {
            Window(window.end, name, window.version, "", window.start): rows for window, rows in meaning.rows.items()
        }
    judged = sum((meaning.results for meaning in meanings.values()), Counter())
    for result in ("accepted", "duplicate", "late"):
        assert observed.events[PREDICTIONS, result] == judged[result], result
    assert sorted(accuracies(observed)) == sorted(
        (figure.window.end, figure.window.version, figure.labels, figure.accuracy)
        for figure in meanings["fraud"].figures
    )


def clock_of(world: World, model: str) -> oracle.Clocked:
    """What the store's control events say of one model."""
    progress = world.loop.monitor.models[model].progress
    clocked = oracle.Clocked(closed=progress.closed_ms, joint=progress.joint_ms)
    for event in world.store.control_events():
        said = event.payload
        if said.get("model") != model:
            continue
        if event.kind == "woke":
            floors = clocked.floors.setdefault((said["topic"], said["partition"]), [])
            floors.append((said["offset"], said["floor_ms"]))
        elif event.kind == "quarantined":
            clocked.quarantined |= {(said["topic"], *row) for row in said["rows"]}
            clocked.quarantined |= {
                (said["topic"], partition, offset, row)
                for partition, first, last in said["records"]
                for offset in range(first, last + 1)
                for row in range(ROWS_MAX)
            }
    return clocked


def accuracies(observed: Observed) -> list[tuple[int, str, int, float | None]]:
    return [
        (each.window.end_ms, each.window.version, each.rows, each.value)
        for each in observed.readings["fraud"]
        if each.statistic == "accuracy"
    ]


def with_pauses(log: Log, end_ms: int, drawn: random.Random) -> Log:
    """From some moment on, each partition's records arrive minutes later, and some partitions end there.

    The last events, which would close everything, never come: that is left to the clock.
    """
    slowed: dict[Place, list[Record]] = {}
    for place, all_records in log.items():
        records = [record for record in all_records if record.arrival_ms < end_ms + 20 * MINUTE_MS]
        cut, delay = drawn.randrange(len(records)), drawn.choice((0, 0, 90_000, 300_000))
        rest = records[cut:] if drawn.random() < 0.8 else []
        slowed[place] = [*records[:cut], *(record._replace(arrival_ms=record.arrival_ms + delay) for record in rest)]
    return slowed


def test_a_silent_partition_holds_its_model_up_until_it_is_idle() -> None:
    story = Story(partitions=2)
    story.predict("a", 0.2)
    story.arrival_ms = at(0.4)
    story.predict("b", 1.3)
    world = story.paced(PATIENT)
    wait(world, 0.1)
    assert rows(world) == {}, "nobody knows yet what the other partition will say"
    wait(world, 0.9)
    assert rows(world) == {}, "what comes there now, and is on time, belongs to this window"
    wait(world, 1.25)
    assert rows(world) == {1: 1}


def test_a_partition_that_wakes_is_late_for_what_was_closed_without_it() -> None:
    story = Story(partitions=2)
    story.predict("a", 0.2)
    story.arrival_ms = at(1.3)
    story.predict("b", 1.3)
    story.arrival_ms = at(1.5)
    story.predict("c", 0.5, partition=1)
    story.predict("d", 1.1, partition=1)
    world = story.paced(PATIENT)
    for minute in (0.1, 1.3, 1.5, 5):
        wait(world, minute)
    assert rows(world) == {1: 1, 2: 2}
    assert world.loop.snapshot.service.events[PREDICTIONS, "late"] == 30


def test_where_all_are_idle_the_clock_closes_a_window_and_not_before_it_may() -> None:
    story = Story()
    story.predict("a", 0.2)
    world = story.paced(PATIENT)
    wait(world, 0.1)
    wait(world, WINDOW_CLOSES - 0.3)
    assert rows(world) == {}
    wait(world, WINDOW_CLOSES)
    assert rows(world) == {1: 1}


def test_a_batch_that_wakes_under_a_floor_of_others_is_noted() -> None:
    """The watermark of a batch is its floor alone, however late its own events have come."""
    spec = replace(PATIENT, arrival="batch")
    story = Story(partitions=2)
    story.predict("early", -10.5, partition=1)
    story.arrival_ms = at(0.3)
    story.predict("a", -15.5)
    story.send(PREDICTIONS, {"type": "batch_end", "model": "fraud", "id": "today"})
    for minute in (0.7, 1.1):
        story.arrival_ms = at(minute)
        story.predict(f"{minute}", -3.5)
    story.arrival_ms = at(1.3)
    story.predict("late", -16.5, partition=1)
    world = story.paced(spec)
    for tenth in range(1, 30):
        wait(world, tenth / 10)
    woke = [event.payload for event in world.store.control_events() if event.kind == "woke"]
    assert world.loop.snapshot.service.events[PREDICTIONS, "late"] == CROWD
    assert [(each["partition"], each["floor_ms"]) for each in woke] == [(1, at(-15))]


def test_labels_that_go_on_while_predictions_rest_are_no_control_events() -> None:
    story = Story()
    story.predict("a", 0.2)
    story.predict("b", 0.3)
    for tick in range(150):
        story.arrival_ms = at(0.5 + tick / 25)
        story.label(f"{tick}", 0.5 + tick / 25)
    world = story.paced(PATIENT)
    for tick in range(200):
        wait(world, 0.5 + tick / 25)
    closed = [event.payload["joint_ms"] for event in world.store.control_events() if event.kind == "closed"]
    assert len(closed) <= 10
    assert all(joint_ms % MINUTE_MS == 0 for joint_ms in closed)


def test_a_quiet_step_that_changes_nothing_writes_nothing() -> None:
    story = Story()
    story.predict("a", 0.2)
    world = story.paced(PATIENT)
    for tenth in range(1, 40):
        wait(world, tenth / 10)
    sequence, commits = world.store.sequence, world.loop.snapshot.service.commits
    for tenth in range(40, 80):
        wait(world, tenth / 10)
    assert rows(world) == {1: 1}
    assert (world.store.sequence, world.loop.snapshot.service.commits) == (sequence, commits)
    assert sequence < 12, "it takes a commit to read, to fall idle, to close and to settle, and none to wait"


@pytest.mark.parametrize("set_on", [-60, 60], ids=["an hour back", "an hour on"])
def test_a_wall_clock_that_is_set_while_events_come_closes_nothing_and_loses_nothing(set_on: int) -> None:
    story = Story(partitions=2)
    for tenth in range(1, 40):
        story.arrival_ms = at(tenth / 10)
        story.predict(f"{tenth}", tenth / 10, partition=tenth % 2)
    world = story.paced(PATIENT)
    for tenth in range(1, 40):
        if tenth == 15:
            world.set_on_ms = set_on * MINUTE_MS
        world.clock.now_ms = at(tenth / 10)
        for _ in range(4):
            world.clock.now_ms += QUIET_MS
            world.step()
    assert world.loop.snapshot.service.events == {
        (PREDICTIONS, "accepted"): 39 * CROWD,
        (PREDICTIONS, "duplicate"): 0,
        (PREDICTIONS, "late"): 0,
        (PREDICTIONS, "rejected"): 0,
    }
    assert rows(world) == {1: 9, 2: 10, 3: 10}
    wait(world, 10)
    assert rows(world) == ({1: 9, 2: 10, 3: 10, 4: 10} if set_on > 0 else {1: 9, 2: 10, 3: 10}), "set back, it waits"
    world.close()


@pytest.mark.parametrize("place", [(PREDICTIONS, 0), (PREDICTIONS, 1)])
def test_the_clock_closes_nothing_while_a_partition_does_not_answer(place: Place) -> None:
    story = Story(partitions=2)
    story.predict("a", 0.2)
    story.predict("b", 0.3, partition=1)
    world = story.paced(PATIENT)
    wait(world, 0.1)
    wait(world, 0.9)  # Both have been idle since.
    world.source.unconfirmed = {place}
    wait(world, 10)
    assert rows(world) == {}, "what the broker holds by now may belong to this window"
    world.source.unconfirmed = set()
    wait(world, 11)
    assert rows(world) == {1: 2}


def test_a_partition_that_was_idle_and_does_not_answer_holds_its_model_up_again() -> None:
    story = Story(partitions=2)
    story.predict("a", 0.2)
    story.predict("b", 0.3, partition=1)
    story.arrival_ms = at(1.2)
    story.predict("c", 1.5)
    world = story.paced(PATIENT)
    wait(world, 0.1)
    wait(world, 0.9)
    world.source.unconfirmed = {(PREDICTIONS, 1)}
    wait(world, 1.2)
    assert rows(world) == {}
    world.source.unconfirmed = set()
    wait(world, 1.5)
    assert rows(world) == {1: 2}


def test_a_pause_in_a_back_fill_loses_nothing() -> None:
    story = Story()
    story.predict("a", -1_000.5)
    story.reach(-999.1)
    story.arrival_ms = at(30)
    story.predict("b", -998.9)
    story.reach(-995)
    world = story.paced(PATIENT)
    for minute in (1, 20, 30, 31):
        wait(world, minute)
    assert rows(world) == {-1_000: 1, -998: 1}
    assert world.loop.snapshot.service.events[PREDICTIONS, "late"] == 0


def test_a_window_whose_labels_are_quiet_is_settled_by_the_clock() -> None:
    story = Story()
    story.predict("a", 0.2)
    story.label("a", 0.3)
    world = story.paced(PATIENT)
    wait(world, 0.1)
    wait(world, 3)
    assert figures(world)[-1] == (1, 1.0)


def test_a_new_partition_starts_where_the_others_are() -> None:
    story = Story()
    story.predict("a", 0.5)
    story.reach(3.5)
    world = story.world()
    world.run()
    assert rows(world) == {1: 1}
    late = [record(START_MS, prediction("b", 0.6)), record(START_MS, prediction("c", 3.6))]
    early = {"type": "label", "id": "a/0", "model": "fraud", "timestamp": at(0.7), "label": "fraud"}
    world.source.grow({(PREDICTIONS, 1): late, (LABELS, 1): [record(START_MS, early)]})
    story = Story(partitions=2, label_partitions=2)
    story.reach(6)
    rest = story.log()
    world.source.grow({(PREDICTIONS, 2): rest[PREDICTIONS, 0], (LABELS, 2): rest[LABELS, 0]})
    world.run()
    assert rows(world) == {1: 1}, "a closed window was opened again"
    assert world.loop.snapshot.service.events[PREDICTIONS, "late"] == 1
