"""Polls to decode, and what came of them as plain values that can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.events.batch import INVALID_CODE, MISSING, MISSING_CODE, PRESENT, CategoricalColumn, Column
from monitor.events.decoder import Decoded, RawRecords
from monitor.events.native import NativeDecoder
from monitor.events.native_columns import EventKind
from monitor.events.schema import Schema

TIME_MS = 1_795_428_000_120
TIME_ISO = "2026-11-23T10:00:00.120Z"
KAFKA_MS = 1_795_428_001_000

FRAUD = Schema("fraud", "binary", {"amount": "numeric", "country": "categorical"}, positive="fraud")
SPECIES = Schema(
    "species",
    "multiclass",
    {"length": "numeric", "site": "categorical", "wild": "numeric"},
    feature_order=("length", "site", "wild"),
    kafka_time=True,
)
PRICE = Schema("price", "regression", {"rooms": "numeric"}, feature_order=("rooms", "spare"))
SCHEMAS = {schema.model: schema for schema in (FRAUD, SPECIES, PRICE)}


def poll(*values: bytes | None, timestamp_ms: int = KAFKA_MS, appended: bool = False) -> RawRecords:
    """Records of two partitions, in turns."""
    n = len(values)
    return RawRecords(
        topic="events",
        values=values,
        partition=np.arange(n, dtype=np.int32) % 2,
        offset=100 + np.arange(n, dtype=np.int64) // 2,
        timestamp_ms=np.full(n, timestamp_ms, dtype=np.int64),
        appended=np.full(n, appended),
        keys=[None] * n,
        headers=[()] * n,
    )


def one(records: RawRecords, index: int) -> RawRecords:
    """The poll of one of its records."""
    at = slice(index, index + 1)
    return RawRecords(
        records.topic,
        records.values[at],
        records.partition[at],
        records.offset[at],
        records.timestamp_ms[at],
        records.appended[at],
        records.keys[at],
        records.headers[at],
    )


def decoder(kind: EventKind | None = None, schemas: Mapping[str, Schema] = SCHEMAS) -> NativeDecoder:
    return NativeDecoder(schemas, kind)


def decode(*events: object, kind: EventKind | None = None, **how: Any) -> Decoded:
    """Decode one record an event; bytes and None are payloads as they are."""
    payloads = [each if isinstance(each, bytes | None) else json.dumps(each).encode() for each in events]
    return decoder(kind).decode(poll(*payloads, **how))


def prediction(**changes: object) -> dict[str, object]:
    """A good prediction of the model `fraud`; a change to ... leaves the key out."""
    event = {
        "type": "prediction",
        "id": "b7e1",
        "model": "fraud",
        "version": "3",
        "timestamp": TIME_ISO,
        "features": {"amount": 12.5, "country": "PL"},
        "prediction": "fraud",
        "score": 0.83,
        "tags": {"channel": "app"},
    }
    return {key: value for key, value in (event | changes).items() if value is not ...}


def label(**changes: object) -> dict[str, object]:
    """A good label of the model `fraud`; a change to ... leaves the key out."""
    event = {"type": "label", "id": "b7e1", "model": "fraud", "timestamp": TIME_ISO, "label": "ok"}
    return {key: value for key, value in (event | changes).items() if value is not ...}


def values(column: Column | None, rows: int) -> list[object]:
    """What a column says of each row: a number, a text, None where missing, and ... where invalid."""
    if column is None:
        return [None] * rows
    if isinstance(column, CategoricalColumn):
        special = {MISSING_CODE: None, INVALID_CODE: ...}
        return [special[code] if code in special else column.values[code] for code in column.codes.tolist()]
    told = zip(column.values.tolist(), column.state.tolist(), strict=True)
    return [repr(value) if state == PRESENT else None if state == MISSING else ... for value, state in told]


def plain(decoded: Decoded) -> dict[str, Any]:
    """Everything of a Decoded in comparable form: events as a list of rows a model."""
    return {
        "read": decoded.read,
        "predictions": {each.model: _prediction_rows(each) for each in decoded.predictions},
        "labels": {each.model: _label_rows(each) for each in decoded.labels},
        "ends": list(decoded.ends),
        "rejects": list(decoded.rejects),
        "unknown_keys": decoded.unknown_keys,
    }


def joined(parts: Sequence[Decoded]) -> dict[str, Any]:
    """What decoding records one by one gave, as if they had been decoded together."""
    whole: dict[str, Any] = plain(Decoded(0, (), (), (), (), 0))
    for record, part in enumerate(map(plain, parts)):
        whole["read"] += part["read"]
        whole["unknown_keys"] += part["unknown_keys"]
        whole["ends"] += part["ends"]
        whole["rejects"] += [replace(reject, record=record) for reject in part["rejects"]]
        for kind in ("predictions", "labels"):
            for model, rows in part[kind].items():
                whole[kind].setdefault(model, []).extend(rows)
    return whole


def _prediction_rows(events: Any) -> list[object]:
    n = len(events)
    columns = [
        values(column, n) for column in (events.version, *events.features.values(), events.prediction, events.latency)
    ]
    scores = [(name, values(column, n)) for name, column in sorted(events.scores.items())]
    said = [{name: told[row] for name, told in scores if told[row] is not None} for row in range(n)]
    return list(zip(*_places(events), events.identified.tolist(), *columns, said, strict=True))


def _label_rows(events: Any) -> list[object]:
    return list(zip(*_places(events), values(events.value, len(events)), strict=True))


def _places(events: Any) -> list[list[object]]:
    origin = events.origin
    arrays = (origin.partition, origin.offset, origin.row, events.time_ms, events.received_ms, events.key)
    return [[origin.topic] * len(events), *(array.tolist() for array in arrays)]
