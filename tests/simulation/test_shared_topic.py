"""Two models on one topic of a real broker: one that never pauses, and one that has fallen silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import orjson
import pytest
from confluent_kafka import Producer

from monitor.runtime import kafka_reader
from monitor.runtime.clock import wall_clock_ms
from monitor.runtime.store import Store
from monitor.snapshot import WindowView
from monitor.windows.window import WindowSpec
from tests.brokers import Broker, Produce, Topics
from tests.simulation.kafka_loop import WAIT_S, kafka_loop
from tests.simulation.story import PLAIN
from tests.simulation.world import CHURN

SECOND_MS = 1_000
QUICK = {"window": WindowSpec(SECOND_MS), "lateness_ms": 0, "idle_after_ms": SECOND_MS, "labelled": False}
BUSY = replace(PLAIN, **QUICK)
QUIET = replace(CHURN, retrain=None, arrival="stream", **QUICK)


@contextmanager
def chatter(broker: Broker, topic: str) -> Iterator[None]:
    """Events of the busy model, as fast as they go, as long as the block lasts."""
    stop = threading.Event()
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "linger.ms": 0})

    def talk() -> None:
        while not stop.wait(0.001):
            producer.produce(topic, event("fraud"), partition=0)
            producer.poll(0)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        producer.flush(30)


def event(model: str) -> bytes:
    said = {"type": "prediction", "model": model, "version": "1", "timestamp": wall_clock_ms()}
    return orjson.dumps(said | {"features": {}, "prediction": "fraud" if model == "fraud" else "leave"})


def test_a_window_of_a_model_that_fell_silent_closes_on_a_topic_that_is_never_at_rest(
    broker: Broker, topic: Topics, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "_CONFIRM_S", 0.2)
    name = topic(partitions=2)  # The second stays silent.
    closed: list[WindowView] = []
    heard = 0
    with Store.in_memory() as store, kafka_loop(broker, name, store, BUSY, QUIET) as loop, chatter(broker, name):
        produce(name, [event("churn")])
        deadline = time.monotonic() + WAIT_S
        while not closed:
            assert time.monotonic() < deadline, "its window never closes"
            read, outputs = loop.step(1_000)
            heard += read
            views = [view for output in outputs for view in output.windows]
            closed = [view for view in views if view.window.model == "churn"]
    assert [view.rows for view in closed] == [1]
    assert heard > 100, "the topic was at rest, so nothing was shown"
