"""The service as it runs, over traffic of the demo that has been: pages that show something of everything, and rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from monitor.demo.simulation import PARTITIONS, SEED
from monitor.demo.traffic import MODEL
from monitor.runtime.clock import wall_clock_ms
from monitor.snapshot import ModelView
from tests.alerts.demo import Breakable, serving

RATE = 500
BROKEN = range(6, 9)
"""Seconds in which a feature is missing."""

DRIFT_S, SECONDS = 20, 40
"""When the world changes, and when the traffic ends."""

_LABELS_S = 2
"""How much later each label comes than its prediction."""

_READY_S = 60.0


@dataclass(frozen=True)
class Site:
    """A service whose pages do not change any more. model: as it shows it."""

    url: str
    model: ModelView


@contextmanager
def replayed(directory: Path) -> Iterator[Site]:
    """Everything has been read, and decided, when it begins."""
    with serving(directory, "country") as running:
        send(running.bootstrap_servers, wall_clock_ms() // 1000 * 1000 - 1000 * SECONDS)
        until(lambda: at_rest(running.service.snapshot().models[MODEL]))
        yield Site(running.service.server.url, running.service.snapshot().models[MODEL])


def at_rest(model: ModelView) -> bool:
    """Whether both incidents of the change are open, that of the data is over, and the last window is settled."""
    states = {(each.cause, each.open) for each in model.incidents}
    everything = {("drift", True), ("performance", True), ("data", False)} <= states
    windows = {view.window.end_ms for view in model.windows}
    asked = any(life.state == "accepted" for life in model.triggers)
    return everything and asked and len(windows) == len(model.performance) == SECONDS


def send(bootstrap_servers: str, begin_ms: int) -> None:
    """Second by second, predictions and the labels of earlier ones."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "log_level": 0})
    traffic = Breakable(SEED)
    waiting: list[tuple[list[str], list[bytes]]] = []
    for second in range(SECONDS + _LABELS_S):
        now_ms = begin_ms + 1000 * second
        if second < SECONDS:
            if second in BROKEN:
                traffic.broken.set()
            else:
                traffic.broken.clear()
            rows = traffic.draw(RATE, second >= DRIFT_S)
            times = now_ms + np.linspace(0, 1000, RATE, endpoint=False).astype(np.int64)
            write(producer, "predictions", rows.ids, rows.prediction_events(times))
            waiting.append((rows.ids, rows.label_events((times + 1000 * _LABELS_S).tolist())))
        if second >= _LABELS_S:
            write(producer, "labels", *waiting[second - _LABELS_S])
    assert producer.flush(30) == 0


def write(producer: Producer, topic: str, identities: list[str], events: list[bytes]) -> None:
    for number, (identity, event) in enumerate(zip(identities, events, strict=True)):
        producer.produce(topic, event, key=identity.encode(), partition=number % PARTITIONS)
    producer.poll(0)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_S
    while not condition():
        assert time.monotonic() < deadline, "the service did not get there"
        time.sleep(0.05)
