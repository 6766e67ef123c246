"""A version that sends no more retires: told an event a poll, and all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.detection.records import IncidentChange
from monitor.spec import RetrainSpec
from tests.simulation.story import PLAIN, Story, at
from tests.simulation.traffic import MINUTE_MS
from tests.simulation.world import World

SPEC = replace(PLAIN, retire_ms=6 * MINUTE_MS)
REASON = "version 1 has had no predictions for as long as retire_after says: it has retired"


def fallen(*again: float) -> Story:
    """Version 1 is wrong in the third minute and sends no more, but for these; version 2 is right, and goes on."""
    story = Story(partitions=2, label_partitions=2)
    for minute, value in enumerate(("fraud", "fraud", "ok")):
        story.predict(f"old{minute}", minute + 0.5, partition=0)
        story.label(f"old{minute}", minute + 0.7, value, partition=0)
    for minute in again:
        story.predict(f"late{minute}", minute, partition=0)
    for minute in range(2, 14):
        story.predict(f"new{minute}", minute + 0.5, partition=1, version="2")
        story.label(f"new{minute}", minute + 0.7, partition=1)
    story.reach(15)
    return story


def changes(world: World) -> list[IncidentChange]:
    return [change for output in world.outputs for change in output.changes if change.incident.opened.version == "1"]


@pytest.mark.parametrize("poll_max", [1, 1_000])
def test_its_performance_incident_ends_with_it_and_it_is_shown_no_more(poll_max: int) -> None:
    world = fallen().told(SPEC, poll_max=poll_max)
    opened, resolved = changes(world)
    assert (opened.event, opened.incident.cause) == ("opened", "performance")
    assert (resolved.event, resolved.reason, resolved.onset_ms) == ("resolved", REASON, at(8))
    view = world.loop.snapshot.models["fraud"]
    assert "1" not in view.versions
    assert {each.window.version for each in view.performance} == {"2"}
    assert [(each.version, each.event, each.at_ms) for output in world.outputs for each in output.versions] == [
        ("2", "unregistered", at(2)),
        ("1", "retired", at(9)),
    ]


def test_an_incident_stands_while_its_version_sends_however_little() -> None:
    assert [change.event for change in changes(fallen(7.5, 12.5).told(SPEC))] == ["opened"]


@pytest.mark.parametrize("poll_max", [1, 1_000])
def test_labels_that_come_after_it_has_retired_open_nothing(poll_max: int) -> None:
    patient = replace(SPEC, performance=replace(SPEC.performance, wait_ms=12 * MINUTE_MS), retention_ms=1 << 40)
    story = Story(partitions=2, label_partitions=2)
    story.predict("old", 0.5, partition=0)
    for minute in range(12):
        story.predict(f"new{minute}", minute + 0.5, partition=1, version="2")
        story.label(f"new{minute}", minute + 0.7, partition=1)
    story.label("old", 9.5, "ok", partition=0)
    story.reach(13)
    world = story.told(patient, poll_max=poll_max)
    assert changes(world) == []
    assert [view.labels for output in world.outputs for view in output.performance if view.window.version == "1"][-1]


@pytest.mark.parametrize("poll_max", [1, 1_000])
def test_nobody_is_asked_to_retrain_for_a_version_that_has_retired(poll_max: int) -> None:
    retrain = RetrainSpec("pipeline", frozenset({"performance"}), labels_min=1 << 40)
    world = fallen().told(replace(SPEC, retrain=retrain), poll_max=poll_max)
    reasons = [trigger.withheld for output in world.outputs for trigger in output.triggers]
    assert len(reasons) == 1
    assert world.loop.monitor.models["fraud"].progress.arbiter.open == {}


def test_a_restart_after_every_step_changes_nothing_of_it(tmp_path: Path) -> None:
    world = World(fallen().log(), (SPEC,), seed=0, directory=tmp_path, source_options={"poll_max": 7})
    while not world.source.exhausted:
        world.step()
        world.restart()
    world.run()
    assert world.loop.snapshot.models["fraud"].versions == fallen().told(SPEC).loop.snapshot.models["fraud"].versions
    assert [change.event for change in changes(world)] == ["opened", "resolved"]
    world.close()


@pytest.mark.parametrize("poll_max", [1, 1_000])
def test_a_version_that_is_alone_is_awaited_however_long_it_is_silent(poll_max: int) -> None:
    story = Story()
    for minute, value in ((0, "fraud"), (1, "ok"), (20, "ok"), (40, "ok")):
        story.predict(f"old{minute}", minute + 0.5)
        story.label(f"old{minute}", minute + 0.7, value)
    story.reach(41)
    world = story.told(SPEC, poll_max=poll_max)
    assert [change.event for change in changes(world)] == ["opened"]


@pytest.mark.parametrize("poll_max", [1, 1_000])
def test_labels_that_are_later_than_a_version_may_be_silent_are_judged_all_the_same(poll_max: int) -> None:
    patient = replace(SPEC, performance=replace(SPEC.performance, wait_ms=12 * MINUTE_MS), retention_ms=1 << 40)
    story = Story(partitions=1, label_partitions=1)
    for minute in range(3):
        story.predict(f"old{minute}", minute + 0.5)
    for minute in range(3):
        story.label(f"old{minute}", 9.5 + minute, "ok")
    story.reach(13)
    world = story.told(patient, poll_max=poll_max)
    assert [(change.event, change.incident.cause) for change in changes(world)] == [("opened", "performance")]
