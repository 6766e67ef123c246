"""Data that is not what it was, or not when it says: what it spoils is counted, and everything else goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from monitor.snapshot import WindowView
from tests.simulation.story import PLAIN, Story, at, prediction, rows
from tests.simulation.traffic import PREDICTIONS, START_MS, YEAR_MS, Traffic, fraud_event
from tests.simulation.world import LATER_MS, World

DAY_MS = 86_400_000
ROWS = 600


def renamed(features: dict[str, Any]) -> dict[str, Any]:
    return {"sum": features["amount"], "country": features["country"]}


def removed(features: dict[str, Any]) -> dict[str, Any]:
    return {"country": features["country"]}


def of_another_type(features: dict[str, Any]) -> dict[str, Any]:
    return features | {"amount": "plenty"}


def windows_of(change: Callable[[dict[str, Any]], dict[str, Any]], minutes: int = 4) -> list[WindowView]:
    """Closed windows of a minute, each of ROWS predictions; from the second on their features are changed."""
    drawn, story = random.Random(1), Story()
    for minute in range(minutes):
        for number in range(ROWS):
            event = fraud_event(drawn, f"{minute}/{number}", at(minute) + number, False)
            story.send(PREDICTIONS, event | {"features": change(event["features"])} if minute else event)
    story.reach(minutes + 0.5)
    world = story.told(PLAIN)
    observed = world.observe()
    assert observed.events[PREDICTIONS, "accepted"] == minutes * ROWS + 1
    assert not observed.dead
    assert not observed.changes.get(("fraud", "drift")), "drift was seen in what was not there"
    return [view for output in world.outputs for view in output.windows if view.window.version == "1"]


@pytest.mark.parametrize(
    ("change", "counted"),
    [(renamed, "missing"), (removed, "missing"), (of_another_type, "invalid")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_feature_that_changes_mid_stream_is_counted_and_the_others_are_judged(
    change: Callable[[dict[str, Any]], dict[str, Any]], counted: str
) -> None:
    before, *after = windows_of(change)
    assert {verdict.feature for verdict in before.verdicts if verdict.effect is not None} == {"amount", "country"}
    assert len(after) == 3
    for view in after:
        shares = {(each.feature, each.statistic): each.value for each in view.readings}
        assert view.rows == ROWS
        assert shares["amount", counted] == 1
        assert (shares["country", "missing"] or 0) < 0.3
        verdicts = {verdict.feature: verdict for verdict in view.verdicts}
        assert verdicts["amount"].state == "insufficient"
        assert verdicts["amount"].effect is None
        assert verdicts["country"].state == "ok"


ODD_TIMES = {
    "a day ahead": (LATER_MS + DAY_MS, "rejected", "future_timestamp"),
    "1970": (0, "rejected", "bad_timestamp"),
    "seconds": (at(3) // 1000, "rejected", "bad_timestamp"),
    "a year ago": (at(3) - YEAR_MS, "late", None),
    "microseconds": (at(3) * 1000, "rejected", "bad_timestamp"),
    "before 1970": (-1, "rejected", "bad_timestamp"),
}


@pytest.mark.parametrize("odd", ODD_TIMES)
def test_a_timestamp_of_another_day_or_unit_closes_nothing(odd: str) -> None:
    time_ms, result, reason = ODD_TIMES[odd]

    def told(times: list[int]) -> World:
        story = Story()
        story.predict("a", 2.5)
        story.reach(3.1)
        for number, each in enumerate(times):
            story.send(PREDICTIONS, prediction(f"odd{number}", 0) | {"timestamp": each})
        story.predict("b", 3.2)
        return story.told()

    usual, observed = told([]), (world := told([time_ms])).observe()
    assert rows(world) == rows(usual) == {3: 1}
    assert (
        world.loop.snapshot.models["fraud"].watermark_ms == usual.loop.snapshot.models["fraud"].watermark_ms == at(3.2)
    )
    assert observed.events[PREDICTIONS, result] == 1
    assert [dead[-1] for dead in observed.dead] == ([reason] if reason else [])
    accepted = observed.events[PREDICTIONS, "accepted"]
    assert accepted == usual.observe().events[PREDICTIONS, "accepted"]


def test_a_hundred_thousand_categories_take_no_more_room_than_ten_thousand() -> None:
    def told(categories: int) -> tuple[World, list[WindowView]]:
        story, batch = Story(), 5_000
        for first in range(0, 100_000, batch):
            numbers = range(first, first + batch)
            columns = {
                "id": [str(number) for number in numbers],
                "timestamp": [START_MS + number // 2 for number in numbers],
                "country": [f"new-{number % categories:06}" for number in numbers],
            }
            story.send(PREDICTIONS, {"type": "predictions", "model": "fraud", "version": "1", "columns": columns})
        open_world = story.told(poll_max=1)
        story.reach(2)
        closed = story.told(poll_max=1)
        return open_world, [view for output in closed.outputs for view in output.windows if view.window.version == "1"]

    sizes = {}
    for categories in (10_000, 100_000):
        world, (view,) = told(categories)
        sizes[categories] = sum(map(len, world.store.state().values()))
        shares = {(each.feature, each.statistic): each.value for each in view.readings}
        assert view.rows == 100_000
        assert shares["country", "unseen"] == 1
    print(f"bytes of state by categories: {sizes}")
    assert sizes[100_000] <= 1.1 * sizes[10_000]


@pytest.mark.parametrize("how", ["positions lost", "sent again"])
def test_a_topic_that_is_read_a_second_time_says_nothing_new(how: str) -> None:
    log = Traffic(7).log()
    first = World(log)
    whole = first.run()
    assert whole.messages
    if how == "positions lost":
        first.source.start({})
        again = first.run()
    else:
        again = World({place: [*records, *records] for place, records in log.items()}).run()
    assert (again.readings, again.changes, again.triggers) == (whole.readings, whole.changes, whole.triggers)
    assert (again.messages, again.deliveries) == (whole.messages, whole.deliveries)
    assert {name: view.predictions for name, view in again.views.items()} == {
        name: view.predictions for name, view in whole.views.items()
    }
    assert sum(again.events.values()) == 2 * sum(whole.events.values())
