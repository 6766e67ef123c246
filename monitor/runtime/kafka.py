"""Kafka as a source of events, behind kafka-python.

Delivery: every record once for each `start`, in offset order within its partition, from positions that the caller
keeps; offsets committed to Kafka are for lag tools alone. Back pressure: the reading thread stops when its buffer is
full; memory is bounded by twice that and one fetch (`fetch_max_bytes`). Outages: reading resumes where it stopped,
for ever; `trouble` says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from monitor.events.decoder import Decoder, RawRecords
from monitor.runtime.kafka_client import check_settings
from monitor.runtime.kafka_log import limit_kafka_log
from monitor.runtime.kafka_reader import POLL_MS, Begun, Buffer, Confirmed, Fetched, OnGap, Reader, StartAt
from monitor.runtime.source import Gap, Polled
from monitor.runtime.watchdog import Watchdog, limit_s
from monitor.windows.window import Place

# Fields of kafka.consumer.fetcher.ConsumerRecord: by position, a column of them is made without a Python loop.
_OFFSET, _TIMESTAMP, _TIMESTAMP_TYPE, _KEY, _VALUE, _HEADERS = 3, 4, 5, 6, 7, 8

Run = tuple[int, Sequence[Any]]
"""A partition and ConsumerRecords of it, in offset order."""


class KafkaSource:
    """A `monitor.runtime.source.Source`. All methods but `lag`, `trouble` and `returned_ms` are for one thread.

    client: settings of kafka-python's consumer: `bootstrap_servers`, security, `group_id` (only to commit to).
    topics: the decoder of each. on_gap: where to go on when the broker no longer holds the next offset; "stop" reads
    nothing until that is settled. start_at: where to begin in a topic of which no position is stored; a partition that
    joins a topic later is read from its beginning. max_records, max_bytes: what may wait, undecoded, in memory.
    """

    def __init__(
        self,
        client: Mapping[str, object],
        topics: Mapping[str, Decoder],
        *,
        on_gap: OnGap = "earliest",
        start_at: StartAt = "earliest",
        max_records: int = 50_000,
        max_bytes: int = 64 << 20,
        watchdog: Watchdog | None = None,
    ) -> None:
        check_settings(client)
        limit_kafka_log()
        self._topics = dict(topics)
        self._buffer = Buffer(max_records, max_bytes)
        watchdog = watchdog or Watchdog(limit_s(POLL_MS))
        self._reader = Reader(client, frozenset(topics), on_gap, start_at, self._buffer, watchdog)
        self._next: dict[Place, int] = {}
        self._topic_ids: Mapping[Place, str] = {}
        self._caught_up: Mapping[Place, int] = {}

    def start(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        """Begin (again) at these offsets; whatever was read and not yet polled is discarded."""
        self._next, self._topic_ids = dict(positions), {}
        self._caught_up = {}
        self._reader.begin(positions, topic_ids)

    def poll(self, timeout_ms: int) -> Polled:
        runs: dict[str, list[Run]] = {}
        moved: dict[Place, int] = {}
        gaps: list[Gap] = []
        for item in self._buffer.drain(timeout_ms / 1000):
            if isinstance(item, Fetched):
                for part, records in item.records.items():
                    runs.setdefault(part.topic, []).append((part.partition, records))
                    moved[part.topic, part.partition] = records[-1].offset + 1
            elif isinstance(item, Confirmed):
                self._caught_up = item.caught_up
            elif isinstance(item, Begun):
                self._topic_ids = item.topic_ids
                moved.update(item.positions)
                gaps.extend(item.gaps)
        self._next.update(moved)
        raw = [raw_records(topic, of_topic) for topic, of_topic in runs.items()]
        decoded = tuple((self._topics[records.topic].decode(records), records) for records in raw)
        topic_ids = {place: self._topic_ids[place] for place in moved.keys() & self._topic_ids.keys()}
        return Polled(decoded, moved, topic_ids, self._caught_up, tuple(gaps))

    def hold(self, places: Collection[Place]) -> None:
        """Pause these partitions, and no others."""
        self._reader.hold(places)

    def places(self) -> frozenset[Place]:
        return self._reader.places

    def lag(self) -> dict[Place, int]:
        """Records between what was polled and the end as it is now; a place whose end is not known is absent."""
        return {place: max(0, end - self._next.get(place, end)) for place, end in self._reader.ends.items()}

    def trouble(self) -> str | None:
        return self._reader.trouble()

    @property
    def returned_ms(self) -> int | None:
        """Wall clock, in ms, at which the client's poll last returned; None before the first."""
        return self._reader.returned_ms

    def committed(self, positions: Mapping[Place, int]) -> None:
        """The store holds everything before these offsets: tell the consumer group, if one is configured.

        Advisory: never waits, never raises, and may be lost.
        """
        self._reader.commit(positions)

    def close(self) -> None:
        """Stop reading; waits a bounded time for the client to close."""
        self._reader.close()


def raw_records(topic: str, runs: Sequence[Run]) -> RawRecords:
    """The columns of one topic's ConsumerRecords."""
    records = list(chain.from_iterable(batch for _, batch in runs))
    count = len(records)
    return RawRecords(
        topic,
        values=list(map(itemgetter(_VALUE), records)),
        partition=np.repeat(np.array([part for part, _ in runs], dtype=np.int32), [len(batch) for _, batch in runs]),
        offset=np.fromiter(map(itemgetter(_OFFSET), records), np.int64, count),
        timestamp_ms=_timestamps(records, count),
        appended=np.fromiter(map(itemgetter(_TIMESTAMP_TYPE), records), np.bool_, count),
        keys=_Field(records, _KEY),
        headers=_Field(records, _HEADERS),
    )


def _timestamps(records: Sequence[Any], count: int) -> NDArray[np.int64]:
    get: Callable[[Any], int | None] = itemgetter(_TIMESTAMP)
    try:
        return np.fromiter(map(get, records), np.int64, count)
    except TypeError:  # The oldest message format has no timestamp.
        return np.array([-1 if (time_ms := get(record)) is None else time_ms for record in records], dtype=np.int64)


class _Field(Sequence[Any]):
    """One field of every record, looked up when it is asked for: few ever are."""

    def __init__(self, records: Sequence[Any], field: int) -> None:
        self._records, self._field = records, field

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [record[self._field] for record in self._records[index]]
        return self._records[index][self._field]
