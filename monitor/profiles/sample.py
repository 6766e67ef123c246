"""A bounded sample of raw rows: those whose id digests are smallest after mixing (a bottom-k sketch).

Which rows are kept depends on their ids alone, so folding in any order and any split keeps the same ones, and the
sample of a union is found in the union of the samples. Cohen and Kaplan, "Summarizing data using bottom-k
sketches", PODC 2007. Memory: SIZE rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import (
    MISSING,
    MISSING_CODE,
    PREDICTION,
    SCORE,
    CategoricalColumn,
    Column,
    NumericColumn,
    Predictions,
    absent,
    likeliest,
)

SIZE = 500
"""Rows that a sample keeps: enough for a report a person reads, about 10 kB a feature column of text."""

WHOLE = 100_000
"""Limit of a sample that stands in for all rows, where none can be counted in cells yet."""

_VALUES_MAX = 4 * SIZE  # Categories that are carried along unused; dropping them each time would cost more.


def mix(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """uint64[n]: the finaliser of SplitMix64, a bijection, so that order by it is independent of the id's digest."""
    with np.errstate(over="ignore"):
        z = key + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


@dataclass(slots=True)
class Sample:
    """order: uint64[k], ascending, k <= limit; columns: k rows of "feature:NAME", "prediction" and "score:CLASS".
    limit: how many rows are kept.
    """

    order: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    columns: dict[str, Column] = field(default_factory=dict)
    limit: int = SIZE

    def fold(self, batch: Predictions) -> None:
        """Add rows, keeping those with the smallest order."""
        order = mix(batch.key)
        rows = np.flatnonzero(order < self.order[-1]) if len(self.order) == self.limit else np.arange(len(order))
        if len(rows) > self.limit:
            rows = rows[np.argpartition(order[rows], self.limit - 1)[: self.limit]]
        if len(rows):
            rows = rows[np.argsort(order[rows], kind="stable")]
            added = Sample(order[rows], _columns(batch, rows), self.limit)
            joined = self.merge(added) if len(self.order) else added
            self.order, self.columns = joined.order, joined.columns

    def merge(self, other: Sample) -> Sample:
        """The sample of both samples' rows; the two stay as they are."""
        order, limit = np.concatenate([self.order, other.order]), max(self.limit, other.limit)
        keep = np.argsort(order, kind="stable")[:limit]
        names = {*self.columns, *other.columns}
        return Sample(order[keep], {name: joined([self, other], name).take(keep) for name in names}, limit)

    def column(self, name: str, numeric: bool) -> Column:
        """A feature's column, or what the model answered, as of `Predictions`; of missing values where not known."""
        if name != SCORE:
            found = self.columns.get("prediction" if name == PREDICTION else f"feature:{name}")
            return absent(numeric, len(self.order)) if found is None else found
        scores = [each for key, each in self.columns.items() if key.startswith("score:")]
        known = [each for each in scores if isinstance(each, NumericColumn)]
        return likeliest(known) if known else absent(numeric, len(self.order))

    def first(self, rows: int) -> Sample:
        """A sample of at most so many of its rows."""
        kept = slice(min(rows, len(self.order)))
        # Copies: a view would keep the whole column in memory.
        return Sample(self.order[kept].copy(), {name: _copy(each.take(kept)) for name, each in self.columns.items()})

    def plain(self) -> list[Any]:
        """The same rows give the same plain value, whatever they were cut from."""
        columns = {name: _compact(self.columns[name]) for name in sorted(self.columns)}
        kept = {
            name: _plain(column)
            for name, column in columns.items()
            if name.startswith("feature:") or not _all_missing(column)
        }
        return [self.order.tobytes(), kept, *([] if self.limit == SIZE else [self.limit])]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> Sample:
        order, columns, *limit = plain
        kept = {name: _of_plain(column) for name, column in columns.items()}
        return cls(np.frombuffer(order, dtype="<u8"), kept, *limit)


def _columns(batch: Predictions, rows: NDArray[np.int64]) -> dict[str, Column]:
    columns: dict[str, Column] = {f"feature:{name}": column.take(rows) for name, column in batch.features.items()}
    columns |= {f"score:{name}": column.take(rows) for name, column in batch.scores.items()}
    if batch.prediction is not None:
        columns["prediction"] = batch.prediction.take(rows)
    return columns


def joined(samples: Sequence[Sample], name: str) -> Column:
    """One column of all samples' rows, in their order; missing where a sample does not have it."""
    parts = [sample.columns.get(name) for sample in samples]
    numeric = any(isinstance(part, NumericColumn) for part in parts)
    filled = [
        absent(numeric, len(sample.order)) if part is None else part
        for part, sample in zip(parts, samples, strict=True)
    ]
    if numeric:
        return NumericColumn.concatenate([part for part in filled if isinstance(part, NumericColumn)])
    column = CategoricalColumn.concatenate([part for part in filled if isinstance(part, CategoricalColumn)])
    return _compact(column) if len(column.values) > _VALUES_MAX else column


def _copy(column: Column) -> Column:
    if isinstance(column, NumericColumn):
        return NumericColumn(column.values.copy(), column.state.copy())
    return _compact(column)


def _all_missing(column: Column) -> bool:
    if isinstance(column, NumericColumn):
        return bool((column.state == MISSING).all())
    return bool((column.codes == MISSING_CODE).all())


def _compact(column: Column) -> Column:
    """The column with the values it uses alone, in sorted order."""
    if isinstance(column, NumericColumn):
        return column
    values = sorted({column.values[code] for code in np.unique(column.codes).tolist() if code >= 0})
    return CategoricalColumn(column.recode({value: code for code, value in enumerate(values)}), tuple(values))


def _plain(column: Column) -> list[Any]:
    if isinstance(column, NumericColumn):
        return ["n", column.values.tobytes(), column.state.tobytes()]
    return ["c", column.codes.tobytes(), list(column.values)]


def _of_plain(plain: list[Any]) -> Column:
    kind, data, rest = plain
    if kind == "n":
        return NumericColumn(np.frombuffer(data, dtype="<f8"), np.frombuffer(rest, dtype=np.uint8))
    return CategoricalColumn(np.frombuffer(data, dtype="<i4"), tuple(rest))
