"""Where an axis is labelled, against calendars worked out by pandas."""

from __future__ import annotations

import pandas as pd
import pytest

from monitor.exports import ticks

HOUR_MS = 3_600_000


def instant(text: str, zone: str = "UTC") -> int:
    return int(pd.Timestamp(text, tz=zone).timestamp() * 1000)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Warsaw", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("days", [1, 3, 4, 9, 30, 200, 2_000])
def test_ticks_are_midnights_or_round_hours_of_the_zone_and_few(zone: str, days: int) -> None:
    # A span over the end of summer time, that begins at no round hour.
    first = instant("2026-10-20T05:17", zone)
    found = ticks.times(first, first + days * 24 * HOUR_MS, zone)
    assert 3 <= len(found) <= ticks.MOST
    local = [pd.Timestamp(ms, unit="ms", tz=zone) for ms, _ in found]
    assert [f"{each:%Y-%m-%d %H:%M}"[: len(said)] for each, (_, said) in zip(local, found, strict=True)] == [
        said for _, said in found
    ]
    assert all((each.minute, each.second) == (0, 0) for each in local)
    if days >= 9:
        assert all(each.hour == 0 for each in local)
    wall = pd.Series([each.tz_localize(None) for each in local])
    assert wall.diff().dropna().nunique() == 1


def test_a_tick_at_either_end_is_shown() -> None:
    first = instant("2026-10-12")
    found = ticks.times(first, first + 3 * 24 * HOUR_MS, "UTC")
    assert [said for _, said in found][0::2] == [f"2026-10-{day} 00:00" for day in (12, 13, 14, 15)]


@pytest.mark.parametrize(("first", "last", "step"), [(0, 39_999, 5_000), (300, 799, 100), (7, 9, 1)])
def test_rows_are_round(first: int, last: int, step: int) -> None:
    found = ticks.rows(first, last)
    assert [row for row, _ in found] == [row for row in range(first, last + 1) if row % step == 0]
    assert found[-1][1] == f"row {found[-1][0]:,}"
