from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from monitor.actions.notification import Scene, trial_message, trigger_message
from monitor.actions.pagerduty import PagerDuty
from monitor.actions.receiver import Answer, NoResponse, Response
from monitor.detection.life import TriggerChange
from monitor.detection.triggers import WAITS_FOR_APPROVAL
from tests.actions.notices import (
    BASE,
    CREATED_MS,
    DRIFTED,
    EVERYBODY,
    FELL,
    HOSTILE,
    SINCE_MS,
    TRIGGER,
    WINDOW,
    change,
    lived,
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
        "client_url": "https://monitor.example/incidents/inc_41",
        "links": [
            {"href": "https://monitor.example/incidents/inc_41", "text": "Incident"},
            {
                "href": "https://monitor.example/models/fraud/report?version=3&window=2026-11-23T11%3A00%3A00Z",
                "text": "Report",
            },
            {"href": "https://monitor.example/", "text": "Overview"},
        ],
        "images": [
            {
                "src": "https://monitor.example/api/v1/incidents/inc_41/picture.png?at=1795431600000",
                "href": "https://monitor.example/incidents/inc_41",
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


FAILED, EXPIRED, SUCCEEDED = stepped("failed", "no memory"), stepped("expired"), stepped("succeeded", version="4")
WAITING = stepped("withheld", WAITS_FOR_APPROVAL, before=None)
APPROVED = stepped("pending", "sent by a person", before="withheld")


def another(step: TriggerChange, number: int, version: str = "3") -> TriggerChange:
    """The same of another request of the same model."""
    window = TRIGGER.window._replace(version=version)
    return replace(step, trigger=replace(TRIGGER, id=f"trg_{number}", window=window))


def tell(stub: Stub, *steps: TriggerChange) -> list[str]:
    """The summaries of the alerts that are open after each."""
    summaries = []
    for step in steps:
        made = trigger_message(step, EVERYBODY, BASE, CREATED_MS)
        assert made is not None
        talk(PAGER, [made], stub, LATER_MS)
        summaries.append("; ".join(alert["payload"]["summary"].partition(".")[0] for alert in stub.open.values()))
    return summaries


def test_the_retraining_of_a_model_is_one_alert_however_many_requests_it_takes() -> None:
    stub = Stub()
    steps = (FAILED, another(EXPIRED, 10), another(WAITING, 11), another(APPROVED, 11), another(FAILED, 11))
    assert tell(stub, *steps, another(SUCCEEDED, 12, "4")) == [
        "Retraining of fraud (version 3) failed",
        "Retraining of fraud (version 3) was never heard of again",
        "Retraining of fraud (version 3) waits for your approval",
        "",
        "Retraining of fraud (version 3) failed",
        "",
    ]
    assert len({key for _, key in stub.history}) == 1


def test_retrainings_of_two_models_are_two_alerts() -> None:
    other = replace(TRIGGER, window=TRIGGER.window._replace(model="churn"))
    stub = Stub()
    tell(stub, FAILED, replace(SUCCEEDED, trigger=other))
    assert len(stub.open) == 1


@pytest.mark.parametrize("step", [WAITING, FAILED, EXPIRED], ids=lambda step: step.after)
def test_what_came_of_a_retraining_is_over_with_the_incident_that_asked_for_it(step: TriggerChange) -> None:
    stub = Stub()
    talk(PAGER, [message(change(DRIFTED), Scene(SINCE_MS))], stub, LATER_MS)
    tell(stub, step)
    assert len(stub.open) == 2
    talk(PAGER, [message(change(FELL, "resolved"), Scene(SINCE_MS))], stub, LATER_MS)
    assert len(stub.open) == 2, "another incident, which asked for none"
    talk(PAGER, [message(change(DRIFTED, "resolved"), Scene(SINCE_MS, retraining=lived()))], stub, LATER_MS)
    assert stub.open == {}


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_retraining_ends_with_its_incident_whatever_the_models_name_is(name: str) -> None:
    window = WINDOW._replace(model=name)
    stub = Stub()
    tell(stub, replace(FAILED, trigger=replace(TRIGGER, window=window)))
    over = replace(change(DRIFTED, "resolved"), window=window)
    talk(PAGER, [message(over, Scene(SINCE_MS, retraining=lived()))], stub, LATER_MS)
    assert stub.open == {}


def test_another_region_has_another_host() -> None:
    europe = replace(PAGER, host="https://events.eu.pagerduty.com/")
    _, [request] = talk(europe, [message()], Stub(), LATER_MS)
    assert request.url == "https://events.eu.pagerduty.com/v2/enqueue"
