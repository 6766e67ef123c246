"""What every answer of the API is made from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from monitor.events.timestamps import utc
from monitor.exports.text import clean
from monitor.windows.window import Window

Text = Annotated[str, BeforeValidator(clean)]


def _of_windows(time: datetime) -> datetime:
    if not utc(0) <= time < datetime(9999, 1, 1, tzinfo=UTC):
        raise ValueError("no window ends at such a time")
    return time


Instant = Annotated[AwareDatetime, AfterValidator(_of_windows)]
"""A time that is asked for: with an offset, and such as an event may be of."""


def epoch_ms(time: datetime) -> int:
    """The same in milliseconds."""
    return (time - utc(0)) // timedelta(milliseconds=1)


class Resource(BaseModel):
    """Times are UTC, ISO 8601 with Z. A figure that could not be computed is null."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Item = TypeVar("Item", bound=Resource)


class Page(Resource, Generic[Item]):
    """One page of a list."""

    # A generic model's docstring does not reach the schemas of its kinds.
    model_config = ConfigDict(json_schema_extra={"description": "One page of a list."})

    items: list[Item]
    total: int
    """Length of the whole list."""
    next: str | None
    """Path and query of the next page, null on the last."""


class Span(Resource):
    """One window [start, end) in event time."""

    window_start: datetime
    window_end: datetime

    @classmethod
    def of(cls, window: Window) -> Self:
        return cls(window_start=utc(window.start_ms), window_end=utc(window.end_ms))
