"""What waits to leave the process, and what came into it from outside Kafka.

Messages and dead letters are handed out only after the transaction that holds them, and go when the loop has stored
that they arrived: at least once. Control events are numbered in their order, for a replay reads them back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import orjson

from monitor.actions.outbox import Attempt, Message
from monitor.actions.retrain import message_id
from monitor.events.reject import Reason
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.store.columns import from_rows
from monitor.runtime.store.database import Database
from monitor.snapshot import DeliveryView

_MESSAGE = tuple(field.name for field in fields(Message))
_ATTEMPT = ("id", "receiver", "changed_ms", "state", "attempts", "due_ms", "detail", "run")
_DEAD_LETTER = (
    "topic",
    "partition",
    "log_offset",
    "log_row",
    "reason",
    "detail",
    "timestamp_ms",
    "key",
    "value",
    "size",
    "headers",
)

_ENQUEUE = """
INSERT INTO message BY NAME
SELECT * EXCLUDE (place), 'pending' AS state, created_ms AS changed_ms, '' AS detail, '' AS run
FROM incoming ANTI JOIN message USING (id, receiver) ORDER BY place
"""

_RECORD = """
UPDATE message SET state = incoming.state, attempts = incoming.attempts, due_ms = incoming.due_ms,
    changed_ms = incoming.changed_ms, detail = incoming.detail, run = incoming.run
FROM incoming
WHERE message.id = incoming.id AND message.receiver = incoming.receiver AND message.state = 'pending'
"""

# In the order of rows, which is that of insertion: the clock may be set back, and two of one step have the same time.
_PENDING = """
SELECT id, receiver, subject, body, created_ms, attempts, due_ms FROM message WHERE state = 'pending' ORDER BY rowid
"""

_DELIVERIES = """
SELECT id, subject, receiver, state, attempts, if(state = 'delivered', '', detail), run FROM message
WHERE subject IN (SELECT unnest(?)) ORDER BY rowid
"""

_REQUESTS = "SELECT id, receiver, body FROM message WHERE subject = ? ORDER BY rowid"

_COUNTS = "SELECT receiver, count(*) FILTER (state = 'pending') FROM message GROUP BY receiver ORDER BY receiver"


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """Something that came from outside Kafka or from the wall clock: idleness, a gap, an acknowledgement."""

    number: int
    kind: str
    payload: Mapping[str, Any]
    at_ms: int


def enqueue(database: Database, messages: Sequence[Message]) -> None:
    """The first of an id and receiver stays: it may have been sent already."""
    once: dict[tuple[str, str], Message] = {}
    for message in messages:
        once.setdefault((message.id, message.receiver), message)
    if once:
        rows = ((*astuple(message), place) for place, message in enumerate(once.values()))
        database.write(_ENQUEUE, from_rows((*_MESSAGE, "place"), rows))


def pending_messages(database: Database) -> list[Message]:
    return [Message(*row) for row in database.rows(_PENDING)]


def record_attempts(database: Database, attempts: Sequence[Attempt]) -> None:
    """The last of each message counts; what is no longer pending stays as it is."""
    last = {(attempt.message, attempt.receiver): attempt for attempt in attempts}
    if last:
        rows = (
            (each.message, each.receiver, each.at_ms, each.state, each.attempts, each.due_ms, each.detail, each.run)
            for each in last.values()
        )
        database.write(_RECORD, from_rows(_ATTEMPT, rows))


def deliveries(database: Database, triggers: Collection[str]) -> list[DeliveryView]:
    found = database.committed(_DELIVERIES, [list(triggers)]) if triggers else []
    views = [(message, DeliveryView(*row)) for message, *row in found]
    return [view for message, view in views if message == message_id(view.subject, view.receiver)]


def request(database: Database, trigger: str) -> bytes | None:
    found = database.committed(_REQUESTS, [trigger])
    return next((body for message, receiver, body in found if message == message_id(trigger, receiver)), None)


def pending_counts(database: Database) -> dict[str, int]:
    return dict(database.committed(_COUNTS))


def expire_messages(database: Database, before_ms: int) -> int:
    return database.delete("DELETE FROM message WHERE state <> 'pending' AND changed_ms < ?", [before_ms])


def add_dead_letters(database: Database, letters: Sequence[DeadLetter]) -> None:
    if letters:
        headers = ([{"name": name, "value": value} for name, value in letter.headers] for letter in letters)
        rows = ((*astuple(letter)[:-1], named) for letter, named in zip(letters, headers, strict=True))
        database.append("dead_letter", from_rows(_DEAD_LETTER, rows))


def pending_dead_letters(database: Database, limit: int) -> list[tuple[int, DeadLetter]]:
    found = database.rows("FROM dead_letter ORDER BY number LIMIT ?", [limit])
    return [(number, _dead_letter(row)) for number, *row in found]


def forget_dead_letters(database: Database, numbers: Sequence[int]) -> None:
    if numbers:
        database.execute("DELETE FROM dead_letter WHERE number IN (SELECT unnest(?))", [list(numbers)])


def add_control_events(database: Database, events: Sequence[tuple[str, Mapping[str, Any]]], at_ms: int) -> None:
    if events:
        rows = ((kind, orjson.dumps(payload), at_ms) for kind, payload in events)
        database.append("control", from_rows(("kind", "payload", "at_ms"), rows))


def expire_control_events(database: Database, before_ms: int) -> int:
    return database.delete("DELETE FROM control WHERE at_ms < ?", [before_ms])


def control_events(database: Database, since: int) -> list[ControlEvent]:
    found = database.rows("FROM control WHERE number > ? ORDER BY number", [since])
    return [ControlEvent(number, kind, orjson.loads(payload), at_ms) for number, kind, payload, at_ms in found]


def _dead_letter(row: Sequence[Any]) -> DeadLetter:
    topic, partition, offset, event, reason, detail, timestamp_ms, key, value, size, headers = row
    named = tuple((header["name"], header["value"]) for header in headers)
    return DeadLetter(topic, partition, offset, event, Reason(reason), detail, timestamp_ms, key, value, size, named)
