"""Raw rows, cells made of them by hand, and the views that statistics read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import INVALID_CODE, MISSING_CODE, CategoricalColumn, NumericColumn
from monitor.profiles import categorical as categories
from monitor.profiles import numeric as numbers
from monitor.profiles.categorical import CategoricalSummary
from monitor.profiles.layout import CategoricalLayout, NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.statistics.views import Cells, Grid

Rows = NDArray[np.float64]
Words = Sequence[str | int | None]
"""Categories; None is missing and a number stands for something invalid."""


def quantile_layout(reference: Rows, cells: int = 256) -> NumericLayout:
    """About `cells` cells of equal reference mass; edges are values of the reference, so atoms have cells too."""
    known = reference[np.isfinite(reference)]
    if not len(known):
        return NumericLayout(np.array([0.0, 1.0]), 0.0, 1.0)
    last = np.nextafter(known.max(), np.inf)
    edges = np.unique([*np.quantile(known, np.linspace(0.0, 1.0, cells + 1), method="inverted_cdf"), last])
    size = max(float(np.abs(known).max()), 1e-290)  # Neither squares nor the unit of sums can overflow.
    mean, deviation = float((known / size).mean()), float((known / size).std())
    return NumericLayout(edges, size * mean, size * (deviation if deviation > 1e-12 else 1.0))


def numeric(layout: NumericLayout, rows: Rows) -> NumericSummary:
    summary = NumericSummary.empty(layout)
    numbers.fold_parts([summary], layout, NumericColumn.of(rows), np.zeros(1, dtype=np.intp))
    return summary


def grid(reference: Rows, current: Rows, cells: int = 256) -> Grid:
    layout = quantile_layout(reference, cells)
    return Grid.of(layout, numeric(layout, reference), numeric(layout, current))


def frequency_layout(reference: Words, own: int = 200) -> CategoricalLayout:
    """The `own` most frequent categories, then the others."""
    ranked = [word for word, _ in Counter(row for row in reference if isinstance(row, str)).most_common()]
    return CategoricalLayout(tuple(ranked[:own]), tuple(ranked[own:]))


def categorical(layout: CategoricalLayout, rows: Words) -> CategoricalSummary:
    summary = CategoricalSummary.empty(layout)
    values = tuple(sorted({row for row in rows if isinstance(row, str)}))
    code: dict[str | int | None, int] = {value: at for at, value in enumerate(values)} | {None: MISSING_CODE}
    codes = np.array([code.get(row, INVALID_CODE) for row in rows], dtype=np.int32)
    categories.fold_parts([summary], layout, CategoricalColumn(codes, values), np.zeros(1, dtype=np.intp))
    return summary


def cells_of(reference: Sequence[int], current: Sequence[int], ordered: bool = False) -> Cells:
    return Cells(np.array(reference, dtype=np.int64), np.array(current, dtype=np.int64), ordered)
