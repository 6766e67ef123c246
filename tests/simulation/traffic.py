"""Scripted traffic of two models, as the bytes that producers would send: the log that a simulation replays.

`fraud` streams predictions and, minutes later, labels; for a while its world changes. `churn` is scored in batches,
sends no ids and has no labels. Among them is everything that goes wrong: duplicates, late events, broken ones,
timestamps of the next century, labels that come early, twice, corrected in either direction, or from two partitions
that disagree.
"""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from monitor.windows.window import Place

MINUTE_MS = 60_000
START_MS = 1_700_000_040_000
YEAR_MS = 365 * 86_400_000
CENTURY_MS = 100 * YEAR_MS
PREDICTIONS, LABELS = "predictions", "labels"
CLASSES = ("ok", "fraud")

Payload = Any
"""A JSON value, or bytes that are sent as they are, or None for a tombstone."""


class Record(NamedTuple):
    """arrival_ms: wall clock at which the broker has it, which is also its append time."""

    value: bytes | None
    arrival_ms: int


Log = Mapping[Place, Sequence[Record]]
"""The records of each partition, in offset order."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How much traffic there is. Partition counts are of the two topics."""

    minutes: int = 15
    predictions_a_minute: int = 240
    partitions: int = 3
    label_partitions: int = 2

    @property
    def end_ms(self) -> int:
        return START_MS + self.minutes * MINUTE_MS

    def drifted(self, minute: int) -> bool:
        """The world changes, changes back, and changes again."""
        return 2 <= minute % 10 < 6


class Traffic:
    """Writes a log; everything follows from the seed."""

    def __init__(self, seed: int, shape: Shape = Shape()) -> None:
        self.shape = shape
        self._random = random.Random(seed)
        self._sent: dict[Place, list[tuple[int, Payload]]] = defaultdict(list)

    def log(self) -> Log:
        """All of it, and at the end of each partition events so much later that every window closes."""
        for number in range(self.shape.minutes * self.shape.predictions_a_minute):
            self._application(number)
        for batch in range(self.shape.minutes):
            self._batch(batch)
        self._noise()
        packed = {place: self._packed(sent) for place, sent in sorted(self._sent.items())}
        for (topic, partition), records in packed.items():
            records += self._ending(topic, partition, records[-1].arrival_ms)
        return packed

    def _send(self, topic: str, partition: int, arrival_ms: float, payload: Payload) -> None:
        self._sent[topic, partition].append((int(arrival_ms), payload))

    def _application(self, number: int) -> None:
        """One prediction of `fraud`, what else is sent of it, and its labels."""
        random, shape = self._random, self.shape
        identity, partition = f"f{number}", number % shape.partitions
        at = START_MS + number * MINUTE_MS // shape.predictions_a_minute
        drifted = shape.drifted(number // shape.predictions_a_minute)
        event = fraud_event(random, identity, at, drifted)
        arrival = at + random.uniform(0, 3_000)
        if random.random() < 0.03:
            arrival += random.uniform(0, 90_000)  # Within `lateness`, or not.
        self._send(PREDICTIONS, partition, arrival, event)
        if random.random() < 0.05:
            self._send(PREDICTIONS, partition, arrival + random.uniform(0, 90_000), event)
        if random.random() < 0.02:  # Sent again as if it were new: another window may accept it.
            again = at + random.randrange(0, 120_000)
            self._send(PREDICTIONS, partition, again, event | {"timestamp": again})
        if random.random() < 0.1:  # The challenger answers the same request.
            self._send(PREDICTIONS, partition, arrival, event | {"version": "2", "score": 1 - event["score"]})
        if random.random() < 0.9:
            self._labels(identity, at, truth(random, event["score"], drifted))

    def _labels(self, identity: str, predicted_ms: int, value: str) -> None:
        random = self._random
        delay = random.uniform(-40_000, 0) if random.random() < 0.05 else random.uniform(0, 170_000)
        if random.random() < 0.05:
            delay += random.uniform(0, 600_000)  # After the window's verdict, or after the last that counts.
        at = int(predicted_ms + delay)
        partition = int(identity[1:]) % self.shape.label_partitions
        self._label(identity, partition, at, value)
        if random.random() < 0.05:
            self._label(identity, partition, at, value, random.uniform(0, 90_000))
        if random.random() < 0.08:
            # Corrections bear a later time, an earlier one, or the same.
            moved = random.choice((random.randrange(120_000), -random.randrange(20_000), 0))
            self._label(identity, partition, at + moved, other(value), random.uniform(0, 90_000))
        if random.random() < 0.02:
            self._label(identity, (partition + 1) % self.shape.label_partitions, at + 1_000, other(value))

    def _label(self, identity: str, partition: int, at: int, value: str, delay_ms: float = 0.0) -> None:
        event = {"type": "label", "id": identity, "model": "fraud", "timestamp": at, "label": value}
        self._send(LABELS, partition, at + self._random.uniform(0, 3_000) + delay_ms, event)

    def _batch(self, batch: int) -> None:
        """A minute's rows of `churn` in any order, then a `batch_end`, in each partition."""
        random = self._random
        begins = START_MS + batch * MINUTE_MS
        for partition in range(self.shape.partitions):
            arrival = begins + MINUTE_MS + random.randrange(20_000)
            for _ in range(4):
                rows = 25
                shift = 1.5 if self.shape.drifted(batch) else 0.0
                columns = {
                    "timestamp": [begins + random.randrange(MINUTE_MS) for _ in range(rows)],
                    "usage": [round(random.gauss(shift, 1), 3) for _ in range(rows)],
                    "prediction": [random.choice(("stay", "leave")) for _ in range(rows)],
                }
                arrival += random.randrange(1, 1_000)
                batch_event = {"type": "predictions", "model": "churn", "columns": columns}
                self._send(PREDICTIONS, partition, arrival, batch_event)
            end = {"type": "batch_end", "model": "churn", "id": str(batch)}
            self._send(PREDICTIONS, partition, arrival + 1, end)
            if random.random() < 0.2:  # One row comes when its batch is over.
                stray = {"type": "prediction", "model": "churn", "timestamp": begins, "features": {"usage": 1.0}}
                self._send(PREDICTIONS, partition, arrival + 2, stray)

    def _noise(self) -> None:
        """Records that cannot be used, among all others."""
        random = self._random
        for topic, partition in sorted(self._sent):
            for _ in range(max(3, len(self._sent[topic, partition]) // 50)):
                at = random.randrange(START_MS, self.shape.end_ms)
                kind = "prediction" if topic == PREDICTIONS else "label"
                event = {"type": kind, "id": "x", "model": "fraud", "timestamp": at + CENTURY_MS, "label": "ok"}
                broken = (
                    b"{",
                    b"[]",
                    None,
                    event,
                    event | {"model": "nobody"},
                    event | {"timestamp": None},
                    event | {"type": "prophecy"},
                    {"type": kind, "id": f"ghost{at}", "model": "fraud", "timestamp": at, "label": "ok"},
                )
                self._send(topic, partition, at, random.choice(broken))

    def _packed(self, sent: list[tuple[int, Payload]]) -> list[Record]:
        """One record a payload, but now and then a list of several."""
        sent = sorted(sent, key=lambda each: each[0])
        records = []
        while sent:
            size = self._random.randint(2, 5) if self._random.random() < 0.03 else 1
            group, sent = sent[:size], sent[size:]
            if size > 1 and all(isinstance(payload, dict) and "columns" not in payload for _, payload in group):
                records.append(record(group[-1][0], [payload for _, payload in group]))
            else:
                records += [record(arrival, payload) for arrival, payload in group]
        return records

    def _ending(self, topic: str, partition: int, arrival_ms: int) -> list[Record]:
        at = max(arrival_ms, self.shape.end_ms) + 60 * MINUTE_MS
        if topic == LABELS:
            event = {"type": "label", "id": f"end{partition}", "model": "fraud", "timestamp": at, "label": "ok"}
            return [record(at, event)]
        churn = {"type": "prediction", "model": "churn", "timestamp": at, "features": {"usage": 0.0}}
        end = {"type": "batch_end", "model": "churn", "id": "last"}
        return [record(at, fraud_event(self._random, f"end{partition}", at, True)), record(at, churn), record(at, end)]


def fraud_event(random: random.Random, identity: str, at: int, drifted: bool) -> dict[str, Any]:
    score = round(random.random(), 3)
    return {
        "type": "prediction",
        "id": identity,
        "model": "fraud",
        "version": "1",
        "timestamp": at,
        "features": {
            "amount": None if random.random() < 0.02 else round(random.gauss(1.0 if drifted else 0.0, 1), 3),
            "country": random.choice(("PL", "DE", "US", "FR", None)),
        },
        "prediction": CLASSES[score >= 0.5],
        "score": score,
        "latency_ms": latency(identity),
    }


def latency(identity: str) -> Payload:
    """Milliseconds, from a few to half a minute; of one in ten, something that can be none."""
    number = zlib.crc32(identity.encode())
    odd = (None, -1, "12.5", True, 86_400_001)
    return odd[number % 5] if number % 50 < 5 else round(10 ** (number % 4_500 / 1_000), 3)


def truth(random: random.Random, score: float, drifted: bool) -> str:
    """What turned out: as likely as the score says, and after the change whatever it says."""
    return CLASSES[random.random() < (0.5 if drifted else score**2 * (3 - 2 * score))]


def other(value: str) -> str:
    return CLASSES[value == CLASSES[0]]


def record(arrival_ms: int, payload: Payload) -> Record:
    return Record(payload if isinstance(payload, bytes | None) else orjson.dumps(payload), arrival_ms)
