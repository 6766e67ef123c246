"""Spans of time that are like no other: sales, holidays, migrations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.config.problems import Problem
from monitor.config.settings import Settings, Text
from monitor.spec import CalendarSpec

_YEARS = range(1990, 2200)


def _moment(text: str) -> str:
    try:
        known = datetime.fromisoformat(text).year in _YEARS
    except ValueError:
        known = False
    if not known:
        raise ValueError("is not a time: write a date, as in 2026-11-27, or a time, as in 2026-11-27T18:00+01:00")
    return text


def _mode(value: object) -> object:
    if value == "own_baseline":
        raise ValueError("is own_baseline, which is not available in this version: write ignore")
    return value


Moment = Annotated[str, AfterValidator(_moment)]
"""A date, from its midnight on, or a time; of the model's time zone where it has no offset."""


class Entry(Settings):
    """Windows that [from, to) touches are not judged. Several may share a name: this year's sale, and last year's."""

    name: Text
    from_: Moment = Field(alias="from")
    to: Moment
    mode: Annotated[Literal["ignore"], BeforeValidator(_mode)] = "ignore"

    def spec(self, timezone: str) -> CalendarSpec:
        return CalendarSpec(self.name, _instant_ms(self.from_, timezone), _instant_ms(self.to, timezone))


def calendar_problems(calendar: tuple[Entry, ...], timezone: str) -> list[Problem]:
    """Entries that end before they begin."""
    specs = [entry.spec(timezone) for entry in calendar]
    text = "is not after from: write the first moment that is like others again, as from is the first that is not"
    return [(("calendar", place, "to"), text) for place, each in enumerate(specs) if each.to_ms <= each.from_ms]


def _instant_ms(text: str, timezone: str) -> int:
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).timestamp() * 1000)
