"""Events that change while they stream: what they no longer say is missing or invalid, and the rest goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, fraud_event, record
from tests.simulation.world import FRAUD, World

MINUTES, CHANGE = 8, 4
A_MINUTE = 400

Features = dict[str, Any]


def renamed(features: Features) -> Features:
    return {"sum": features["amount"], "country": features["country"]}


def removed(features: Features) -> Features:
    return {"country": features["country"]}


def of_another_type(features: Features) -> Features:
    return features | {"amount": {"value": features["amount"], "currency": "EUR"}}


def in_words(features: Features) -> Features:
    return features | {"amount": "a lot"}


@pytest.mark.parametrize(
    ("change", "quality"),
    [(renamed, "missing"), (removed, "missing"), (of_another_type, "invalid"), (in_words, "invalid")],
)
def test_a_feature_that_changes_amid_the_stream_is_counted_and_is_alone_a_cause_in_the_data(
    change: Callable[[Features], Features], quality: str
) -> None:
    drawn = random.Random(1)
    records = []
    for number in range(MINUTES * A_MINUTE):
        at = START_MS + number * MINUTE_MS // A_MINUTE
        event = fraud_event(drawn, str(number), at, False)
        event["features"]["amount"] = drawn.gauss(0, 1)  # Never missing before the change.
        if number >= CHANGE * A_MINUTE:
            event["features"] = change(event["features"])
        records.append(record(at, event))
    end = START_MS + (MINUTES + 60) * MINUTE_MS
    records.append(record(end, fraud_event(drawn, "end", end, False)))
    labels = [record(end, {"type": "label", "id": "x", "model": "fraud", "timestamp": end, "label": "ok"})]
    world = World({(PREDICTIONS, 0): records, (LABELS, 0): labels}, (FRAUD,))
    world.run()
    windows = [view for output in world.outputs for view in output.windows][:MINUTES]
    changes = [change for output in world.outputs for change in output.changes]
    events = world.loop.snapshot.service.events
    world.close()

    assert events[PREDICTIONS, "accepted"] == len(records), "no event is lost for one of its features"
    assert [view.rows for view in windows] == [A_MINUTE] * MINUTES
    found = {(reading.feature, reading.statistic): [] for view in windows for reading in view.readings}
    for view in windows:
        for reading in view.readings:
            found[reading.feature, reading.statistic].append(reading.value)
    assert found["amount", quality] == [0.0] * CHANGE + [1.0] * (MINUTES - CHANGE)
    assert all(value is not None for value in found["country", "psi"])
    assert found["amount", "psi"][CHANGE:] == [None] * (MINUTES - CHANGE)
    states = {
        name: [verdict.state for view in windows for verdict in view.verdicts if verdict.feature == name]
        for name in ("amount", "country")
    }
    assert states["country"] == ["ok"] * MINUTES
    assert states["amount"] == ["ok"] * CHANGE + ["drifting"] * (MINUTES - CHANGE)
    wrong = [verdict.wrong for view in windows for verdict in view.verdicts if verdict.feature == "amount"]
    assert wrong == [()] * CHANGE + [(quality,)] * (MINUTES - CHANGE)
    opened = changes[0]
    assert (opened.event, opened.window, opened.incident.features) == ("opened", windows[CHANGE].window, ("amount",))
    assert {change.incident.cause for change in changes} == {"data"}, "there is nothing that could have drifted"
