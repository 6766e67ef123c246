"""Predictions and labels row by row, for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from monitor.events.batch import CategoricalColumn, Column, Labels, NumericColumn, Origin, Predictions
from monitor.runtime.store import Store

CLASSES = ("fraud", "ok")


class P(NamedTuple):
    """A prediction; `place` is its partition, offset and row."""

    key: int
    time_ms: int
    window_end_ms: int
    version: str = "1"
    prediction: str | float | None = "ok"
    scores: tuple[float, ...] = (0.5,)
    place: tuple[int, int, int] = (0, 0, 0)


class L(NamedTuple):
    """A label, known at `known_ms`."""

    key: int
    time_ms: int
    known_ms: int
    value: str | float = "fraud"
    partition: int = 0


def add(
    store: Store, predictions: Sequence[P] = (), labels: Sequence[L] = (), model: str = "m", classes: str = "fraud"
) -> None:
    """Inside a transaction. classes: of the scores, separated by spaces."""
    if predictions:
        batch = to_predictions(predictions, model, tuple(classes.split()))
        store.add_predictions(batch, np.array([row.window_end_ms for row in predictions]))
    if labels:
        store.add_labels(to_labels(labels, model), np.array([row.known_ms for row in labels]))


def to_predictions(rows: Sequence[P], model: str = "m", classes: tuple[str, ...] = ("fraud",)) -> Predictions:
    partition, offset, row = zip(*(each.place for each in rows), strict=True)
    values = [each.prediction for each in rows]
    return Predictions(
        model,
        Origin("predictions", np.array(partition, np.int32), np.array(offset), np.array(row, np.int32)),
        np.array([each.time_ms for each in rows]),
        np.full(len(rows), -1),
        np.array([each.key for each in rows], np.uint64),
        np.ones(len(rows), np.bool_),
        _categories([each.version for each in rows]),
        {},
        None if all(value is None for value in values) else _column(values),
        {name: NumericColumn.of(np.array([each.scores[at] for each in rows])) for at, name in enumerate(classes)},
    )


def to_labels(rows: Sequence[L], model: str = "m") -> Labels:
    ints = np.zeros(len(rows), np.int32)
    return Labels(
        model,
        Origin("labels", np.array([each.partition for each in rows], np.int32), np.arange(len(rows)), ints),
        np.array([each.time_ms for each in rows]),
        np.full(len(rows), -1),
        np.array([each.key for each in rows], np.uint64),
        _column([each.value for each in rows]),
    )


def from_column(column: Column | None, row: int) -> str | float | None:
    """One value of a column, None where it is missing."""
    if column is None:
        return None
    if isinstance(column, CategoricalColumn):
        code = int(column.codes[row])
        return column.values[code] if code >= 0 else None
    return float(column.values[row]) if column.state[row] == 0 else None


def _column(values: Sequence[str | float | None]) -> Column:
    if any(isinstance(value, str) for value in values):
        return _categories(values)
    return NumericColumn.of(np.array([np.nan if value is None else value for value in values], np.float64))


def _categories(values: Sequence[str | float | None]) -> CategoricalColumn:
    names = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
    return CategoricalColumn(
        np.array([-1 if value is None else names.index(str(value)) for value in values], np.int32), names
    )
