"""Predictions and labels of one model from tables: what `init`, `backtest` and a reference are made of.

A role (id, timestamp, version, prediction, score, label) has the column that the model's `columns` name, else the one
of its own name, unless that is a feature or named for another role. Without a timestamp the event time is the row
number. Rows stay in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.config import Columns
from monitor.config.problems import listed, near
from monitor.errors import ConfigError
from monitor.events import timestamps
from monitor.events.batch import (
    INVALID,
    INVALID_CODE,
    MISSING_CODE,
    PRESENT,
    CategoricalColumn,
    Column,
    Labels,
    NumericColumn,
    Origin,
    Pairs,
    Predictions,
)
from monitor.events.canonical import canonical
from monitor.events.ids import digests, position_digests
from monitor.events.schema import Schema
from monitor.runtime import cells
from monitor.runtime.frames import Frame, Values, read_frame


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table. labels: those of its rows that have one, or None without such a column.

    by_row: the table has no timestamps, so `time_ms` is the row number from 0 on. absent: features that it has no
    column of, all of whose values are missing; of each the column that was probably meant, or an empty text.
    """

    predictions: Predictions
    labels: Labels | None
    by_row: bool
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> Pairs | None:
        """The labelled rows: predictions beside labels."""
        if self.labels is None:
            return None
        rows, given = self.labels.origin.offset, self.predictions
        return Pairs(
            None if given.prediction is None else given.prediction.take(rows),
            {name: column.take(rows) for name, column in given.scores.items()},
            self.labels.value,
        )


def read_table(path: Path, schema: Schema, columns: Columns, timezone: str = "UTC") -> Table:
    """The predictions of a file, and the labels in it; ConfigError names the column, and the row, that is wrong."""
    return table_of(read_frame(path), schema, columns, timezone)


def table_of(frame: Frame, schema: Schema, columns: Columns, timezone: str = "UTC") -> Table:
    """As `read_table`, of a file that has been read."""
    reader = _Reader(frame, schema, columns, timezone)
    origin, time_ms = reader.origin(), reader.times()
    by_row = time_ms is None
    if time_ms is None:
        time_ms = np.arange(frame.rows, dtype=np.int64)
    key, identified = reader.keys(origin)
    nobody = np.full(frame.rows, -1, dtype=np.int64)
    nothing = pa.nulls(frame.rows, pa.string())
    given = {name: frame.columns.get(name, nothing) for name in schema.features}
    features: dict[str, Column] = {
        name: cells.numbers(given[name]) if kind == "numeric" else reader.categories(given[name])
        for name, kind in schema.features.items()
    }
    predictions = Predictions(
        schema.model,
        origin,
        time_ms,
        nobody,
        key,
        identified,
        reader.versions(),
        features,
        reader.outcome("prediction"),
        reader.scores(),
    )
    value = reader.outcome("label")
    labels = None if value is None else _present(Labels(schema.model, origin, time_ms, nobody, key, value))
    return Table(predictions, labels, by_row, _absent(frame, schema))


def read_answers(path: Path, schema: Schema, columns: Columns, timezone: str = "UTC") -> Table:
    """What one of several models answered, by id, and the labels beside it: no features, and of the roles that
    `columns` maps those that the file has.
    """
    frame = read_frame(path)
    given = frame.columns.keys()
    lacking = [role for role, named in columns.model_dump(exclude_none=True).items() if not _names(named) <= given]
    answers = replace(schema, features={})
    kept = columns.model_copy(update=dict.fromkeys(lacking))
    _Reader(frame, answers, kept if "id" not in lacking else columns, timezone).require_roles(("id",))
    return table_of(frame, answers, kept, timezone)


def read_features(path: Path, schema: Schema) -> Table:
    """The features of a file and nothing else of it, row by row."""
    frame = read_frame(path)
    features = {name: values for name, values in frame.columns.items() if name in schema.features}
    table = table_of(replace(frame, columns=features), schema, Columns())
    return replace(table, absent=_absent(frame, schema))


def _absent(frame: Frame, schema: Schema) -> dict[str, str]:
    """As of `Table`."""
    return {name: near(name, frame.columns) for name in schema.features if name not in frame.columns}


def _names(value: str | Mapping[str, str]) -> set[str]:
    return {value} if isinstance(value, str) else set(value.values())


def read_labels(path: Path, schema: Schema, columns: Columns, table: Table, timezone: str = "UTC") -> Labels:
    """The labels of a file of their own: columns id and label, and timestamp where they have one.

    Its columns have the names that `columns` maps, or those of the roles. A label without a time takes that of the
    first prediction in `table` with its id, or of the last prediction of all.
    """
    frame = read_frame(path)
    elsewhere = {role: None for role in ("id", "timestamp", "label") if getattr(columns, role) not in frame.columns}
    reader = _Reader(frame, replace(schema, features={}), columns.model_copy(update=elsewhere), timezone)
    reader.require_roles(("id", "label"))
    origin = reader.origin()
    time_ms = None if table.by_row else reader.times()
    key, identified = reader.keys(origin)
    value = reader.outcome("label")
    assert value is not None, "the role was required"
    if time_ms is None:
        time_ms = _prediction_times(key, table.predictions)
    nobody = np.full(len(key), -1, dtype=np.int64)
    return _present(Labels(schema.model, origin, time_ms, nobody, key, value).take(identified))


def _present(labels: Labels) -> Labels:
    value = labels.value
    return labels.take(value.codes >= 0 if isinstance(value, CategoricalColumn) else value.state == PRESENT)


def _prediction_times(key: NDArray[np.uint64], predictions: Predictions) -> NDArray[np.int64]:
    """int64[len(key)]: when each id was first predicted."""
    order = np.lexsort((predictions.time_ms, predictions.key))
    keys = predictions.key[order]
    place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    last = predictions.time_ms.max()
    return np.where(keys[place] == key, predictions.time_ms[order][place], last)


@dataclass(frozen=True, slots=True)
class _Reader:
    """One table, and how the model reads it."""

    frame: Frame
    schema: Schema
    columns: Columns
    timezone: str

    def column(self, role: str) -> str | None:
        """The column of a role; None where the table has none, which is an error only for one that was named.

        Labels may come later than predictions, and then in a file of their own, so theirs may be absent all the same.
        """
        named: str | None = getattr(self.columns, role)
        if role == "label" and not {named, role} & set(self.frame.columns):
            named = None
        if named is not None:
            self._require([named])
            return named
        taken = role in self.schema.features or role in self.columns.named
        return role if role in self.frame.columns and not taken else None

    def require_roles(self, roles: Iterable[str]) -> None:
        self._require([getattr(self.columns, role) or role for role in roles if self.column(role) is None])

    def _require(self, names: Iterable[str]) -> None:
        absent = [name for name in names if name not in self.frame.columns]
        problems = []
        for name in absent:
            guess = near(name, self.frame.columns)
            advice = f"did you mean {guess!r}?" if guess else f"it has {listed(self.frame.columns)}"
            problems.append(f"{self.frame.path} has no column {name!r}: {advice}")
        if problems:
            raise ConfigError(*problems)

    def _cells(self, role: str) -> Values | None:
        name = self.column(role)
        return None if name is None else self.frame.columns[name]

    def categories(self, values: Values) -> CategoricalColumn:
        return cells.categories(values, typed=self.frame.typed)

    def origin(self) -> Origin:
        rows = self.frame.rows
        zeros = np.zeros(rows, dtype=np.int32)
        return Origin(self.frame.path.name, zeros, np.arange(rows, dtype=np.int64), zeros)

    def keys(self, origin: Origin) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Digests of the ids, or of the rows' positions; and bool[n], which of them are ids."""
        values = self._cells("id")
        key = np.empty(self.frame.rows, dtype=np.uint64)
        identified = np.zeros(self.frame.rows, dtype=np.bool_)
        if values is not None:
            ids = self.categories(values)
            identified = (ids.codes >= 0) & np.array([*map(bool, ids.values), False, False])[ids.codes]
            key[identified] = digests(ids.values)[ids.codes[identified]]
        if not identified.all():
            key[~identified] = position_digests(origin.take(~identified))
        return key, identified

    def times(self) -> NDArray[np.int64] | None:
        values = self._cells("timestamp")
        if values is None:
            return None
        time_ms = cells.times(values, self.timezone)
        wrong = np.flatnonzero(time_ms < 0)
        if len(wrong):
            flaw = timestamps.FLAWS[int(time_ms[wrong[0]])].rstrip(".")
            self._refuse("timestamp", int(wrong[0]), f"{flaw[0].lower()}{flaw[1:]}: correct it, or name another column")
        return time_ms

    def versions(self) -> CategoricalColumn:
        """Versions as they are written; rows without one have the version ""."""
        values = self._cells("version")
        if values is None:
            return CategoricalColumn(np.zeros(self.frame.rows, dtype=np.int32), ("",))
        column = cells.categories(values, typed=True)
        texts = column.values if "" in column.values else (*column.values, "")
        return CategoricalColumn(np.where(column.codes < 0, texts.index(""), column.codes).astype(np.int32), texts)

    def outcome(self, role: str) -> Column | None:
        """What was predicted, or what turned out: classes, or numbers in regression."""
        values = self._cells(role)
        if values is None:
            return None
        if self.schema.task == "regression":
            return self._only_numbers(role, cells.numbers(values))
        classes = self.categories(values)
        # An empty text is no class.
        empty = np.array([*(not text for text in classes.values), False, False])[classes.codes]
        codes = np.where(empty | (classes.codes == INVALID_CODE), MISSING_CODE, classes.codes).astype(np.int32)
        return CategoricalColumn(codes, classes.values)

    def scores(self) -> dict[str, NumericColumn]:
        """Probabilities by class: the positive one of a binary task, all of a multiclass task that names them."""
        if self.schema.task == "regression":
            return {}
        if isinstance(self.columns.score, dict):
            self._require(self.columns.score.values())
            named = {canonical(text) or text: column for text, column in self.columns.score.items()}
        else:
            column = self.column("score")
            named = {self.schema.positive: column} if column is not None and self.schema.positive is not None else {}
        return {text: self._probabilities(column) for text, column in named.items()}

    def _probabilities(self, column: str) -> NumericColumn:
        scores = self._only_numbers(column, cells.numbers(self.frame.columns[column]))
        wrong = np.flatnonzero((scores.values < 0.0) | (scores.values > 1.0))
        if len(wrong):
            self._refuse(column, int(wrong[0]), "is no probability from 0 to 1: correct it, or name another column")
        return scores

    def _only_numbers(self, role: str, column: NumericColumn) -> NumericColumn:
        wrong = np.flatnonzero(column.state == INVALID)
        if len(wrong):
            self._refuse(role, int(wrong[0]), "is no number: correct it, leave it empty, or name another column")
        return column

    def _refuse(self, role: str, row: int, what: str) -> None:
        raise ConfigError(
            f"{self.frame.path}, column {getattr(self.columns, role, None) or role!r}, row {row + 1}: {what}"
        )
