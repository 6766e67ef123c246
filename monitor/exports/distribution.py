"""What the API answers with of one feature's values in a window, beside those it was compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from monitor.events.timestamps import utc
from monitor.exports.resource import Resource, Span, Text
from monitor.profiles.distribution import Distribution
from monitor.windows.window import Window


@dataclass(frozen=True, slots=True)
class Compared:
    """reference: digest of the one whose cells these are; replaced: whether newer windows are compared with another."""

    window: Window
    distribution: Distribution
    reference: str
    replaced: bool


class Cell(Resource):
    """Rows whose values are in one cell."""

    name: Text
    """Its values, for people: a range or categories; or "missing", "invalid", "out of range", "unseen"."""
    low: float | None
    """Numeric values are from here on; null of a cell that is no range."""
    high: float | None
    """Numeric values are below; null of a cell that is no range."""
    reference: int
    current: int


class FeatureDistribution(Span):
    """One feature's values in one closed window, beside those it was compared with: counts, not estimates."""

    version: Text
    feature: Text
    numeric: bool
    rows: int
    reference_rows: int
    reference: str
    """Digest of the reference whose cells these are."""
    reference_replaced: bool
    """Whether newer windows are compared with another reference, in other cells."""
    cells: list[Cell]

    @classmethod
    def of_window(cls, compared: Compared) -> Self:
        window, found = compared.window, compared.distribution
        return cls(
            window_start=utc(window.start_ms),
            window_end=utc(window.end_ms),
            version=window.version,
            feature=found.feature,
            numeric=found.numeric,
            rows=found.rows,
            reference_rows=found.reference_rows,
            reference=compared.reference,
            reference_replaced=compared.replaced,
            cells=[
                Cell(
                    name=cell.name,
                    low=_finite(cell.low),
                    high=_finite(cell.high),
                    reference=cell.reference,
                    current=cell.current,
                )
                for cell in found.cells
            ],
        )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: the last cell of the largest doubles has no end."""
    return value if value is not None and math.isfinite(value) else None
