"""What people are told while a feature goes wrong, worse, and right again; whatever dies in between."""

from __future__ import annotations

import functools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from monitor.actions.notification import Audience
from monitor.actions.outbox import Message
from monitor.actions.pagerduty import PagerDuty
from monitor.engine import Output
from tests.actions.test_slack import SLACK
from tests.chats import PagerDuty as PagerStub
from tests.chats import Slack as SlackStub
from tests.chats import talk
from tests.simulation.story import PLAIN
from tests.simulation.test_requests import fallen
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Log, fraud_event, record
from tests.simulation.world import FRAUD, Observed, World, known_good

SPEC = replace(FRAUD, labelled=False, retrain=None, lateness_ms=0)
EVENTS = 200
"""Of each minute."""

CHAT, PAGE, GRAVE = Audience("chat"), Audience("page", "critical"), Audience("grave", "major")


@functools.cache
def log() -> Log:
    """Amount moves a little from the 5th minute on, then a lot, and comes back with the 10th."""
    drawn = random.Random(4)
    records = []
    for minute in range(28):
        moved = 0.0 if not 5 <= minute < 10 else 0.5 if minute < 8 else 1.5
        for number in range(EVENTS):
            at = START_MS + minute * MINUTE_MS + number * MINUTE_MS // EVENTS
            event = fraud_event(drawn, f"{minute}/{number}", at, False)
            if event["features"]["amount"] is not None:
                event["features"]["amount"] += moved
            records.append(record(at, event))
    return {(PREDICTIONS, 0): records, (LABELS, 0): []}


def world(directory: Path | None = None, poll_max: int = EVENTS) -> World:
    return World(
        log(), (SPEC,), directory=directory, audiences=(CHAT, PAGE, GRAVE), source_options={"poll_max": poll_max}
    )


@pytest.fixture(scope="module")
def uninterrupted() -> Observed:
    lived = world()
    try:
        return lived.run()
    finally:
        lived.close()


def told(observed: Observed, receiver: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of each message to a receiver, in order."""
    return [(body["type"], body["data"]) for body in of(observed, receiver)]


def of(observed: Observed, receiver: str) -> list[dict[str, Any]]:
    return [observed.messages[each] for each, name in observed.receivers.items() if name == receiver]


def test_one_incident_is_told_once_for_each_change_of_state(uninterrupted: Observed) -> None:
    steps = told(uninterrupted, "chat")
    assert [kind.rpartition(".")[2] for kind, _ in steps] == ["opened", "worsened", "resolved"]
    assert len({data["incident"] for _, data in steps}) == 1
    assert [data["severity"] for _, data in steps] == ["moderate", "major", "major"]
    assert {data["since"] for _, data in steps} == {"2023-11-14T22:18:00Z"}


def test_who_is_told_from_a_level_on_hears_of_it_from_there_to_the_end(uninterrupted: Observed) -> None:
    assert [kind.rpartition(".")[2] for kind, _ in told(uninterrupted, "grave")] == ["worsened", "resolved"]
    assert told(uninterrupted, "page") == []


def test_the_words_at_the_receivers(uninterrupted: Observed) -> None:
    slack, pager = SlackStub(), PagerStub()
    for body in of(uninterrupted, "chat"):
        message = Message(
            "m", "chat", body["data"]["incident"], orjson.dumps(body | {"timestamp": "2023-11-14T23:00:00Z"}), 0
        )
        talk(SLACK, [message], slack, START_MS + 60 * MINUTE_MS)
        talk(PagerDuty("page", "R0"), [message], pager, START_MS + 60 * MINUTE_MS)
    assert [body["text"] for body in slack.accepted] == [
        "🟡 Moderate: amount of fraud (version 1) drifted",
        "🟠 Major, worse than before: amount of fraud (version 1) drifted",
        "✅ Resolved: drift of amount of fraud (version 1)",
    ]
    assert slack.broken == []
    assert [action for action, _ in pager.history] == ["trigger", "trigger", "resolve"]
    assert pager.open == {}


@pytest.mark.parametrize(
    "point", ["after record", "failed commit", "after commit", "after snapshot", "amid hand-over", "after hand-over"]
)
def test_whatever_dies_no_message_is_lost_and_none_is_told_under_two_ids(
    uninterrupted: Observed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """In every step that has something to say, the first time that it would say it."""
    died: list[str] = []
    make = World._messages

    def make_and_die(lived: World, output: Output, now_ms: int) -> list[Message]:
        messages = make(lived, output, now_ms)
        if messages and messages[0].id not in died:
            died.append(messages[0].id)
            lived.bomb.point = point
        return messages

    monkeypatch.setattr(World, "_messages", make_and_die)
    lived = world(tmp_path)
    observed = lived.run()
    lived.close()
    assert len(died) == 3
    for receiver in ("chat", "grave"):
        assert told(observed, receiver) == told(uninterrupted, receiver)
    assert {state for _, state, _ in observed.deliveries} == {"delivered"}


def test_a_backlog_that_is_read_at_once_does_not_tell_its_history() -> None:
    lived = world(poll_max=1 << 20)
    observed = lived.run()
    lived.close()
    assert len(observed.changes["fraud", "drift"]) == 3
    assert len(told(observed, "chat")) < 3
    assert told(observed, "chat")[-1][0] == "model.incident.resolved"


def test_a_fall_of_performance_is_told_beside_what_the_reference_had() -> None:
    lived = fallen().world(PLAIN)
    lived.audiences = (PAGE,)
    observed = lived.run()
    lived.close()
    [(kind, data)] = told(observed, "page")
    assert kind == "model.incident.opened"
    events, labels = known_good()
    right = sum(event["prediction"] == label["label"] for event, label in zip(events, labels, strict=True))
    assert data["level"] == "critical"
    assert data["performance"]["metric"] == "accuracy"
    assert data["performance"]["reference"] == pytest.approx(right / len(events))
    assert data["performance"]["value"] < right / len(events)
    assert data["course"]["values"][-1] == data["performance"]["value"]
