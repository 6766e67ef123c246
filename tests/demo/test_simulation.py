"""The simulated model server answers with what a pipeline deploys."""

from __future__ import annotations

import threading
from contextlib import closing

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from monitor.demo.broker import EmbeddedBroker
from monitor.demo.simulation import LABELS, PREDICTIONS, TOPICS, Simulation, model_server
from monitor.demo.traffic import DRIFTED, LEARNED, VERSION, Applications, Traffic
from tests.alerts.stack import awaited
from tests.exports.client import Client

QUEUE = 100_000
"""Messages that a client holds for a broker that is away, by default."""

JSON = {"content-type": "application/json"}


@pytest.fixture
def simulation() -> Simulation:
    with EmbeddedBroker() as broker:
        return Simulation(broker.bootstrap_servers, float("inf"), Traffic(1))


def put(simulation: Simulation, version: str, **deployed: object) -> int:
    content = orjson.dumps({"intercept": 0.0, "weights": {"age": 0.1}} | deployed)
    return Client(model_server(simulation)).put(f"/versions/{version}", headers=JSON, content=content).status_code


def test_a_version_answers_beside_the_others_until_it_is_live(simulation: Simulation) -> None:
    assert put(simulation, "2") == 200
    assert list(simulation.versions) == [VERSION, "2"]
    assert put(simulation, "2", live=True) == 200
    assert list(simulation.versions) == ["2"]
    assert simulation.versions["2"].weights == {"age": 0.1}


def test_what_the_server_could_not_score_with_is_refused(simulation: Simulation) -> None:
    assert put(simulation, "2", weights={"height": 1.0}) == 422
    assert put(simulation, "2", intercept=None) == 422
    assert list(simulation.versions) == [VERSION]


def test_a_version_is_withdrawn_unless_it_is_the_only_one(simulation: Simulation) -> None:
    put(simulation, "2")
    client = Client(model_server(simulation))
    assert client.delete("/versions/2").status_code == 200
    assert client.delete(f"/versions/{VERSION}").status_code == 409
    assert list(simulation.versions) == [VERSION]


def test_the_world_that_has_drifted_is_one_that_retraining_helps_with() -> None:
    """By more than the demo's margin of 0.03: else its loop could not close."""
    drawn = Traffic(3).draw(50_000, drifted=True)
    assert area(LEARNED.score(drawn.features), drawn.default) < 0.7
    assert area(DRIFTED.score(drawn.features), drawn.default) > 0.73


def area(score: np.ndarray, positive: np.ndarray) -> float:
    """Under the ROC curve, by ranks; continuous scores have no ties."""
    rank = np.argsort(np.argsort(score)) + 1
    ones = positive.sum()
    return float((rank[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(score) - ones)))


class Counted(Traffic):
    """Remembers how many applications were drawn at a time."""

    def draw(self, rows: int, drifted: bool = False) -> Applications:
        self.drawn = [*getattr(self, "drawn", []), rows]
        return super().draw(rows, drifted)


def test_it_keeps_a_rate_that_a_tick_does_not_divide() -> None:
    with EmbeddedBroker() as broker:
        traffic = Counted(1)
        simulation = Simulation(broker.bootstrap_servers, float("inf"), traffic, rate=25)
        simulation.start()
        while len(getattr(traffic, "drawn", [])) < 4:
            simulation.join(0.01)
        simulation.stop()
    assert traffic.drawn[:4] == [2, 3, 2, 3]


def test_what_an_outage_leaves_no_room_for_is_lost_and_no_more() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic(PREDICTIONS)
        simulation = Simulation(broker.bootstrap_servers, float("inf"), Traffic(1))
        broker.set_down()
        for number in range(QUEUE + 10):
            simulation._send(PREDICTIONS, f"1-{number}", b"{}")
        broker.set_up()
        assert simulation._producer.flush(30) == 0
        assert end(broker, PREDICTIONS) == QUEUE


def test_it_goes_on_after_an_outage() -> None:
    with EmbeddedBroker() as broker:
        for topic in TOPICS:
            broker.create_topic(topic)
        simulation = Simulation(broker.bootstrap_servers, float("inf"), Traffic(1), rate=100)
        noticed = threading.Event()
        settings = {"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "log_level": 0}
        simulation._producer = Producer({**settings, "error_cb": lambda _: noticed.set()})
        simulation.start()
        awaited(lambda: end(broker, LABELS) > 0)
        assert not noticed.is_set()
        broker.set_down()
        assert noticed.wait(30)
        broker.set_up()
        back = end(broker, LABELS)
        awaited(lambda: end(broker, LABELS) > back)
        simulation.stop()


def end(broker: EmbeddedBroker, topic: str) -> int:
    part = TopicPartition(topic, 0)
    with closing(KafkaConsumer(**broker.client, enable_auto_commit=False)) as consumer:
        return int(consumer.end_offsets([part], timeout_ms=10_000)[part])
