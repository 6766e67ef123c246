"""Native JSON, read record by record: the definition of what an event, a list of events and a columnar batch mean.

Here a record's form, type and model are judged; what its fields say is judged by the column, in `native_columns`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from monitor.events.batch import BatchEnd
from monitor.events.canonical import canonical
from monitor.events.decoder import BYTES_MAX, RawRecords
from monitor.events.native_columns import EventKind, Raw, may_be_id
from monitor.events.payload import Flaw, parse
from monitor.events.reject import Reason, Reject
from monitor.events.schema import Schema

ROWS_MAX = BYTES_MAX // 32
"""Most events of one record: an id, a time and a value take at least 32 bytes."""

RECENT = 64
"""How many events are kept whole, for whoever wants to know what they look like."""

FIELDS: Mapping[EventKind, tuple[str, ...]] = {
    "prediction": ("id", "timestamp", "version", "prediction", "score", "latency_ms"),
    "label": ("id", "timestamp", "label"),
}
"""The fields of an event that are read, its features aside."""

KNOWN_KEYS: Mapping[EventKind, frozenset[str]] = {
    "prediction": frozenset({"type", "model", "features", "tags", *FIELDS["prediction"]}),
    "label": frozenset({"type", "model", "version", "tags", *FIELDS["label"]}),
}
"""The keys of an event that are expected, whether or not they are read."""

_KNOWN_COLUMNS: Mapping[EventKind, frozenset[str]] = {
    "prediction": frozenset({"tags", *FIELDS["prediction"]}),
    "label": frozenset({"tags", "version", *FIELDS["label"]}),
}
_KNOWN_BATCH = frozenset({"type", "model", "version", "tags", "columns"})
_KNOWN_END = frozenset({"type", "model", "id", "timestamp", "version", "tags"})

_KINDS: Mapping[str, EventKind] = {"prediction": "prediction", "label": "label"}
_COLUMNAR: Mapping[str, EventKind] = {"predictions": "prediction", "labels": "label"}

NO_EVENT = Flaw(Reason.WRONG_TYPE, "An event must be a JSON object.")
NESTED_BATCH = Flaw(Reason.WRONG_TYPE, "A columnar batch must be a record of its own.")
TOO_MANY = Flaw(Reason.TOO_LARGE, f"The record holds more than {ROWS_MAX} events.")
NO_TYPE = Flaw(Reason.MISSING_FIELD, "The event has no type, and its topic does not say one.")
UNKNOWN_TYPE = Flaw(Reason.UNKNOWN_TYPE, "The type is none of prediction, label, predictions, labels and batch_end.")
NO_MODEL = Flaw(Reason.MISSING_FIELD, "The event names no model.")
MODEL_TYPE = Flaw(Reason.WRONG_TYPE, "The model must be a string.")
UNKNOWN_MODEL = Flaw(Reason.UNKNOWN_MODEL, "The model is not in the configuration.")
FEATURES_TYPE = Flaw(Reason.WRONG_TYPE, "The features must be an object.")
FEATURES_ARRAY = Flaw(Reason.WRONG_TYPE, "The features must be an object, or an array as long as feature_order.")
NO_COLUMNS = Flaw(Reason.MISSING_FIELD, "The batch has no columns.")
COLUMNS_TYPE = Flaw(Reason.WRONG_TYPE, "The columns must be an object of lists.")
UNEQUAL = Flaw(Reason.WRONG_TYPE, "The columns differ in length.")
NO_END_ID = Flaw(Reason.MISSING_FIELD, "The batch_end has no id.")
END_ID_TYPE = Flaw(Reason.WRONG_TYPE, "The id of a batch_end must be a string or an integer.")


@dataclass(slots=True)
class Rows:
    """Collects the events of a poll's records, one record at a time; `raws` hands them on by column."""

    schemas: Mapping[str, Schema]
    kind: EventKind | None
    records: RawRecords
    read: int = 0
    unknown_keys: int = 0
    rejects: list[Reject] = field(default_factory=list)
    ends: list[tuple[int, int, BatchEnd]] = field(default_factory=list)
    _events: dict[tuple[str, EventKind], _Events] = field(default_factory=dict)
    _batches: dict[tuple[str, EventKind], _Batches] = field(default_factory=dict)

    def add(self, record: int) -> None:
        """Read one record of the poll."""
        value = parse(self.records.values[record])
        match value:
            case Flaw():
                self._reject(record, -1, value)
            case list() if len(value) > ROWS_MAX:
                self._reject(record, -1, TOO_MANY)
            case list():
                for row, event in enumerate(value):
                    self._add(record, row, event)
            case _:
                self._add(record, -1, value)

    def recent(self, model: str, kind: EventKind) -> Sequence[Mapping[str, object]]:
        """The last RECENT events of those that came one by one or in lists."""
        events = self._events.get((model, kind))
        return list(events.recent) if events else ()

    def raws(self) -> Iterator[Raw]:
        """The events that have been added, by model and kind."""
        for events in self._events.values():
            yield events.raw()
        for batches in self._batches.values():
            yield batches.raw()

    def _add(self, record: int, row: int, event: object) -> None:
        flaw = self._put(record, row, event) if isinstance(event, dict) else NO_EVENT
        if flaw is not None:
            self._reject(record, row, flaw)

    def _put(self, record: int, row: int, event: Mapping[str, object]) -> Flaw | None:
        said = event.get("type")
        if said is None:
            said = _said(self.kind, event)
        if said is None:
            return NO_TYPE
        if not isinstance(said, str) or not (said in _KINDS or said in _COLUMNAR or said == "batch_end"):
            return UNKNOWN_TYPE
        schema = self._schema(event.get("model"))
        if isinstance(schema, Flaw):
            return schema
        if said in _KINDS:
            return self._put_event(record, row, event, schema, _KINDS[said])
        if said == "batch_end":
            return self._put_end(record, row, event, schema)
        if row >= 0:
            return NESTED_BATCH
        return self._put_batch(record, event, schema, _COLUMNAR[said])

    def _schema(self, model: object) -> Schema | Flaw:
        if model is None:
            return NO_MODEL
        if not isinstance(model, str):
            return MODEL_TYPE
        return self.schemas.get(model, UNKNOWN_MODEL)

    def _put_event(
        self, record: int, row: int, event: Mapping[str, object], schema: Schema, kind: EventKind
    ) -> Flaw | None:
        features = _features(event.get("features"), schema) if kind == "prediction" else {}
        if isinstance(features, Flaw):
            return features
        self.unknown_keys += _unknown(features, schema.features)
        self.unknown_keys += _unknown(event, KNOWN_KEYS[kind])
        self.read += 1
        key = schema.model, kind
        if key not in self._events:
            self._events[key] = _Events(schema, kind)
        self._events[key].add(record, row, event, features)
        return None

    def _put_end(self, record: int, row: int, event: Mapping[str, object], schema: Schema) -> Flaw | None:
        if not may_be_id(event.get("id")):
            return END_ID_TYPE
        batch = canonical(event.get("id"))
        if not batch:
            return NO_END_ID
        partition, offset = int(self.records.partition[record]), int(self.records.offset[record])
        self.unknown_keys += _unknown(event, _KNOWN_END)
        self.read += 1
        self.ends.append((record, row, BatchEnd(schema.model, batch, partition, offset)))
        return None

    def _put_batch(self, record: int, batch: Mapping[str, object], schema: Schema, kind: EventKind) -> Flaw | None:
        columns = _columns(batch.get("columns"))
        if isinstance(columns, Flaw):
            return columns
        rows = len(next(iter(columns.values()), ()))
        if rows > ROWS_MAX:
            return TOO_MANY
        if "version" not in columns:
            columns["version"] = [batch.get("version")] * rows
        known = _KNOWN_COLUMNS[kind].union(_features_of(schema, kind))
        self.unknown_keys += _unknown(batch, _KNOWN_BATCH)
        self.unknown_keys += sum(rows - column.count(None) for name, column in columns.items() if name not in known)
        self.read += rows
        key = schema.model, kind
        if key not in self._batches:
            self._batches[key] = _Batches(schema, kind)
        self._batches[key].add(record, rows, columns)
        return None

    def _reject(self, record: int, row: int, flaw: Flaw) -> None:
        self.read += 1
        self.rejects.append(Reject(record, row, flaw.reason, flaw.detail))


class _Events:
    """Events of one model and kind that came one by one or in lists."""

    def __init__(self, schema: Schema, kind: EventKind) -> None:
        self.recent: deque[Mapping[str, object]] = deque(maxlen=RECENT)
        self._schema, self._kind = schema, kind
        self._places: list[tuple[int, int]] = []
        self._names = FIELDS[kind]
        self._feature_names = _features_of(schema, kind)
        self._fields: list[tuple[object, ...]] = []
        self._features: list[tuple[object, ...]] = []

    def add(self, record: int, row: int, event: Mapping[str, object], features: Mapping[str, object]) -> None:
        self.recent.append(event)
        self._places.append((record, row))
        self._fields.append(tuple(map(event.get, self._names)))
        self._features.append(tuple(map(features.get, self._feature_names)))

    def raw(self) -> Raw:
        record, row = np.array(self._places, dtype=np.int64).T
        fields = dict(zip(self._names, zip(*self._fields, strict=True), strict=True))
        features = dict(zip(self._feature_names, zip(*self._features, strict=True), strict=True))
        return Raw(self._schema, self._kind, record, row.astype(np.int32), fields, features)


class _Batches:
    """Columnar batches of one model and kind, one behind the other."""

    def __init__(self, schema: Schema, kind: EventKind) -> None:
        self._schema, self._kind = schema, kind
        self._records: list[tuple[int, int]] = []
        self._fields: dict[str, list[object]] = {name: [] for name in FIELDS[kind]}
        self._features: dict[str, list[object]] = {name: [] for name in _features_of(schema, kind)}
        # A feature that is named like a field of an event cannot be sent in a columnar batch, the optional one aside.
        self._own = self._fields.keys() - ({"latency_ms"} & self._features.keys())

    def add(self, record: int, rows: int, columns: Mapping[str, Sequence[object]]) -> None:
        self._records.append((record, rows))
        for name, values in self._fields.items():
            values.extend(columns.get(name, repeat(None, rows)) if name in self._own else repeat(None, rows))
        for name, values in self._features.items():
            values.extend(columns.get(name, repeat(None, rows)) if name not in self._own else repeat(None, rows))

    def raw(self) -> Raw:
        records, rows = np.array(self._records, dtype=np.int64).T
        row = np.concatenate([np.arange(count, dtype=np.int32) for count in rows])
        return Raw(self._schema, self._kind, np.repeat(records, rows), row, self._fields, self._features)


def _features_of(schema: Schema, kind: EventKind) -> tuple[str, ...]:
    return tuple(schema.features) if kind == "prediction" else ()


def _said(kind: EventKind | None, event: Mapping[str, object]) -> str | None:
    """The type of an event that states none."""
    return kind if kind is None or event.get("columns") is None else kind + "s"


def _features(value: object, schema: Schema) -> Mapping[str, object] | Flaw:
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    if not schema.feature_order:
        return FEATURES_TYPE
    if not isinstance(value, list) or len(value) != len(schema.feature_order):
        return FEATURES_ARRAY
    return dict(zip(schema.feature_order, value, strict=True))


def _columns(value: object) -> dict[str, list[object]] | Flaw:
    if value is None:
        return NO_COLUMNS
    if not isinstance(value, dict):
        return COLUMNS_TYPE
    columns = {name: column for name, column in value.items() if column is not None}
    if not all(isinstance(column, list) for column in columns.values()):
        return COLUMNS_TYPE
    if len(set(map(len, columns.values()))) > 1:
        return UNEQUAL
    return columns


def _unknown(event: Mapping[str, object], known: Mapping[str, object] | frozenset[str]) -> int:
    """How many keys that are not null nobody knows."""
    if event.keys() <= (known if isinstance(known, frozenset) else known.keys()):
        return 0
    return sum(value is not None and key not in known for key, value in event.items())
