"""Columns of a batch as Arrow arrays, and back.

Missing is null. An invalid number is an infinity, which is how `NumericColumn.of` reads it; an invalid class becomes
a missing one, as neither can be compared with a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from monitor.events.batch import INVALID, MISSING, MISSING_CODE, CategoricalColumn, Column, NumericColumn, Pairs


def from_categories(column: CategoricalColumn) -> pa.Array:
    """A dictionary array: no string is made per row."""
    absent = column.codes < 0
    codes = pa.array(np.where(absent, 0, column.codes).astype(np.int32), mask=absent)
    return pa.DictionaryArray.from_arrays(codes, pa.array(column.values, pa.string()))


def from_numbers(column: NumericColumn) -> pa.Array:
    values = np.where(column.state == INVALID, np.inf, column.values)
    return pa.array(values, mask=column.state == MISSING)


def from_outcome(column: Column | None, rows: int) -> dict[str, pa.Array]:
    """Columns `class` and `number`, of which at most one is used; a column of nulls takes no space."""
    columns = {"class": pa.nulls(rows, pa.string()), "number": pa.nulls(rows, pa.float64())}
    if isinstance(column, CategoricalColumn):
        columns["class"] = from_categories(column)
    elif column is not None:
        columns["number"] = from_numbers(column)
    return columns


def to_categories(column: pa.ChunkedArray) -> CategoricalColumn:
    """`values` in the order in which they first appear."""
    encoded = column.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(MISSING_CODE).to_numpy(zero_copy_only=False)
    return CategoricalColumn(codes.astype(np.int32), tuple(encoded.dictionary.to_pylist()))


def to_numbers(column: pa.ChunkedArray) -> NumericColumn:
    return NumericColumn.of(column.to_numpy())


def to_outcome(classes: pa.ChunkedArray, numbers: pa.ChunkedArray) -> Column | None:
    """Whichever of the two is used, or None where neither is."""
    if classes.null_count < len(classes):
        return to_categories(classes)
    return to_numbers(numbers) if numbers.null_count < len(numbers) else None


def from_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> pa.Table:
    """A table of a few Python tuples, at least one; the store casts what Arrow infers to the types of its columns."""
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def to_pairs(rows: pa.Table, classes: Sequence[str]) -> Pairs:
    """Predictions beside their labels: columns class, number, score_0 and on, label_class and label_number. classes: of
    the score columns. In the order of their names and only those with a score here: what came later must not show.
    """
    scores = {name: rows[f"score_{classes.index(name)}"] for name in sorted(classes)}
    label = to_outcome(rows["label_class"], rows["label_number"])
    return Pairs(
        prediction=to_outcome(rows["class"], rows["number"]),
        scores={name: to_numbers(score) for name, score in scores.items() if score.null_count < len(rows)},
        label=to_categories(rows["label_class"]) if label is None else label,
    )
