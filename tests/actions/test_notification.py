from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import orjson
import pytest

from monitor.actions.notification import (
    Audience,
    Scene,
    incident_message,
    last_of_each,
    retraining_of,
    trial_message,
    trigger_message,
)
from monitor.detection.life import TriggerState
from monitor.detection.records import Cause, Incident, IncidentEvent, Severity
from monitor.detection.severity import LEVELS, level_of
from monitor.detection.triggers import WAITS_FOR_APPROVAL
from tests.actions.notices import (
    BASE,
    CREATED_MS,
    DRIFTED,
    EVERYBODY,
    FELL,
    HOSTILE,
    PAIRS,
    SCENE,
    SINCE_MS,
    WINDOW,
    change,
    flat,
    lived,
    message,
    named,
    stepped,
)


def test_the_event_holds_what_a_person_needs_to_the_byte() -> None:
    expected = (
        '{"type":"model.incident.opened","timestamp":"2026-11-23T11:00:05Z","data":{"incident":"inc_41",'
        '"model":"fraud","version":"3","segment":"","cause":"performance","severity":"major","level":"critical",'
        '"features":["roc_auc"],"inputs":["roc_auc"],'
        '"summary":"roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled; '
        'it began about 2026-11-23T09:14:00Z",'
        '"since":"2026-11-23T09:14:00Z","opened":"2026-11-23T11:00:00Z",'
        '"window":{"start":"2026-11-23T10:00:00Z","end":"2026-11-23T11:00:00Z"},'
        '"evidence":[{"feature":"amount","effect":0.31,"wrong":[],"measure":"share of rows",'
        '"moved":[{"values":"20 to 45","before":0.05,"now":0.21},{"values":"over 45","before":0.5,"now":0.4}]}],'
        '"performance":{"metric":"roc_auc","value":0.84,"lower":0.82,"upper":0.86,"reference":0.91,'
        '"label_coverage":0.71},'
        '"course":{"of":"roc_auc","values":[0.91,0.9,0.92,0.86,0.84],"limit":0.88},"retraining":null,'
        '"links":{"page":"https://monitor.example/",'
        '"incident":"https://monitor.example/incidents/inc_41","trigger":null,'
        '"picture":"https://monitor.example/api/v1/incidents/inc_41/picture.png?at=1795431600000",'
        '"report":"https://monitor.example/models/fraud/report?version=3&window=2026-11-23T11%3A00%3A00Z",'
        '"runbook":"https://wiki.example/fraud"}}}'
    )
    made = message(audience=Audience("chat", runbook="https://wiki.example/fraud", wait_ms=5_000))
    assert made.body.decode() == expected
    assert (made.receiver, made.subject, made.created_ms, made.due_ms) == (
        "chat",
        "inc_41",
        CREATED_MS,
        CREATED_MS + 5_000,
    )


def test_one_change_has_one_id_at_each_receiver_whenever_it_is_told() -> None:
    again = incident_message(change(), Scene(SINCE_MS), EVERYBODY, "http://other", CREATED_MS + 9)
    assert again is not None
    assert again.id == message().id
    others = [
        message(audience=Audience("other")),
        message(change(event="worsened")),
        message(change(replace(FELL, id="inc_9"))),
        message(replace(change(), window=WINDOW._replace(end_ms=WINDOW.end_ms + 1))),
    ]
    assert len({message().id, *(each.id for each in others)}) == 5


@pytest.mark.parametrize(("cause", "severity"), list(itertools.product(get_args(Cause), get_args(Severity))))
def test_only_great_consequences_are_critical(cause: Cause, severity: Severity) -> None:
    level = level_of(Incident("i", cause, severity, WINDOW, WINDOW, ()))
    assert level == ("critical" if severity == "major" and cause != "drift" else severity)


@pytest.mark.parametrize("least", LEVELS)
def test_who_heard_of_an_incident_hears_of_every_later_change_of_it(least: str) -> None:
    """Whatever its severity rises to: what passes once passes from then on."""
    audience = Audience("chat", least)  # type: ignore[arg-type]
    for cause in get_args(Cause):
        heard = [
            audience.hears("m", level_of(replace(FELL, cause=cause, severity=each))) for each in get_args(Severity)
        ]
        assert heard == sorted(heard)


def test_who_is_told_follows_from_level_model_and_whether_the_end_matters() -> None:
    def told(audience: Audience, event: IncidentEvent = "opened") -> bool:
        return incident_message(change(DRIFTED, event), SCENE, audience, BASE, CREATED_MS) is not None

    assert told(Audience("a", "moderate"))
    assert not told(Audience("a", "major"))
    assert told(Audience("a", models=frozenset({"fraud"})))
    assert not told(Audience("a", models=frozenset({"churn"})))
    assert told(Audience("a"), "resolved")
    assert not told(Audience("a", resolved=False), "resolved")
    assert told(Audience("a", resolved=False), "acknowledged")


def test_of_several_changes_in_a_step_the_last_of_each_incident_is_told() -> None:
    steps = [change(), change(DRIFTED), change(event="worsened"), change(DRIFTED, "resolved"), change(event="joined")]
    assert [(each.incident.id, each.event) for each in last_of_each(steps)] == [
        ("inc_41", "joined"),
        ("inc_42", "resolved"),
    ]


def test_how_features_go_together_is_told_as_a_correlation() -> None:
    [evidence] = orjson.loads(message(change(DRIFTED), Scene(SINCE_MS, (PAIRS,))).body)["data"]["evidence"]
    assert (evidence["feature"], evidence["measure"]) == ("correlation", "correlation")


@pytest.mark.parametrize("state", ["pending", "withheld"])
def test_whether_retraining_was_asked_for_is_told(state: str) -> None:
    reason = "cooling down" if state == "withheld" else ""
    data = orjson.loads(message(scene=Scene(SINCE_MS, retraining=lived(reason))).body)["data"]
    assert data["retraining"] == {
        "trigger": "trg_9",
        "state": state,
        "reason": reason,
        "decided": "2026-11-23T11:00:00Z",
    }


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_whatever_a_name_holds_the_event_is_bounded_json_of_printable_text(name: str) -> None:
    body = named(name).body
    assert len(body) < 150_000
    assert all(text.isprintable() for text in flat(orjson.loads(body)))


@pytest.mark.parametrize(
    ("before", "after", "reason", "kind"),
    [
        (None, "withheld", WAITS_FOR_APPROVAL, "model.retrain.waiting"),
        ("withheld", "pending", "sent by a person", "model.retrain.approved"),
        ("running", "failed", "the run ended with an error", "model.retrain.failed"),
        ("running", "expired", "no word for 24 h", "model.retrain.expired"),
        ("running", "succeeded", "version 4 was registered", "model.retrain.succeeded"),
        (None, "withheld", "cooling down", None),
        (None, "pending", "", None),
        ("pending", "sent", "", None),
        ("sent", "accepted", "", None),
        ("accepted", "running", "", None),
    ],
)
def test_of_a_retraining_is_told_what_needs_a_person_and_how_it_ended(
    before: TriggerState | None, after: TriggerState, reason: str, kind: str | None
) -> None:
    made = trigger_message(stepped(after, reason, before=before), EVERYBODY, BASE, CREATED_MS)
    assert (made and orjson.loads(made.body)["type"]) == kind
    if made is not None:
        data = orjson.loads(made.body)["data"]
        assert (made.subject, data["trigger"], data["reason"], data["links"]["trigger"]) == (
            retraining_of("fraud"),
            "trg_9",
            reason,
            "https://monitor.example/triggers/trg_9",
        )


def test_nobody_is_woken_for_a_retraining() -> None:
    failed = stepped("failed", "an error")
    assert trigger_message(failed, Audience("page", "critical"), BASE, CREATED_MS) is None
    assert trigger_message(failed, Audience("chat", "major"), BASE, CREATED_MS) is not None
    for over in (stepped("succeeded", "version 4"), stepped("pending", before="withheld")):
        assert trigger_message(over, Audience("chat", resolved=False), BASE, CREATED_MS) is None


def test_a_test_goes_at_once_and_says_what_it_is() -> None:
    made = trial_message(Audience("chat", "critical", wait_ms=5_000), BASE, CREATED_MS)
    assert made.due_ms <= CREATED_MS
    assert "nothing has happened" in orjson.loads(made.body)["data"]["summary"]
