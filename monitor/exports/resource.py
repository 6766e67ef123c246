"""What every answer of the API is made from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from monitor.events.timestamps import utc
from monitor.exports.text import clean
from monitor.windows.window import Window

Text = Annotated[str, BeforeValidator(clean)]


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
