"""Where a window lies in the week, by the model's own time zone: what is usual at three on a Sunday is not at noon."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Season = Literal["none", "hour", "day type", "week"]
"""Windows that are alike: all of them; those of an hour of the day; those of an hour of working days, or of weekends;
those of an hour of the week."""

SEASONS: tuple[Season, ...] = ("none", "hour", "day type", "week")

HOURS = 168
"""Hours of a week; hour 0 begins on Monday at midnight."""

_FRIDAY_ENDS = 5 * 24


def week_hours(times_ms: Iterable[int], timezone: str) -> NDArray[np.int64]:
    """int64[n]: local hour of the week of each time."""
    zone = ZoneInfo(timezone)
    local = (datetime.fromtimestamp(time_ms / 1000, zone) for time_ms in times_ms)
    return np.array([each.weekday() * 24 + each.hour for each in local], dtype=np.int64)


def days(times_ms: Iterable[int], timezone: str) -> NDArray[np.int64]:
    """int64[n]: the local date of each time, as a number of days."""
    zone = ZoneInfo(timezone)
    return np.array([datetime.fromtimestamp(time_ms / 1000, zone).toordinal() for time_ms in times_ms], dtype=np.int64)


def slots(week_hour: NDArray[np.int64], season: Season) -> NDArray[np.int64]:
    """int64[n]: the group of like windows that each hour of the week belongs to, from 0."""
    match season:
        case "none":
            return np.zeros_like(week_hour)
        case "hour":
            return week_hour % 24
        case "day type":
            return week_hour % 24 + 24 * (week_hour >= _FRIDAY_ENDS)
        case "week":
            return week_hour
