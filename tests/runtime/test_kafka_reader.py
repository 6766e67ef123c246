from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from monitor.runtime import kafka_reader
from monitor.runtime.kafka_client import Records, Topic
from monitor.runtime.kafka_reader import Begun, Buffer, Confirmed, Fetched, Reader
from monitor.runtime.watchdog import Watchdog
from monitor.windows.window import Place


def fetched(offset: int = 0) -> Fetched:
    return Fetched({TopicPartition("t", offset): []})


def waiting(put: threading.Thread) -> bool:
    put.join(0.1)
    return put.is_alive()


def putting(buffer: Buffer, generation: int, records: int, size: int) -> tuple[threading.Thread, list[bool]]:
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(buffer.put(generation, fetched(), records, size)))
    thread.start()
    return thread, said


def test_items_come_out_in_the_order_they_went_in() -> None:
    buffer = Buffer(100, 100)
    generation = buffer.renew()
    items = [Begun({}, (), {}), fetched(1), Confirmed({}), fetched(2)]
    assert all(buffer.put(generation, item, 1, 1) for item in items)
    assert buffer.drain(0) == items
    assert buffer.drain(0) == []


def test_a_put_waits_while_records_or_bytes_would_be_too_many() -> None:
    for records, size in ((6, 1), (1, 60)):
        buffer = Buffer(10, 100)
        generation = buffer.renew()
        assert buffer.put(generation, fetched(), 5, 50)
        thread, said = putting(buffer, generation, records, size)
        assert waiting(thread)
        assert len(buffer.drain(0)) == 1
        thread.join()
        assert said == [True]


def test_an_item_larger_than_the_buffer_goes_alone() -> None:
    buffer = Buffer(10, 100)
    generation = buffer.renew()
    assert buffer.put(generation, fetched(), 1000, 1000)
    thread, _ = putting(buffer, generation, 1, 1)
    assert waiting(thread)
    buffer.drain(0)
    thread.join()
    assert len(buffer.drain(0)) == 1


def test_what_is_no_record_never_waits() -> None:
    buffer = Buffer(1, 1)
    generation = buffer.renew()
    assert buffer.put(generation, fetched(), 5, 5)
    assert buffer.put(generation, Confirmed({}))


def test_a_new_generation_empties_the_buffer_and_turns_the_old_one_away() -> None:
    buffer = Buffer(10, 100)
    old = buffer.renew()
    assert buffer.put(old, fetched(), 10, 1)
    thread, said = putting(buffer, old, 1, 1)
    assert waiting(thread)
    new = buffer.renew()
    thread.join()
    assert said == [False]
    assert buffer.drain(0) == []
    assert not buffer.put(old, fetched(), 1, 1)
    assert buffer.put(new, fetched(), 10, 100)


def test_only_the_newest_of_consecutive_confirmations_is_kept() -> None:
    buffer = Buffer(10, 100)
    generation = buffer.renew()
    for ms in range(1000):
        buffer.put(generation, Confirmed({("t", 0): ms}))
    assert buffer.drain(0) == [Confirmed({("t", 0): 999})]


def test_a_drain_waits_for_the_first_item() -> None:
    buffer = Buffer(10, 100)
    generation = buffer.renew()
    drained: list[object] = []
    thread = threading.Thread(target=lambda: drained.extend(buffer.drain(30)))
    thread.start()
    assert waiting(thread)
    buffer.put(generation, fetched(7), 1, 1)
    thread.join(30)
    assert drained == [fetched(7)]


class Stumbling:
    """A client of one partition that confirms, and then cannot unpack what comes, until it is `repaired`."""

    reader: Reader
    repaired = threading.Event()
    troubles: list[str | None]

    def __init__(self, settings: Mapping[str, object], topics: Iterable[str]) -> None:
        self.failing: frozenset[Place] = frozenset()
        self._polls = 0

    def await_metadata(self) -> None: ...

    def close(self) -> None: ...

    def topics(self) -> dict[str, Topic]:
        return {"t": Topic(None, frozenset({0}))}

    def forbidden(self) -> frozenset[str]:
        return frozenset()

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        return dict.fromkeys(places, (0, 9))

    def assign(self, positions: Mapping[Place, int]) -> None:
        self._position = positions["t", 0]

    def hold(self, places: Collection[Place]) -> None: ...

    def poll(self, timeout_ms: int, max_records: int) -> Records:
        self._polls += 1
        if self._polls % 2 or self._position == 9:
            return {}
        if not self.repaired.is_set():
            self.troubles.append(self.reader.trouble())
            self.failing = frozenset({("t", 0)})
            raise ValueError("not a batch")
        self._position = 9
        return {TopicPartition("t", 0): [ConsumerRecord("t", 0, -1, 8, 0, 0, None, b"v", [], None, -1, 1, -1)]}

    def ends(self) -> dict[Place, int]:
        return {("t", 0): 9}

    def positions(self) -> dict[Place, int]:
        return {("t", 0): self._position}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(kafka_reader, "Client", Stumbling)
    monkeypatch.setattr(kafka_reader, "_CONFIRM_S", 0.0)
    monkeypatch.setattr(kafka_reader, "_RETRY_MAX_S", 0.02)
    Stumbling.repaired.clear()
    Stumbling.troubles = []
    Stumbling.reader = Reader({}, frozenset({"t"}), "earliest", "earliest", Buffer(10, 10), Watchdog(60.0))
    yield Stumbling.reader
    Stumbling.reader.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_trouble_of_a_place_lasts_until_reading_has_passed_it(reader: Reader) -> None:
    reader.begin({("t", 0): 8}, {})
    until(lambda: len(Stumbling.troubles) >= 5)
    # Each time the broker had just confirmed its end offsets, which ends every other trouble.
    said = 'cannot read topic "t" partition 0 at offset 8: not a batch'
    assert Stumbling.troubles[:5] == [None, said, said, said, said]
    Stumbling.repaired.set()
    until(lambda: reader.trouble() is None)


class Growing(Stumbling):
    """A client of a topic that gets a second partition, and of which all was read; the second client hangs."""

    lives = confirmations = 0
    hung = threading.Event()

    def __init__(self, settings: Mapping[str, object], topics: Iterable[str]) -> None:
        super().__init__(settings, topics)
        Growing.lives += 1
        self._looks = 0

    def topics(self) -> dict[str, Topic]:
        self._looks += 1
        return {"t": Topic(None, frozenset(range(1 + (self.lives > 1 or self._looks > 2))))}

    def poll(self, timeout_ms: int, max_records: int) -> Records:
        if self.lives > 1:
            self.hung.wait(30)
        return {}

    def ends(self) -> dict[Place, int]:
        Growing.confirmations += self.lives == 1
        return super().ends()


def test_what_a_client_has_confirmed_is_withdrawn_when_it_is_replaced(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "Client", Growing)
    reader.begin({("t", 0): 9}, {})
    seen: list[Confirmed] = []

    def withdrawn() -> bool:
        seen.extend(item for item in reader._buffer.drain(0) if isinstance(item, Confirmed))
        return reader.places == {("t", 0), ("t", 1)}

    until(withdrawn)
    withdrawn()
    Growing.hung.set()
    assert Growing.confirmations == 1
    assert not seen[-1].caught_up, "what was asked of one client says nothing of what the next one will find"
