"""The broker of this test run, its topics, and a way to fill them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, settings

from tests.brokers import Broker, Embedded, Produce, RealBroker, Topics, real_broker_possible

_NAMES = itertools.count()

# Properties are judged by what they find, never by how long it took on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def _real() -> bool:
    return real_broker_possible() or os.environ.get("MODEL_MONITOR_REQUIRE_KAFKA") == "1"


def pytest_report_header() -> str:
    return f"broker: {(RealBroker if _real() else Embedded).description}"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole run; a test that takes it down starts it again."""
    if not _real():
        with Embedded() as embedded:
            yield embedded
        return
    real = RealBroker(tmp_path_factory.mktemp("kafka"))
    try:
        yield real.start()
    finally:
        real.close()


@pytest.fixture
def topic(broker: Broker) -> Topics:
    """Makes a new topic, of one partition unless told otherwise, with a name of its own: `topic(partitions=3)`."""

    def make(partitions: int = 1, **config: str) -> str:
        name = f"topic-{next(_NAMES)}"
        broker.create_topic(name, partitions, **config)
        return name

    return make


@pytest.fixture
def produce(broker: Broker) -> Produce:
    """Writes values to one partition, in order, and returns when the broker has them all."""

    def write(
        topic: str,
        values: Iterable[bytes | None],
        partition: int = 0,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp_ms: int = 0,
        compression: str = "none",
    ) -> None:
        # Idempotent: a batch that is tried again, as on a topic or broker that is only coming up, keeps its place.
        settings = {"compression.type": compression, "linger.ms": 5, "enable.idempotence": True}
        limits = {"queue.buffering.max.messages": 10_000_000, "log_level": 0}
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, **settings, **limits})
        failed: list[object] = []
        for value in values:
            producer.produce(
                topic,
                value,
                key=key,
                partition=partition,
                headers=list(headers),
                timestamp=timestamp_ms,
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
        assert producer.flush(30) == 0
        assert not failed

    return write
