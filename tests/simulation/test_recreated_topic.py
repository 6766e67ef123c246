"""A topic that is deleted and created again while the service is down, with offsets that would still fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from monitor.runtime.loop import Loop
from monitor.runtime.store import Store
from tests.brokers import Broker, Produce, RealBroker, Topics
from tests.simulation.kafka_loop import WAIT_S, kafka_loop
from tests.simulation.story import PLAIN, prediction

SPEC = replace(PLAIN, labelled=False)


def events(number: int) -> list[bytes]:
    return [orjson.dumps(prediction(None, 0.5)) for _ in range(number)]


def step_until(loop: Loop, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        loop.step(100)


def test_a_topic_that_was_created_again_while_the_service_was_down_is_read_whole_and_a_gap_is_recorded(
    broker: Broker, topic: Topics, produce: Produce, tmp_path: Path
) -> None:
    if not isinstance(broker, RealBroker):
        pytest.skip("the embedded broker cannot delete a topic")
    name = topic()
    accepted = (name, "accepted")
    produce(name, events(10))
    with Store.open(tmp_path / "state") as store, kafka_loop(broker, name, store, SPEC) as loop:
        step_until(loop, lambda: loop.snapshot.service.events.get(accepted) == 10)
    broker.delete_topic(name)
    broker.create_topic(name)
    produce(name, events(15))
    for _ in range(2):  # The second start finds the new topic as it left it.
        with Store.open(tmp_path / "state") as store, kafka_loop(broker, name, store, SPEC) as loop:
            step_until(
                loop, lambda: loop.snapshot.service.events.get(accepted) == 25 and bool(loop.snapshot.service.lag)
            )
            gaps = [event for event in store.control_events() if event.kind == "gap"]
            assert [event.payload for event in gaps] == [
                {"topic": name, "partition": 0, "expected": 10, "found": 0},
            ]
            assert loop.snapshot.service.gaps == 1
