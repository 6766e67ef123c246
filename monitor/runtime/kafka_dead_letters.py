"""Writes dead letters to their topic, from a thread of its own.

Delivery: at least once; a reader knows a second copy by the key, topic:partition:offset (and `dlq.row` in a record
of several events). The store keeps a letter until its delivery is reported, so a broker that is away costs nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from monitor import __version__
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.kafka_client import DEFAULTS, bounded, connect, pause_s

STAGE = "decode"
_BATCH = 500
_FLUSH_S = 15.0
_CLOSE_S = 5.0
_RETRY_S, _RETRY_MAX_S = 0.2, 10.0
_ALWAYS: Mapping[str, object] = {
    "acks": "all",
    "request_timeout_ms": 5_000,
    "max_block_ms": 5_000,
    "delivery_timeout_ms": 10_000,
    "key_serializer": None,
    "value_serializer": None,
    "transactional_id": None,
}

log = logging.getLogger(__name__)


class KafkaDeadLetters:
    """The sender of the loop's dead letters. client: as of `KafkaSource`; what only consumers know is left out."""

    def __init__(self, client: Mapping[str, object], topic: str) -> None:
        known = {name: value for name, value in client.items() if name in KafkaProducer.DEFAULT_CONFIG}
        self._settings = {**DEFAULTS, **known, **_ALWAYS}
        self._topic = topic
        self._changed = threading.Condition()
        self._waiting: dict[int, DeadLetter] = {}
        self._delivered: list[int] = []
        self._held: set[int] = set()
        self._closing = threading.Event()
        self._producer: Any = None
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="dead-letters", daemon=True)
        self._thread.start()

    def offer(self, letters: Sequence[tuple[int, DeadLetter]]) -> None:
        """Send these, each with its id; one that is already under way is not sent twice. Never waits, never raises."""
        with self._changed:
            new = {number: letter for number, letter in letters if number not in self._held}
            self._held |= new.keys()
            self._waiting |= new
            self._changed.notify_all()

    def delivered(self) -> list[int]:
        """Ids that the broker has acknowledged since the last call."""
        with self._changed:
            delivered, self._delivered = self._delivered, []
            self._held.difference_update(delivered)
            return delivered

    def close(self) -> None:
        """Stop; what is under way has a bounded time to arrive."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while batch := self._next():
            arrived: list[int] = []
            try:
                self._deliver(batch, arrived)
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the letters wait and the producer is replaced.
                self._failed(error)
            with self._changed:
                self._delivered += arrived
                for number in arrived:
                    del self._waiting[number]
        self._drop_producer()

    def _next(self) -> dict[int, DeadLetter]:
        """The oldest letters, waited for; none when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            numbers = [] if self._closing.is_set() else sorted(self._waiting)[:_BATCH]
            return {number: self._waiting[number] for number in numbers}

    def _deliver(self, batch: Mapping[int, DeadLetter], arrived: list[int]) -> None:
        """Adds to `arrived` as the broker acknowledges; raises where it did not, once it will not any more."""
        if self._producer is None:
            self._producer, _ = connect(KafkaProducer, self._settings, create_topics=True)
        sent = {number: self._send(letter) for number, letter in batch.items()}
        self._producer.flush(_FLUSH_S)
        arrived += [number for number, future in sent.items() if future.succeeded()]
        for future in sent.values():
            future.get(timeout=0)

    def _send(self, letter: DeadLetter) -> Any:
        key = f"{letter.topic}:{letter.partition}:{letter.offset}".encode()
        try:
            return self._producer.send(self._topic, letter.value, key, _original(letter) + _headers(letter))
        except MessageSizeTooLargeError:  # Where it came from and what was wrong with it matter more than itself.
            return self._producer.send(self._topic, None, key, _headers(letter))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("dead letters are not delivered to %s and wait: %s", self._topic, error)
        self._drop_producer()
        self._closing.wait(pause_s(self._failures, _RETRY_S, _RETRY_MAX_S))

    def _drop_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            bounded(lambda: producer.close(timeout=0))


def _original(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """What the record came with."""
    headers = [(name, value or b"") for name, value in letter.headers]
    return headers if letter.key is None else [*headers, ("dlq.key", letter.key)]


def _headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """What was wrong with it and where it is; twice, for tools that know Kafka Connect's names."""
    where = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
    ours = {
        **where,
        "row": letter.row,
        "timestamp": letter.timestamp_ms,
        "size": letter.size,
        "reason": letter.reason,
        "stage": STAGE,
        "exception.message": letter.detail,
        "service.version": __version__,
    }
    connectors = {
        **where,
        "connector.name": "model-monitor",
        "task.id": 0,
        "stage": "VALUE_CONVERTER",
        "exception.class.name": letter.reason,
        "exception.message": letter.detail,
    }
    named = {f"dlq.{name}": value for name, value in ours.items()}
    named |= {f"__connect.errors.{name}": value for name, value in connectors.items()}
    return [(name, str(value).encode()) for name, value in named.items()]
