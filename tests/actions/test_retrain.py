from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.actions.outbox import Attempt, DeliveryState
from monitor.actions.retrain import EVIDENCE_MAX, Receipt, delivered, message_id, retrain_request
from monitor.detection.life import TriggerEvent
from monitor.detection.records import PerformanceEvidence, Trigger, Verdict
from monitor.events.timestamps import iso
from monitor.windows.window import Window


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


CREATED_MS = at("2026-11-23T11:00:02Z")
WINDOW = Window(at("2026-11-23T11:00:00Z"), "fraud", "3", "", at("2026-11-23T10:00:00Z"))
VERDICTS = (
    Verdict(WINDOW, "@score", 53_000, "drifting", effect=0.4, noise_floor=0.02, psi=0.5, evidence_ratio=9.0),
    Verdict(WINDOW, "amount", 53_000, "drifting", effect=0.31, noise_floor=0.02, psi=0.33, evidence_ratio=4.2),
    Verdict(WINDOW, "country", 53_000, "drifting"),
)
TRIGGER = Trigger(
    id="trg_9f2c",
    reason="performance",
    severity="major",
    summary="roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled; amount and country drifted",
    window=WINDOW,
    onset_ms=at("2026-11-23T07:59:59.120Z"),
    incident="inc_41",
    evidence=VERDICTS,
    performance=PerformanceEvidence("roc_auc", 0.84, 0.82, 0.86, 0.91, 0.71),
    labels=37_800,
    rows=53_000,
    offsets={"predictions/10": (5, 7), "predictions/9": (1, 2), "predictions/0": (1200, 54_000)},
    training_ms=(at("2026-11-23T05:00:00Z"), at("2026-11-23T11:00:00Z")),
    label_offsets={"labels/0": (900, 38_000)},
)
RECEIPT = Receipt(
    monitor="0.1.0",
    config="sha256:aa",
    reference="sha256:bb",
    profile="sha256:cc",
    base_url="http://monitor.example:8000/",
)


def test_the_body_is_the_contract_to_the_byte():
    expected = (
        '{"type":"model.retrain.requested","timestamp":"2026-11-23T11:00:02Z",'
        '"data":{"trigger":"trg_9f2c","model":"fraud","version":"3","reason":"performance","severity":"major",'
        '"summary":"roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled; amount and country drifted",'
        '"window":{"start":"2026-11-23T10:00:00Z","end":"2026-11-23T11:00:00Z"},'
        '"onset":"2026-11-23T07:59:59.120Z","training_window":{"start":"2026-11-23T05:00:00Z",'
        '"end":"2026-11-23T11:00:00Z"},"labels_available":37800,'
        '"evidence":[{"feature":"amount","effect":0.31,"noise_floor":0.02,"evidence_ratio":4.2,"psi":0.33},'
        '{"feature":"country","effect":null,"noise_floor":null,"evidence_ratio":0.0,"psi":null}],'
        '"performance":{"metric":"roc_auc","value":0.84,"lower":0.82,"upper":0.86,"reference":0.91,'
        '"label_coverage":0.71},'
        '"data":{"rows":53000,"offsets":{"predictions":{"0":[1200,54000],"9":[1,2],"10":[5,7]},'
        '"labels":{"0":[900,38000]}}},'
        '"receipt":{"monitor":"0.1.0","config":"sha256:aa","reference":"sha256:bb","profile":"sha256:cc"},'
        '"links":{"incident":"http://monitor.example:8000/incidents/inc_41",'
        '"report":"http://monitor.example:8000/models/fraud/report?version=3&window=2026-11-23T11%3A00%3A00Z",'
        '"status":"http://monitor.example:8000/api/v1/triggers/trg_9f2c/status"}}}'
    )
    assert retrain_request(TRIGGER, RECEIPT, "pipeline", CREATED_MS).body.decode() == expected


def test_what_is_unknown_is_null_and_never_absent():
    trigger = replace(
        TRIGGER, reason="manual", incident="", evidence=(), performance=None, offsets={}, label_offsets={}
    )
    known = orjson.loads(retrain_request(TRIGGER, RECEIPT, "pipeline", CREATED_MS).body)["data"]
    bare = orjson.loads(retrain_request(trigger, Receipt(monitor="0.1.0"), "pipeline", CREATED_MS).body)["data"]
    assert bare.keys() == known.keys()
    assert bare["performance"] is None
    assert bare["evidence"] == []
    assert bare["data"]["offsets"] == {"predictions": {}, "labels": {}}
    assert bare["receipt"] == {"monitor": "0.1.0", "config": None, "reference": None, "profile": None}
    assert bare["links"] == {"incident": None, "report": None, "status": None}
    linked = orjson.loads(retrain_request(trigger, RECEIPT, "pipeline", CREATED_MS).body)["data"]["links"]
    assert linked["incident"] is None


def test_the_same_trigger_gives_the_same_message():
    shuffled = replace(TRIGGER, offsets=dict(reversed(TRIGGER.offsets.items())))
    assert retrain_request(shuffled, RECEIPT, "pipeline", CREATED_MS) == retrain_request(
        TRIGGER, RECEIPT, "pipeline", CREATED_MS
    )


def test_the_message_is_new_and_due_at_once():
    message = retrain_request(TRIGGER, RECEIPT, "pipeline", CREATED_MS)
    assert (message.receiver, message.subject, message.created_ms) == ("pipeline", "trg_9f2c", CREATED_MS)
    assert (message.attempts, message.due_ms) == (0, 0)


def test_ids_differ_by_trigger_and_receiver_and_hold_no_dot():
    ids = {message_id(trigger, receiver) for trigger in ("a", "b", "a.b") for receiver in ("", "b", "b.c")}
    assert len(ids) == 9
    assert not any("." in one for one in ids)
    # Frozen: a receiver drops a repeat by this id, also after an upgrade of the monitor.
    assert message_id("trg_9f2c", "pipeline") == "msg_5d5e584bd4a0600f47afc434147bd474"


def test_a_withheld_trigger_is_never_sent():
    with pytest.raises(AssertionError):
        retrain_request(replace(TRIGGER, withheld="cool-down"), RECEIPT, "pipeline", CREATED_MS)


def test_a_thousand_drifting_features_make_a_small_message():
    many = tuple(replace(VERDICTS[1], feature=f"feature_{number:04d}") for number in range(1000))
    body = retrain_request(replace(TRIGGER, evidence=many), RECEIPT, "pipeline", CREATED_MS).body
    assert [entry["feature"] for entry in orjson.loads(body)["data"]["evidence"]] == [
        f"feature_{number:04d}" for number in range(EVIDENCE_MAX)
    ]
    assert len(body) < 20_000


def test_ids_are_escaped_in_links():
    trigger = replace(TRIGGER, id="a/../b?c", incident="d e")
    links = orjson.loads(retrain_request(trigger, RECEIPT, "pipeline", CREATED_MS).body)["data"]["links"]
    assert links["status"].endswith("/api/v1/triggers/a%2F..%2Fb%3Fc/status")
    assert links["incident"].endswith(".example:8000/incidents/d%20e")


@given(st.integers(at("1970-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999Z")))
def test_times_are_iso_8601_to_the_millisecond(time_ms: int):
    parsed = datetime.fromisoformat(iso(time_ms))
    assert parsed.tzinfo == UTC
    assert (parsed - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 == pytest.approx(time_ms, abs=0.5)
    assert iso(time_ms).endswith("Z")
    assert ("." in iso(time_ms)) is (time_ms % 1000 != 0)


@pytest.mark.parametrize(
    ("state", "event"),
    [("pending", "tried"), ("delivered", "delivered"), ("failed", "given up"), ("disabled", "given up")],
)
def test_an_attempt_to_deliver_a_request_is_a_step_of_its_trigger(state: DeliveryState, event: TriggerEvent) -> None:
    attempt = Attempt(message_id("trg_1", "p"), "p", "trg_1", 7, state, 1, 8, 202, "HTTP 202.", "run 1")
    assert delivered(attempt) == ("trg_1", event, 7, "HTTP 202.", "run 1")


def test_a_message_that_only_tells_of_a_trigger_is_no_step_of_it() -> None:
    """Its receiver has taken the news, not the request."""
    assert delivered(Attempt("msg_of_a_chat", "p", "trg_1", 7, "delivered", 1, 8, 200, "HTTP 200.")) is None
