from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from monitor.demo.broker import EmbeddedBroker
from monitor.errors import UnavailableError


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic("t", 2)
        yield broker


def write(broker: EmbeddedBroker, values: list[bytes], partition: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "log_level": 0})
    for value in values:
        producer.produce("t", value, partition=partition)
    assert producer.flush(30) == 0


def read(broker: EmbeddedBroker, partition: int, offset: int, count: int) -> list[bytes]:
    part = TopicPartition("t", partition)
    with closing(KafkaConsumer(**broker.client, enable_auto_commit=False, auto_offset_reset="none")) as consumer:
        consumer.assign([part])
        consumer.seek(part, offset)
        found: list[bytes] = []
        while len(found) < count:
            found += [record.value for batch in consumer.poll(1000).values() for record in batch]
        return found


def test_what_one_client_writes_another_reads(embedded: EmbeddedBroker) -> None:
    write(embedded, [b"a", b"b", b"c"], partition=1)
    assert read(embedded, partition=1, offset=1, count=2) == [b"b", b"c"]


def test_records_outlive_an_outage(embedded: EmbeddedBroker) -> None:
    write(embedded, [b"a"], partition=0)
    embedded.set_down()
    embedded.set_up()
    write(embedded, [b"b"], partition=0)
    assert read(embedded, partition=0, offset=0, count=2) == [b"a", b"b"]


def test_deleted_records_are_gone(embedded: EmbeddedBroker) -> None:
    write(embedded, [b"a", b"b", b"c"], partition=0)
    embedded.delete_records("t", 0, before=2)
    part = TopicPartition("t", 0)
    with closing(KafkaConsumer(**embedded.client, enable_auto_commit=False)) as consumer:
        assert consumer.beginning_offsets([part], timeout_ms=5000) == {part: 2}
    assert read(embedded, partition=0, offset=2, count=1) == [b"c"]


def test_two_brokers_are_two_worlds(embedded: EmbeddedBroker) -> None:
    with EmbeddedBroker() as other:
        assert other.bootstrap_servers != embedded.bootstrap_servers
        with pytest.raises(UnavailableError, match="Unknown topic"):
            other.delete_records("t", 0, before=0)


def test_a_broker_that_is_not_entered_says_so(embedded: EmbeddedBroker) -> None:
    with pytest.raises(UnavailableError, match="not running"):
        EmbeddedBroker().create_topic("t")
    embedded.close()
    with pytest.raises(UnavailableError, match="not running"):
        embedded.set_down()


def test_nothing_is_written_to_standard_error(embedded: EmbeddedBroker, capfd: pytest.CaptureFixture[str]) -> None:
    embedded.set_down()
    embedded.set_up()
    write(embedded, [b"a"], partition=0)
    assert capfd.readouterr().err == ""
