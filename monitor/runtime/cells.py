"""Columns of a table become columns of events: the meaning of cells, decided on distinct values or whole arrays."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.events import timestamps
from monitor.events.batch import INVALID, MISSING, CategoricalColumn, NumericColumn
from monitor.events.canonical import canonical_column
from monitor.events.numbers import feature_column
from monitor.runtime.frames import Values

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_BOOLEANS = frozenset({"true", "false"})


def numbers(values: Values) -> NumericColumn:
    """Of numbers, of booleans as 0 and 1, and of text that is a number; null and NaN are missing, infinities and other
    text invalid.
    """
    if not isinstance(values, pa.Array):
        return feature_column(values)
    kind = values.type
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_string(kind):
        try:
            return feature_column(values.cast(pa.float64()))  # Arrow takes more words for NaN than pandas does.
        except pa.ArrowInvalid:
            return _numbers_of_text(values)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        missing = values.is_null().to_numpy(zero_copy_only=False)
        return NumericColumn(np.zeros(len(values)), np.where(missing, MISSING, INVALID).astype(np.uint8))
    # Adding 0.0 makes -0.0 the same bits as 0.0, as in events.
    return NumericColumn.of(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) + 0.0)


def _numbers_of_text(values: pa.Array) -> NumericColumn:
    encoded = values.dictionary_encode()
    words: list[str] = encoded.dictionary.to_pylist()
    cells = [word.lower() == "true" if word.lower() in _BOOLEANS else word for word in words]
    distinct = feature_column([*cells, None])
    return distinct.take(_codes(encoded, len(words)))


def categories(values: Values, *, typed: bool) -> CategoricalColumn:
    """Canonical categories; of text without type, True and 1.0 are what a typed event would say: true and 1."""
    if not isinstance(values, pa.Array):
        return canonical_column(values)
    kind = values.type
    if typed and (pa.types.is_temporal(kind) or pa.types.is_binary(kind)):
        values = values.cast(pa.string(), safe=False)
    elif pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    if typed or not pa.types.is_string(kind):
        return canonical_column(values)
    encoded = values.dictionary_encode()
    distinct = canonical_column([*meant(encoded.dictionary.to_pylist()), None])
    return CategoricalColumn(distinct.codes[_codes(encoded, len(encoded.dictionary))], distinct.values)


def meant(texts: Sequence[str]) -> Sequence[str]:
    """Distinct texts of one column: where all are numbers, the whole ones without .0; where all are booleans, these in
    lower case.
    """
    if all(_DECIMAL.fullmatch(text) for text in texts):
        whole = (_WHOLE.fullmatch(text) for text in texts)
        return [match[1] if match else text for match, text in zip(whole, texts, strict=True)]
    lower = [text.lower() for text in texts]
    return lower if _BOOLEANS.issuperset(lower) else texts


def _codes(encoded: pa.DictionaryArray, null: int) -> NDArray[np.int64]:
    """int64[n]: the index of each row's value, `null` where it has none."""
    codes: NDArray[np.int64] = encoded.indices.cast(pa.int64()).fill_null(null).to_numpy(zero_copy_only=False)
    return codes


def times(values: Values, timezone: str) -> NDArray[np.int64]:
    """int64[n]: epoch milliseconds, or a code of `timestamps.FLAWS`; times without offset are of `timezone`.

    Of a local time that occurs twice the earlier instant is meant, of one that does not exist the one just after it.
    """
    if not isinstance(values, pa.Array):
        return _of_mixed(values, timezone)
    kind = values.type
    if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
        return _of_instants(_local(values, timezone))
    if pa.types.is_timestamp(kind):
        return _of_instants(values)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return timestamps.instants(pc.round(values).cast(pa.int64(), safe=False))
    return _of_text(values.cast(pa.string()), timezone)


def _of_text(values: pa.Array, timezone: str) -> NDArray[np.int64]:
    for kind in (pa.int64(), pa.timestamp("ns")):
        try:
            typed = values.cast(kind)
        except pa.ArrowInvalid:
            continue
        return times(typed, timezone)
    return _of_mixed(values.to_pylist(), timezone)


def _of_mixed(values: Sequence[object], timezone: str) -> NDArray[np.int64]:
    found = timestamps.instants(values)
    local: dict[int, datetime] = {}
    for row in np.flatnonzero((found == timestamps.NAIVE) | (found == timestamps.NO_TIME)).tolist():
        with contextlib.suppress(ValueError, TypeError):
            local[row] = datetime.fromisoformat(values[row])  # type: ignore[arg-type]
    for row in [row for row, time in local.items() if time.tzinfo is not None]:
        found[row] = timestamps.instant(local.pop(row).isoformat())
    found[[*local]] = _of_instants(_local(pa.array(local.values(), pa.timestamp("us")), timezone))
    return found


def _local(values: pa.Array, timezone: str) -> pa.Array:
    naive = values.cast(pa.timestamp("us"), safe=False)
    return pc.assume_timezone(naive, timezone, ambiguous="earliest", nonexistent="latest")


def _of_instants(values: pa.Array) -> NDArray[np.int64]:
    micros = values.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).fill_null(0)
    found = timestamps.epochs(micros.to_numpy() // 1000, values.is_null().to_numpy(zero_copy_only=False))
    # An instant has no unit that could be mistaken: whatever is not in range is out of it.
    return np.where(found < timestamps.MISSING, timestamps.OUT_OF_RANGE, found)
