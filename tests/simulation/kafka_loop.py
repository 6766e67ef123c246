"""The loop on a real Kafka topic of predictions, in this process; what else stands around it is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from monitor.engine import Monitor
from monitor.runtime.clock import now
from monitor.runtime.intake import Topics
from monitor.runtime.kafka import KafkaSource
from monitor.runtime.loop import Loop
from monitor.runtime.store import Store
from monitor.spec import ModelSpec
from tests.brokers import Broker
from tests.simulation.world import decoders, references

WAIT_S = 60.0


@contextmanager
def kafka_loop(broker: Broker, topic: str, store: Store, *specs: ModelSpec) -> Iterator[Loop]:
    """A loop over the topic, from where the store says."""
    source = KafkaSource(broker.client, {topic: decoders(specs, topic, "no labels")[topic]})
    try:
        yield Loop(
            lambda: Monitor(list(specs), references()),
            store,
            source,
            Topics(frozenset({topic}), frozenset()),
            lambda output, now_ms: [],
            now,
        )
    finally:
        source.close()
