"""Columns of events: what the decoders make and everything behind them folds.

All arrays of one batch have the same length n and the same order: offset order within each partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

PRESENT, MISSING, INVALID = 0, 1, 2
"""States of a numeric value: usable, absent or null, and there but not a finite number."""

MISSING_CODE, INVALID_CODE = -1, -2
"""Codes of a categorical value that is absent or null, and of one that is an object or a list."""

PREDICTION, SCORE = "@prediction", "@score"
"""What a model answers is watched as its features are: the class or number it predicted, and its score (of the positive
class, or of the likeliest one). No feature has a name that begins with "@".
"""

OUTPUTS = (PREDICTION, SCORE)

ROWS = "@rows"
"""How many rows come, where that is named beside features."""

CORRELATION = "@correlation"
"""How features go together, where that is named beside them."""

LABELS = "@labels"
"""The labels of a whole model, where they are named beside features; and, in place of a segment, what concerns them."""

Rows = NDArray[np.int64] | NDArray[np.bool_] | slice


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """Numbers. `values`: float64[n], finite, 0.0 where not present; `state`: uint8[n]."""

    values: NDArray[np.float64]
    state: NDArray[np.uint8]

    def take(self, rows: Rows) -> NumericColumn:
        return NumericColumn(self.values[rows], self.state[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> NumericColumn:
        return NumericColumn(
            np.concatenate([part.values for part in parts]), np.concatenate([part.state for part in parts])
        )

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> NumericColumn:
        """Of raw floats, NaN meaning missing and an infinity invalid."""
        values = np.asarray(values, dtype=np.float64)
        state = np.where(np.isnan(values), MISSING, np.where(np.isinf(values), INVALID, PRESENT)).astype(np.uint8)
        return cls(np.where(state == PRESENT, values, 0.0), state)


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """Categories in canonical form. `codes`: int32[n] into `values`, or MISSING_CODE or INVALID_CODE.

    `values` are distinct; one may be unused after `take`.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def take(self, rows: Rows) -> CategoricalColumn:
        return CategoricalColumn(self.codes[rows], self.values)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> CategoricalColumn:
        index: dict[str, int] = {}
        codes = []
        for part in parts:
            for value in part.values:
                index.setdefault(value, len(index))
            codes.append(part.recode(index))
        return CategoricalColumn(np.concatenate(codes), tuple(index))

    def recode(self, index: Mapping[str, int], other: int = INVALID_CODE) -> NDArray[np.int32]:
        """int32[n]: `index` of each row's value, `other` for a value it does not hold; negative codes stay."""
        table = np.array(
            [index.get(value, other) for value in self.values] + [INVALID_CODE, MISSING_CODE], dtype=np.int32
        )
        return table[self.codes]


Column = NumericColumn | CategoricalColumn


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows came from: `partition` int32[n], `offset` int64[n], `row` int32[n] inside the record."""

    topic: str
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]
    row: NDArray[np.int32]

    def take(self, rows: Rows) -> Origin:
        return Origin(self.topic, self.partition[rows], self.offset[rows], self.row[rows])


@dataclass(frozen=True, slots=True)
class Predictions:
    """Prediction events of one model.

    time_ms: int64[n], event time in epoch milliseconds. key: uint64[n], digest of the id (see `monitor.events.ids`),
    or of topic, partition, offset and row where the event has none; then `identified` is False for the row.
    received_ms: int64[n], the broker's append time, or -1 where the topic has only the producer's.
    prediction: classes (CategoricalColumn), numbers (regression), or None where no event carried one.
    scores: probability by class: the positive class alone for a binary task; empty where none is sent.
    features holds a column for every feature of the model's schema. latency: milliseconds that each answer took, not
    negative; None where no event says.
    """

    model: str
    origin: Origin
    time_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    key: NDArray[np.uint64]
    identified: NDArray[np.bool_]
    version: CategoricalColumn
    features: Mapping[str, Column]
    prediction: Column | None
    scores: Mapping[str, NumericColumn]
    latency: NumericColumn | None = None

    def __len__(self) -> int:
        return len(self.time_ms)

    def column(self, name: str, numeric: bool) -> Column:
        """A feature's column, or what the model answered; of missing values where no event carried an answer."""
        if name == PREDICTION:
            return absent(numeric, len(self)) if self.prediction is None else self.prediction
        if name != SCORE:
            return self.features[name]
        return likeliest(list(self.scores.values())) if self.scores else absent(numeric, len(self))

    def take(self, rows: Rows) -> Predictions:
        return Predictions(
            self.model,
            self.origin.take(rows),
            self.time_ms[rows],
            self.received_ms[rows],
            self.key[rows],
            self.identified[rows],
            self.version.take(rows),
            {name: column.take(rows) for name, column in self.features.items()},
            None if self.prediction is None else self.prediction.take(rows),
            {name: column.take(rows) for name, column in self.scores.items()},
            None if self.latency is None else self.latency.take(rows),
        )


def likeliest(columns: Sequence[NumericColumn]) -> NumericColumn:
    """Of at least one class's probabilities, those of the likeliest class."""
    if len(columns) == 1:
        return columns[0]
    values = np.stack([column.values for column in columns])
    state = np.stack([column.state for column in columns])
    # Of the classes that have a probability; where none has one, the mildest of the reasons.
    most = np.where(state == PRESENT, values, -np.inf).max(axis=0)
    least = state.min(axis=0)
    return NumericColumn(np.where(least == PRESENT, most, 0.0), least)


def absent(numeric: bool, rows: int) -> Column:
    """A column in which every value is missing."""
    if numeric:
        return NumericColumn(np.zeros(rows), np.full(rows, MISSING, dtype=np.uint8))
    return CategoricalColumn(np.full(rows, MISSING_CODE, dtype=np.int32), ())


def no_predictions(model: str, topic: str, features: Mapping[str, str]) -> Predictions:
    """A batch without rows; features: kind by name."""
    ints = np.empty(0, dtype=np.int64)
    columns: dict[str, Column] = {name: absent(kind == "numeric", 0) for name, kind in features.items()}
    origin = Origin(topic, ints.astype(np.int32), ints, ints.astype(np.int32))
    keys, identified = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.bool_)
    return Predictions(
        model, origin, ints, ints, keys, identified, CategoricalColumn(ints.astype(np.int32), ()), columns, None, {}
    )


@dataclass(frozen=True, slots=True)
class Labels:
    """Ground-truth events of one model; fields as in `Predictions`, `value` a class or a number, always present."""

    model: str
    origin: Origin
    time_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    key: NDArray[np.uint64]
    value: Column

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, rows: Rows) -> Labels:
        return Labels(
            self.model,
            self.origin.take(rows),
            self.time_ms[rows],
            self.received_ms[rows],
            self.key[rows],
            self.value.take(rows),
        )


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """A batch-scored model says that all rows of batch `id` have been sent to this partition."""

    model: str
    id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """Predictions beside their labels, n rows: what a model's performance is computed from."""

    prediction: Column | None
    scores: Mapping[str, NumericColumn]
    label: Column

    def __len__(self) -> int:
        return len(self.label.codes if isinstance(self.label, CategoricalColumn) else self.label.values)

    def take(self, rows: Rows) -> Pairs:
        return Pairs(
            None if self.prediction is None else self.prediction.take(rows),
            {name: column.take(rows) for name, column in self.scores.items()},
            self.label.take(rows),
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """Every pair of a pending prediction and a label of its id, as the store joined them.

    One prediction stands in as many rows as labels of its id are known. version, time_ms, key: the prediction's.
    label_time_ms, label_digest (uint64), label_partition, label_offset, known_ms: the label's; known_ms is when it
    counts from.
    """

    version: CategoricalColumn
    time_ms: NDArray[np.int64]
    key: NDArray[np.uint64]
    pairs: Pairs
    label_time_ms: NDArray[np.int64]
    label_digest: NDArray[np.uint64]
    label_partition: NDArray[np.int32]
    label_offset: NDArray[np.int64]
    known_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ms)
