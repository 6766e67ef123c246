from __future__ import annotations

import re
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.actions.notification import Audience, Scene, trial_message, trigger_message
from monitor.actions.outbox import Message
from monitor.actions.receiver import Answer, NoResponse, Response
from monitor.actions.slack import Slack, escaped
from tests.actions.notices import (
    AMOUNT,
    BASE,
    BROKEN,
    CREATED_MS,
    DRIFTED,
    EVERYBODY,
    FELL,
    HOSTILE,
    SCENE,
    SINCE_MS,
    change,
    message,
    named,
    stepped,
)
from tests.chats import Slack as Stub
from tests.chats import pings, talk

SLACK = Slack("chat", "https://hooks.slack.example/services/T/B/secret")
LATER_MS = CREATED_MS + 5_000


def said(*messages: Message, slack: Slack = SLACK) -> Stub:
    stub = Stub()
    outcome, _ = talk(slack, list(messages), stub, LATER_MS)
    assert stub.broken == []
    assert isinstance(outcome, Response)
    assert outcome.status == 200
    return stub


def test_a_fallen_performance_in_the_words_of_slack() -> None:
    [body] = said(message(audience=Audience("chat", runbook="https://wiki.example/fraud"))).accepted
    assert body == {
        "text": "🔴 Critical: performance of fraud (version 3) has fallen",
        "parse": "none",
        "link_names": False,
        "attachments": [
            {
                "color": "#8f1522",
                "blocks": [
                    section(
                        "roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled.\n"
                        "*Since* <!date^1795425240^{date_short_pretty} {time}|2026-11-23 09:14 UTC>, 106 min ago"
                    ),
                    section(
                        "*amount*  20 to 45: 5% → 21% of rows; over 45: 50% → 40% of rows; effect 0.31\n"
                        "*What to do*  Its answers are worse than agreed. Look for what changed when it began: a "
                        "release, where its features come from, the world. Roll back, or retrain."
                    ),
                    section("roc_auc, last 5 windows  `0.91 ▇▆█▃▁ 0.84, limit 0.88`"),
                    {
                        "type": "context",
                        "elements": [
                            {
                                "type": "mrkdwn",
                                "text": "<https://monitor.example/incidents/inc_41|Incident> · "
                                "<https://monitor.example/models/fraud/report?version=3&amp;"
                                "window=2026-11-23T11%3A00%3A00Z|Report> · "
                                "<https://wiki.example/fraud|Runbook> · "
                                "<https://monitor.example/|Overview>",
                                "verbatim": True,
                            }
                        ],
                    },
                ],
            }
        ],
    }


def section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def test_an_end_says_from_when_to_when_it_was_and_asks_for_nothing() -> None:
    stub = said(message(change(event="resolved", reason="roc_auc is no worse than it may be any more")))
    [body] = stub.accepted
    assert body["text"] == "✅ Resolved: fallen performance of fraud (version 3)"
    assert body["attachments"][0]["color"] == "#2e7d4f"
    assert "2026-11-23 09:14 to 2026-11-23 11:00 UTC" in stub.text
    assert "What to do" not in stub.text


def test_a_picture_takes_the_place_of_the_line_of_bars() -> None:
    [body] = said(message(), slack=replace(SLACK, pictures=True)).accepted
    kinds = [block["type"] for block in body["attachments"][0]["blocks"]]
    assert kinds == ["section", "section", "image", "context"]
    assert body["attachments"][0]["blocks"][2] == {
        "type": "image",
        "image_url": "https://monitor.example/api/v1/incidents/inc_41/picture.png?at=1795431600000",
        "alt_text": "roc_auc, last 5 windows",
    }


def test_a_picture_that_slack_cannot_fetch_does_not_cost_the_message() -> None:
    stub = Stub()

    def answer(request: object) -> Response:
        refused = b'"image"' in request.body  # type: ignore[attr-defined]
        return Response(400, body=b"invalid_attachments") if refused else stub(request)  # type: ignore[arg-type]

    outcome, asked = talk(replace(SLACK, pictures=True), [message()], answer, LATER_MS)
    assert isinstance(outcome, Response)
    assert (outcome.status, len(asked), len(stub.accepted)) == (200, 2, 1)
    assert "last 5 windows" in stub.text


@pytest.mark.parametrize("count", [1, 40])
def test_what_slack_does_not_take_in_any_form_is_told_as_bare_text(count: int) -> None:
    stub = Stub()

    def answer(request: object) -> Response:
        refused = b"attachments" in request.body  # type: ignore[attr-defined]
        return Response(400, body=b"invalid_blocks") if refused else stub(request)  # type: ignore[arg-type]

    many = [named("<!channel>", number) for number in range(count)]
    outcome, asked = talk(replace(SLACK, pictures=True), many, answer, LATER_MS)
    assert isinstance(outcome, Response)
    assert (outcome.status, len(asked), stub.broken) == (200, 3 if count == 1 else 2, [])
    assert stub.text.count("Major: ") == count


def test_incidents_that_are_due_together_are_one_message_the_gravest_first() -> None:
    [body] = said(message(change(BROKEN)), message(change(FELL, "resolved")), message(change())).accepted
    assert body["text"] == "🔴 Critical: performance of fraud (version 3) has fallen (and 2 more)"
    assert [part["color"] for part in body["attachments"]] == ["#8f1522", "#8a96a3", "#2e7d4f"]


def test_many_incidents_have_a_paragraph_each_and_pictures_no_room() -> None:
    many = [message(change(replace(DRIFTED, id=f"inc_{number}"))) for number in range(SLACK.most)]
    [body] = said(*many, slack=replace(SLACK, pictures=True)).accepted
    assert len(body["attachments"]) == SLACK.most
    assert {len(part["blocks"]) for part in body["attachments"]} == {1}


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("count", [1, 3, 40])
def test_no_name_can_ping_a_channel_break_a_link_or_pass_a_limit(name: str, count: int) -> None:
    said(*(named(name, number) for number in range(count)))


def test_a_hostile_name_is_shown_as_it_is() -> None:
    assert "&lt;!channel&gt; (version &lt;!channel&gt;)" in said(named("<!channel>")).text


@given(st.text(st.sampled_from("&<>a;lt"), max_size=60), st.integers(6, 80))
def test_escaped_text_has_at_most_its_length_and_means_the_same(text: str, most: int) -> None:
    safe = escaped(text, most)
    assert len(safe) <= most
    assert list(pings(safe)) == []
    read = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert read == text or (read.endswith("…") and text.startswith(read[:-1]))


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (404, b"no_service", "webhook does not exist"),
        (404, b"channel_not_found", "channel does not exist"),
        (410, b"channel_is_archived", "archived"),
        (403, b"invalid_token", "url_file"),
        (403, b"action_prohibited", "administrator"),
        (400, b"invalid_payload hunter2", "refused the message"),
    ],
)
def test_a_refusal_is_a_sentence_and_never_what_was_answered(status: int, body: bytes, word: str) -> None:
    """Also 410: a channel may be taken out of the archive, so that the receiver is not given up for good."""
    outcome, _ = talk(SLACK, [message()], lambda request: Response(status, body=body), LATER_MS)
    assert isinstance(outcome, Answer)
    assert (outcome.meaning, outcome.status) == ("refused", status)
    assert word in outcome.detail
    assert "hunter2" not in outcome.detail


@pytest.mark.parametrize("reply", [Response(429, "30"), Response(503), Response(408), NoResponse("timeout")], ids=repr)
def test_what_passes_is_tried_again_as_it_was_answered(reply: Response | NoResponse) -> None:
    outcome, asked = talk(replace(SLACK, pictures=True), [message()], lambda request: reply, LATER_MS)
    assert outcome == reply
    assert len(asked) == 1


def test_a_retraining_and_a_test_are_told_too() -> None:
    failed = trigger_message(stepped("failed", "the run ended with an error"), EVERYBODY, BASE, CREATED_MS)
    assert failed is not None
    text = said(failed).text
    assert "🟠 Retraining of fraud (version 3) failed" in text
    assert "the run ended with an error. It was asked for because amount drifted." in text
    sent = trigger_message(stepped("pending", "sent by a person", before="withheld"), EVERYBODY, BASE, CREATED_MS)
    assert sent is not None
    text = said(sent).text
    assert "✅ Retraining of fraud (version 3) was approved" in text
    assert "sent by a person. It was asked for because amount drifted." in text
    done = trigger_message(stepped("succeeded", version="4"), EVERYBODY, BASE, CREATED_MS)
    assert done is not None
    text = said(done).text
    assert "✅ fraud (version 3) was retrained" in text
    assert "the new version is 4. It was asked for because amount drifted." in text
    assert said(trial_message(EVERYBODY, BASE, CREATED_MS)).text.startswith("✅ TEST: model-monitor reaches you here")


def test_neither_address_nor_text_stands_in_its_representation() -> None:
    assert "secret" not in repr(SLACK)
    _, [request] = talk(SLACK, [message()], lambda request: Response(200), LATER_MS)
    assert not re.search("secret|roc_auc", repr(request))


def test_more_features_than_find_room_leave_whole_lines() -> None:
    wide = replace(AMOUNT, moved=(AMOUNT.moved[0]._replace(cell="<" * 900),) * 3)
    stub = said(message(scene=replace(SCENE, verdicts=(wide,) * 5)))
    assert not re.search(r"&[a-z]*$", stub.text, re.MULTILINE)
    assert orjson.dumps(stub.accepted)


def test_what_is_not_known_is_left_out() -> None:
    [body] = said(message(scene=Scene(SINCE_MS))).accepted
    assert [block["type"] for block in body["attachments"][0]["blocks"]] == ["section", "section", "context"]
