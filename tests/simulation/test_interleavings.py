"""How partitions interleave and how much a poll brings differs from run to run: nothing that is said may."""

from __future__ import annotations

import os
import random

import pytest

from monitor.engine.pane import OTHER, VERSIONS_MAX
from tests.simulation.story import CROWD, Story, prediction, rows
from tests.simulation.traffic import PREDICTIONS, Log, Traffic
from tests.simulation.world import Observed, World

SEEDS = (*range(10), *filter(None, [os.environ.get("MODEL_MONITOR_SEED")]))


@pytest.fixture(scope="module")
def log() -> Log:
    return Traffic(1).log()


@pytest.fixture(scope="module")
def in_large_polls(log: Log) -> Observed:
    return observed(log, seed=0, poll_max=100_000)


def observed(log: Log, seed: int | str, poll_max: int) -> Observed:
    world = World(log, seed=int(seed), source_options={"poll_max": poll_max})
    try:
        return world.run()
    finally:
        world.close()


def test_the_script_shows_every_kind_of_decision(in_large_polls: Observed) -> None:
    changes = in_large_polls.changes
    assert all(in_large_polls.windows), "counts, rows and what they were compared with"
    assert {change.event for kind in changes.values() for change in kind} >= {"opened", "resolved"}
    assert {("fraud", "drift"), ("fraud", "performance"), ("churn", "drift")} <= changes.keys()
    triggers = in_large_polls.triggers["fraud"]
    assert {trigger.reason for trigger in triggers} == {"drift", "performance"}
    assert {bool(trigger.withheld) for trigger in triggers} == {True, False}
    assert any(trigger.reason == "performance" and trigger.evidence for trigger in triggers)
    assert all(trigger.label_offsets for trigger in triggers)
    assert len(in_large_polls.messages) == sum(
        not trigger.withheld for each in in_large_polls.triggers.values() for trigger in each
    )
    assert max(reading.revision for reading in in_large_polls.readings["fraud"]) >= 3
    assert in_large_polls.views["fraud"].labels["conflict"] > 0
    assert all(in_large_polls.events["predictions", result] for result in ("accepted", "duplicate", "late", "rejected"))


@pytest.mark.parametrize("seed", SEEDS)
def test_partitions_that_interleave_otherwise_give_the_same_bits(
    log: Log, in_large_polls: Observed, seed: int | str
) -> None:
    poll_max = random.Random(int(seed)).choice((40, 100, 300, 1_000))
    print(f"seed {seed}, polls of up to {poll_max} records a partition")
    assert observed(log, seed, poll_max) == in_large_polls


def test_which_of_too_many_versions_share_their_windows_does_not_depend_on_who_came_first() -> None:
    """A client that sends a version of its own with every event must not fill the memory."""
    story = Story(partitions=2)
    for number in range(30):
        for partition in (0, 1):
            story.send(PREDICTIONS, prediction(None, 0.5, version=f"v{number}"), partition)
    story.predict("a", 0.5)
    story.reach(3)
    worlds = [story.told(poll_max=poll_max, seed=seed) for seed, poll_max in enumerate((100, 1, 2, 3, 5, 8))]
    counted = [{name: rows(world, name) for name in world.loop.snapshot.models["fraud"].versions} for world in worlds]
    assert counted == counted[:1] * len(counted)
    assert len(counted[0]) == VERSIONS_MAX + 2, "the registered one, and one for all that are too many"
    assert counted[0][OTHER] == {1: 2 * (30 - VERSIONS_MAX) / CROWD}
    assert counted[0]["1"] == {1: 1}
