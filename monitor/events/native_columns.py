"""The fields of native events, judged by the column: raw values become Predictions or Labels, and rejects.

Raw values are Python lists, as the records were read one by one, or Arrow arrays, as they were parsed in bulk. Both
mean the same: what a value becomes depends on that value alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.events import timestamps
from monitor.events.batch import (
    INVALID,
    INVALID_CODE,
    MISSING,
    MISSING_CODE,
    CategoricalColumn,
    Column,
    Labels,
    NumericColumn,
    Origin,
    Predictions,
)
from monitor.events.canonical import canonical, canonical_column
from monitor.events.decoder import RawRecords
from monitor.events.ids import digests, position_digests
from monitor.events.native_scores import scores
from monitor.events.numbers import feature_column, number_column
from monitor.events.payload import Flaw
from monitor.events.reject import Reason, Reject
from monitor.events.schema import Schema

EventKind = Literal["prediction", "label"]
Values: TypeAlias = pa.Array | Sequence[object]
Events = TypeVar("Events", Predictions, Labels)

ID_TYPE = Flaw(Reason.WRONG_TYPE, "The id must be a string or an integer.")
NO_ID = Flaw(Reason.MISSING_FIELD, "The label has no id.")
TIMES = {code: Flaw(Reason.BAD_TIMESTAMP, detail) for code, detail in timestamps.FLAWS.items()}
VERSION_TYPE = Flaw(Reason.WRONG_TYPE, "The version must be a string or a number.")
CLASS_TYPE = Flaw(Reason.WRONG_TYPE, "The prediction must be the name of a class.")
NUMBER_TYPE = Flaw(Reason.WRONG_TYPE, "The prediction must be a finite number.")
SCORE_TYPE = Flaw(Reason.WRONG_TYPE, "The score must be a probability, or an object of them by class.")
NO_LABEL = Flaw(Reason.MISSING_FIELD, "The label event has no label.")
LABEL_CLASS_TYPE = Flaw(Reason.WRONG_TYPE, "The label must be the name of a class.")
LABEL_NUMBER_TYPE = Flaw(Reason.WRONG_TYPE, "The label must be a finite number.")

LATENCY_MAX_MS = 86_400_000
"""Longest latency that is taken for one: a day. A time sent by mistake would drown all others in their sum."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Events of one model and one kind, n of them, whose values nobody has judged yet.

    record: int64[n], the index of each one's record in the poll. row: int32[n], its index inside the record, -1 where
    it is the whole record. fields, features: n raw values each; JSON's null and an absent key are both None.
    """

    schema: Schema
    kind: EventKind
    record: NDArray[np.int64]
    row: NDArray[np.int32]
    fields: Mapping[str, Values]
    features: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.record)


@dataclass(frozen=True, slots=True)
class Judged(Generic[Events]):
    """The usable events of a `Raw`, `place` int64[n] of each (a number that orders a poll's events), and the rest."""

    usable: Events
    place: NDArray[np.int64]
    rejects: Sequence[Reject]


class _Flaws:
    """The first flaw found in each row."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, dtype=np.uint8)
        self._found: list[Flaw] = []

    def mark(self, rows: NDArray[np.bool_], flaw: Flaw) -> None:
        if rows.any():
            self._found.append(flaw)
            self._codes[rows & (self._codes == 0)] = len(self._found)

    def usable(self) -> NDArray[np.bool_]:
        usable: NDArray[np.bool_] = self._codes == 0
        return usable

    def rejects(self, raw: Raw) -> list[Reject]:
        return [
            Reject(int(raw.record[i]), int(raw.row[i]), flaw.reason, flaw.detail)
            for i in np.flatnonzero(self._codes)
            for flaw in (self._found[self._codes[i] - 1],)
        ]


def predictions(raw: Raw, records: RawRecords) -> Judged[Predictions]:
    """Judge the predictions of `raw`. The usable have columns `prediction` and `latency`, be it of missing values."""
    flaws, schema = _Flaws(len(raw)), raw.schema
    origin, received_ms = _origin(raw, records)
    key, identified = _keys(raw, origin, flaws)
    time_ms = _times(raw, records, flaws)
    version = _versions(raw.fields["version"], flaws)
    flaw = NUMBER_TYPE if schema.task == "regression" else CLASS_TYPE
    prediction = _outcomes(raw.fields["prediction"], schema, flaws, flaw)
    probabilities, improbable = scores(raw.fields["score"], schema)
    flaws.mark(improbable, SCORE_TYPE)
    features: dict[str, Column] = {
        name: canonical_column(raw.features[name]) if kind == "categorical" else feature_column(raw.features[name])
        for name, kind in schema.features.items()
    }
    decoded = Predictions(
        schema.model,
        origin,
        time_ms,
        received_ms,
        key,
        identified,
        version,
        features,
        prediction,
        probabilities,
        _latencies(raw.fields["latency_ms"]),
    )
    return _judged(decoded, raw, flaws)


def labels(raw: Raw, records: RawRecords) -> Judged[Labels]:
    """Judge the labels of `raw`."""
    flaws, schema = _Flaws(len(raw)), raw.schema
    origin, received_ms = _origin(raw, records)
    key, identified = _keys(raw, origin, flaws)
    flaws.mark(~identified, NO_ID)
    time_ms = _times(raw, records, flaws)
    flaw = LABEL_NUMBER_TYPE if schema.task == "regression" else LABEL_CLASS_TYPE
    value = _outcomes(raw.fields["label"], schema, flaws, flaw)
    flaws.mark(absent(value), NO_LABEL)
    return _judged(Labels(schema.model, origin, time_ms, received_ms, key, value), raw, flaws)


def may_be_id(value: object) -> bool:
    """Whether `value` is a string or an integer, or null."""
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def absent(column: Column) -> NDArray[np.bool_]:
    """bool[n]: where a column has no value."""
    missing: NDArray[np.bool_] = (
        column.state == MISSING if isinstance(column, NumericColumn) else column.codes == MISSING_CODE
    )
    return missing


def _judged(events: Events, raw: Raw, flaws: _Flaws) -> Judged[Events]:
    usable = flaws.usable()
    place = raw.record * 2**32 + np.maximum(raw.row, 0)
    if usable.all():
        return Judged(events, place, ())
    return Judged(events.take(usable), place[usable], flaws.rejects(raw))


def _origin(raw: Raw, records: RawRecords) -> tuple[Origin, NDArray[np.int64]]:
    row = np.maximum(raw.row, 0)
    received_ms = np.where(records.appended, records.timestamp_ms, -1)
    origin = Origin(records.topic, records.partition[raw.record], records.offset[raw.record], row)
    return origin, received_ms[raw.record]


def _keys(raw: Raw, origin: Origin, flaws: _Flaws) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    values = raw.fields["id"]
    ids: Sequence[object] = values.to_pylist() if isinstance(values, pa.Array) else values
    if not set(map(type, ids)) <= {str, int, type(None)}:
        flaws.mark(np.array([not may_be_id(value) for value in ids], dtype=np.bool_), ID_TYPE)
    texts = [canonical(value) for value in ids]
    identified = np.fromiter(map(bool, texts), np.bool_, len(texts))
    key = np.empty(len(texts), dtype=np.uint64)
    key[identified] = digests(text for text in texts if text)
    if not identified.all():
        key[~identified] = position_digests(origin.take(~identified))
    return key, identified


def _times(raw: Raw, records: RawRecords, flaws: _Flaws) -> NDArray[np.int64]:
    times = timestamps.instants(raw.fields["timestamp"])
    if raw.schema.kafka_time:
        kafka = records.timestamp_ms[raw.record]
        times = np.where(times == timestamps.MISSING, timestamps.epochs(kafka, kafka < 0), times)
    for code, flaw in TIMES.items():
        flaws.mark(times == code, flaw)
    return times


def _versions(values: Values, flaws: _Flaws) -> CategoricalColumn:
    column = canonical_column(values)
    flaws.mark(column.codes == INVALID_CODE, VERSION_TYPE)
    if (column.codes != MISSING_CODE).all():
        return column
    texts = column.values if "" in column.values else (*column.values, "")
    codes = np.where(column.codes == MISSING_CODE, np.int32(texts.index("")), column.codes)
    return CategoricalColumn(codes, texts)


def _latencies(values: Values) -> NumericColumn:
    """One that cannot be is invalid, and no flaw: how long an answer took says nothing about what it was."""
    column = number_column(values)
    impossible = (column.values < 0.0) | (column.values > LATENCY_MAX_MS)
    if not impossible.any():
        return column
    return NumericColumn(np.where(impossible, 0.0, column.values), np.where(impossible, INVALID, column.state))


def _outcomes(values: Values, schema: Schema, flaws: _Flaws, flaw: Flaw) -> Column:
    """What the model predicted, or what turned out: a number in regression, a class in classification."""
    if schema.task == "regression":
        numbers = number_column(values)
        flaws.mark(numbers.state == INVALID, flaw)
        return numbers
    classes = canonical_column(values)
    flaws.mark(classes.codes == INVALID_CODE, flaw)
    return classes
