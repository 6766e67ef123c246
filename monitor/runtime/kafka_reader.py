"""The thread that reads Kafka, and the bounded buffer between it and the loop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from monitor.errors import UnavailableError
from monitor.runtime.clock import steady_clock_ms, wall_clock_ms
from monitor.runtime.kafka_client import Client, Commits, Records, Topic, pause_s
from monitor.runtime.kafka_ends import Ends
from monitor.runtime.kafka_log import last_failure
from monitor.runtime.source import Gap
from monitor.runtime.watchdog import Watchdog
from monitor.windows.window import Place

OnGap = Literal["earliest", "latest", "stop"]
StartAt = Literal["earliest", "latest"]

POLL_MS = 200
_POLL_RECORDS = 4_000
_CONFIRM_S = 1.0
_COMMIT_S = 5.0
_RETRY_S, _RETRY_MAX_S = 0.1, 5.0
_CLOSE_S = 15.0
_VALUE_BYTES = itemgetter(11)  # ConsumerRecord.serialized_value_size


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a client begins, for the places whose position was not simply taken, and the gaps that caused it.

    topic_ids: of the topic that the offsets of a place count in from here on.
    """

    positions: Mapping[Place, int]
    gaps: tuple[Gap, ...]
    topic_ids: Mapping[Place, str]


@dataclass(frozen=True, slots=True)
class Fetched:
    records: Records


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Up to when (steady clock, ms) each place is known to have been read whole: `Ends.note`."""

    caught_up: Mapping[Place, int]


Item = Begun | Fetched | Confirmed


class Buffer:
    """A queue from the reading thread to the loop, bounded by records and by bytes of their values.

    A put that has no room waits: this is the back pressure. Items belong to a generation; `renew` begins the next one,
    empties the queue and turns every put of an older one away.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.max_records, self._max_bytes = max_records, max_bytes
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._records = self._bytes = 0
        self.generation = 0

    def renew(self) -> int:
        with self._changed:
            self.generation += 1
            self._empty()
            self._changed.notify_all()
            return self.generation

    def put(self, generation: int, item: Item, records: int = 0, size: int = 0, timeout_s: float | None = None) -> bool:
        """Wait for room, then add; False where the generation is over, or none was made in time. An item larger than
        the bounds goes alone.
        """
        with self._changed:
            room = self._changed.wait_for(
                lambda: generation != self.generation or self._has_room(records, size), timeout_s
            )
            if not room or generation != self.generation:
                return False
            if isinstance(item, Confirmed) and self._items and isinstance(self._items[-1], Confirmed):
                self._items.pop()
            self._items.append(item)
            self._records += records
            self._bytes += size
            self._changed.notify_all()
            return True

    def drain(self, timeout_s: float) -> list[Item]:
        """Everything there is, oldest first; waits for the first item."""
        with self._changed:
            self._changed.wait_for(lambda: self._items, timeout_s)
            return self._empty()

    def _empty(self) -> list[Item]:
        items = list(self._items)
        self._items.clear()
        self._records = self._bytes = 0
        self._changed.notify_all()
        return items

    def _has_room(self, records: int, size: int) -> bool:
        fits = self._records + records <= self.max_records and self._bytes + size <= self._max_bytes
        return fits or not records or not self._records


class Reader:
    """Reads all partitions of the topics into a buffer, from the positions it is told, through any outage.

    Its thread opens a client, reads until something goes wrong, closes it and opens another where the last record that
    it handed on left off. Everything that goes wrong takes this one way.
    """

    def __init__(
        self,
        settings: Mapping[str, object],
        topics: frozenset[str],
        on_gap: OnGap,
        start_at: StartAt,
        buffer: Buffer,
        watchdog: Watchdog,
    ) -> None:
        self._settings, self._topics = settings, topics
        self._on_gap, self._start_at = on_gap, start_at
        self._buffer, self._watchdog = buffer, watchdog
        self._thread: threading.Thread | None = None
        self._closing = False
        self._wake = threading.Event()
        self._order: tuple[int, Mapping[Place, int], Mapping[Place, str]] = (0, {}, {})
        group = settings.get("group_id")
        self._commits = Commits(settings, str(group)) if group else None
        self._committed: Mapping[Place, int] = {}
        self._held: frozenset[Place] = frozenset()
        # Of the thread alone, but for what the properties below read:
        self._positions: dict[Place, int] = {}
        self._fresh: frozenset[str] = topics
        self._lost: set[Place] = set()
        self._topic_ids: dict[Place, str] = {}
        self._failed_at: tuple[frozenset[Place], dict[Place, int]] | None = None
        self._failures = 0
        self._failure: str | None = f"connecting to Kafka at {self._servers}"
        self._missing: str | None = None
        self._ends: tuple[int, Mapping[Place, int]] = (0, {})
        self.places: frozenset[Place] = frozenset()
        self.returned_ms: int | None = None

    def begin(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        """Read from here on; what was read and not yet drained is forgotten."""
        mine = {place: offset for place, offset in positions.items() if place[0] in self._topics}
        self.places = frozenset(mine)
        self._committed, self._held = {}, frozenset()
        self._order = (self._buffer.renew(), mine, topic_ids)
        self._wake.set()
        if self._thread is None:
            self._watchdog.start()
            self._thread = threading.Thread(target=self._run, name="kafka-reader", daemon=True)
            self._thread.start()

    def hold(self, places: Collection[Place]) -> None:
        """Read on everywhere but in these places, until told otherwise."""
        self._held = frozenset(places)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Have these offsets, and earlier ones of other places, committed to the group now and then."""
        self._committed = {**self._committed, **positions}

    def trouble(self) -> str | None:
        return self._failure or self._missing

    @property
    def ends(self) -> Mapping[Place, int]:
        """Where each place ends, as the broker said at most a second or two ago; empty where it does not say."""
        generation, ends = self._ends
        return ends if generation == self._buffer.generation else {}

    def close(self) -> None:
        self._closing = True
        self._buffer.renew()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        self._watchdog.stop()

    def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            generation, positions, topic_ids = self._order
            self._positions, self._topic_ids = dict(positions), dict(topic_ids)
            self._fresh = self._topics - {topic for topic, _ in positions}
            self._lost.clear()
            while generation == self._buffer.generation:
                self._session(generation)
        if self._commits is not None:
            self._commits.close()

    def _session(self, generation: int) -> None:
        """From opening a client to the first thing that goes wrong with it, or the end of the generation."""
        client = None
        try:
            client = Client(self._settings, self._topics)
            self._use(client, generation)
        except Exception as error:  # noqa: BLE001 - whatever it is, this client must not be used again.
            self._wake.wait(self._fail(error, client))
        finally:
            if client is not None:
                client.close()

    def _use(self, client: Client, generation: int) -> None:
        """Read by one client; what it has confirmed is withdrawn with it."""
        try:
            with self._watchdog:
                client.await_metadata()
            with self._watchdog:
                topics = self._open(client, generation)
            self._read(client, generation, topics)
        finally:
            self._ends = generation, {}
            self._buffer.put(generation, Confirmed({}))

    def _open(self, client: Client, generation: int) -> dict[str, Topic]:
        """Find the partitions, decide where to begin in those that need it, and go there; the topics that exist."""
        topics = client.topics()
        places = {(name, part) for name, topic in topics.items() for part in topic.partitions}
        ids = {place: topic_id for place in places if (topic_id := topics[place[0]].id) is not None}
        recreated = {place for place, topic_id in ids.items() if self._topic_ids.get(place, topic_id) != topic_id}
        positions, gaps = self._decide(client, places, recreated)
        self._positions |= positions
        self._topic_ids |= ids
        self._fresh = frozenset()
        self._lost.clear()
        # A place is kept though the broker names it no more: one that has just started may know few topics.
        self.places |= places
        self._missing = self._explain_missing(self.places - places, client.forbidden(), topics.keys())
        self._buffer.put(generation, Begun(positions, gaps, dict(self._topic_ids)))
        client.assign({place: self._positions[place] for place in places})
        return topics

    def _decide(
        self, client: Client, places: set[Place], recreated: set[Place]
    ) -> tuple[dict[Place, int], tuple[Gap, ...]]:
        """New positions for places without one and for those whose position the broker no longer holds."""
        lost = (self._lost & places | recreated) & self._positions.keys()
        positions, gaps = {}, []
        for place, (first, last) in client.bounds(lost | (places - self._positions.keys())).items():
            if place not in lost:
                # A topic of which other partitions are known has grown: the new ones are read whole.
                begin_late = self._start_at == "latest" and place[0] in self._fresh
                positions[place] = last if begin_late else first
            elif place in recreated or not first <= self._positions[place] <= last:
                gap = self._gap(place, first, last, anew=place in recreated)
                positions[place] = gap.found
                gaps.append(gap)
        return positions, tuple(gaps)

    def _gap(self, place: Place, first: int, last: int, *, anew: bool) -> Gap:
        topic, partition = place
        expected = self._positions[place]
        if self._on_gap == "stop":
            why = "the topic was deleted and created again" if anew else f"the broker holds {first} to {last}"
            raise UnavailableError(
                f'offset {expected} of topic "{topic}" partition {partition} is gone, {why}; kafka.on_gap is "stop": '
                'set it to "earliest" or "latest" to go on without what is lost'
            )
        return Gap(topic, partition, expected, first if self._on_gap == "earliest" else last)

    def _read(self, client: Client, generation: int, topics: Mapping[str, Topic]) -> None:
        confirm_at = commit_at = 0.0
        ends = Ends()
        while generation == self._buffer.generation:
            if not topics:
                self._wake.wait(POLL_MS / 1000)
            elif not self._fetch(client, generation):
                return
            if time.monotonic() >= confirm_at:
                if client.topics() != topics:
                    return
                self._confirm(client, generation, ends)
                confirm_at = time.monotonic() + _CONFIRM_S
            if self._commits is not None and self._committed and time.monotonic() >= commit_at:
                self._commits.send(self._committed)
                commit_at = time.monotonic() + _COMMIT_S

    def _fetch(self, client: Client, generation: int) -> bool:
        with self._watchdog:
            client.hold(self._held)
            records = client.poll(POLL_MS, min(_POLL_RECORDS, self._buffer.max_records))
        self.returned_ms = wall_clock_ms()
        if records:
            number = sum(map(len, records.values()))
            size = sum(sum(map(_VALUE_BYTES, part)) for part in records.values())
            read = {(part.topic, part.partition): batch[-1].offset + 1 for part, batch in records.items()}
            while not self._buffer.put(generation, Fetched(records), number, size, _CONFIRM_S):
                if generation != self._buffer.generation:
                    return False
                # What waits for a loop that is slow, or stuck, is not to be mistaken for all there is.
                self._ask(client, generation, {**self._positions, **read})
            self._positions |= read
        return True

    def _confirm(self, client: Client, generation: int, known: Ends) -> None:
        """Ask the broker where the partitions end: that it answers is what ends a trouble."""
        asked_ms = steady_clock_ms()
        caught_up = known.note(asked_ms, *self._ask(client, generation, self._positions))
        self._buffer.put(generation, Confirmed(caught_up))
        if self._failed_at is None or self._passed(*self._failed_at):
            self._failed_at, self._failures, self._failure = None, 0, None

    def _ask(
        self, client: Client, generation: int, read: Mapping[Place, int]
    ) -> tuple[dict[Place, int], dict[Place, int]]:
        """High-water marks, and positions of the next fetch. read: behind the last record that was fetched."""
        with self._watchdog:
            ends, reached = client.ends(), client.positions()
        # Markers of transactions are skipped, not delivered: what lies behind the last record is no lag.
        skipped = {place: read[place] for place, end in ends.items() if reached[place] >= end}
        self._ends = generation, {**ends, **skipped}
        return ends, reached

    def _passed(self, failing: frozenset[Place], positions: Mapping[Place, int]) -> bool:
        return all(self._positions.get(place) != positions.get(place) for place in failing)

    def _fail(self, error: Exception, client: Client | None) -> float:
        """Note what is wrong, for `trouble`; the seconds to wait before the next attempt."""
        failing = frozenset() if client is None else client.failing
        failed_at = (failing, {place: self._positions.get(place, 0) for place in failing})
        self._lost |= failing
        self._failures = self._failures + 1 if failed_at == self._failed_at else 1
        self._failed_at = failed_at
        self._failure = self._explain(error, failed_at[1])
        return pause_s(self._failures, _RETRY_S, _RETRY_MAX_S)

    def _explain(self, error: Exception, failing: Mapping[Place, int]) -> str:
        if failing:
            (topic, partition), offset = next(iter(failing.items()))
            return f'cannot read topic "{topic}" partition {partition} at offset {offset}: {error}'
        if isinstance(error, UnavailableError):
            return str(error)
        if isinstance(error, KafkaTimeoutError | KafkaConnectionError):
            # The words of the exception differ with what was being done; the reason stays the same for an outage.
            reason = last_failure() or "no answer"
            return f"Kafka at {self._servers} does not answer ({reason}); trying again until it does"
        return f"no records from Kafka at {self._servers}: {error}"

    def _explain_missing(self, gone: Set[Place], forbidden: Set[str], topics: Set[str]) -> str | None:
        for topic in sorted(self._topics - topics):
            if topic in forbidden:
                return f'topic "{topic}" may not be read on {self._servers}; grant this client Describe and Read on it'
            return f'topic "{topic}" does not exist on {self._servers}; create it or correct kafka.topics'
        for topic, partition in sorted(gone):
            return f'topic "{topic}" has no partition {partition} any more, which was read; was it created anew?'
        return None

    @property
    def _servers(self) -> str:
        servers = self._settings.get("bootstrap_servers", "localhost:9092")
        return servers if isinstance(servers, str) else ",".join(map(str, servers))  # type: ignore[call-overload]
