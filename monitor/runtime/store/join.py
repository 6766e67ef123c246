"""Predictions that wait for their labels, labels that wait for their predictions, and the join of the two.

Both are only ever appended, joined in bulk at window boundaries, and deleted by whole windows from the old end. A
join of 500 rows costs as much as one of 200,000, and a scattered delete far more than leaving a matched row in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, Column, Labels, Matched, Predictions
from monitor.events.ids import digests
from monitor.runtime.store import columns, schema
from monitor.runtime.store.database import Database

# `first` looks at every pending prediction of an affected id, whatever its window, so that a re-sent one never counts.
# row_number is twice as fast as DISTINCT ON here, and a narrow set of ids first keeps the wide rows few.
_MATCHED = """
WITH label AS (SELECT * FROM labels_{number} WHERE known_ms < $until),
affected AS (
    SELECT key FROM label WHERE known_ms >= $since UNION
    SELECT key FROM predictions_{number}
    WHERE window_end_ms > $since AND time_ms < $until AND key IN (SELECT key FROM label)),
first AS (
    SELECT * FROM predictions_{number} WHERE time_ms < $until AND key IN (FROM affected)
    QUALIFY row_number() OVER (
        PARTITION BY version, key ORDER BY window_end_ms, partition, log_offset, log_row) = 1)
SELECT first.*, label.class AS label_class, label.number AS label_number, label.time_ms AS label_time_ms,
    label.digest, label.partition AS label_partition, label.log_offset AS label_offset, label.known_ms
FROM first JOIN label USING (key)
ORDER BY first.time_ms, first.version, key, label.time_ms, label.digest, label.known_ms, label.partition,
    label.log_offset
"""

_RECENT = """
SELECT partition, key, version, max(window_end_ms) FROM predictions_{number}
WHERE window_end_ms > ? AND key IN (FROM incoming) GROUP BY ALL
"""

_OPEN = """
SELECT partition, key, window_end_ms FROM predictions_{number} WHERE window_end_ms > $since ORDER BY partition
"""

_EXPIRE_PREDICTIONS = "DELETE FROM predictions_{number} WHERE window_end_ms <= ?"
_EXPIRE_LABELS = "DELETE FROM labels_{number} WHERE known_ms < ?"


OpenKeys = tuple[int, NDArray[np.uint64], NDArray[np.int64]]
"""A partition, and the keys of its predictions in open windows beside the ends of those."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Number of a model's tables, and the class that each of its score columns belongs to."""

    number: int
    classes: tuple[str, ...]


class Join:
    """The tables of every model. `forget` what is known of them after a rollback: they may be gone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: dict[str, _Entry] | None = None

    def forget(self) -> None:
        self._entries = None

    def add_predictions(self, batch: Predictions, window_end_ms: NDArray[np.int64]) -> None:
        entry = self._with_classes(batch.model, tuple(batch.scores))
        rows = {
            "key": batch.key,
            "time_ms": batch.time_ms,
            "window_end_ms": window_end_ms,
            "partition": batch.origin.partition,
            "log_offset": batch.origin.offset,
            "log_row": batch.origin.row,
            "version": columns.from_categories(batch.version),
            **columns.from_outcome(batch.prediction, len(batch)),
        }
        for name, score in batch.scores.items():
            rows[f"score_{entry.classes.index(name)}"] = columns.from_numbers(score)
        self._database.append(f"predictions_{entry.number}", pa.table(rows))

    def add_labels(self, batch: Labels, known_ms: NDArray[np.int64]) -> None:
        entry = self._with_classes(batch.model, ())
        rows = {
            "key": batch.key,
            "time_ms": batch.time_ms,
            "known_ms": known_ms,
            "digest": _label_digests(batch.value),
            "partition": batch.origin.partition,
            "log_offset": batch.origin.offset,
            **columns.from_outcome(batch.value, len(batch)),
        }
        self._database.append(f"labels_{entry.number}", pa.table(rows))

    def recent(self, model: str, keys: NDArray[np.uint64], open_since_ms: int) -> dict[tuple[int, int, str], int]:
        entry = self._known().get(model)
        if entry is None or len(keys) == 0:
            return {}
        sql = _RECENT.format(number=entry.number)
        found = self._database.rows(sql, [open_since_ms], incoming=pa.table({"key": keys}))
        return {(partition, key, version): end_ms for partition, key, version, end_ms in found}

    def open_predictions(self, model: str, open_since_ms: int) -> list[OpenKeys]:
        entry = self._known().get(model)
        if entry is None:
            return []
        found = self._database.table(_OPEN.format(number=entry.number), {"since": open_since_ms})
        partitions, starts = np.unique(found["partition"].to_numpy(), return_index=True)
        keys = np.split(found["key"].to_numpy(), starts[1:])
        ends = np.split(found["window_end_ms"].to_numpy(), starts[1:])
        return list(zip(partitions.tolist(), keys, ends, strict=False))

    def matched(self, model: str, since_ms: int, until_ms: int) -> Matched:
        entry = self._known().get(model)
        if entry is None:
            return _to_matched(_NOTHING, ())
        sql = _MATCHED.format(number=entry.number)
        return _to_matched(self._database.table(sql, {"since": since_ms, "until": until_ms}), entry.classes)

    def expire(self, model: str, predictions_before_ms: int, labels_before_ms: int) -> tuple[int, int]:
        entry = self._known().get(model)
        if entry is None:
            return 0, 0
        return (
            self._database.delete(_EXPIRE_PREDICTIONS.format(number=entry.number), [predictions_before_ms]),
            self._database.delete(_EXPIRE_LABELS.format(number=entry.number), [labels_before_ms]),
        )

    def _known(self) -> dict[str, _Entry]:
        if self._entries is None:
            found = self._database.rows("SELECT name, number, classes FROM model")
            self._entries = {name: _Entry(number, tuple(classes)) for name, number, classes in found}
        return self._entries

    def _with_classes(self, model: str, classes: tuple[str, ...]) -> _Entry:
        """The entry of a model, which is made, or widened, so that each class has its score column."""
        entries = self._known()
        entry = entries.get(model)
        if entry is None:
            entry = _Entry(len(entries), ())
            self._database.execute("INSERT INTO model VALUES (?, ?, [])", [entry.number, model])
            self._database.execute(schema.CREATE_MODEL.format(number=entry.number))
        new = tuple(name for name in classes if name not in entry.classes)
        for position in range(len(entry.classes), len(entry.classes) + len(new)):
            self._database.execute(schema.ADD_SCORE.format(number=entry.number, position=position))
        if new:
            entry = _Entry(entry.number, entry.classes + new)
            self._database.execute("UPDATE model SET classes = ? WHERE number = ?", [list(entry.classes), entry.number])
        entries[model] = entry
        return entry


_NOTHING = pa.table(
    {
        **dict.fromkeys(("version", "class", "label_class"), pa.array([], pa.string())),
        **dict.fromkeys(("number", "label_number"), pa.array([], pa.float64())),
        **dict.fromkeys(("time_ms", "label_time_ms", "label_offset", "known_ms"), pa.array([], pa.int64())),
        **dict.fromkeys(("key", "digest"), pa.array([], pa.uint64())),
        "label_partition": pa.array([], pa.int32()),
    }
)


def _to_matched(rows: pa.Table, classes: tuple[str, ...]) -> Matched:
    return Matched(
        version=columns.to_categories(rows["version"]),
        time_ms=rows["time_ms"].to_numpy(),
        key=rows["key"].to_numpy(),
        pairs=columns.to_pairs(rows, classes),
        label_time_ms=rows["label_time_ms"].to_numpy(),
        label_digest=rows["digest"].to_numpy(),
        label_partition=rows["label_partition"].to_numpy(),
        label_offset=rows["label_offset"].to_numpy(),
        known_ms=rows["known_ms"].to_numpy(),
    )


def _label_digests(value: Column) -> NDArray[np.uint64]:
    """Of the canonical text: the class, or the number as Python writes it, zero without a sign."""
    if isinstance(value, CategoricalColumn):
        return digests(value.values)[value.codes]
    numbers, where = np.unique(value.values + 0.0, return_inverse=True)
    return digests(map(repr, numbers.tolist()))[where]
