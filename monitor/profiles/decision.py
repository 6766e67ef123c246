"""Decision cells: few, each with a good part of the reference's rows, so that small windows can be judged.

They hold the values that the reference knows. Values out of its range, or of no category of its own, are counted apart:
they have a test of their own, and a value that was never seen says nothing of how the others are distributed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import INVALID_CODE, MISSING_CODE, PRESENT, Column, NumericColumn
from monitor.events.batch import MISSING as WITHOUT
from monitor.profiles.layout import FeatureLayout, Layout, NumericLayout
from monitor.profiles.numeric import UNIT, NumericSummary
from monitor.profiles.profile import Profile

CELLS = 20
"""Decision cells of a feature at most."""

MISSING, INVALID, UNUSUAL = CELLS, CELLS + 1, CELLS + 2
"""Places after the cells in a row of a tally: values that are absent, of the wrong type, and never seen."""

WIDTH = CELLS + 3

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


Codes = NDArray[np.integer[Any]]


def coded(layout: FeatureLayout, column: Column, cells: Codes | None = None) -> Codes:
    """int[n]: the fine cell of each value, or MISSING_CODE or INVALID_CODE. cells: where they are known, those of a
    numeric column's usable values; of a categorical one, what is wanted.
    """
    if isinstance(layout, NumericLayout):
        assert isinstance(column, NumericColumn)
        present = column.state == PRESENT
        found = layout.assign(column.values[present]) if cells is None else cells
        if len(found) == len(present):
            return found
        codes = np.where(column.state == WITHOUT, MISSING_CODE, INVALID_CODE)
        codes[present] = found
        return codes
    assert not isinstance(column, NumericColumn)
    return column.recode(layout.index, other=layout.cells - 1) if cells is None else cells


def cells_of(layout: FeatureLayout, counts: Counts, cells: int = CELLS) -> Counts:
    """int64[layout.cells]: the decision cell of each fine cell, -1 of the unusual ones; at most `cells` of them.

    counts: the reference's, by fine cell. Numeric: runs of neighbours of nearly equal mass; a value with more mass than
    that is alone. Categorical: the frequent ones alone, rarer ones together, so that masses are as equal as can be.
    """
    groups = np.full(layout.cells, -1, dtype=np.int64)
    if isinstance(layout, NumericLayout):
        groups[1:-1] = runs(counts[1:-1], cells)
    else:
        groups[:-1] = bins(counts[:-1], cells)
    return groups


def runs(counts: Counts, cells: int) -> Counts:
    """int64[n]: at most `cells` runs of neighbours, numbered from 0, with masses as equal as these allow."""
    # A cell belongs to the run that the middle of its mass falls in; twice the mass keeps this in integers.
    middle = 2 * np.cumsum(counts) - counts
    run = np.minimum(middle * cells // max(2 * int(counts.sum()), 1), cells - 1)
    return np.unique(run, return_inverse=True)[1].astype(np.int64)


def bins(counts: Counts, cells: int) -> Counts:
    """int64[n]: at most `cells` bins; each entry, the most frequent first, goes to the bin that holds least.

    The longest-processing-time rule: Graham 1969, SIAM Journal on Applied Mathematics 17(2).
    """
    groups = np.empty(len(counts), dtype=np.int64)
    held = [0] * min(cells, len(counts))
    for entry in np.argsort(-counts, kind="stable").tolist():
        least = held.index(min(held))
        groups[entry] = least
        held[least] += max(int(counts[entry]), 1)
    return groups


@dataclass(frozen=True, eq=False)
class DecisionCells:
    """The decision cells of every feature of a layout. groups: by feature, as `cells_of` gives them. moments: by
    numeric feature, float64[2, k], mean of its reference's values in each cell, and of their squares, in deviations.
    """

    layout: Layout
    groups: dict[str, Counts]
    moments: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: Profile) -> DecisionCells:
        """Chosen by the rows of a reference."""
        features = profile.layout.features
        groups = {name: cells_of(part, profile.features[name].counts) for name, part in features.items()}
        summaries = profile.features.items()
        moments = {name: _moments(groups[name], each) for name, each in summaries if isinstance(each, NumericSummary)}
        return cls(profile.layout, groups, moments)

    def edges(self, name: str) -> Floats:
        """float64[k + 1]: where the decision cells of a numeric feature begin, and the last one ends."""
        layout = self.layout.features[name]
        assert isinstance(layout, NumericLayout)
        begins = np.flatnonzero(np.diff(self.groups[name][1:-1])) + 1
        edges: Floats = layout.edges[np.concatenate([[0], begins, [len(layout.edges) - 1]])]
        return edges

    def places(self, name: str) -> Counts:
        """int64[2 + fine cells]: where in its row of a tally a feature's value goes, by its code (see `coded`) + 2."""
        group = self.groups[name]
        return np.concatenate([[INVALID, MISSING], np.where(group < 0, UNUSUAL, group)])

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where the fine cells of all features go in a tally."""
        rows = [self.places(name)[2:] + WIDTH * place for place, name in enumerate(self.groups)]
        return np.concatenate([*rows, np.empty(0, dtype=np.int64)])

    def tally(self, profile: Profile) -> Counts:
        """int64[features, WIDTH]: rows of a profile by decision cell, then those without a usable value."""
        summaries = [profile.features[name] for name in self.groups]
        fine = np.concatenate([*(summary.counts for summary in summaries), np.empty(0, dtype=np.int64)])
        # Sums of counts are exact in float64: a feature has fewer than 2**53 rows.
        counts = np.bincount(self._places, weights=fine, minlength=WIDTH * len(summaries)).astype(np.int64)
        counts = counts.reshape(len(summaries), WIDTH)
        counts[:, MISSING] = [summary.missing for summary in summaries]
        counts[:, INVALID] = [summary.invalid for summary in summaries]
        return counts


def _moments(groups: Counts, summary: NumericSummary) -> Floats:
    """As in `DecisionCells`; the values of one fine cell count as its mean."""
    inside = (groups >= 0) & (summary.counts > 0)
    rows = summary.counts[inside].astype(np.float64)
    means = summary.sums[inside] / (rows * UNIT)
    held = np.bincount(groups[inside], weights=rows)
    sums = [np.bincount(groups[inside], weights=rows * means**power) for power in (1, 2)]
    moments: Floats = np.stack(sums) / np.maximum(held, 1.0)
    return moments
