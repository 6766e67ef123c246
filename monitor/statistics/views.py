"""What statistics of features read: two summaries of one feature side by side, or one summary's quality.

Missing and invalid values have statistics of their own and are in neither `Cells` nor `Grid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.profiles import decision
from monitor.profiles.categorical import CategoricalSummary
from monitor.profiles.layout import FeatureLayout, NumericLayout
from monitor.profiles.numeric import UNIT, NumericSummary

REACH = 4096.0
"""Reference standard deviations at which the sums of a `NumericSummary` clip a value."""

_FARTHEST = 1e300  # Standard deviations beyond which values are not told apart, so that products stay finite.

Counts = NDArray[np.int64]
Rows = int | NDArray[np.bool_] | NDArray[np.intp]
Floats = NDArray[np.float64]


def decision_groups(layout: FeatureLayout, counts: Counts, cells: int = decision.CELLS) -> Counts:
    """int64[layout.cells]: the cell of each fine cell, chosen by the reference's `counts` of them.

    The decision cells, at most `cells`, and the unusual ones: below the range first and above it last, or the unseen
    categories last.
    """
    _check_cells(layout, counts)
    inside = decision.cells_of(layout, counts, cells)
    last = int(inside.max())
    if isinstance(layout, NumericLayout):
        groups = inside + 1
        groups[-1] = last + 2
    else:
        groups = inside
        groups[-1] = last + 1
    return groups


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of present values in the same decision cells; reference, current: int64[..., B].

    One feature, or a stack of them. ordered: neighbouring cells are neighbouring values.
    """

    reference: Counts
    current: Counts
    ordered: bool

    @classmethod
    def of(cls, groups: Counts, reference: Counts, current: Counts, ordered: bool) -> Cells:
        """Of one feature's fine counts, merged by `decision_groups`."""
        if not len(groups) == len(reference) == len(current):
            raise LayoutMismatchError(f"{len(groups)} groups, {len(reference)} and {len(current)} cells")
        return cls(_merge(groups, reference), _merge(groups, current), ordered)

    def take(self, rows: Rows | None) -> Cells:
        """Some features of a stack; None makes a stack of the only one there is."""
        return Cells(self.reference[rows], self.current[rows], self.ordered)

    @property
    def kind(self) -> str:
        return "numeric" if self.ordered else "categorical"

    @cached_property
    def totals(self) -> tuple[Counts, Counts]:
        """int64[...] each: rows of the reference and of the current side."""
        return self.reference.sum(axis=-1), self.current.sum(axis=-1)

    @cached_property
    def rows(self) -> Counts:
        return np.minimum(*self.totals)

    def merge(self, groups: Counts) -> Cells:
        """The same rows in at most as many coarser cells; groups: int64[..., B], the new cell of each."""
        return Cells(_merge(groups, self.reference), _merge(groups, self.current), self.ordered)

    def shares(self, prior: float = 0.0) -> tuple[Floats, Floats]:
        """Share of each cell in reference and current; `prior` rows are added to every cell first."""
        if prior == 0.0:
            return self._plain_shares
        m, n = self.totals
        added = prior * self.reference.shape[-1]
        return (self.reference + prior) / (m + added)[..., None], (self.current + prior) / (n + added)[..., None]

    @cached_property
    def pooled(self) -> Floats:
        """Share of each cell in both sides together."""
        m, n = self.totals
        return (self.reference + self.current) / (m + n)[..., None]

    @cached_property
    def _plain_shares(self) -> tuple[Floats, Floats]:
        m, n = self.totals
        return self.reference / m[..., None], self.current / n[..., None]


@dataclass(frozen=True, eq=False)
class GridCounts:
    """One side of a `Grid`. counts: int64[..., k+2]; all other figures in the grid's unit.

    sums: float64[..., k+2], of the values in each cell, clipped to `REACH`. mean, deviation: float64[...], of the
    clipped values. low, high: float64[...], the extremes, not clipped; infinite, low above high, where there are no
    rows.
    """

    counts: Counts
    sums: Floats
    low: Floats
    high: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def facing(cls, centre: Floats, scale: Floats, summaries: Sequence[NumericSummary]) -> GridCounts:
        """Of a stack of features with equally many cells, in the unit of each."""
        ends = np.array([(summary.low, summary.high) for summary in summaries])
        low, high = _standard(centre, scale, ends.T)
        mean, deviation = np.array([summary.standard_moments() for summary in summaries]).T
        counts = np.stack([summary.counts for summary in summaries])
        sums = np.stack([summary.sums for summary in summaries]) / UNIT
        return cls(counts, sums, low, high, mean, deviation)

    def take(self, rows: Rows) -> GridCounts:
        return GridCounts(*(getattr(self, field.name)[rows] for field in fields(self)))

    @cached_property
    def rows(self) -> Counts:
        rows: Counts = self.counts.sum(axis=-1)
        return rows


@dataclass(frozen=True, eq=False)
class Grid:
    """Fine cells of a numeric feature, or of a stack of them, on both sides.

    Unit: the reference's standard deviation, from its mean: a value x stands as (x - centre) / scale (float64[...]
    each), and a distance times `scale` is in the feature's own unit. edges: float64[..., k+1], the layout's, clipped to
    `REACH`; counts have one cell more at either end.
    """

    edges: Floats
    centre: Floats
    scale: Floats
    reference: GridCounts
    current: GridCounts

    kind = "numeric"

    @classmethod
    def of(cls, layout: NumericLayout, reference: NumericSummary, current: NumericSummary) -> Grid:
        """Of one feature."""
        _check_cells(layout, reference.counts)
        _check_cells(layout, current.counts)
        return cls.against([layout], [reference]).facing([current]).take(0)

    @classmethod
    def against(cls, layouts: Sequence[NumericLayout], references: Sequence[NumericSummary]) -> Grid:
        """A stack of features with equally many cells, each reference beside itself."""
        centre, scale = np.array([(layout.centre, layout.scale) for layout in layouts]).T
        edges = np.stack([layout.edges for layout in layouts])
        edges = np.clip(_standard(centre[:, None], scale[:, None], edges), -REACH, REACH)
        side = GridCounts.facing(centre, scale, references)
        return cls(edges, centre, scale, side, side)

    def facing(self, summaries: Sequence[NumericSummary]) -> Grid:
        """The stack's references beside other summaries of the same layouts."""
        return replace(self, current=GridCounts.facing(self.centre, self.scale, summaries))

    def repeated(self, times: int) -> Grid:
        """The stack's references beside themselves, `times` over."""
        rows = np.tile(np.arange(len(self.centre)), times)
        side = self.reference.take(rows)
        return Grid(self.edges[rows], self.centre[rows], self.scale[rows], side, side)

    def take(self, rows: Rows) -> Grid:
        """Some features of a stack, or one of them."""
        units = (self.edges[rows], self.centre[rows], self.scale[rows])
        return Grid(*units, self.reference.take(rows), self.current.take(rows))

    @cached_property
    def rows(self) -> Counts:
        return np.minimum(self.reference.rows, self.current.rows)

    @cached_property
    def cdf(self) -> tuple[Floats, Floats]:
        """F of the reference and G of the current at the cells' limits, from 0 to 1: float64[..., k+3] each."""
        return _cdf(self.reference), _cdf(self.current)

    @cached_property
    def heights(self) -> tuple[Floats, Floats, Floats]:
        """The cells' limits, float64[..., k+3]: the edges, and the extremes of both sides up to `REACH` where these lie
        outside; and the shares of each cell that reference and current would stand high if they only stood low or high,
        float64[..., k+2] each (0 for a cell without rows or width).
        """
        low = np.minimum(np.minimum(self.reference.low, self.current.low), self.edges[..., 0])
        high = np.maximum(np.maximum(self.reference.high, self.current.high), self.edges[..., -1])
        ends = np.maximum(low, -REACH)[..., None], np.minimum(high, REACH)[..., None]
        limits = np.concatenate([ends[0], self.edges, ends[1]], axis=-1)
        return limits, _shares_high(self.reference, limits), _shares_high(self.current, limits)


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of one summary's rows, int64[...]: missing, invalid, unusual (out of the reference's range, or unseen).

    One feature, or a stack of one kind.
    """

    kind: str
    rows: Counts
    missing: Counts
    invalid: Counts
    unusual: Counts

    @classmethod
    def of(cls, summary: NumericSummary | CategoricalSummary) -> Quality:
        """Of one feature."""
        return cls.stack([summary]).take(0)

    @classmethod
    def stack(cls, summaries: Sequence[NumericSummary | CategoricalSummary]) -> Quality:
        """Features of one kind as one view."""
        kind = "numeric" if isinstance(summaries[0], NumericSummary) else "categorical"
        figures = np.array(
            [(each.rows, each.missing, each.invalid, each.unusual) for each in summaries], dtype=np.int64
        )
        return cls(kind, *figures.T)

    def take(self, rows: Rows) -> Quality:
        """Some features of a stack, or one of them."""
        return Quality(self.kind, self.rows[rows], self.missing[rows], self.invalid[rows], self.unusual[rows])


def _check_cells(layout: FeatureLayout, counts: Counts) -> None:
    if len(counts) != layout.cells:
        raise LayoutMismatchError(f"{len(counts)} counts do not fit a layout of {layout.cells} cells")


def _merge(groups: Counts, counts: Counts) -> Counts:
    """Sums of `counts` by group, along the last axis; as many groups as cells where there are several features."""
    if counts.ndim == 1:
        # Sums of counts are exact in float64: a feature has fewer than 2**53 rows.
        return np.bincount(groups, weights=counts).astype(np.int64)
    width = counts.shape[-1]
    places = (groups + width * np.arange(len(counts))[:, None]).ravel()
    return np.bincount(places, weights=counts.ravel(), minlength=counts.size).astype(np.int64).reshape(counts.shape)


def _standard(centre: Floats | float, scale: Floats | float, values: Floats) -> Floats:
    with np.errstate(over="ignore"):  # What overflows is clipped.
        return np.clip((values - centre) / scale, -_FARTHEST, _FARTHEST)


def _shares_high(side: GridCounts, limits: Floats) -> Floats:
    counted = np.maximum(side.counts, 1)
    width = np.diff(limits)
    x = np.divide(limits[..., 1:] - side.sums / counted, width, out=np.zeros_like(width), where=width > 0)
    return np.clip(x, 0.0, 1.0)


def _cdf(side: GridCounts) -> Floats:
    at_most = np.concatenate([np.zeros_like(side.counts[..., :1]), np.cumsum(side.counts, axis=-1)], axis=-1)
    return at_most / side.rows[..., None]
