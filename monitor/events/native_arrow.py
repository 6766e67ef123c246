"""Native JSON, parsed in bulk: single events of one model and kind, many at once, outside the interpreter's lock.

Arrow parses against a schema that is learned from events which were read one by one. It is strict: a type that
changes, a key that is new or comes twice, or JSON that is none makes it refuse the whole. What it takes and the
definition in `native_rows` does not is looked for here, so that `parse` gives exactly the same events or None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
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


def parse(payloads: Sequence[bytes], records: NDArray[np.int64], shape: Shape) -> Parsed | None:
    """The events of `payloads`, each of which begins with { and ends with }; None where any is not of `shape`.

    records: int64[n], the index of each payload in the poll.
    """
    schema, kind = shape.schema, shape.kind
    table = _table(payloads, shape.arrow)
    if table is None or table.num_rows != len(payloads):
        return None
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    types = {kind, None} if shape.implied else {kind}
    if not (_holds_only(columns["type"], types) and _holds_only(columns["model"], {schema.model})):
        return None
    features = _features(columns["features"], schema) if kind == "prediction" else {}
    if features is None or not _is_exact(columns, features, schema):
        return None
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
    floats = (values for column in table.columns for chunk in column.chunks for values in _floats(chunk))
    return all(pc.all(pc.is_finite(values)).as_py() is not False for values in floats)


def _floats(values: pa.Array) -> Iterator[pa.Array]:
    """The floats in `values`, at any depth."""
    if pa.types.is_floating(values.type):
        yield values
    elif pa.types.is_struct(values.type):
        for child in values.flatten():
            yield from _floats(child)
    elif pa.types.is_list(values.type):
        yield from _floats(values.flatten())


def _holds_only(values: pa.Array, allowed: Set[object]) -> bool:
    return set(pc.unique(values).to_pylist()) <= allowed


def _features(values: pa.Array, schema: Schema) -> dict[str, pa.Array] | None:
    if pa.types.is_struct(values.type):
        return dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    width = len(schema.feature_order)
    if not _holds_only(pc.list_value_length(values), {width}):
        return None
    flat = values.flatten()
    return {name: flat[position::width] for position, name in enumerate(schema.feature_order)}


def _is_exact(columns: Mapping[str, pa.Array], features: Mapping[str, pa.Array], schema: Schema) -> bool:
    """Whether no category was an integer that a float cannot tell from its neighbours."""
    classes = [columns[name] for name in ("version", "prediction", "label") if name in columns]
    categories = [
        features[name] for name, kind in schema.features.items() if kind == "categorical" and name in features
    ]
    floats = [values for values in classes + categories if pa.types.is_floating(values.type)]
    return not any(pc.any(pc.greater_equal(pc.abs(values), _EXACT_MAX)).as_py() for values in floats)
