"""Slack while everything goes wrong at once, and while it is down itself."""

from __future__ import annotations

from dataclasses import replace

import orjson

from monitor.actions.notification import Audience
from monitor.actions.outbox import Message
from monitor.actions.receiver import Reply, Request, Response
from monitor.actions.slack import Slack
from monitor.runtime.notices import GATHER_MS
from tests.actions.notices import CREATED_MS, DRIFTED, WINDOW, change, message
from tests.chats import Slack as Stub
from tests.runtime.test_delivery import WAIT_S, sending

SLACK = Slack("chat", "https://hooks.slack.example/services/x")
MODELS = 30
HOUR_S = 3_600


def told(model: int, event: str, second: int) -> Message:
    """A change of a model's one incident."""
    window = WINDOW._replace(model=f"model {model}", end_ms=WINDOW.end_ms + second)
    incident = replace(DRIFTED, id=f"inc_{model}", opened=window, latest=window)
    step = replace(change(incident, event), window=window)  # type: ignore[arg-type]
    made = message(step, audience=Audience("chat", wait_ms=GATHER_MS))
    return replace(made, created_ms=CREATED_MS + 1_000 * second, due_ms=CREATED_MS + 1_000 * second + GATHER_MS)


def test_thirty_models_that_go_wrong_within_moments_are_one_message() -> None:
    stub = Stub()

    async def post(request: Request, _: float) -> Reply:
        return stub(request)

    with sending(SLACK, post=post) as bench:
        bench.at(CREATED_MS)
        bench.delivery.offer([told(model, "opened", 0) for model in range(MODELS)])
        assert bench.delivery.outcomes(0.05) == []
        bench.at(CREATED_MS + GATHER_MS)
        assert {each.state for each in bench.take(MODELS)} == {"delivered"}
    [body] = stub.accepted
    assert len(body["attachments"]) == MODELS
    assert stub.broken == []


def test_an_hour_of_changes_while_slack_is_down_is_one_message_an_incident_when_it_is_back() -> None:
    stub, down = Stub(), True

    async def post(request: Request, _: float) -> Reply:
        return Response(503) if down else stub(request)

    with sending(SLACK, post=post) as bench:
        worker = bench.delivery._workers["chat"]
        for second in range(HOUR_S):
            bench.clock.now_ms = CREATED_MS + 1_000 * second
            event = "joined" if second < HOUR_S - MODELS else "resolved"
            bench.delivery.offer([told(second % MODELS, event, second)])
            assert len(worker._queue) <= MODELS
        # Each model's last message stands; every other has been given up for it.
        down = False
        bench.at(bench.clock.now_ms + 86_400_000)
        ended: dict[str, str] = {}
        while sum(state == "delivered" for state in ended.values()) < MODELS:
            outcomes = bench.delivery.outcomes(WAIT_S)
            assert outcomes
            ended |= {each.message: each.state for each in outcomes}
            bench.at(bench.clock.now_ms + SLACK.pace_ms)
    assert sorted(ended.values()) == ["delivered"] * MODELS + ["superseded"] * (HOUR_S - MODELS)
    parts = [part for body in stub.accepted for part in body["attachments"]]
    assert len(parts) == MODELS
    assert stub.text.count("Resolved: ") >= MODELS
    assert orjson.dumps(parts).count(b"growing") == 0


def test_who_says_too_many_requests_is_left_alone_for_as_long_as_it_says() -> None:
    asked: list[int] = []

    async def post(request: Request, _: float) -> Reply:
        asked.append(bench.clock.now_ms)
        return Response(429, "30") if len(asked) == 1 else Response(200)

    with sending(replace(SLACK, most=1), post=post) as bench:
        start = CREATED_MS + GATHER_MS
        bench.at(start)
        bench.delivery.offer([told(0, "opened", 0), told(1, "opened", 0)])
        assert bench.next().state == "pending"
        bench.at(start + 29_999)
        assert bench.delivery.outcomes(0.05) == []
        bench.at(start + 30_000)
        assert bench.next().state == "delivered"
    assert asked == [start, start + 30_000]
