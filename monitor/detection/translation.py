"""What an effect is in a feature's own unit: by how much all its values would have to rise, or by what factor where
they are positive and skewed; or the share of its largest category, or of the value that its numbers pile up at.

The reference's own rows are moved, cell by cell, until their cells differ by the effect. Rows that leave the
reference's range are left out, as detection leaves them to a test of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.distribution import span
from monitor.profiles.layout import FeatureLayout, NumericLayout
from monitor.statistics.tolerance import divergence8

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEPS = 50  # Halvings: more than a double can tell apart.
_LEFT = 0.01  # Share of the rows that must stay in the reference's range.
_SKEWED = 0.1  # Standard deviations between mean and median from which on a shift in them says little.
_LOG_ODDS = 30.0  # From one in three million to the same below 1.
_PILED = 0.05  # Share of the rows that pile up at one value,
_DENSE = 4.0  # where they lie ten times as dense as in the middle of a normal: the smallest shift moves them all.

_MOST = 0.5  # Share of the rows in one fine cell that is of a single value, however wide: zeros of rare counts.


@dataclass(frozen=True, slots=True)
class Shift:
    """All values rise by `amount`, `sd` of the reference's standard deviations."""

    sd: float
    amount: float


@dataclass(frozen=True, slots=True)
class Growth:
    """All values are multiplied by `factor`, by which their mean rises by `amount`."""

    factor: float
    amount: float


@dataclass(frozen=True, slots=True)
class Odds:
    """The odds of all probabilities, p / (1 - p), are multiplied by `factor`, by which their mean rises by `amount`."""

    factor: float
    amount: float


@dataclass(frozen=True, slots=True)
class Move:
    """The share of the largest category, or of the values of one cell, goes from `before` to `after`; the others keep
    their proportions.
    """

    category: str
    before: float
    after: float


Change = Shift | Growth | Odds | Move
C = TypeVar("C", Shift, Growth, Odds, Move)


@dataclass(frozen=True, eq=False)
class Translator:
    """Of one feature. counts: int64[layout.cells], the reference's rows; groups: the decision cell of each, or -1.
    probabilities: whether its numbers are such, which a shift or a factor would take beyond 1.
    """

    layout: FeatureLayout
    counts: Counts
    groups: Counts
    probabilities: bool = False

    @cached_property
    def _inside(self) -> Floats:
        """The reference's rows by those fine cells that are decided on."""
        return self.counts[self.groups >= 0].astype(np.float64)

    def of(self, effect: float, merged: Counts) -> Change | None:
        """What shows the effect on merged cells; None where nothing does. merged: the group of each decision cell."""
        layout, held = self.layout, self._inside
        if not held.sum():
            return None
        if not isinstance(layout, NumericLayout):
            largest = int(held.argmax())
            name = layout.vocabulary[largest] if largest < len(layout.vocabulary) else "rare ones"
            return self._move(name, effect, merged)
        if self._piled:
            largest = int(held.argmax())
            return self._move(span(layout.edges[largest], layout.edges[largest + 1]), effect, merged)
        if self.probabilities:
            return self._least(lambda by: self._odds(math.exp(by)), _LOG_ODDS, effect, merged)
        if self._skewed:
            least = layout.edges[0] or layout.edges[1]
            most = float(np.log(layout.edges[-1]) - np.log(least))
            return self._least(lambda by: Growth(math.exp(by), math.expm1(by) * layout.centre), most, effect, merged)
        scale, longest = layout.scale, float(layout.edges[-1] - layout.edges[0])
        return self._least(lambda amount: Shift(amount / scale, amount), longest, effect, merged)

    def _move(self, name: str, effect: float, merged: Counts) -> Move | None:
        """A fall of the largest cell's share, or a rise where it cannot fall so far."""
        before = float(self._inside.max() / self._inside.sum())
        fallen = self._least(lambda by: Move(name, before, before - by), before, effect, merged)
        return fallen or self._least(lambda by: Move(name, before, before + by), 1.0 - before, effect, merged)

    def _odds(self, factor: float) -> Odds:
        assert isinstance(self.layout, NumericLayout)
        middle = (self.layout.edges[1:] + self.layout.edges[:-1]) / 2.0
        risen = factor * middle / (1.0 + (factor - 1.0) * middle) - middle
        return Odds(factor, float(risen @ self._inside / self._inside.sum()))

    @cached_property
    def _piled(self) -> bool:
        """Whether numbers pile up at a value, so that how far they move says nothing of how many do."""
        assert isinstance(self.layout, NumericLayout)
        shares = self._inside / self._inside.sum()
        dense = shares * self.layout.scale >= _DENSE * np.diff(self.layout.edges)
        return bool((dense & (shares >= _PILED) | (shares >= _MOST)).any())

    @cached_property
    def _skewed(self) -> bool:
        """Whether values are none below 0 and a few are large, so that they are thought of in factors."""
        layout = self.layout
        assert isinstance(layout, NumericLayout)
        below = np.concatenate([[0.0], np.cumsum(self._inside)])
        median = float(np.interp(below[-1] / 2.0, below, layout.edges))
        return bool(layout.edges[0] >= 0.0 and layout.centre - median > _SKEWED * layout.scale)

    def effect(self, change: Change, merged: Counts) -> float:
        """What a change shows on merged cells; infinite where hardly any row stays in the reference's range."""
        held = self._inside
        shares = held / held.sum()
        after = self._after(change, shares)
        left = after.sum()
        if left < _LEFT:
            return np.inf
        place = merged[self.groups[self.groups >= 0]]
        p, q = (np.bincount(place, weights=each).astype(np.float64) for each in (shares, after / left))
        return float(divergence8(p, q))

    def vanishing(self, effect: float, merged: Counts) -> float:
        """Share of a categorical feature's values that may vanish at random, the others taking over their rows, before
        that shows the effect on merged cells: little where values have cells of their own, much where many share each.
        """
        layout, held = self.layout, self._inside
        if isinstance(layout, NumericLayout) or not held.sum():
            return 0.0
        own = len(layout.vocabulary)
        values = np.ones(len(held))
        values[own:] = np.maximum(len(layout.others) / max(len(held) - own, 1), 1.0)
        shares, place = held / held.sum(), merged[self.groups[self.groups >= 0]]
        whole = np.bincount(place, weights=shares)
        # A share v that vanishes leaves a cell of k equal values with a relative error of v / (1 - v) / k, squared.
        strays = np.bincount(place, weights=shares**2 / values)
        shown = float(((1.0 / np.maximum(whole, 1e-300) - 1.0) * strays).sum())
        return effect / (effect + shown) if shown > 0.0 else 1.0

    def _after(self, change: Change, shares: Floats) -> Floats:
        """Shares of the fine cells after a change; the rows of a numeric one lie evenly."""
        if not isinstance(change, Move):
            assert isinstance(self.layout, NumericLayout)
            edges = self.layout.edges
            below = np.concatenate([[0.0], np.cumsum(shares)])
            if isinstance(change, Shift):
                origin = edges - change.amount
            elif isinstance(change, Odds):
                origin = edges / (change.factor - (change.factor - 1.0) * edges)
            else:
                origin = edges / change.factor
            moved: Floats = np.diff(np.interp(origin, edges, below))
            return moved
        after = shares * ((1.0 - change.after) / max(1.0 - change.before, 1e-300))
        after[int(shares.argmax())] = change.after
        return after

    def _least(self, change: Callable[[float], C], most: float, effect: float, merged: Counts) -> C | None:
        """The smallest change, of an amount up to `most`, that shows the effect."""
        inner, outer = 0.0, most / 1024.0
        while (shown := self.effect(change(outer), merged)) < effect:
            if outer >= most:
                return None
            inner, outer = outer, min(2.0 * outer, most)
        if shown == np.inf:
            return None
        for _ in range(_STEPS):
            middle = (inner + outer) / 2.0
            inner, outer = (inner, middle) if self.effect(change(middle), merged) >= effect else (middle, outer)
        return change(outer)
