"""Pages of retrain requests: which are listed, what one says, and that no name can break them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.detection.life import Life
from monitor.detection.records import Moved
from monitor.detection.triggers import WAITS_FOR_APPROVAL
from monitor.exports.pages import trigger as of_trigger
from monitor.exports.pages import triggers
from monitor.exports.pages.evidence import FEATURES_MAX
from monitor.exports.pages.parts import PAGE
from monitor.snapshot import DeliveryView, ServiceView, Snapshot
from tests.exports.pages.reader import Read
from tests.exports.snapshots import HOSTILE, drifting, model_view, snapshot, trigger, verdict, window

REQUEST = orjson.dumps(
    {
        "type": "model.retrain.requested",
        "data": {"receipt": {"monitor": "0.1.0", "config": "sha256:c0", "reference": None, "profile": "sha256:f0"}},
    }
)


def listed(current: Snapshot, **asked: object) -> Read:
    found = Read(triggers.page(current, **asked))  # type: ignore[arg-type]
    assert found.open == []
    return found


def shown(current: Snapshot, identity: str, request: bytes | None = None) -> Read:
    model = current.models["fraud"]
    life = next(each for each in model.triggers if each.trigger.id == identity)
    found = Read(of_trigger.page(current.service, model, life, request))
    assert found.open == []
    return found


def pages(read: Read) -> list[str]:
    return [link.removeprefix("/triggers/") for link in read.links if link.startswith("/triggers/")]


def many(number: int) -> Snapshot:
    lives = [Life.begun(trigger(f"trg_{at}", window(at), (), withheld="too few labels"), at) for at in range(number)]
    return snapshot(model_view(triggers=lives))


def test_those_that_wait_for_a_person_come_first_then_the_newest() -> None:
    lives = [
        Life.begun(trigger(f"trg_{at}", window(at), (), withheld=WAITS_FOR_APPROVAL if at == 1 else "x"), at)
        for at in range(3)
    ]
    read = listed(snapshot(model_view(triggers=lives)))
    assert pages(read) == ["trg_1", "trg_2", "trg_0"]
    assert "3 requests, 1 waiting for approval" in read.text


def test_an_entry_says_what_became_of_it() -> None:
    text = listed(drifting()).text
    assert "→ sent fraud (version 3): retraining because of drift HTTP 503. amount drifted. 2026-11-23 12:00" in text
    assert "‖ withheld fraud (version 3): retraining because of drift too few labels. amount drifted." in text
    done = drifting().models["fraud"].triggers[1].after("succeeded", 0, "", "", "4")
    assert "2026-11-23 12:00 UTC · made version 4" in listed(snapshot(model_view(triggers=[done]))).text


def test_it_is_filtered_by_links_and_read_in_parts() -> None:
    read = listed(drifting(), state="withheld", model="fraud")
    assert pages(read) == ["trg_0"]
    assert {"/triggers?model=fraud&state=sent", "/triggers?model=fraud", "/triggers?state=withheld"} <= {*read.links}
    assert "There is no request." in listed(drifting(), state="failed").text
    assert "There is no request." in listed(snapshot()).text
    first = listed(many(10_000))
    assert pages(first) == [f"trg_{at}" for at in range(9_999, 9_999 - PAGE, -1)]
    assert f"/triggers?offset={PAGE}" in first.links
    assert len(pages(listed(many(PAGE + 1), offset=PAGE))) == 1


def test_a_request_says_how_far_it_is_why_it_was_made_and_what_to_train_on() -> None:
    text = shown(drifting(), "trg_1", REQUEST).text
    for said in (
        "fraud (version 3): retraining because of drift",
        "→ sent amount drifted.",
        "Incident: major drift : amount · version 3, since 2026-11-23 12:00 UTC",
        "What happened 2026-11-23 12:00 UTC … pending amount drifted. 2026-11-23 13:00 UTC → sent HTTP 503.",
        "airflow pending 2 the receiver answered 503 –",
        "monitor 0.1.0 config sha256:c0 reference – profile sha256:f0",
        '"type": "model.retrain.requested"',
        "roc_auc 0.840 0.820 to 0.860 in the reference 0.910 labelled 71%",
        "amount ▲ drifting 0.310 chance 0.019 420%",
        "Train on 2026-11-23 06:00 to 12:00 UTC",
        "Decided on 2026-11-23 11:00 to 12:00 UTC",
        "Rows of that window 53,000 Its predictions in Kafka predictions/0 [1200, 54200)",
        "Its labels in Kafka labels/0 [900, 38000) Labels joined by then, of all windows 37,800",
    ):
        assert said in text, said
    links = shown(drifting(), "trg_1").links
    assert {
        "/incidents/inc_1",
        "/models/fraud?version=3&window=2026-11-23T12%3A00%3A00Z",
        "/models/fraud/report?version=3&window=2026-11-23T12%3A00%3A00Z",
        "/models/fraud/features/amount?version=3&window=2026-11-23T12%3A00%3A00Z",
        "/api/v1/triggers/trg_1",
    } <= {*links}


def test_what_was_not_sent_or_is_no_longer_kept_is_left_out() -> None:
    assert "What was sent" not in shown(drifting(), "trg_0").text
    quiet = replace(drifting(), service=ServiceView())
    assert "What was sent" not in shown(quiet, "trg_1").text
    assert "The whole event" not in shown(drifting(), "trg_1").text


def test_the_version_that_it_made_is_linked() -> None:
    model = drifting().models["fraud"]
    done = model.triggers[1].after("running", 0, "", "run-7").after("succeeded", 0, "", "", "4")
    read = shown(snapshot(replace(model, triggers=(done,))), "trg_1")
    assert "/models/fraud?version=4" in read.links
    assert "the pipeline's run run-7 made version 4" in read.text


def test_only_what_was_withheld_and_whose_incident_lasts_can_be_approved() -> None:
    assert shown(drifting(), "trg_1").elements["form"] == 0
    idle = snapshot(replace(drifting().models["fraud"], in_flight=0))
    read = shown(idle, "trg_0")
    assert {("method", "post"), ("action", "/triggers/trg_0/approve")} <= {*read.attributes}
    assert "Send it all the same? It was not sent: too few labels." in read.text
    model = idle.models["fraud"]
    over = replace(model, incidents=tuple(replace(each, open=False) for each in model.incidents))
    assert shown(snapshot(over), "trg_0").elements["form"] == 0
    waiting = Life.begun(replace(model.triggers[0].trigger, withheld=WAITS_FOR_APPROVAL), 0)
    text = shown(snapshot(replace(model, triggers=(waiting,))), "trg_0").text
    assert "It waits for approval Once it is sent, the pipeline begins. Approve" in text


def test_what_would_be_refused_is_not_offered_and_says_why() -> None:
    model = replace(drifting().models["fraud"], in_flight=1)
    read = shown(snapshot(model), "trg_0")
    assert "It cannot be sent now A request at a time: another request of this model is in flight" in read.text
    assert read.elements["form"] == 0
    assert "/triggers/trg_1" in read.links
    faulty = replace(model.incidents[1], id="inc_2", cause="data")
    wrong = replace(model, in_flight=0, incidents=(*model.incidents, faulty))
    read = shown(snapshot(wrong), "trg_0")
    assert "The model is not to be retrained now: " in read.text
    assert "the data is wrong (amount)" in read.text
    assert read.elements["form"] == 0


def test_it_is_as_grave_as_its_incident() -> None:
    model = drifting().models["fraud"]
    fallen = replace(model, incidents=tuple(replace(each, cause="performance") for each in model.incidents))
    text = shown(snapshot(fallen), "trg_1").text
    assert "Incident: critical performance" in text
    assert "major" not in text
    assert "severity !! major" in shown(snapshot(replace(model, incidents=())), "trg_1").text


def test_of_many_features_the_worst_are_shown() -> None:
    evidence = tuple(
        verdict(window(1), f"f{at:03}", "drifting", 1 - at / 1000, moved=(Moved("a", 0.1, 0.2, 1.0),))
        for at in range(FEATURES_MAX + 70)
    )
    model = model_view(triggers=[Life.begun(trigger("trg_1", window(1), evidence), 0)])
    text = shown(snapshot(model), "trg_1").text
    assert f"f{FEATURES_MAX - 1:03}" in text
    assert f"f{FEATURES_MAX:03}" not in text
    assert "and 70 more" in text


@settings(deadline=None, max_examples=25)
@given(name=st.text(st.characters(), max_size=20))
@example(name=HOSTILE)
@example(name="\ud800")
@example(name='" onmouseover="alert(1)')
@example(name="{{7*7}}")
def test_no_name_can_break_a_page(name: str) -> None:
    def named(name: str) -> tuple[Read, Read]:
        place = window(1, model="fraud", version=name)
        made = trigger("trg_1", place, (verdict(place, name, "drifting", 0.5, 0.1, moved=(Moved(name, 0, 1, 1),)),))
        made = replace(made, summary=name, offsets={f"{name}/0": (0, 1)}, profile=name)
        life = Life.begun(made, 0).after("tried", 1, name).after("succeeded", 2, name, name, name)
        delivery = DeliveryView("trg_1", name, "failed", 3, name, name)
        request = orjson.dumps({"data": {"receipt": {"monitor": name.encode("utf-8", "replace").decode()}}})
        current = snapshot(model_view(triggers=[life]), service=ServiceView(delivery=(delivery,)))
        return listed(current), shown(current, "trg_1", request)

    for plain, hostile in zip(named("plain"), named(name or "x"), strict=True):
        assert hostile.elements == plain.elements
        assert Counter(key for key, _ in hostile.attributes) == Counter(key for key, _ in plain.attributes)
