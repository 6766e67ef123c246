"""`kill -9` of a real service at random moments, with a real broker and receiver: nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from monitor.actions.retrain import message_id
from monitor.actions.signing import generate_secret, parse_secret
from monitor.config import Config, load
from monitor.demo.receiver import RetrainReceiver
from monitor.engine import Monitor
from monitor.runtime.store import Store
from monitor.snapshot import ModelView
from monitor.windows.window import Place
from tests.brokers import Broker, Produce, Topics
from tests.simulation import oracle
from tests.simulation.service import STATE, Service, write_config
from tests.simulation.traffic import LABELS, PREDICTIONS, Log, Record, Shape, Traffic
from tests.simulation.world import EVERYTHING, World, held, kept, timeless

SEED = int(os.environ.get("MODEL_MONITOR_SEED", random.randrange(1 << 32)))
EVENTS = 60_000
KILLS = 20
STOPS = 2
"""Lives that end in an orderly way, among those that are killed."""

SHAPE = Shape(minutes=36, predictions_a_minute=630)


@pytest.mark.timeout(1200)  # One or two minutes; more on a busy machine, where every life takes its time to begin.
def test_twenty_kills_over_sixty_thousand_events_change_nothing(
    broker: Broker, topic: Topics, produce: Produce, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    drawn = random.Random(SEED)
    log = Traffic(SEED, SHAPE).log()
    events = sum(len(oracle.events(record.value)) for records in log.values() for record in records)
    assert events >= EVENTS
    names = {PREDICTIONS: topic(SHAPE.partitions), LABELS: topic(SHAPE.label_partitions), "dead_letters": topic()}
    secret = generate_secret()
    with RetrainReceiver([parse_secret(secret)]) as receiver:
        config = write_config(tmp_path, broker.client, names, receiver.url, secret)
        lives = drawn.sample(["kill"] * KILLS + ["stop"] * STOPS, KILLS + STOPS)
        for end, part in zip(lives, parts(log, len(lives)), strict=True):
            with Service(config) as service:
                send(produce, names, part)
                if drawn.random() < 0.2:
                    time.sleep(drawn.uniform(0, 2))  # Somewhere in its start.
                else:
                    service.url()
                    time.sleep(drawn.uniform(0, 0.8))  # Somewhere in its work.
                if end == "kill":
                    service.kill()
                else:
                    service.url()
                    assert service.terminate() == 0
        with Service(config) as service:
            url = service.url()
            service.wait_for(lambda: done(service.metrics(url), events))
            metrics = service.metrics(url)
            assert service.terminate() == 0
        requests = receiver.received()

    loaded = load(config)
    topics = (names[PREDICTIONS], names[LABELS])
    world = World(renamed(log, names), tuple(loaded.specs().values()), loaded.references(), topics=topics)
    whole = world.run()
    whole_incidents = sorted(map(repr, world.store.incident_changes(limit=EVERYTHING)))
    world.close()
    with Store.open(config.with_name(STATE)) as store:
        readings = {name: store.readings(name, limit=EVERYTHING) for name in loaded.models}
        triggers = {name: store.triggers(model=name, limit=EVERYTHING) for name in loaded.models}
        incidents = sorted(map(repr, store.incident_changes(limit=EVERYTHING)))
        deliveries = kept(store)
        positions, _ = store.positions()
        windows = held(store)
        views = restored(loaded, store.state())
    print(f"{events} events, {sum(map(len, readings.values()))} readings, {len(requests)} requests")

    counted = {
        (topic, result): metrics.get(("model_monitor_events_total", result, topic), 0) for topic, result in whole.events
    }
    assert counted == whole.events
    assert sum(counted.values()) == events
    assert positions == whole.positions
    assert readings == whole.readings
    assert windows == whole.windows
    assert views == whole.views
    assert incidents == whole_incidents
    assert triggers == whole.triggers
    assert {each.state for each in deliveries} == {"delivered"}
    asked = [request["data"]["trigger"] for request in requests]
    assert len(asked) == len(set(asked)) >= 4, "a trigger came under two ids"
    assert {message_id(trigger, "pipeline") for trigger in asked} == whole.messages.keys()
    assert {each.subject for each in deliveries} == set(asked)
    assert receiver.refused == 0


def parts(log: Log, number: int) -> Iterator[Mapping[Place, list[Record]]]:
    """The log in consecutive parts."""
    for part in range(number):
        yield {
            place: list(records[len(records) * part // number : len(records) * (part + 1) // number])
            for place, records in log.items()
        }


def renamed(log: Log, names: Mapping[str, str]) -> Log:
    return {(names[topic], partition): records for (topic, partition), records in log.items()}


def send(produce: Produce, names: Mapping[str, str], part: Mapping[Place, list[Record]]) -> None:
    for (topic, partition), records in part.items():
        produce(names[topic], [record.value for record in records], partition)


def done(metrics: Mapping[tuple[str, ...], float], events: int) -> bool:
    """Everything was read and every message delivered."""
    read = sum(value for (name, *_), value in metrics.items() if name == "model_monitor_events_total")
    pending = sum(value for (name, *_), value in metrics.items() if name == "model_monitor_outbox_pending")
    return read >= events and pending == 0


def restored(config: Config, pieces: dict[str, bytes]) -> Mapping[str, ModelView]:
    """What the engine would show that goes on from this state."""
    monitor = Monitor(list(config.specs().values()), config.references())
    monitor.restore({key: piece for key, piece in pieces.items() if key.partition("/")[0] in config.models})
    return timeless(monitor.views())
