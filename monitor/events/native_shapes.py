"""The shape of native events: the Arrow schema that `native_arrow` parses them with, learned from some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from monitor.events.canonical import canonical
from monitor.events.native_columns import EventKind
from monitor.events.native_rows import FIELDS, KNOWN_KEYS
from monitor.events.native_scores import CLASSES_MAX
from monitor.events.schema import Schema

UNKNOWN_MAX = 100
"""Most types beyond those of the model's schema that a shape holds; events of more are read one by one."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What single events of one model and kind look like. implied: whether their `type` may be left out.

    arrow: the types of all their keys; None before any was seen.
    """

    schema: Schema
    kind: EventKind
    implied: bool
    arrow: pa.Schema | None = None

    def learned(self, events: Sequence[Mapping[str, object]]) -> Shape:
        """The shape of `events` and of those before them, or of `events` alone; else, where they have none, this."""
        try:
            new = _completed(pa.infer_type(events), self.schema, self.kind) if events else None
        except pa.ArrowException:
            return self
        for candidate in (_union(self.arrow, new), new):
            if candidate is not None and _is_usable(candidate, self.schema, self.kind):
                return replace(self, arrow=candidate)
        return self


def _completed(inferred: pa.StructType, schema: Schema, kind: EventKind) -> pa.Schema:
    """Types for every field that is read: the inferred one where it can be, else the likeliest."""
    types = {field.name: field.type for field in inferred}
    fields = ("type", "model", *FIELDS[kind], *(("features",) if kind == "prediction" else ()))
    shape = {name: _field(name, types.get(name, pa.null()), schema) for name in fields}
    others = {name: _widened(found) for name, found in types.items() if name not in shape}
    return pa.schema(list((shape | others).items()))


def _field(name: str, inferred: pa.DataType, schema: Schema) -> pa.DataType:
    match name:
        case "id" | "timestamp":
            return inferred if pa.types.is_int64(inferred) else pa.string()
        case "prediction" | "label" if schema.task == "regression":
            return pa.float64()
        case "version" | "prediction" | "label":
            return _category(inferred)
        case "score":
            return _widened(inferred) if pa.types.is_struct(inferred) else pa.float64()
        case "latency_ms":
            return _quantity(inferred)
        case "features":
            return _features(inferred, schema)
        case _:
            return pa.string()


def _features(inferred: pa.DataType, schema: Schema) -> pa.DataType:
    if pa.types.is_list(inferred):
        return _widened(inferred)
    if pa.types.is_null(inferred) and schema.feature_order:
        return pa.list_(pa.float64())
    types = {field.name: field.type for field in inferred} if pa.types.is_struct(inferred) else {}
    features = {
        name: _category(types.get(name, pa.null())) if kind == "categorical" else _quantity(types.get(name, pa.null()))
        for name, kind in schema.features.items()
    }
    others = {name: _widened(found) for name, found in types.items() if name not in features}
    return pa.struct(list((features | others).items()))


def _category(inferred: pa.DataType) -> pa.DataType:
    return inferred if pa.types.is_primitive(inferred) else pa.string()


def _quantity(inferred: pa.DataType) -> pa.DataType:
    return inferred if pa.types.is_boolean(inferred) or pa.types.is_string(inferred) else pa.float64()


def _widened(inferred: pa.DataType) -> pa.DataType:
    """Floats for integers, at any depth: what is an integer in one event seldom is in all."""
    if pa.types.is_integer(inferred):
        return pa.float64()
    if pa.types.is_struct(inferred):
        return pa.struct([(field.name, _widened(field.type)) for field in inferred])
    if pa.types.is_list(inferred):
        # The parser makes an invalid array of lists whose type is null.
        empty = pa.types.is_null(inferred.value_type)
        return pa.list_(pa.float64() if empty else _widened(inferred.value_type))
    return inferred


def _union(shape: pa.Schema | None, new: pa.Schema | None) -> pa.Schema | None:
    if shape is None or new is None:
        return None
    try:
        return pa.unify_schemas([shape, new], promote_options="permissive")
    except pa.ArrowException:
        return None


def _is_usable(shape: pa.Schema, schema: Schema, kind: EventKind) -> bool:
    if "columns" in shape.names:
        return False  # Where it stands, only the event's `type` says whether this is a columnar batch.
    types = sum(_size(field.type) for field in shape if field.name != "score")
    if types > len(KNOWN_KEYS[kind]) + len(schema.features) + UNKNOWN_MAX:
        return False
    score = shape.field("score").type if "score" in shape.names else pa.null()
    classes = [canonical(field.name) for field in score] if pa.types.is_struct(score) else []
    return len(set(classes)) == len(classes) <= CLASSES_MAX


def _size(parsed: pa.DataType) -> int:
    """How many types it takes to describe one."""
    return 1 + sum(_size(parsed.field(i).type) for i in range(parsed.num_fields))
