"""Native JSON, parsed in bulk: single events of one model and kind, many at once, outside the interpreter's lock.

Arrow parses against a schema that is learned from events which were read one by one. It is strict: a type that
changes, a key that is new or comes twice, or JSON that is none makes it refuse the whole. What it takes and the
definition in `native_rows` does not is looked for here, so that `parse` gives exactly the same events or None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from numpy.typing import NDArray

from monitor.events.native_columns import Raw
from monitor.events.native_rows import FIELDS, KNOWN_KEYS
from monitor.events.native_shapes import Shape
from monitor.events.schema import Schema

BLOCK_MAX = 1 << 26
"""Most bytes that are parsed at once."""

# RapidJSON takes these two, the standard library's parser does not.
_FOREIGN_NUMBER = re.compile(rb"-NaN|Inf(?!inity)")

_EXACT_MAX = 2.0**53


@dataclass(frozen=True, slots=True)
class Parsed:
    """Events as their fields' raw values, and how many keys nobody knows they had."""

    raw: Raw
    unknown_keys: int


def parse(payloads: Sequence[bytes], shape: Shape) -> pa.Table | None:
    """The events of `payloads`, each of which begins with { and ends with }; None where any is not of `shape`."""
    table = _table(payloads, shape.arrow)
    if table is None or table.num_rows != len(payloads):
        return None
    types = {shape.kind, None} if shape.implied else {shape.kind}
    if not (_holds_only(table["type"], types) and _holds_only(table["model"], {shape.schema.model})):
        return None
    return table if _is_exact(table, shape) else None


def parsed(tables: Sequence[pa.Table], records: NDArray[np.int64], shape: Shape) -> Parsed:
    """The events of tables that `parse` made with `shape`; records: int64[n], the index of each in its poll."""
    schema, kind = shape.schema, shape.kind
    columns = _columns(pa.concat_tables(tables))
    features = _features(columns["features"], schema) if kind == "prediction" else {}
    unknown = [column for name, column in columns.items() if name not in KNOWN_KEYS[kind]]
    unknown += [column for name, column in features.items() if name not in schema.features]
    raw = Raw(
        schema,
        kind,
        records,
        np.full(len(records), -1, dtype=np.int32),
        {name: columns[name] for name in FIELDS[kind]},
        {name: features.get(name, pa.nulls(len(records))) for name in schema.features} if kind == "prediction" else {},
    )
    return Parsed(raw, sum(len(column) - column.null_count for column in unknown))


def _table(payloads: Sequence[bytes], shape: pa.Schema | None) -> pa.Table | None:
    if shape is None or len(block := b"\n".join(payloads)) > BLOCK_MAX:
        return None
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(block),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=shape, unexpected_field_behavior="error"),
        )
        table.validate(full=True)  # Without it, strings need not be UTF-8.
    except pa.ArrowException:
        return None
    return table if _is_finite(table) or not _FOREIGN_NUMBER.search(block) else None


def _is_finite(table: pa.Table) -> bool:
    floats = [values for column in _columns(table).values() for values in _floats(column)]
    return not floats or bool(np.isfinite(np.concatenate(floats)).all())


def _is_exact(table: pa.Table, shape: Shape) -> bool:
    """Whether arrays are as long as they must be, and no category an integer that a float may have rounded."""
    columns = _columns(table)
    categories = [columns[name] for name in ("version", "prediction", "label") if name in columns]
    if shape.kind == "prediction":
        values, schema = columns["features"], shape.schema
        if pa.types.is_list(values.type) and not _holds_only(pc.list_value_length(values), {len(schema.feature_order)}):
            return False
        features = _features(values, schema)
        categories += [features[name] for name in features if schema.features.get(name) == "categorical"]
    return all((np.abs(floats) < _EXACT_MAX).all() for values in categories for floats in _floats(values))


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    columns = {name: table[name] for name in table.column_names}
    return {name: each.chunk(0) if each.num_chunks == 1 else each.combine_chunks() for name, each in columns.items()}


def _features(values: pa.Array, schema: Schema) -> dict[str, pa.Array]:
    if pa.types.is_struct(values.type):
        return dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    flat, width = values.flatten(), len(schema.feature_order)
    return {name: flat[position::width] for position, name in enumerate(schema.feature_order)}


def _floats(values: pa.Array) -> Iterator[NDArray[np.float64]]:
    """The floats in `values`, at any depth; what stands where they are null, too."""
    if pa.types.is_floating(values.type) and len(values):
        yield np.frombuffer(values.buffers()[1], np.float64, len(values), values.offset * 8)
    elif pa.types.is_struct(values.type):
        for child in values.flatten():
            yield from _floats(child)
    elif pa.types.is_list(values.type):
        yield from _floats(values.flatten())


def _holds_only(values: pa.Array | pa.ChunkedArray, allowed: Set[object]) -> bool:
    return set(pc.unique(values).to_pylist()) <= allowed
