"""Hours of the week and days, by the clock on the wall of the model's own time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.windows.season import HOURS, SEASONS, days, slots, week_hours

HOUR_MS = 3_600_000


def at(text: str) -> int:
    """Milliseconds of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("time", "timezone", "hour"),
    [
        ("2026-11-23T00:00", "UTC", 0),  # A Monday.
        ("2026-11-23T00:00", "Asia/Kolkata", 5),  # Half past five.
        ("2026-11-23T00:00", "America/New_York", 6 * 24 + 19),  # Still Sunday.
        ("2026-11-28T00:00", "UTC", 5 * 24),  # Saturday begins,
        ("2026-11-27T23:59", "UTC", 5 * 24 - 1),  # and a minute before it Friday ends.
        ("2026-11-29T23:00", "UTC", HOURS - 1),
        ("2026-07-01T22:30", "Europe/Warsaw", 3 * 24),  # Summer time: Thursday, half past midnight.
        ("2026-01-07T22:30", "Europe/Warsaw", 2 * 24 + 23),  # Winter time: still Wednesday.
        ("1969-12-31T23:00", "UTC", 2 * 24 + 23),
    ],
)
def test_the_hour_of_the_week_is_local(time: str, timezone: str, hour: int) -> None:
    assert week_hours([at(time)], timezone).tolist() == [hour]


def test_a_day_on_which_the_clock_changes_has_23_or_25_hours() -> None:
    spring = [at("2026-03-28T23:00") + hour * HOUR_MS for hour in range(24)]  # Warsaw's Sunday begins.
    assert (week_hours(spring, "Europe/Warsaw") - 6 * 24).tolist()[:5] == [0, 1, 3, 4, 5]
    dates = days(spring, "Europe/Warsaw")
    assert (dates == dates[0]).tolist() == [True] * 23 + [False]
    autumn = [at("2026-10-24T22:00") + hour * HOUR_MS for hour in range(26)]
    assert (week_hours(autumn, "Europe/Warsaw") - 6 * 24).tolist()[:6] == [0, 1, 2, 2, 3, 4]
    dates = days(autumn, "Europe/Warsaw")
    assert (dates == dates[0]).tolist() == [True] * 25 + [False]


@given(
    hours=st.integers(0, 500_000),
    timezone=st.sampled_from(["UTC", "Europe/Warsaw", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_hours_and_days_are_those_of_the_calendar(hours: int, timezone: str) -> None:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hours)).astimezone(ZoneInfo(timezone))
    hour = week_hours([hours * HOUR_MS], timezone)
    assert divmod(int(hour[0]), 24) == (local.isoweekday() - 1, local.hour)
    assert days([hours * HOUR_MS], timezone).tolist() == [(local.date() - datetime(1, 1, 1).date()).days + 1]  # noqa: DTZ001
    assert (slots(hour, "day type") >= 24).tolist() == [local.strftime("%a") in ("Sat", "Sun")]


def test_slots_are_numbered_from_0_and_coarser_seasons_join_whole_slots() -> None:
    week = np.arange(HOURS)
    numbers = {season: len(np.unique(slots(week, season))) for season in SEASONS}
    assert numbers == {"none": 1, "hour": 24, "day type": 48, "week": 168}
    for season in SEASONS:
        assert slots(week, season).max() == numbers[season] - 1
    assert (slots(week, "day type") % 24 == slots(week, "hour")).all()
    tuesday, wednesday, sunday = 24 + 9, 48 + 9, 144 + 9
    day_type = slots(week, "day type")
    assert day_type[tuesday] == day_type[wednesday] != day_type[sunday]


def test_no_times_have_no_hours() -> None:
    assert week_hours([], "UTC").tolist() == days([], "UTC").tolist() == []
