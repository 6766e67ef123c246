"""Rows of given columns, for the tests of detection."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Origin, Predictions


def table(columns: Mapping[str, Column], time_ms: NDArray[np.int64] | None = None) -> Predictions:
    """Predictions of model `m` that carry these features; a row a millisecond unless `time_ms` says otherwise."""
    first = next(iter(columns.values()))
    rows = len(first.values if isinstance(first, NumericColumn) else first.codes)
    zeros = np.zeros(rows, dtype=np.int32)
    return Predictions(
        "m",
        Origin("predictions", zeros, np.arange(rows), zeros),
        np.arange(rows) if time_ms is None else time_ms,
        np.full(rows, -1),
        np.arange(rows).astype(np.uint64),
        np.ones(rows, dtype=np.bool_),
        CategoricalColumn(zeros, ("1",)),
        dict(columns),
        None,
        {},
    )
