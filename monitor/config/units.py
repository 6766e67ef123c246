"""Durations and windows as people write them: `250ms`, `30s`, `5m`, `1h`, `14d`; `1h` or `500 rows`."""

from __future__ import annotations

import re

from monitor.windows.window import WindowSpec

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST_MS = 3_650 * _UNITS_MS["d"]
_DURATION = re.compile(r"(\d{1,15})\s*(ms|s|m|h|d)", re.ASCII)
_ROWS = re.compile(r"(\d{1,9})\s*rows?", re.ASCII)


def duration_ms(value: object) -> int:
    """Milliseconds of a duration from 0 to ten years; ValueError says how one is written."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration: write a whole number and its unit, as in 250ms, 30s, 5m, 1h or 14d")
    milliseconds = int(match[1]) * _UNITS_MS[match[2]]
    if milliseconds > _LONGEST_MS:
        raise ValueError("is longer than 3650d, the longest duration there is: write a shorter one")
    return milliseconds


def duration_text(milliseconds: int) -> str:
    """The shortest way to write a duration: the inverse of `duration_ms`."""
    unit, size = next((unit, size) for unit, size in _UNITS_MS.items() if milliseconds % size == 0)
    return f"{milliseconds // size}{unit}" if milliseconds else "0s"


def window_spec(value: object) -> WindowSpec:
    """A window of event time or of rows; ValueError says how one is written."""
    text = value.strip() if isinstance(value, str) else ""
    rows = _ROWS.fullmatch(text)
    if rows is None and not _DURATION.fullmatch(text):
        raise ValueError("is not a window: write a duration, as in 5m, 1h or 1d, or rows, as in 500 rows")
    spec = WindowSpec(int(rows[1]), "rows") if rows else WindowSpec(duration_ms(text))
    if spec.size == 0:
        raise ValueError("is an empty window: write at least 1ms, or 1 row")
    return spec


def window_text(spec: WindowSpec) -> str:
    """How a window is written: the inverse of `window_spec`."""
    if spec.unit != "rows":
        return duration_text(spec.size)
    return f"{spec.size} row" + ("" if spec.size == 1 else "s")
