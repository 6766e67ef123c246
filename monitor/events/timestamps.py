"""Event times: ISO 8601 with an offset, or an integer of epoch milliseconds, from 1990 to 2200.

Whatever is no such time becomes a negative code, and `FLAWS` says what is wrong with it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING, NAIVE, NO_TIME, SECONDS, MICROSECONDS, NANOSECONDS, OUT_OF_RANGE = range(-1, -8, -1)

FLAWS = MappingProxyType(
    {
        MISSING: "The event has no timestamp.",
        NAIVE: "The timestamp has no offset from UTC.",
        NO_TIME: "The timestamp is neither ISO 8601 nor an integer of epoch milliseconds.",
        SECONDS: "The timestamp is in seconds; epoch milliseconds are needed.",
        MICROSECONDS: "The timestamp is in microseconds; epoch milliseconds are needed.",
        NANOSECONDS: "The timestamp is in nanoseconds; epoch milliseconds are needed.",
        OUT_OF_RANGE: "The timestamp is not of the years 1990 to 2200.",
    }
)
"""One sentence for every code that `instants` can return."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999
_FIRST_S = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
_END_S = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
_SCALES = ((1_000, None), (1, SECONDS), (1_000_000, MICROSECONDS), (1_000_000_000, NANOSECONDS))

_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[Tt ](?P<hour>\d\d)"
    r"(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?",
    re.ASCII,
)


def utc(time_ms: int) -> datetime:
    """The moment `time_ms` milliseconds after the epoch; beyond the years 1 to 9999, the nearest end of them."""
    return _EPOCH + timedelta(milliseconds=min(max(time_ms, _EARLIEST_MS), _LATEST_MS))


@lru_cache(maxsize=1024)  # The ends of a window are written with every reading of it.
def iso(time_ms: int) -> str:
    """ISO 8601 in UTC; milliseconds only where there are any: 2026-11-23T10:00:00.120Z, 2026-11-24T09:12:00Z."""
    return utc(time_ms).replace(tzinfo=None).isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds") + "Z"


def instants(values: pa.Array | Sequence[object]) -> NDArray[np.int64]:
    """int64[n]: epoch milliseconds, fractions of one cut off; or a code of `FLAWS`. Null is MISSING."""
    if isinstance(values, pa.Array):
        if pa.types.is_int64(values.type):
            return epochs(values.fill_null(MISSING).to_numpy(), ~_valid(values))
        if pa.types.is_string(values.type):
            return _texts(values)
        return instants(values.to_pylist())
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return _texts(pa.array(values, pa.string()))
    if kinds == {int}:
        with contextlib.suppress(OverflowError):
            return epochs(np.array(values, dtype=np.int64), np.zeros(len(values), dtype=np.bool_))
    return np.array([instant(value) for value in values], dtype=np.int64)


def instant(value: object) -> int:
    """As `instants`, of one value."""
    match value:
        case None:
            return MISSING
        case str():
            return _text(value)
        case bool():
            return NO_TIME
        case int():
            return _epoch(value)
        case float() if value.is_integer():
            return _epoch(int(value))
        case _:
            return NO_TIME


def epochs(values: NDArray[np.int64], missing: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64[n]: the milliseconds that are in range, else a code; MISSING where `missing`."""
    result = np.full(len(values), OUT_OF_RANGE, dtype=np.int64)
    for scale, code in _SCALES:
        inside = (values >= _FIRST_S * scale) & (values < _END_S * scale)
        result[inside] = values[inside] if code is None else code
    result[missing] = MISSING
    return result


def _epoch(value: int) -> int:
    for scale, code in _SCALES:
        if _FIRST_S * scale <= value < _END_S * scale:
            return value if code is None else code
    return OUT_OF_RANGE


def _texts(values: pa.Array) -> NDArray[np.int64]:
    # Arrow reads a subset of what `_text` reads, thirty times faster, and fails as a whole: up to six digits of a
    # fraction as microseconds, up to nine as nanoseconds.
    for unit in ("us", "ns"):
        try:
            times = values.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp("us", "UTC"), safe=False)
        except pa.ArrowInvalid:
            continue
        micros: NDArray[np.int64] = times.cast(pa.int64()).fill_null(0).to_numpy()
        return _in_range(micros // 1000, ~_valid(values))
    return np.array([MISSING if text is None else _text(text) for text in values.to_pylist()], dtype=np.int64)


def _in_range(time_ms: NDArray[np.int64], missing: NDArray[np.bool_]) -> NDArray[np.int64]:
    inside = (time_ms >= _FIRST_S * 1000) & (time_ms < _END_S * 1000)
    return np.where(missing, MISSING, np.where(inside, time_ms, OUT_OF_RANGE))


def _text(text: str) -> int:
    parts = _ISO.fullmatch(text)
    if parts is None:
        return NO_TIME
    if parts["offset"] is None:
        return NAIVE
    year = int(parts["year"])
    if not 1989 <= year <= 2200:
        return OUT_OF_RANGE
    month, day, hour, minute, second = (int(parts[name] or 0) for name in ("month", "day", "hour", "minute", "second"))
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return NO_TIME
    offset = timedelta(hours=int(parts["hours"] or 0), minutes=int(parts["minutes"] or 0))
    utc = local + offset if parts["sign"] == "-" else local - offset
    time_ms = (utc - _EPOCH) // timedelta(milliseconds=1) + int((parts["fraction"] or "")[:3].ljust(3, "0"))
    return time_ms if _FIRST_S * 1000 <= time_ms < _END_S * 1000 else OUT_OF_RANGE


def _valid(values: pa.Array) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return valid
