"""Records that could not be used, on their way to the dead-letter topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.events.decoder import RawRecords
from monitor.events.reject import Reason, Reject

HEAD_MAX = 65_536
"""Bytes of a payload that a dead letter carries; the original stays at its offset for as long as its topic keeps it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be used, or of which events could not.

    row: index of the first such event inside it, -1 where the whole record is meant. value: the first HEAD_MAX bytes,
    None for a tombstone; size: of the whole payload. timestamp_ms: the Kafka timestamp, -1 where there is none.
    """

    topic: str
    partition: int
    offset: int
    row: int
    reason: Reason
    detail: str
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    size: int
    headers: tuple[tuple[str, bytes | None], ...] = ()


def dead_letters(raw: RawRecords, rejects: Sequence[Reject]) -> list[DeadLetter]:
    """One letter a record however many of its events were rejected, or a list of bad events would be stored squared."""
    rows: dict[int, list[Reject]] = {}
    for reject in rejects:
        rows.setdefault(reject.record, []).append(reject)
    return [_letter(raw, record, found) for record, found in sorted(rows.items())]


def _letter(raw: RawRecords, record: int, rejects: list[Reject]) -> DeadLetter:
    first = min(rejects, key=lambda reject: reject.row)
    more = len(rejects) - 1
    value = raw.values[record]
    return DeadLetter(
        topic=raw.topic,
        partition=int(raw.partition[record]),
        offset=int(raw.offset[record]),
        row=first.row,
        reason=first.reason,
        detail=f"{first.detail} (and {more} more of this record's events were rejected)" if more else first.detail,
        timestamp_ms=int(raw.timestamp_ms[record]),
        key=raw.keys[record],
        value=None if value is None else value[:HEAD_MAX],
        size=0 if value is None else len(value),
        headers=tuple((name, content) for name, content in raw.headers[record]),
    )
