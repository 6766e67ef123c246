"""Native JSON: an event, a list of events, or a columnar batch a record.

`native_rows` defines what a record means. Most records are single events of one shape, and those are parsed in bulk by
`native_arrow`, which gives the same or nothing; a group that it refuses is halved until the odd record is among few,
and those few are read one by one and learned from. So what is decoded never depends on what came before or beside it.
Memory is bounded by the payloads': one of at most BYTES_MAX holds at most ROWS_MAX events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from monitor.events.decoder import BYTES_MAX, Decoded, RawRecords
from monitor.events.native_arrow import Parsed, parse, parsed
from monitor.events.native_columns import EventKind
from monitor.events.native_merge import merged
from monitor.events.native_rows import Rows
from monitor.events.native_shapes import Shape
from monitor.events.schema import Schema

GROUP_MIN = 256
"""Fewer events of a kind are read one by one: below this, what a parse in bulk costs once weighs more."""

PART_MIN = 64
"""Down to here a group is halved to find the events that its shape does not fit."""

MISSES_MAX = 3
"""After so many small groups in a row that have no one shape, the rest of a poll is read one by one."""

Key = tuple[str, EventKind]

_KINDS: Mapping[bytes, EventKind] = {b"prediction": "prediction", b"label": "label"}


class NativeDecoder:
    """Decodes the records of one topic. `kind`: what an event without `type` is; None where each must say it."""

    def __init__(self, schemas: Mapping[str, Schema], kind: EventKind | None) -> None:
        self._schemas = {schema.model: schema for schema in schemas.values()}
        self._kind = kind
        self._only_model = next(iter(self._schemas)) if len(schemas) == 1 else None
        self._models = {model.encode("utf-8", "replace"): model for model in self._schemas}
        self._bulk = {
            (model, of): _Bulk(Shape(schema, of, implied=of == kind))
            for model, schema in self._schemas.items()
            for of in _KINDS.values()
        }

    def decode(self, records: RawRecords) -> Decoded:
        """See `Decoder`."""
        rows = Rows(self._schemas, self._kind, records)
        groups, others = self._grouped(records.values)
        parts = [part for key, group in groups.items() for part in self._parsed(key, group, rows)]
        for record in others:
            rows.add(record)
        return merged(rows, parts)

    def decode_each(self, records: RawRecords) -> Decoded:
        """The same as `decode`, with every record read by itself: slower, and the definition."""
        rows = Rows(self._schemas, self._kind, records)
        for record in range(len(records)):
            rows.add(record)
        return merged(rows, ())

    def _grouped(self, payloads: Sequence[bytes | None]) -> tuple[dict[Key, list[int]], list[int]]:
        """Indices of the payloads that may be parsed in bulk, by what they seem to be, and of all others."""
        groups: dict[Key | None, list[int]] = defaultdict(list)
        for record, payload in enumerate(payloads):
            groups[self._guess(payload)].append(record)
        others = groups.pop(None, [])
        for key in [key for key, group in groups.items() if len(group) < GROUP_MIN]:
            others += groups.pop(key)
        return {key: group for key, group in groups.items() if key is not None}, others

    def _guess(self, payload: bytes | None) -> Key | None:
        if not payload or len(payload) > BYTES_MAX or payload[0] != ord("{") or payload[-1] != ord("}"):
            return None
        model = self._only_model or self._models.get(_text(payload, b'"model"'))
        kind = self._kind or _KINDS.get(_text(payload, b'"type"'))
        return None if model is None or kind is None else (model, kind)

    def _parsed(self, key: Key, group: list[int], rows: Rows) -> Iterator[Parsed]:
        """What of `group` can be parsed in bulk; the rest is added to `rows`."""
        pieces = list(self._bulk[key].pieces(group, rows))
        for shape, run in groupby(pieces, key=lambda piece: piece.shape):
            tables, parts = zip(*((piece.table, piece.part) for piece in run), strict=True)
            yield parsed(tables, np.array([record for part in parts for record in part], dtype=np.int64), shape)


class _Piece(NamedTuple):
    """Records, by their indices, that were parsed in bulk."""

    shape: Shape
    part: Sequence[int]
    table: pa.Table


@dataclass(slots=True)
class _Bulk:
    """Parses events of one model and kind in bulk, and learns their shape from those it cannot.

    misses: how many small groups in a row had no shape that was known. It decides how fast a poll is decoded, never
    to what.
    """

    shape: Shape
    misses: int = 0

    def pieces(self, group: Sequence[int], rows: Rows) -> Iterator[_Piece]:
        """What of `group` can be parsed; the rest is added to `rows`."""
        pending = [group]
        if self.misses >= MISSES_MAX:
            # The first few show whether it is worth trying again.
            self.misses = MISSES_MAX - 1
            pending = [part for part in (group[PART_MIN:], group[:PART_MIN]) if part]
        while pending:
            part = pending.pop()
            table = None if self.misses >= MISSES_MAX else parse(_payloads(part, rows), self.shape)
            if table is not None:
                self.misses = 0
                yield _Piece(self.shape, part, table)
            elif len(part) > PART_MIN and self.misses < MISSES_MAX:
                pending += part[len(part) // 2 :], part[: len(part) // 2]
            else:
                self._read_each(part, rows)

    def _read_each(self, part: Sequence[int], rows: Rows) -> None:
        for record in part:
            rows.add(record)
        if self.misses < MISSES_MAX:
            self.misses += 1
            shape = self.shape.learned(rows.recent(self.shape.schema.model, self.shape.kind)[-len(part) :])
            # The shape of the odd ones would be that of none of the others.
            if parse(_payloads(part, rows), shape) is not None:
                self.shape = shape


def _payloads(part: Sequence[int], rows: Rows) -> list[bytes]:
    return [rows.records.values[record] or b"" for record in part]


def _text(payload: bytes, key: bytes) -> bytes:
    """What stands between the first two quotes behind `key`: its value, if the key is where it seems to be."""
    start = payload.find(b'"', payload.find(key) + len(key)) + 1
    return payload[start : payload.find(b'"', start)]
