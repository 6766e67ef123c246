from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor import __version__
from monitor.events.reject import Reason
from monitor.runtime import kafka_client, kafka_dead_letters
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.kafka_dead_letters import KafkaDeadLetters
from tests.brokers import Broker, Embedded, RealBroker, Topics

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WAIT_S = 60.0
LETTER = DeadLetter(
    topic="predictions",
    partition=3,
    offset=17,
    row=-1,
    reason=Reason.MALFORMED,
    detail="not JSON",
    timestamp_ms=1_764_000_000_000,
    key=b"\xff",
    value=b"{",
    size=1,
    headers=(("trace", b"abc"), ("empty", None)),
)

Senders = Callable[[str], KafkaDeadLetters]


@pytest.fixture
def sender(broker: Broker) -> Iterator[Senders]:
    senders: list[KafkaDeadLetters] = []

    def make(topic: str) -> KafkaDeadLetters:
        senders.append(KafkaDeadLetters({**broker.client, "max_partition_fetch_bytes": 1 << 20}, topic))
        return senders[-1]

    yield make
    for each in senders:
        each.close()
    senders.clear()
    gc.collect()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def await_delivery(sender: KafkaDeadLetters, numbers: set[int]) -> None:
    delivered: list[int] = []
    until(lambda: delivered.extend(sender.delivered()) or len(delivered) >= len(numbers))
    assert sorted(delivered) == sorted(numbers)


def records(broker: Broker, topic: str) -> list[object]:
    """All there are in the topic's one partition."""
    part = TopicPartition(topic, 0)
    with closing(KafkaConsumer(**broker.client, enable_auto_commit=False, auto_offset_reset="earliest")) as consumer:
        consumer.assign([part])
        end, found = consumer.end_offsets([part])[part], []
        while consumer.position(part) < end:
            found += [record for batch in consumer.poll(1000).values() for record in batch]
        return found


def test_a_letter_arrives_with_what_it_was_and_why_it_was_refused(
    broker: Broker, topic: Topics, sender: Senders
) -> None:
    name = topic()
    letters = sender(name)
    letters.offer([(1, LETTER)])
    await_delivery(letters, {1})
    [record] = records(broker, name)
    assert record.key == b"predictions:3:17"
    assert record.value == b"{"
    assert dict(record.headers) == {
        "trace": b"abc",
        "empty": b"",
        "dlq.key": b"\xff",
        "dlq.topic": b"predictions",
        "dlq.partition": b"3",
        "dlq.offset": b"17",
        "dlq.row": b"-1",
        "dlq.timestamp": b"1764000000000",
        "dlq.size": b"1",
        "dlq.reason": b"malformed",
        "dlq.stage": b"decode",
        "dlq.exception.message": b"not JSON",
        "dlq.service.version": __version__.encode(),
        "__connect.errors.topic": b"predictions",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"17",
        "__connect.errors.connector.name": b"model-monitor",
        "__connect.errors.task.id": b"0",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.exception.class.name": b"malformed",
        "__connect.errors.exception.message": b"not JSON",
    }


def test_a_letter_that_is_offered_again_while_under_way_is_sent_once(
    broker: Broker, topic: Topics, sender: Senders
) -> None:
    name = topic()
    letters = sender(name)
    offered = [(number, replace(LETTER, offset=number)) for number in range(1200)]
    for _ in range(3):
        letters.offer(offered)
    until(lambda: len(records(broker, name)) >= 1200)
    letters.offer([*offered, (1200, replace(LETTER, offset=1200))])  # Delivered, but the loop does not know it yet.
    await_delivery(letters, set(range(1201)))
    assert [record.key for record in records(broker, name)] == [b"predictions:3:%d" % n for n in range(1201)]


def test_letters_wait_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = {"request_timeout_ms": 300, "delivery_timeout_ms": 500, "max_block_ms": 500}
    monkeypatch.setattr(kafka_dead_letters, "_ALWAYS", {**kafka_dead_letters._ALWAYS, **impatient})
    with Embedded() as broker:  # It is back at once.
        broker.create_topic("letters")
        with closing(KafkaDeadLetters(broker.client, "letters")) as sender:
            sender.offer([(1, LETTER)])
            await_delivery(sender, {1})
            broker.kill()
            sender.offer([(2, replace(LETTER, offset=2))])
            until(lambda: sender._failures > 0)
            assert sender.delivered() == []
            broker.restart()
            sender.offer([(2, replace(LETTER, offset=2)), (3, replace(LETTER, offset=3))])
            await_delivery(sender, {2, 3})
        assert {record.key for record in records(broker, "letters")} == {b"predictions:3:%d" % n for n in (17, 2, 3)}
    gc.collect()


def test_a_producer_that_has_failed_is_replaced(
    broker: Broker, topic: Topics, sender: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def send(self, *letter: object) -> None:
            raise KafkaError("fenced")

        def close(self, timeout: float) -> None:
            pass

    producers: list[object] = [Broken()]

    def connect(*arguments: object, **options: object) -> tuple[object, None]:
        return (producers.pop(), None) if producers else kafka_client.connect(*arguments, **options)

    monkeypatch.setattr(kafka_dead_letters, "connect", connect)
    letters = sender(topic())
    letters.offer([(1, LETTER)])
    await_delivery(letters, {1})


def test_a_letter_that_is_too_large_goes_without_what_the_record_was(
    broker: Broker, topic: Topics, sender: Senders
) -> None:
    name = topic()
    letters = sender(name)
    letters.offer([(1, replace(LETTER, headers=(("huge", b"x" * 2_000_000),)))])
    await_delivery(letters, {1})
    [record] = records(broker, name)
    assert record.value is None
    assert record.key == b"predictions:3:17"
    assert dict(record.headers)["dlq.reason"] == b"malformed"
    assert "huge" not in dict(record.headers)


def test_a_tombstone_and_a_record_without_key_can_be_letters(broker: Broker, topic: Topics, sender: Senders) -> None:
    name = topic()
    letters = sender(name)
    letters.offer([(1, replace(LETTER, key=None, value=None, size=0))])
    await_delivery(letters, {1})
    [record] = records(broker, name)
    assert record.value is None
    assert "dlq.key" not in dict(record.headers)


def test_a_topic_that_the_broker_refuses_keeps_its_letters_and_stops_no_one(broker: Broker, sender: Senders) -> None:
    if not isinstance(broker, RealBroker):
        pytest.skip("the embedded broker refuses nothing")
    letters = sender("not a topic name")
    letters.offer([(1, LETTER)])
    until(lambda: letters._failures > 0)
    assert letters.delivered() == []
