from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from monitor.actions.notification import trial_message, trigger_message
from monitor.actions.pagerduty import PagerDuty
from monitor.actions.receiver import Answer, NoResponse, Response
from tests.actions.notices import (
    BASE,
    CREATED_MS,
    DRIFTED,
    EVERYBODY,
    FELL,
    HOSTILE,
    change,
    message,
    named,
    stepped,
)
from tests.chats import PagerDuty as Stub
from tests.chats import talk

KEY = "R0123456789ABCDEF"
PAGER = PagerDuty("pager", KEY)
LATER_MS = CREATED_MS + 5_000


def test_a_fallen_performance_in_the_words_of_pagerduty() -> None:
    _, [request] = talk(replace(PAGER, pictures=True), [message()], Stub(), LATER_MS)
    assert request.url == "https://events.pagerduty.com/v2/enqueue"
    assert orjson.loads(request.body) == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "inc_41",
        "client": "model-monitor",
        "client_url": "https://monitor.example/",
        "links": [
            {"href": "https://monitor.example/", "text": "Overview"},
            {"href": "https://monitor.example/api/v1/incidents/inc_41", "text": "Incident"},
        ],
        "images": [
            {
                "src": "https://monitor.example/api/v1/incidents/inc_41/picture.png?at=1795431600000",
                "href": "https://monitor.example/api/v1/incidents/inc_41",
                "alt": "roc_auc, last 5 windows",
            }
        ],
        "payload": {
            "summary": "Critical: performance of fraud (version 3) has fallen. roc_auc fell from 0.91 to 0.84 "
            "(0.82 to 0.86), 71% labelled.",
            "source": "monitor.example",
            "severity": "critical",
            "timestamp": "2026-11-23T11:00:05Z",
            "component": "fraud",
            "group": "version 3",
            "class": "performance",
            "custom_details": {
                "Since": "about 2026-11-23 09:14 UTC, 106 min ago",
                "amount": "20 to 45: 5% → 21% of rows; over 45: 50% → 40% of rows; effect 0.31",
                "What to do": "Its answers are worse than agreed. Look for what changed when it began: a release, "
                "where its features come from, the world. Roll back, or retrain.",
                "roc_auc, last 5 windows": "0.91 ▇▆█▃▁ 0.84, limit 0.88",
            },
        },
    }


def test_one_alert_lives_as_the_incident_does() -> None:
    stub = Stub()
    for event in ("opened", "joined", "worsened", "acknowledged", "resolved"):
        outcome, _ = talk(PAGER, [message(change(FELL, event))], stub, LATER_MS)  # type: ignore[arg-type]
        assert isinstance(outcome, Response)
        assert outcome.status == 202
    assert stub.history == [("trigger", "inc_41")] * 3 + [("acknowledge", "inc_41"), ("resolve", "inc_41")]
    assert stub.open == {}


@pytest.mark.parametrize(
    ("incident", "severity", "said"),
    [
        (FELL, "major", "critical"),
        (DRIFTED, "major", "error"),
        (FELL, "moderate", "warning"),
        (DRIFTED, "minor", "info"),
    ],
)
def test_levels_have_their_names(incident: object, severity: str, said: str) -> None:
    stub = Stub()
    talk(PAGER, [message(change(replace(incident, severity=severity)))], stub, LATER_MS)  # type: ignore[type-var]
    [alert] = stub.open.values()
    assert alert["payload"]["severity"] == said


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_breaks_a_rule(name: str) -> None:
    stub = Stub()
    outcome, _ = talk(PAGER, [named(name)], stub, LATER_MS)
    assert isinstance(outcome, Response)
    assert (outcome.status, len(stub.open)) == (202, 1)


def test_a_wrong_key_is_a_sentence_that_does_not_quote_it() -> None:
    outcome, _ = talk(replace(PAGER, routing_key="no key"), [message()], Stub(), LATER_MS)
    assert isinstance(outcome, Answer)
    assert (outcome.meaning, outcome.status) == ("refused", 400)
    assert "routing_key_file" in outcome.detail
    assert "no key" not in outcome.detail
    assert KEY not in repr(PAGER)


@pytest.mark.parametrize("reply", [Response(429, "60"), Response(500), NoResponse("dns")], ids=repr)
def test_what_passes_is_tried_again(reply: Response | NoResponse) -> None:
    outcome, _ = talk(PAGER, [message()], lambda request: reply, LATER_MS)
    assert outcome == reply


def test_a_test_leaves_no_alert_open() -> None:
    stub = Stub()
    talk(PAGER, [trial_message(EVERYBODY, BASE, CREATED_MS)], stub, LATER_MS)
    assert stub.history == [("trigger", "test"), ("resolve", "test")]


def test_a_retraining_that_failed_is_resolved_by_one_that_succeeded() -> None:
    stub = Stub()
    for after in ("failed", "succeeded"):
        made = trigger_message(stepped(after, "as it is"), EVERYBODY, BASE, CREATED_MS)
        assert made is not None
        talk(PAGER, [made], stub, LATER_MS)
    assert stub.history == [("trigger", "trg_9"), ("resolve", "trg_9")]


def test_another_region_has_another_host() -> None:
    europe = replace(PAGER, host="https://events.eu.pagerduty.com/")
    _, [request] = talk(europe, [message()], Stub(), LATER_MS)
    assert request.url == "https://events.eu.pagerduty.com/v2/enqueue"
