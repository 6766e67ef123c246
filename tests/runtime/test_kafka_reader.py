from __future__ import annotations

import threading

from kafka import TopicPartition

from monitor.runtime.kafka_reader import Begun, Buffer, Confirmed, Fetched


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
    items = [Begun({}, ()), fetched(1), Confirmed({}, {}), fetched(2)]
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
    assert buffer.put(generation, Confirmed({}, {}))


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
        buffer.put(generation, Confirmed({}, {("t", 0): ms}))
    assert buffer.drain(0) == [Confirmed({}, {("t", 0): 999})]


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
