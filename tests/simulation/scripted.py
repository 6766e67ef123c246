"""What stands around the loop in a simulation: a source that reads a script, a clock, a receiver, and a bomb."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from monitor.actions.outbox import Attempt, Message
from monitor.errors import CommitFailedError
from monitor.events.decoder import Decoder, RawRecords
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.source import Polled
from monitor.runtime.store import Store
from monitor.statistics.reading import Reading
from monitor.windows.window import Place
from tests.simulation.traffic import Log, Record

POINTS = (
    "after poll",
    "after take-in",
    "after closing windows",
    "after decide",
    "after record",
    "before commit",
    "failed commit",
    "after commit",
    "after snapshot",
    "amid hand-over",
    "after hand-over",
)
"""Where a bomb may go off, in the order of a step; a failed commit is one that the loop survives."""


class CrashError(Exception):
    """The process is gone."""


class Bomb:
    """Goes off the first time that the loop passes the point that it is set to."""

    def __init__(self) -> None:
        self.point: str | None = None

    def reach(self, point: str) -> None:
        if self.point == point:
            self.point = None
            raise (CommitFailedError if point == "failed commit" else CrashError)(point)


class Clock:
    """Epoch milliseconds, moved by hand."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class ScriptedSource:
    """A `monitor.runtime.source.Source` over a log: how partitions interleave and how much comes at a time is random.

    paced: records come when they have arrived by the clock, and a place of which all that has were read is caught up,
    unless it is `unconfirmed`; otherwise everything is there from the start, and nothing is ever caught up. appended:
    the topics whose timestamps are the broker's. obedient: whether places that are held are left alone. From those that
    are `away` nothing comes.
    """

    def __init__(
        self,
        log: Log,
        decoders: Mapping[str, Decoder],
        random: random.Random,
        clock: Clock,
        *,
        bomb: Bomb | None = None,
        paced: bool = False,
        appended: frozenset[str] = frozenset(),
        poll_max: int = 200,
        obedient: bool = True,
    ) -> None:
        self._log, self._decoders, self._random, self._clock = dict(log), decoders, random, clock
        self._bomb, self._paced, self._appended, self._poll_max = bomb or Bomb(), paced, appended, poll_max
        # Some topics, and some partitions, lag behind the others: windows close long before they are settled, or late.
        slow = {topic: random.choice((1, 1, 4)) for topic in sorted({topic for topic, _ in log})}
        self._slow = {place: slow[place[0]] * random.choice((1, 1, 2)) for place in sorted(log)}
        self._position = dict.fromkeys(log, 0)
        self._obedient = obedient
        self.unconfirmed: set[Place] = set()
        self.away: set[Place] = set()
        self.held: frozenset[Place] = frozenset()

    @property
    def exhausted(self) -> bool:
        return all(self._position[place] == len(records) for place, records in self._log.items())

    def start(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        self._position = {place: positions.get(place, 0) for place in self._log}
        self.held = frozenset()

    def poll(self, timeout_ms: int) -> Polled:
        moved: dict[Place, int] = {}
        runs: dict[str, list[tuple[int, int, Sequence[Record]]]] = {}
        readable = self._log.keys() - self.away - (self.held if self._obedient else set())
        for place in self._random.sample(sorted(readable), self._random.randint(min(1, len(readable)), len(readable))):
            start = self._position[place]
            most = max(1, self._poll_max // self._slow[place])
            end = min(self._ready(place), start + self._random.randint(1, most))
            if end > start:
                runs.setdefault(place[0], []).append((place[1], start, self._log[place][start:end]))
                moved[place] = end
        self._position |= moved
        caught_up = {}
        if self._paced:
            read = {place for place in self._log if self._position[place] == self._ready(place)} - self.away
            caught_up = dict.fromkeys(read - self.unconfirmed, self._clock())
        raw = [self._raw(topic, parts) for topic, parts in runs.items()]
        decoded = tuple((self._decoders[each.topic].decode(each), each) for each in raw)
        polled = Polled(decoded, moved, caught_up=caught_up)
        self._bomb.reach("after poll")
        return polled

    def grow(self, log: Log) -> None:
        """A topic has got further partitions."""
        self._log |= log
        self._position |= dict.fromkeys(log, 0)
        self._slow |= dict.fromkeys(log, 1)

    def hold(self, places: Collection[Place]) -> None:
        self.held = frozenset(places)

    def places(self) -> frozenset[Place]:
        return frozenset(self._log)

    def lag(self) -> Mapping[Place, int]:
        return {place: len(records) - self._position[place] for place, records in self._log.items()}

    def trouble(self) -> str | None:
        return None

    def committed(self, positions: Mapping[Place, int]) -> None:
        self._bomb.reach("after hand-over")

    def close(self) -> None:
        """Nothing to close."""

    def _ready(self, place: Place) -> int:
        """The offset up to which a partition can be read."""
        records = self._log[place]
        if not self._paced:
            return len(records)
        position = self._position[place]
        while position < len(records) and records[position].arrival_ms <= self._clock():
            position += 1
        return position

    def _raw(self, topic: str, runs: list[tuple[int, int, Sequence[Record]]]) -> RawRecords:
        """Pieces of the runs, shuffled; within a partition they stay in order."""
        pieces = [(part, first, record) for part, start, records in runs for first, record in enumerate(records, start)]
        turn = [part for part, _, _ in pieces]
        self._random.shuffle(turn)
        queues = {part: iter([piece for piece in pieces if piece[0] == part]) for part, _, _ in runs}
        mixed = [next(queues[part]) for part in turn]
        return raw_records(topic, mixed, topic in self._appended)


def raw_records(topic: str, records: Sequence[tuple[int, int, Record]], appended: bool) -> RawRecords:
    """Of (partition, offset, record)."""
    return RawRecords(
        topic,
        [record.value for _, _, record in records],
        np.array([partition for partition, _, _ in records], dtype=np.int32),
        np.array([offset for _, offset, _ in records], dtype=np.int64),
        np.array([record.arrival_ms for _, _, record in records], dtype=np.int64),
        np.full(len(records), appended),
        [None] * len(records),
        [()] * len(records),
    )


class Receiver:
    """Where messages go, whichever life of the process sends them: one id must never have two bodies. names: of the
    receiver that is configured, by id.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.names: dict[str, str] = {}

    def take(self, message: Message) -> None:
        self.names[message.id] = message.receiver
        assert self.bodies.setdefault(message.id, message.body) == message.body


class ScriptedOutbound:
    """A `monitor.runtime.loop.Outbound` of one life: delivers at once, and reports it with the next step."""

    def __init__(self, receiver: Receiver, clock: Clock, bomb: Bomb) -> None:
        self._receiver, self._clock, self._bomb = receiver, clock, bomb
        self._ended: dict[str, Attempt] = {}

    def offer(self, messages: Sequence[Message]) -> None:
        if messages:
            self._bomb.reach("after snapshot")
        for message in messages:
            self._receiver.take(message)
            place = message.id, message.receiver, message.subject
            state = Attempt(*place, self._clock(), "delivered", 1, self._clock(), 202, "HTTP 202.")
            self._ended[message.id] = state

    def outcomes(self) -> list[Attempt]:
        ended, self._ended = list(self._ended.values()), {}
        return ended


class KeptLetters:
    """A `monitor.runtime.loop.DeadLetterSender` whose topic is away: every letter stays in the store."""

    def offer(self, letters: Sequence[object]) -> None: ...

    def delivered(self) -> list[int]:
        return []


class FaultyStore(Store):
    """A store around whose calls, which mark the stages of a step, a bomb may go off."""

    bomb: Bomb = Bomb()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self.bomb.reach("failed commit")
        self.bomb.reach("after commit")

    def add_readings(self, readings: Sequence[Reading]) -> None:
        self.bomb.reach("after decide")
        super().add_readings(readings)

    def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.bomb.reach("after record")
        super().add_dead_letters(letters)

    def put_positions(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        super().put_positions(positions, topic_ids)
        self.bomb.reach("before commit")

    def pending_dead_letters(self, limit: int) -> list[tuple[int, DeadLetter]]:
        self.bomb.reach("after snapshot")
        self.bomb.reach("amid hand-over")
        return super().pending_dead_letters(limit)
