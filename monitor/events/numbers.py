"""Raw values become columns of numbers: what is usable, what is missing, what is there but no finite number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.events.batch import INVALID, MISSING, PRESENT, NumericColumn

_DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NUMBERS = frozenset({int, float, type(None)})


def feature_column(values: pa.Array | Sequence[object]) -> NumericColumn:
    """Of a numeric feature: numbers, booleans as 0 and 1, and strings that are decimal numbers."""
    return _column(values, lenient=True)


def number_column(values: pa.Array | Sequence[object]) -> NumericColumn:
    """Of a number that a model or its labels state: anything but a JSON number is invalid."""
    return _column(values, lenient=False)


def missing_column(rows: int) -> NumericColumn:
    """A column of `rows` missing values."""
    return NumericColumn(np.zeros(rows), np.full(rows, MISSING, dtype=np.uint8))


def _column(values: pa.Array | Sequence[object], *, lenient: bool) -> NumericColumn:
    if isinstance(values, pa.Array):
        if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
            missing = pc.is_null(values).to_numpy(zero_copy_only=False) if values.null_count else None
            floats = values if pa.types.is_float64(values.type) else values.cast(pa.float64(), safe=False)
            return _judged(floats.to_numpy(zero_copy_only=False), missing)
        values = values.to_pylist()
    kinds = set(map(type, values))
    if kinds == {type(None)}:
        return missing_column(len(values))
    if not kinds <= _NUMBERS:
        values = [_number(value, lenient) for value in values]
    missing = np.array([value is None for value in values], dtype=np.bool_) if type(None) in kinds else None
    return _judged(np.array(values, dtype=np.float64), missing)


def _number(value: object, lenient: bool) -> float | None:
    match value:
        case None:
            return None
        case bool():
            return float(value) if lenient else math.nan
        case int() | float():
            return value
        case str() if lenient and _DECIMAL.fullmatch(value):
            return float(value)
        case _:
            return math.nan


def _judged(values: NDArray[np.float64], missing: NDArray[np.bool_] | None) -> NumericColumn:
    # Adding 0.0 makes 0.0 of -0.0, which is what some parsers read "-0" as.
    values = values + 0.0
    usable = np.isfinite(values)
    if usable.all():
        return NumericColumn(values, np.full(len(values), PRESENT, dtype=np.uint8))
    state = np.where(usable, PRESENT, INVALID).astype(np.uint8)
    if missing is not None:
        state[missing] = MISSING
    return NumericColumn(np.where(usable, values, 0.0), state)
