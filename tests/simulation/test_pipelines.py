"""Weeks of drift against pipelines that fail, and days against receivers that are down, slow or lose their answers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import orjson
import pytest

from monitor.actions.notification import Audience
from monitor.actions.retry import SCHEDULE_S
from monitor.actions.webhook import Webhook
from monitor.detection.life import Life
from monitor.engine import Report
from monitor.runtime.delivery import Delivery
from monitor.spec import DAY_MS, HOUR_MS
from monitor.windows.streams import Now
from monitor.windows.window import Place
from tests import receivers
from tests.receivers import Behaviour, Received, answers
from tests.simulation.test_long import HOURLY, WEEK_H
from tests.simulation.test_retraining import ask
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Record, fraud_event, record
from tests.simulation.world import World


def drifting(hours: int) -> Mapping[Place, list[Record]]:
    """Predictions that have drifted, from the first hour on."""
    drawn = random.Random(0)
    events = (
        (at, [fraud_event(drawn, f"{hour}/{number}", at, True) for number in range(300)])
        for hour in range(hours)
        for at in [START_MS + hour * HOUR_MS]
    )
    return {(PREDICTIONS, 0): [record(at, payload) for at, payload in events], (LABELS, 0): []}


def lives(world: World) -> list[Life]:
    return list(world.loop.snapshot.models["fraud"].triggers)


def asked(world: World) -> list[Life]:
    return [life for life in lives(world) if life.state != "withheld"]


def test_constant_drift_for_seven_days_and_a_pipeline_that_always_fails() -> None:
    """It takes each request, works on it, and fails within the hour. People hear little of it."""
    world = World(drifting(WEEK_H + 1), (HOURLY,), audiences=(Audience("chat"),), source_options={"paced": True})
    world.clock.now_ms = START_MS
    hours = 0
    while not world.source.exhausted:
        for life in lives(world):
            if life.state == "accepted":
                ask(world, Report(life.trigger.id, "running"))
                ask(world, Report(life.trigger.id, "failed", detail="no memory"))
        world.step()
        world.clock.now_ms += HOUR_MS
        hours += 1
    world.step()
    changes = [change for output in world.outputs for change in output.changes]
    steps = Counter(change.after for output in world.outputs for change in output.trigger_changes)
    names = Counter(world.receiver.names.values())
    messages = names["pipeline"]
    told = Counter(
        orjson.loads(body)["type"]
        for name, body in world.receiver.bodies.items()
        if world.receiver.names[name] == "chat"
    )
    notes = len(world.store.control_events())
    reasons = [life.trigger.withheld.partition(" until")[0] for life in lives(world) if life.state == "withheld"]
    print(f"{hours / 24:.1f} days of drift and a pipeline that always fails: {messages} requests, {dict(steps)},")
    print(f"{len(changes)} changes of incidents, {notes} control events; withheld: {reasons}")
    print(f"told: {names['chat']}: {dict(told)}")
    assert messages == len(asked(world)) == 3
    assert told["model.retrain.failed"] == 3
    assert names["chat"] <= 8
    assert {life.state for life in asked(world)} == {"failed"}
    windows = [life.trigger.window.end_ms for life in asked(world)]
    assert [(later - windows[0]) / HOUR_MS for later in windows] == [0, 24, 48]
    assert reasons == [
        "cooling down",
        "cooling down",
        "the budget of 3 requests in seven days is used up",
    ]
    assert [change.event for change in changes][:1] == ["opened"]
    assert len(changes) <= 3, "one incident, however long it lasts"
    assert len({change.incident.id for change in changes}) == 1
    world.close()


KEYS = (b"k" * 32,)
BEFORE = 7
"""Attempts that fall into the first day: the eighth comes after 31 hours."""
TIMEOUT_S = 2.0


@contextmanager
def delivered_to(*script: Behaviour, timeout_s: float = 15.0) -> Iterator[tuple[World, receivers.Receiver, Delivery]]:
    """A model that drifts, and a real HTTP receiver of its requests; deliveries live by the simulated clock."""
    world = World(drifting(6), (HOURLY,), source_options={"paced": True})
    world.clock.now_ms = START_MS
    with receivers.Receiver(*script) as receiver:
        hook = Webhook("pipeline", receiver.url, KEYS, timeout_s=timeout_s)
        delivery = Delivery([hook], clock=lambda: Now.at(world.clock()), jitter=lambda: 0.0)
        world.loop._outbound = delivery
        delivery.start()
        try:
            yield world, receiver, delivery
        finally:
            receiver.hang_up()
            delivery.close(20.0)
            world.close()


def pass_time(world: World, delivery: Delivery, until_ms: int) -> int:
    """A quarter of an hour at a time; an attempt that is due ends before the next. Steps taken."""
    steps = 0
    while world.clock() < until_ms and not (asked(world) and asked(world)[-1].state not in ("pending", "sent")):
        world.step()
        if any(message.due_ms <= world.clock() for message in world.store.pending_messages()):
            delivery.offer([])
            with delivery._arrived:
                assert delivery._arrived.wait_for(lambda: bool(delivery._outcomes), 60.0), "an attempt never ended"
        else:
            world.clock.now_ms += 15 * MINUTE_MS
        steps += 1
    return steps


def runs(requests: list[Received]) -> set[str]:
    """What a pipeline begins that drops repeats of a `webhook-id`."""
    return {request.headers["webhook-id"] for request in requests}


BAD: dict[str, tuple[Behaviour, ...]] = {
    "500": (answers(500),) * BEFORE,
    "429": (answers(429, retry_after="3600"),) * BEFORE,
    "redirects": (answers(302, location="http://169.254.169.254/latest"),) * BEFORE,
    "drips": (receivers.drips_headers, *(answers(503),) * (BEFORE - 1)),
    "loses its answers": (receivers.resets,) * BEFORE,
    "breaks off": (receivers.closes_within_headers,) * BEFORE,
}


@pytest.mark.parametrize("script", BAD.values(), ids=BAD)
def test_a_request_outlives_a_day_without_an_answer_and_is_run_once(script: tuple[Behaviour, ...]) -> None:
    with delivered_to(*script, answers(202), timeout_s=TIMEOUT_S) as (world, receiver, delivery):
        pass_time(world, delivery, START_MS + 4 * DAY_MS)
        (life,) = asked(world)
        assert [step.state for step in life.steps] == ["pending", "sent", "accepted"]
        down_ms = life.since_ms - life.steps[1].at_ms
        assert down_ms >= DAY_MS
        assert world.source.exhausted, "events were read on meanwhile"
        requests = receiver.requests
        assert len(requests) == BEFORE + 1
        assert len(runs(requests)) == 1
        assert len({request.body for request in requests}) == 1
        assert orjson.loads(requests[0].body)["data"]["trigger"] == life.trigger.id
        assert {request.target for request in requests} == {"/hook?token=in-the-query"}, "no redirect was followed"
        (shown,) = world.loop.snapshot.service.delivery
        assert (shown.subject, shown.receiver, shown.state) == (life.trigger.id, "pipeline", "delivered")


def test_a_receiver_that_never_takes_a_request_is_given_up_after_ten_tries() -> None:
    with delivered_to(answers(503)) as (world, receiver, delivery):
        pass_time(world, delivery, START_MS + 5 * DAY_MS)
        (life,) = asked(world)
        assert (life.state, len(receiver.requests)) == ("failed", len(SCHEDULE_S))
        assert "Given up after 10 attempts" in life.steps[-1].detail
        assert world.loop.snapshot.models["fraud"].in_flight == 0


def test_a_pipeline_that_reports_what_it_was_never_seen_to_take_is_believed() -> None:
    """It runs, though every answer is lost: once, and it is not asked again."""
    with delivered_to(receivers.resets) as (world, receiver, delivery):
        world.clock.now_ms = START_MS + 5 * HOUR_MS
        while not asked(world):
            world.step()
        (life,) = asked(world)
        receiver.wait_for_requests(1)
        ask(world, Report(life.trigger.id, "running"))
        ask(world, Report(life.trigger.id, "succeeded", version="2"))
        world.step()
        while world.clock() < START_MS + 4 * DAY_MS:
            world.clock.now_ms += HOUR_MS
            world.step()
            if any(message.due_ms <= world.clock() for message in world.store.pending_messages()):
                delivery.offer([])
                with delivery._arrived:
                    assert delivery._arrived.wait_for(lambda: bool(delivery._outcomes), 60.0)
        (life,) = asked(world)
        assert (life.state, life.version) == ("succeeded", "2")
        assert len(runs(receiver.requests)) == 1


def test_events_are_read_while_a_receiver_holds_its_answer_back() -> None:
    """A step waits for no attempt: all of them end while one is under way."""
    with delivered_to(receivers.hangs, timeout_s=600.0) as (world, receiver, delivery):
        while not world.source.exhausted:
            world.step()
            world.clock.now_ms += 15 * MINUTE_MS
        receiver.wait_for_requests(1)
        for _ in range(8):  # A day of silence, too.
            world.clock.now_ms += 3 * HOUR_MS
            world.step()
        assert delivery.outcomes() == [], "the attempt is still under way"
        (life,) = asked(world)
        assert life.state == "pending"
        assert world.loop.snapshot.service.events[PREDICTIONS, "accepted"] == 6 * 300
