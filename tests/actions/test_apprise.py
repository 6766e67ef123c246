from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from monitor.actions.apprise import PROGRAM, Apprise
from monitor.actions.outbox import Message
from monitor.actions.receiver import Answer, NoResponse, Response, Run
from tests.actions.notices import CREATED_MS, DRIFTED, FELL, change, message

MAIL = Apprise("mail", "mailto://u:hunter2@example.org", "http://127.0.0.1:8000")


def sent(*messages: Message) -> dict[str, Any]:
    """What the program is told."""
    asked = next(MAIL.deliver(list(messages), CREATED_MS))
    assert isinstance(asked, Run)
    assert asked.module == PROGRAM
    assert "hunter2" not in f"{asked!r} {MAIL!r}"
    told: dict[str, Any] = orjson.loads(asked.input)
    return told


def test_one_incident_is_told_whole_and_with_its_picture_from_where_this_machine_reaches_it() -> None:
    told = sent(message(base="https://monitor.example/behind/a/proxy"))
    assert told["title"] == "Critical: performance of fraud (version 3) has fallen"
    assert told["body"].startswith("roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled.\nSince: about")
    assert told["type"] == "failure"
    assert told["picture"] == "http://127.0.0.1:8000/api/v1/incidents/inc_41/picture.png"


def test_several_are_one_message_that_is_short_where_they_are_many() -> None:
    two = sent(message(change(DRIFTED)), message())
    assert two["title"] == "Critical: performance of fraud (version 3) has fallen (and 1 more)"
    assert two["body"].count("What to do") == 2
    many = sent(*(message(change(replace(DRIFTED, id=f"inc_{number}"))) for number in range(20)))
    assert many["body"].count("What to do") == 0
    assert many["body"].count("of fraud (version 3) drifted") == 20
    assert many["picture"] is None


def test_an_end_is_good_news() -> None:
    assert sent(message(change(FELL, "resolved")))["type"] == "success"


@pytest.mark.parametrize(("status", "meaning"), [(200, "delivered"), (500, "retry")])
def test_the_program_says_what_came_of_it(status: int, meaning: str) -> None:
    conversation = MAIL.deliver([message()], CREATED_MS)
    next(conversation)
    with pytest.raises(StopIteration) as ended:
        conversation.send(Response(status, body=b"1 of the 2 addresses have taken it."))
    outcome = ended.value.value
    assert isinstance(outcome, Answer)
    assert (outcome.meaning, outcome.detail) == (meaning, "1 of the 2 addresses have taken it.")


def test_a_program_that_hangs_is_tried_again() -> None:
    conversation = MAIL.deliver([message()], CREATED_MS)
    next(conversation)
    with pytest.raises(StopIteration) as ended:
        conversation.send(NoResponse("timeout"))
    assert ended.value.value == NoResponse("timeout")
