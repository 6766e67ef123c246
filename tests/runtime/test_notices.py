from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from monitor.actions.apprise import Apprise
from monitor.actions.notification import Audience, Course, retraining_of
from monitor.actions.pagerduty import PagerDuty
from monitor.actions.slack import Slack
from monitor.actions.webhook import Webhook
from monitor.config.notify import Notified, Notify
from monitor.detection.life import Life
from monitor.detection.records import Incident, IncidentChange, PerformanceEvidence, Trigger
from monitor.engine import Monitor, Output
from monitor.errors import ConfigError
from monitor.runtime.notices import COURSE_MAX, GATHER_MS, audience, notices, receiver, scene_of
from tests.actions.notices import TRIGGER, stepped
from tests.exports.snapshots import TEN_MS, performance_view, trigger, window
from tests.exports.test_picture import story


def told(secret: str = "R0123", **settings: object) -> Notified:
    return Notified("name", Notify.model_validate(settings), (secret,))


def test_each_kind_has_its_receiver() -> None:
    slack = receiver(told("https://hooks.example/x", url_file="f"), "https://monitor.example", "http://127.0.0.1:1")
    assert slack == Slack("name", "https://hooks.example/x", pictures=True)
    pager = receiver(told(routing_key_file="f", url="https://events.eu.pagerduty.com"), None, "http://127.0.0.1:1")
    assert pager == PagerDuty("name", "R0123", "https://events.eu.pagerduty.com")
    mail = receiver(told("mailto://x", apprise_file="f"), None, "http://127.0.0.1:1")
    assert mail == Apprise("name", "mailto://x", "http://127.0.0.1:1")
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    hook = receiver(told(secret, webhook="https://a.example/", secret_file="f"), None, "")
    assert isinstance(hook, Webhook)
    with pytest.raises(ConfigError, match=r"the secret of notify\.name"):
        receiver(told("short", webhook="https://a.example/", secret_file="f"), None, "")


@pytest.mark.parametrize("public_url", [None, "http://monitor.example"])
def test_pictures_are_shown_only_where_others_can_fetch_them(public_url: str | None) -> None:
    chat = receiver(told("https://hooks.example/x", url_file="f"), public_url, "")
    assert isinstance(chat, Slack)
    assert not chat.pictures


def test_whoever_gets_several_in_one_message_waits_for_them() -> None:
    assert [audience(told(**{kind: "f"})).wait_ms for kind in ("url_file", "apprise_file", "routing_key_file")] == [
        GATHER_MS,
        GATHER_MS,
        0,
    ]


FELL = Incident("inc_fell", "performance", "major", window(8), window(9), ("roc_auc",))


def test_a_scene_is_what_was_known_up_to_the_window_of_the_change() -> None:
    scene = scene_of(story(), IncidentChange(FELL, "joined", window(9), "it fell", TEN_MS))
    assert scene.since_ms == TEN_MS
    assert scene.performance == PerformanceEvidence("roc_auc", 0.7, 0.69, 0.71, 0.91, 0.71)
    assert scene.course == Course("roc_auc", (0.9,) * 8 + (0.7,) * 2, 0.88)
    assert [each.feature for each in scene.verdicts] == ["amount", "country"]
    assert scene.retraining is None


def test_what_is_over_has_no_evidence_and_began_when_it_opened() -> None:
    change = IncidentChange(replace(FELL, open=False), "resolved", window(9), "over", window(9).start_ms)
    scene = scene_of(story(), change)
    assert scene.verdicts == []
    assert scene.since_ms == window(8).start_ms


def test_a_request_of_another_incident_of_the_same_change_is_told_rather_than_why_there_was_no_second() -> None:
    change = IncidentChange(FELL, "opened", window(9), "it fell", window(8).start_ms)
    old, sent = trigger("trg_old", window(6), ()), trigger("trg_sent", window(8), ())
    cooling = replace(trigger("trg_own", window(9), (), withheld="cooling down"), incident="inc_fell")

    def told_of(*triggers: Trigger) -> str | None:
        lives = tuple(Life.begun(each, TEN_MS) for each in triggers)
        found = scene_of(replace(story(), triggers=lives), change).retraining
        return found and found.trigger.id

    assert told_of(old, sent, cooling) == "trg_sent"
    assert told_of(old, cooling) == "trg_own"
    assert told_of(old, replace(cooling, incident="inc_other")) is None


def test_without_a_reference_of_its_own_a_version_has_no_figure_to_compare() -> None:
    change = IncidentChange(FELL, "opened", window(9), "it fell", TEN_MS)
    assert scene_of(replace(story(), targets={}), change).performance is None
    waiting = replace(story(), performance=(performance_view(window(9), 0.7, settled=False),))
    assert scene_of(waiting, change).performance is None


def test_a_line_of_bars_is_short() -> None:
    long = replace(story(), performance=tuple(performance_view(window(hour), 0.9) for hour in range(-90, 10)))
    scene = scene_of(long, IncidentChange(FELL, "opened", window(9), "it fell", window(-80).start_ms))
    assert scene.course is not None
    assert len(scene.course.values) == COURSE_MAX


def test_of_each_retraining_the_last_step_is_told_to_everybody() -> None:
    other = replace(TRIGGER, id="trg_8")
    steps = [stepped("failed", "an error"), stepped("sent", "", other), stepped("succeeded", version="4")]
    audiences, engine = [Audience("chat"), Audience("team")], Monitor([], {})
    told_of = notices(Output(trigger_changes=steps), audiences, engine, "http://monitor.example", TEN_MS)
    assert [(each.receiver, each.subject, orjson.loads(each.body)["type"]) for each in told_of] == [
        ("chat", retraining_of("fraud"), "model.retrain.succeeded"),
        ("team", retraining_of("fraud"), "model.retrain.succeeded"),
    ]
