from __future__ import annotations

import gc
import itertools
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from monitor.events.decoder import Decoded, RawRecords
from monitor.runtime import kafka_reader
from monitor.runtime.kafka import KafkaSource, raw_records
from monitor.runtime.kafka_reader import Confirmed, Fetched
from monitor.runtime.source import Gap, Polled
from monitor.windows.window import Place
from tests.brokers import Broker, Embedded, Produce, RealBroker, Topics
from tests.proxies import Proxy

# kafka-python leaves the sockets of refused connections to the garbage collector, which `started` therefore runs.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WAIT_S = 60.0
Sources = Callable[..., "Reading"]


class Count:
    """A decoder that only counts."""

    def decode(self, records: RawRecords) -> Decoded:
        return Decoded(len(records), (), (), (), (), 0)


@dataclass
class Reading:
    """A source, and everything that it has delivered so far."""

    source: KafkaSource
    records: dict[Place, list[tuple[int, bytes | None]]] = field(default_factory=lambda: defaultdict(list))
    next_offset: dict[Place, int] = field(default_factory=dict)
    topic_ids: dict[Place, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    last: Polled = field(default_factory=Polled)

    def poll(self) -> Polled:
        self.last = self.source.poll(100)
        for decoded, raw in self.last.decoded:
            assert raw is not None
            assert decoded.read == len(raw)
            for partition, offset, value in zip(raw.partition.tolist(), raw.offset.tolist(), raw.values, strict=True):
                self.records[raw.topic, partition].append((offset, value))
        self.next_offset |= self.last.next_offset
        self.topic_ids |= self.last.topic_ids
        self.gaps += self.last.gaps
        return self.last

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, self.source.trouble()
            self.poll()

    def values(self, topic: str, partition: int = 0) -> list[bytes | None]:
        return [value for _, value in self.records[topic, partition]]

    def count(self) -> int:
        return sum(map(len, self.records.values()))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_reader, "_CONFIRM_S", 0.2)
    monkeypatch.setattr(kafka_reader, "_COMMIT_S", 0.2)


@pytest.fixture
def reading(broker: Broker) -> Iterator[Sources]:
    """Starts a source on topics: `reading("t", positions={("t", 0): 5}, on_gap="latest")`."""
    with started(broker.client) as start:
        yield start


@contextmanager
def started(client: dict[str, object]) -> Iterator[Sources]:
    sources: list[KafkaSource] = []

    def start(
        *topics: str,
        positions: dict[Place, int] | None = None,
        topic_ids: dict[Place, str] | None = None,
        **options: object,
    ) -> Reading:
        source = KafkaSource(client | options.pop("client", {}), {topic: Count() for topic in topics}, **options)
        sources.append(source)
        source.start(positions or {}, topic_ids or {})
        return Reading(source)

    yield start
    for source in sources:
        source.close()
    sources.clear()
    gc.collect()


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, stop)]


def real(broker: Broker) -> RealBroker:
    if not isinstance(broker, RealBroker):
        pytest.skip("the embedded broker cannot do this")
    return broker


def test_every_partition_is_read_in_order_from_its_stored_position(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=3)
    for partition in range(3):
        produce(name, numbered(0, 1000), partition)
    stored = {(name, 0): 0, (name, 1): 400, (name, 2): 1000}
    read = reading(name, positions=stored)
    read.until(lambda: read.count() == 1600 and len(read.last.caught_up) == 3)
    for partition in range(3):
        offsets = range(stored[name, partition], 1000)
        assert read.records[name, partition] == [(offset, b"%d" % offset) for offset in offsets]
    assert read.next_offset == {(name, 0): 1000, (name, 1): 1000}
    assert read.source.places() == set(stored)
    assert not read.gaps


def test_a_topic_without_stored_positions_is_read_from_its_beginning_or_its_end(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    whole, new = reading(name), reading(name, start_at="latest")
    new.until(lambda: new.next_offset)
    assert new.next_offset == {(name, 0): 10}, "where it began is reported, so that a restart begins there too"
    produce(name, numbered(10, 20))
    new.until(lambda: new.count() == 10)
    whole.until(lambda: whole.count() == 20)
    assert new.values(name) == numbered(10, 20)
    assert whole.values(name) == numbered(0, 20)


def test_a_partition_that_joins_later_is_read_whole(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    read = reading(name, start_at="latest", client={"metadata_max_age_ms": 200})
    read.until(lambda: read.last.caught_up)
    real(broker).add_partitions(name, 2)
    produce(name, numbered(0, 10), 1)
    read.until(lambda: read.count() == 10)
    assert read.values(name, 1) == numbered(0, 10)
    assert read.source.places() == {(name, 0), (name, 1)}


def test_a_restart_at_the_next_offsets_loses_and_repeats_nothing(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    for partition in range(2):
        produce(name, numbered(0, 5000), partition)
    first = reading(name, max_records=1000)
    first.until(lambda: first.count() > 2000)
    first.source.close()
    second = reading(name, positions=first.next_offset)
    second.until(lambda: first.count() + second.count() >= 10_000 and len(second.last.caught_up) == 2)
    for partition in range(2):
        assert first.values(name, partition) + second.values(name, partition) == numbered(0, 5000)


def test_starting_again_forgets_what_was_buffered(topic: Topics, produce: Produce, reading: Sources) -> None:
    name = topic()
    produce(name, numbered(0, 5000))
    read = reading(name, max_records=500)
    for position in (3000, 100, 4990):
        read.until(lambda: read.count() > 0)
        read.records.clear()
        read.source.start({(name, 0): position}, {})
    read.until(lambda: read.count() >= 10)
    assert read.values(name) == numbered(4990, 5000)


def test_a_broker_that_is_killed_and_comes_back_costs_no_record_and_repeats_none(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    for partition in range(2):
        produce(name, numbered(0, 3000), partition)
    read = reading(name, max_records=1000)
    read.until(lambda: read.count() >= 1000)
    try:
        broker.kill()
        read.until(lambda: read.source.trouble() and not read.last.caught_up)
        assert broker.bootstrap_servers in (read.source.trouble() or "")
    finally:
        broker.restart()
    for partition in range(2):
        produce(name, numbered(3000, 6000), partition)
    read.until(lambda: read.count() >= 12_000 and len(read.last.caught_up) == 2 and not read.source.trouble())
    for partition in range(2):
        assert read.values(name, partition) == numbered(0, 6000)
    assert not read.gaps


def test_a_network_that_is_cut_is_no_silence_of_the_topic_and_costs_no_record(
    broker: Broker, topic: Topics, produce: Produce
) -> None:
    """Nothing is refused and nothing arrives, which looks like a topic without traffic."""
    name = topic(partitions=2)
    for partition in range(2):
        produce(name, numbered(0, 3000), partition)
    with Proxy() as proxy, started(broker.client | {"proxy_url": proxy.url, "bootstrap_timeout_ms": 2_000}) as start:
        read = start(name, max_records=1000)
        read.until(lambda: len(read.last.caught_up) == 2)
        proxy.cut()
        cut_ms = time.time_ns() // 1_000_000
        for partition in range(2):  # By the producers' side of the network.
            produce(name, numbered(3000, 6000), partition)
        while not read.source.trouble():
            read.poll()
            assert all(whole_ms <= cut_ms for whole_ms in read.last.caught_up.values())
        assert broker.bootstrap_servers in (read.source.trouble() or "")
        read.until(lambda: not read.last.caught_up)
        assert read.count() == 6000
        proxy.heal()
        read.until(lambda: read.count() >= 12_000 and len(read.last.caught_up) == 2)
        for partition in range(2):
            assert read.values(name, partition) == numbered(0, 6000)
        assert read.source.trouble() is None
        assert not read.gaps


def test_partitions_that_get_another_leader_are_read_on_without_gap_or_repetition() -> None:
    with Embedded(brokers=3) as cluster, started(cluster.client) as start:
        cluster.create_topic("t", 2)
        for partition in range(2):
            cluster.set_leader("t", partition, 1)
            send(cluster, "t", partition, numbered(0, 2000))
        read = start("t", max_records=500)
        read.until(lambda: read.count() >= 1000)
        for partition, leader in enumerate((2, 3)):
            cluster.set_leader("t", partition, leader)
        cluster.set_down(1)
        for partition in range(2):
            send(cluster, "t", partition, numbered(2000, 4000))
        read.until(lambda: read.count() >= 8000 and len(read.last.caught_up) == 2)
        for partition in range(2):
            assert read.values("t", partition) == numbered(0, 4000)
        assert not read.gaps


def send(broker: Broker, topic: str, partition: int, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def test_a_broker_that_is_away_at_the_start_is_waited_for() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with started({"bootstrap_servers": f"127.0.0.1:{port}", "bootstrap_timeout_ms": 300}) as start:
        read = start("t", positions={("t", 0): 7})
        read.until(lambda: "does not answer" in (read.source.trouble() or ""))
        assert read.source.places() == {("t", 0)}
        assert read.poll() == Polled()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kafka")]


def test_a_missing_topic_is_named_never_created_and_read_once_it_exists(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    there = topic()
    produce(there, numbered(0, 5))
    read = reading(there, "not-yet", start_at="latest")
    read.until(lambda: "not-yet" in (read.source.trouble() or ""))
    assert read.source.trouble() == (
        f'topic "not-yet" does not exist on {broker.bootstrap_servers}; create it or correct kafka.topics'
    )
    read.until(lambda: (there, 0) in read.last.caught_up)
    assert read.source.places() == {(there, 0)}
    broker.create_topic("not-yet", 2)  # Fails where reading has created it.
    produce("not-yet", numbered(0, 5), 1)
    read.until(lambda: read.count() == 5)
    assert read.values("not-yet", 1) == numbered(0, 5), "all of it is new, so none of it is skipped"
    read.until(lambda: read.source.trouble() is None)


@pytest.mark.parametrize(("on_gap", "found"), [("earliest", 6), ("latest", 10)])
def test_lost_records_are_a_gap_that_the_policy_decides(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources, on_gap: str, found: int
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    broker.delete_records(name, 0, 6)
    read = reading(name, positions={(name, 0): 2}, on_gap=on_gap)
    read.until(lambda: read.last.caught_up)
    assert read.gaps == [Gap(name, 0, expected=2, found=found)]
    assert read.values(name) == numbered(found, 10)
    assert read.next_offset == {(name, 0): 10}
    assert read.source.trouble() is None


def test_a_gap_that_opens_while_reading_is_found_too(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    produce(name, numbered(0, 5000))
    read = reading(name, max_records=100)
    read.until(lambda: read.count() > 0)
    produce(name, itertools.repeat(b"x" * 1000, 30_000))  # More than one fetch holds.
    broker.delete_records(name, 0, 34_990)
    read.until(lambda: read.last.caught_up and read.gaps)
    [gap] = read.gaps
    assert gap.expected < gap.found
    assert gap.found == 34_990
    offsets = [offset for offset, _ in read.records[name, 0]]
    assert offsets == [*range(gap.expected), *range(gap.found, 35_000)]


def test_lost_records_stop_reading_where_the_policy_says_so(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    broker.delete_records(name, 0, 6)
    read = reading(name, positions={(name, 0): 2}, on_gap="stop")
    read.until(lambda: "offset 2" in (read.source.trouble() or ""))
    assert name in (read.source.trouble() or "")
    read.poll()
    assert not read.count()
    assert not read.gaps
    assert not read.last.caught_up


def test_a_topic_that_was_deleted_and_created_again_is_a_gap(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    read = reading(name, client={"metadata_max_age_ms": 200})
    read.until(lambda: read.last.caught_up)
    real(broker).delete_topic(name)
    read.until(lambda: "does not exist" in (read.source.trouble() or ""))
    assert read.source.places() == {(name, 0)}
    broker.create_topic(name, 1)
    produce(name, numbered(100, 120))
    read.until(lambda: read.count() >= 30)
    assert read.gaps == [Gap(name, 0, expected=10, found=0)]
    assert read.values(name) == numbered(0, 10) + numbered(100, 120)


@pytest.mark.parametrize(("on_gap", "found"), [("earliest", 0), ("latest", 25)])
def test_a_topic_that_was_deleted_and_created_again_between_two_runs_is_a_gap(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources, on_gap: str, found: int
) -> None:
    """Its offsets fit, so that nothing but its id tells it from the old one."""
    real(broker)
    name = topic(partitions=2)
    for partition in range(2):
        produce(name, numbered(0, 10), partition)
    first = reading(name)
    first.until(lambda: len(first.last.caught_up) == 2)
    first.source.close()
    assert set(first.topic_ids) == {(name, 0), (name, 1)}
    recreate(broker, name, partitions=1)
    produce(name, numbered(100, 125))
    second = reading(name, positions=first.next_offset, topic_ids=first.topic_ids, on_gap=on_gap)
    second.until(lambda: second.last.caught_up)
    assert second.gaps == [Gap(name, 0, expected=10, found=found)]
    assert second.values(name) == numbered(100 + found, 125)
    assert second.topic_ids[name, 0] != first.topic_ids[name, 0]
    second.source.close()
    # The second partition had not been there: its position is still of the first topic.
    real(broker).add_partitions(name, 2)
    produce(name, numbered(200, 225), 1)
    third = reading(
        name,
        positions=first.next_offset | second.next_offset,
        topic_ids=first.topic_ids | second.topic_ids,
        on_gap=on_gap,
    )
    third.until(lambda: len(third.last.caught_up) == 2)
    assert third.gaps == [Gap(name, 1, expected=10, found=found)]
    assert third.values(name, 1) == numbered(200 + found, 225)
    assert not third.values(name, 0)


def test_a_topic_that_was_created_again_stops_reading_where_the_policy_says_so(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    first = reading(name)
    first.until(lambda: first.count() == 10)
    first.source.close()
    recreate(broker, name)
    produce(name, numbered(0, 10))
    second = reading(name, positions=first.next_offset, topic_ids=first.topic_ids, on_gap="stop")
    second.until(lambda: "created again" in (second.source.trouble() or ""))
    assert not second.count()
    assert not second.last.caught_up


def recreate(broker: Broker, name: str, partitions: int = 1) -> None:
    real(broker).delete_topic(name)
    broker.create_topic(name, partitions)


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "zstd", "snappy"])
def test_compressed_topics_are_read(topic: Topics, produce: Produce, reading: Sources, compression: str) -> None:
    name = topic()
    produce(name, numbered(0, 3000), compression=compression)
    read = reading(name, positions={(name, 0): 1234})  # In the middle of a batch.
    read.until(lambda: read.count() >= 1766)
    assert read.values(name) == numbered(1234, 3000)


def test_caught_up_is_said_only_after_everything_was_delivered_and_the_broker_confirmed_it(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    produce(name, numbered(0, 5000))
    before_ms = time.time_ns() // 1_000_000
    read = reading(name, max_records=700)
    while (name, 0) not in read.poll().caught_up:
        assert read.count() <= 5000
    assert read.count() == 5000
    assert before_ms <= read.last.caught_up[name, 0] <= time.time_ns() // 1_000_000
    read.until(lambda: len(read.last.caught_up) == 2)
    assert read.source.lag() == {(name, 0): 0, (name, 1): 0}
    earlier = dict(read.last.caught_up)
    produce(name, numbered(5000, 5001))
    read.until(lambda: read.count() == 5001)
    assert read.last.caught_up[name, 0] >= earlier[name, 0], "a later record changes nothing about an earlier time"
    read.until(lambda: read.last.caught_up[name, 1] > earlier[name, 1])  # An empty partition is confirmed again.


@pytest.mark.parametrize("transactional", [False, True])
def test_a_partition_that_is_never_quiet_is_caught_up_as_of_an_earlier_time(
    broker: Broker, topic: Topics, reading: Sources, transactional: bool
) -> None:
    """Each time the source is looked at more is on its way, and what has arrived by then was read."""
    name = topic()
    settings: dict[str, object] = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "linger.ms": 0}
    if transactional:
        real(broker)
    producer = Producer(settings | ({"transactional.id": name} if transactional else {}))
    if transactional:
        producer.init_transactions(30)
        producer.begin_transaction()
    read = reading(name)
    arrived: list[int] = []  # Wall clock in ms at which the broker had each record at the latest, by its number.
    confirmed: list[int] = []

    def send(count: int) -> None:
        for _ in range(count):
            producer.produce(name, b"v", partition=0)
        assert producer.flush(30) == 0
        arrived.extend([time.time_ns() // 1_000_000] * count)

    deadline = time.monotonic() + WAIT_S
    while len(confirmed) < 4:
        assert time.monotonic() < deadline
        send(50)
        if transactional:
            producer.commit_transaction(30)
            producer.begin_transaction()
            send(1)  # The next transaction is under way before the last one can have been read.
        read.poll()
        whole_ms = read.last.caught_up.get((name, 0))
        if whole_ms is not None:
            assert read.count() >= sum(at_ms < whole_ms for at_ms in arrived)
            assert whole_ms >= max(confirmed, default=0)
            confirmed += [whole_ms] * (whole_ms not in confirmed)
    if transactional:
        producer.abort_transaction(30)


def test_a_partition_that_is_held_stands_still_and_goes_on_where_it_stood(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    held, other = (name, 0), (name, 1)
    for partition in range(2):
        produce(name, numbered(0, 100), partition)
    read = reading(name)
    read.until(lambda: len(read.last.caught_up) == 2)
    read.source.hold({held, ("elsewhere", 0)})
    for _ in range(2):  # A poll that was under way may still bring something.
        returned_ms = read.source.returned_ms
        read.until(lambda seen=returned_ms: read.source.returned_ms != seen)
    for partition in range(2):
        produce(name, numbered(100, 5_000), partition)
    produced_ms = time.time_ns() // 1_000_000
    read.until(lambda: read.last.caught_up.get(other, 0) > produced_ms)
    assert read.values(*other) == numbered(0, 5_000)
    assert read.values(*held) == numbered(0, 100)
    assert read.last.caught_up.get(held, 0) <= produced_ms, "it was not read to its end"
    assert read.source.lag() == {held: 4_900, other: 0}
    read.source.hold({other})
    read.until(lambda: read.last.caught_up.get(held, 0) > produced_ms)
    assert read.values(*held) == numbered(0, 5_000)
    read.source.start({held: 4_990, other: 4_990}, {})
    read.until(lambda: read.values(*other) == numbered(0, 5_000) + numbered(4_990, 5_000))  # A start lets go of all.


def test_lag_is_what_is_left_behind_a_slow_loop(topic: Topics, produce: Produce, reading: Sources) -> None:
    name = topic()
    produce(name, numbered(0, 3000))
    read = reading(name, max_records=100)
    read.until(lambda: read.source.lag())
    read.until(lambda: read.source.lag() == {(name, 0): 0})
    assert read.count() == 3000


def test_lag_grows_while_the_loop_stands_still(topic: Topics, produce: Produce, reading: Sources) -> None:
    """What is behind a full buffer is seen, though nobody polls."""
    name = topic()
    produce(name, numbered(0, 10))
    read = reading(name, max_records=100)
    read.until(lambda: read.count() == 10 and read.source.lag() == {(name, 0): 0})
    behind = 0
    for more in (2_990, 2_000):
        produce(name, numbered(0, more))
        behind += more
        deadline = time.monotonic() + WAIT_S
        while read.source.lag() != {(name, 0): behind}:
            assert time.monotonic() < deadline, read.source.lag()
    read.until(lambda: read.source.lag() == {(name, 0): 0})
    assert read.count() == 10 + behind


def test_what_was_confirmed_holds_while_further_records_arrive_and_until_it_is_withdrawn() -> None:
    source = KafkaSource({}, {"t": Count()})
    place: Place = ("t", 0)
    buffer = source._buffer

    def fetched(*offsets: int) -> Fetched:
        records = [ConsumerRecord("t", 0, -1, each, 0, 0, None, b"v", [], None, -1, 1, -1) for each in offsets]
        return Fetched({TopicPartition("t", 0): records})

    assert buffer.put(0, fetched(0, 1), 2, 2)
    assert buffer.put(0, Confirmed({place: 1_000}))
    assert source.poll(0).caught_up == {place: 1_000}
    assert buffer.put(0, fetched(2, 3), 2, 2)
    polled = source.poll(0)
    assert polled.next_offset == {place: 4}
    assert polled.caught_up == {place: 1_000}
    assert buffer.put(0, Confirmed({}))
    assert source.poll(0).caught_up == {}


def test_an_open_transaction_keeps_its_partition_from_being_caught_up(
    broker: Broker, topic: Topics, reading: Sources
) -> None:
    real(broker)
    name = topic()
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": name, "linger.ms": 0, "log_level": 0}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"aborted", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)
    producer.begin_transaction()
    producer.produce(name, b"committed", partition=0)
    producer.flush(30)
    other = topic()
    read = reading(name, other)
    for _ in range(2):  # Two confirmations say nothing of it.
        seen = read.last.caught_up.get((other, 0), 0)
        read.until(lambda seen=seen: read.last.caught_up.get((other, 0), 0) > seen)
        assert (name, 0) not in read.last.caught_up
    producer.commit_transaction(30)
    read.until(lambda: (name, 0) in read.last.caught_up)
    assert read.values(name) == [b"committed"]
    assert read.source.lag()[name, 0] == 0


def test_a_tombstone_is_a_record_without_value(topic: Topics, produce: Produce, reading: Sources) -> None:
    name = topic()
    produce(name, [b"a", None, b""], key=b"k", headers=[("h", b"v")], timestamp_ms=1_764_000_000_000)
    read = reading(name)
    read.until(lambda: read.last.decoded)
    [(_, raw)] = read.last.decoded
    assert raw is not None
    assert list(raw.values) == [b"a", None, b""]
    assert list(raw.keys) == [b"k"] * 3
    assert list(raw.headers) == [[("h", b"v")]] * 3
    assert raw.timestamp_ms.tolist() == [1_764_000_000_000] * 3
    assert raw.appended.tolist() == [False] * 3


def test_the_append_time_of_the_broker_is_told_from_the_producers(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    real(broker)
    name = topic(message_timestamp_type="LogAppendTime")
    before_ms = time.time_ns() // 1_000_000
    produce(name, [b"a"], timestamp_ms=1)
    read = reading(name)
    read.until(lambda: read.last.decoded)
    [(_, raw)] = read.last.decoded
    assert raw is not None
    assert raw.appended.tolist() == [True]
    assert raw.timestamp_ms[0] >= before_ms - 1000


def test_a_slow_loop_stops_the_reading_thread_and_loses_nothing(
    topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, itertools.repeat(b"x" * 1000, 4000))
    read = reading(name, max_records=500)
    returned_ms = None
    while returned_ms is None or read.source.returned_ms != returned_ms:  # Until the client is polled no more.
        returned_ms = read.source.returned_ms
        time.sleep(0.5)
    while read.count() < 4000:
        before = read.count()
        read.poll()
        assert read.count() - before <= 500
    assert [offset for offset, _ in read.records[name, 0]] == list(range(4000))


def test_offsets_are_committed_to_the_group_for_lag_tools(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    read = reading(name, client={"group_id": f"group-{name}"})
    read.until(lambda: read.count() == 10)
    read.source.committed(read.next_offset)
    consumer = KafkaConsumer(**broker.client, group_id=f"group-{name}", enable_auto_commit=False)
    try:
        read.until(lambda: consumer.committed(TopicPartition(name, 0), timeout_ms=1000) == 10)
    finally:
        consumer.close()


def test_a_damaged_batch_is_named_waited_for_and_costs_nothing_once_it_is_repaired(
    broker: Broker, topic: Topics, produce: Produce, reading: Sources
) -> None:
    name = topic(partitions=2)
    for start in (0, 10, 20):  # Three batches.
        produce(name, numbered(start, start + 10))
    segment = real(broker).segment(name, 0)
    place = segment.read_bytes().index(b"15")
    overwrite(segment, place, b"!!")
    threads = threading.active_count()
    read = reading(name)
    read.until(lambda: read.source._reader._failures >= 4)  # Each attempt has a client of its own.
    said = re.search(rf'topic "{name}" partition 0 at offset (\d+)', read.source.trouble() or "")
    assert said is not None
    assert 10 <= int(said[1]) <= 15, "the first offset of the batch that is damaged"
    assert read.values(name) == numbered(0, int(said[1]))
    assert (name, 0) not in read.last.caught_up
    assert threading.active_count() <= threads + 5
    overwrite(segment, place, b"15")
    read.until(lambda: read.count() == 30)
    assert read.values(name) == numbered(0, 30)
    read.until(lambda: read.source.trouble() is None)


def overwrite(file: Path, place: int, value: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(place)
        stream.write(value)


def test_a_damaged_batch_can_be_stepped_over(broker: Broker, topic: Topics, produce: Produce, reading: Sources) -> None:
    name = topic()
    for start in (0, 10, 20):
        produce(name, numbered(start, start + 10))
    segment = real(broker).segment(name, 0)
    overwrite(segment, segment.read_bytes().index(b"15"), b"!!")
    read = reading(name, positions={(name, 0): 10})
    read.until(lambda: read.source.trouble())
    read.source.start({(name, 0): 20}, {})
    read.until(lambda: read.count() == 10 and read.source.trouble() is None)
    assert read.values(name) == numbered(20, 30)


def test_records_of_the_oldest_format_have_no_timestamp() -> None:
    def record(offset: int, timestamp: int | None, kind: int | None) -> ConsumerRecord:
        return ConsumerRecord("t", 3, -1, offset, timestamp, kind, b"k", b"v", [("h", b"x")], None, 1, 1, 2)

    raw = raw_records("t", [(3, [record(5, None, None), record(7, 9, 1)]), (1, [record(0, 4, 0)])])
    assert raw.timestamp_ms.tolist() == [-1, 9, 4]
    assert raw.appended.tolist() == [False, True, False]
    assert raw.partition.tolist() == [3, 3, 1]
    assert raw.offset.tolist() == [5, 7, 0]
    assert raw.keys[1:] == [b"k", b"k"]
    assert raw.headers[-1] == [("h", b"x")]
