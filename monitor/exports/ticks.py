"""Where an axis is labelled: at midnights or round hours of a time zone, or at round row numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MOST = 8
"""Ticks that find room beside each other."""

_HOURS = (1, 2, 3, 6, 12)
_DAYS = (1, 2, 7, 14, 28, 56, 112, 364, 728, 3_640)


def times(first_ms: int, last_ms: int, timezone: str, most: int = MOST) -> list[tuple[int, str]]:
    """Instants from first to last, at most `most`, as often as possible: each with its local date, or date and time."""
    zone = ZoneInfo(timezone)
    begin = datetime.fromtimestamp(first_ms / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for hours in _HOURS:
        found = _within(_steps(begin, first_ms, last_ms, most, hours=hours), first_ms, last_ms)
        if len(found) <= most:
            return [(ms, f"{local:%Y-%m-%d %H:%M}") for ms, local in found]
    for days in _DAYS:
        # Steps of whole weeks begin on Mondays, whatever day the first one is.
        start = begin - timedelta(days=(begin.toordinal() - 1) % days)
        found = _within(_steps(start, first_ms, last_ms, most, days=days), first_ms, last_ms)
        if len(found) <= most:
            break
    return [(ms, f"{local:%Y-%m-%d}") for ms, local in found[:most]]


def rows(first: int, last: int, most: int = MOST) -> list[tuple[int, str]]:
    """Row numbers from first to last, at most `most`: multiples of 1, 2 or 5 with zeros."""
    step = next(
        step
        for zeros in range(20)
        for step in (10**zeros, 2 * 10**zeros, 5 * 10**zeros)
        if last // step - (first - 1) // step <= most
    )
    return [(row, f"row {row:,}") for row in range(-(-first // step) * step, last + 1, step)]


def _steps(
    start: datetime, first_ms: int, last_ms: int, most: int, *, hours: int = 0, days: int = 0
) -> Iterator[tuple[int, datetime]]:
    """Local times at even steps of the clock on the wall, with their instants; few more than `most` within the span."""
    local, inside = start, 0
    while inside <= most:
        ms = int(local.timestamp() * 1000)
        if ms > last_ms:
            return
        inside += ms >= first_ms
        yield ms, local
        local += timedelta(hours=hours, days=days)  # Of the wall: a zone's own hours come and go.


def _within(found: Iterator[tuple[int, datetime]], first_ms: int, last_ms: int) -> list[tuple[int, datetime]]:
    return [(ms, local) for ms, local in found if first_ms <= ms <= last_ms]
