"""A partition that runs ahead of one that is away: what it opens is bounded, and nothing that is said changes."""

from __future__ import annotations

import math
import os
import random
from dataclasses import replace

import pytest

from monitor.engine import monitor
from monitor.runtime.loop import QUIET_MS
from monitor.windows.window import Place
from tests.simulation.story import PLAIN, Story, prediction
from tests.simulation.traffic import LABELS, PREDICTIONS, Log, Shape, Traffic
from tests.simulation.world import Observed, World, references

SEEDS = (*range(2), *filter(None, [os.environ.get("MODEL_MONITOR_SEED")]))
AWAY: Place = (PREDICTIONS, 1)
SHAPE = Shape(minutes=16, predictions_a_minute=45)
FEW = 3
STEPS_MAX = 2_000


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "AHEAD_WINDOWS", FEW)


@pytest.fixture(scope="module")
def log() -> Log:
    return Traffic(7, SHAPE).log()


@pytest.fixture(scope="module")
def undisturbed(log: Log) -> Observed:
    world = World(log, source_options={"obedient": False})
    try:
        return world.run()
    finally:
        world.close()


def open_windows(world: World) -> int:
    """Of the model that has the most."""
    return max(len({end for end, _ in each.panes}) for each in world.loop.monitor.models.values())


def finish(world: World) -> Observed:
    """Read the rest, in a bounded number of steps: a place that is never read on would show here."""
    for _ in range(STEPS_MAX):
        if world.source.exhausted:
            return world.run()
        world.clock.now_ms += QUIET_MS
        world.step()
    raise AssertionError(f"reading stands still: {world.source.lag()}, held {world.source.held}")


@pytest.mark.parametrize("obedient", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_windows_that_open_ahead_of_a_partition_that_is_away_are_bounded_and_figures_are_the_same(
    log: Log, undisturbed: Observed, seed: int | str, obedient: bool
) -> None:
    print(f"seed {seed}")
    world = World(log, seed=int(seed), source_options={"poll_max": 20, "obedient": obedient})
    most = 0
    for step in range(120):
        world.source.away = {AWAY} if step > 20 else set()  # Gone when some windows were closed.
        world.clock.now_ms += QUIET_MS
        world.step()
        most = max(most, open_windows(world))
    if obedient:
        # One for lateness, one for what a poll brings on top.
        assert most <= FEW + 1 + 2
        assert world.source.held == {(PREDICTIONS, 0), (PREDICTIONS, 2)}
        assert all(not left for place, left in world.source.lag().items() if place[0] == LABELS)
    else:
        assert most > 2 * SHAPE.minutes // 3, "this script shows nothing"
    world.source.away = set()
    assert finish(world) == undisturbed
    world.close()


@pytest.mark.parametrize("windows", [0, 1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_reading_never_comes_to_a_stand_however_little_is_allowed(
    log: Log, undisturbed: Observed, seed: int | str, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "AHEAD_WINDOWS", windows)
    poll_max = random.Random(int(seed)).choice((20, 60, 300))
    print(f"seed {seed}, polls of up to {poll_max} records a partition")
    world = World(log, seed=int(seed), source_options={"poll_max": poll_max})
    assert finish(world) == undisturbed
    world.close()


def ahead(*heard: tuple[str, int, float]) -> frozenset[Place]:
    """Who is far ahead once models (of two) were heard: a model's name, the partition, and up to which minute."""
    story = Story(partitions=2)
    for name, partition, until in heard:
        for minute in range(math.ceil(until)):
            story.send(PREDICTIONS, prediction(None, min(minute + 0.5, until)) | {"model": name}, partition)
    other = replace(PLAIN, name="other", schema=replace(PLAIN.schema, model="other"))
    both = {name: references()["fraud"] for name in ("fraud", "other")}
    world = World(story.log(), (PLAIN, other), both, source_options={"obedient": False})
    world.run()
    world.close()
    return world.loop.monitor.far_ahead()


FAR = FEW + 1.5
P, Q = (PREDICTIONS, 0), (PREDICTIONS, 1)


def test_only_what_has_passed_more_open_windows_than_allowed_is_far_ahead() -> None:
    assert ahead(("fraud", 0, FEW + 0.5), ("fraud", 1, 0.5)) == frozenset()
    assert ahead(("fraud", 0, FAR), ("fraud", 1, 0.5)) == {P}
    assert ahead(("fraud", 0, FAR), ("fraud", 1, 1.5)) == frozenset(), "its first window is closed"


def test_a_partition_that_a_model_waits_for_is_read_though_another_model_is_far_ahead_there() -> None:
    mine = (("fraud", 0, FAR), ("fraud", 1, 0.5))
    assert ahead(*mine, ("other", 0, 0.5), ("other", 1, 1.5)) == frozenset()
    assert ahead(*mine, ("other", 0, 0.5), ("other", 1, FAR)) == frozenset(), "each waits for where the other is ahead"
    assert ahead(*mine, ("other", 0, FAR), ("other", 1, FAR)) == {P}


def test_a_model_that_was_heard_nowhere_waits_for_one_partition_of_those_that_are_read() -> None:
    mine = (("fraud", 0, FAR), ("fraud", 1, 0.5))
    assert ahead(*mine) == {P}
    assert ahead(*mine, ("other", 1, 0.5)) == frozenset(), "now it is the other partition that it waits for"
