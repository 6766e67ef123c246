"""One figure of one window. Named tuples: a window has hundreds of readings, and they are made fast."""

from __future__ import annotations

from typing import Literal, NamedTuple

from monitor.windows.window import Window

Status = Literal["ok", "learning", "insufficient", "not_applicable"]


class Estimate(NamedTuple):
    """A finite value, with bounds or a confidence interval where the statistic has one."""

    value: float
    lower: float | None = None
    upper: float | None = None


class Reading(NamedTuple):
    """One statistic of one window: a finite value, or a status that says why there is none.

    feature: empty for the model's performance. rows: rows the figure was computed on. revision: 0 for the first
    reading, then 1, 2, ... as later labels change it.
    """

    window: Window
    feature: str
    statistic: str
    rows: int
    status: Status
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    revision: int = 0
