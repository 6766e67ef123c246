"""Probabilities of native events: a number for the positive class, or an object of numbers by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.events.batch import INVALID, PRESENT, NumericColumn
from monitor.events.canonical import canonical
from monitor.events.numbers import missing_column, number_column
from monitor.events.schema import Schema

CLASSES_MAX = 1000
"""Most classes that are told apart: their columns cost memory in every row, and names are the producer's to invent."""


def scores(values: pa.Array | Sequence[object], schema: Schema) -> tuple[dict[str, NumericColumn], NDArray[np.bool_]]:
    """Columns of probabilities by class, and bool[n]: whose score is neither null nor a probability of each class.

    Regression has none, and a binary task only that of the positive class: a score that does not say it is missing.
    Classes that the schema does not know are passed over: nothing is measured by them, and each would cost a column of
    every prediction that is stored.
    """
    improbable = np.zeros(len(values), dtype=np.bool_)
    columns: dict[str, NumericColumn] = {}
    if schema.task == "multiclass":
        columns, improbable = _by_class(values, schema.classes)
    elif schema.task == "binary" and schema.positive is not None:
        columns = {schema.positive: _of_class(values, schema.positive)}
    for column in columns.values():
        improbable = improbable | (column.state == INVALID)
        improbable |= (column.state == PRESENT) & ((column.values < 0.0) | (column.values > 1.0))
    return columns, improbable


def _of_class(values: pa.Array | Sequence[object], name: str) -> NumericColumn:
    if isinstance(values, pa.StructArray):
        children = _children(values)
        return number_column(children[name]) if name in children else missing_column(len(values))
    if isinstance(values, pa.Array):
        return number_column(values)
    return number_column([_probability(value, name) if isinstance(value, dict) else value for value in values])


def _probability(by_class: Mapping[str, object], name: str) -> object:
    return {canonical(key): probability for key, probability in by_class.items()}.get(name)


def _by_class(
    values: pa.Array | Sequence[object], known: frozenset[str] | None
) -> tuple[dict[str, NumericColumn], NDArray[np.bool_]]:
    if isinstance(values, pa.StructArray):
        children = {name: child for name, child in _children(values).items() if known is None or name in known}
        return {name: number_column(child) for name, child in children.items()}, np.zeros(len(values), dtype=np.bool_)
    if isinstance(values, pa.Array):
        values = values.to_pylist()
    columns: dict[str, list[object]] = {}
    improbable = np.zeros(len(values), dtype=np.bool_)
    for row, value in enumerate(values):
        if value is not None:
            improbable[row] = not isinstance(value, dict) or not _spread(value, row, len(values), columns, known)
    return {name: number_column(column) for name, column in columns.items()}, improbable


def _spread(
    by_class: Mapping[str, object], row: int, rows: int, columns: dict[str, list[object]], known: frozenset[str] | None
) -> bool:
    """Put one row's probabilities of known classes into `columns`; False where there are too many classes."""
    for key, probability in by_class.items():
        name = canonical(key) or ""
        if known is not None and name not in known:
            continue
        if name not in columns:
            if len(columns) == CLASSES_MAX:
                return False
            columns[name] = [None] * rows
        columns[name][row] = probability
    return True


def _children(values: pa.StructArray) -> dict[str, pa.Array]:
    """The fields of objects by canonical name, null where the object is."""
    names = (canonical(field.name) or "" for field in values.type)
    return dict(zip(names, values.flatten(), strict=True))
