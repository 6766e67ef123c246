"""How numeric columns go together within a window: the correlation of each pair, as rows that do and rows that do not.

The values of a column become ranks within the window (ties share theirs), and ranks the quantiles of a normal: van der
Waerden's normal scores. So whatever happens to one column alone - a shift, a season, another unit - changes nothing.
The correlation r of two columns' scores, over the n rows that have both, stands as (n - 1)(1 + r) / 2 rows that go
together and (n - 1)(1 - r) / 2 that do not. The share of the first is binomial in its variance, (1 - r^2) / (n - 1) of
r: exactly that of the permutation law where nothing goes together, and more than that of r from a bivariate normal,
(1 - r^2)^2 / n, elsewhere. Sums of such rows over windows are what windows have in common, and need no values.

What is ranked is a window's sample of rows, so the cost does not grow with traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.events.batch import OUTPUTS, PRESENT, Column, NumericColumn, Predictions
from monitor.profiles.layout import Layout, NumericLayout
from monitor.profiles.sample import SIZE, Sample, mix

COLUMNS_MAX = 40
"""Columns whose pairs are watched: 780 of them."""

MEETING_MIN = 5.0
"""Rows that must be expected to be off both columns' most frequent value, or the law of r is too coarse to be told from
a change: Cochran 1954, Biometrics 10(4). A column of 1 % ones goes with a continuous one, not with another like it."""

_CONSTANT = 1e-9  # Variance of scores below which all of them are one.

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Together:
    """columns: whose pairs are counted, in the order (0, 1), (0, 2), ..., (1, 2), ...; left_out: further ones."""

    columns: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, layout: Layout) -> Together:
        """Of the numeric columns: what the model answers, then the first features."""
        numeric = [name for name, part in layout.features.items() if isinstance(part, NumericLayout)]
        numeric.sort(key=lambda name: name not in OUTPUTS)
        return cls(tuple(numeric[:COLUMNS_MAX]), tuple(numeric[COLUMNS_MAX:]))

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.triu_indices(len(self.columns), 1)

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        first, second = (place.tolist() for place in self._places)
        return tuple((self.columns[one], self.columns[other]) for one, other in zip(first, second, strict=True))

    @property
    def none(self) -> Counts:
        """int64[P, 2]: of no rows."""
        return np.zeros((len(self.pairs), 2), dtype=np.int64)

    def touching(self, names: Container[str]) -> Bools:
        """bool[P]: pairs of which one column at least is among the names."""
        named = np.array([name in names for name in self.columns], dtype=np.bool_)
        first, second = self._places
        touched: Bools = named[first] | named[second]
        return touched

    def reordered(self, counts: Counts, other: Together) -> Counts:
        """int64[W, P, 2] of these pairs as of those of others; none of one that is not among them."""
        place = {pair: number for number, pair in enumerate(self.pairs)}
        taken = np.array([place.get(pair, -1) for pair in other.pairs], dtype=np.int64)
        padded = np.concatenate([counts, np.zeros((len(counts), 1, 2), dtype=np.int64)], axis=1)
        return padded[:, taken]

    def of_sample(self, sample: Sample) -> Counts:
        """int64[P, 2]: how many of the rows go together, and how many do not."""
        return self._of(*self._values(sample.column, len(sample.order)))

    def of_rows(self, predictions: Predictions, window: NDArray[np.intp], windows: int) -> Counts:
        """int64[W, P, 2]: of the rows that each window's sample would hold; window: intp[n], which each row is of."""
        order = np.lexsort((mix(predictions.key), window))
        values, present = self._values(predictions.column, len(predictions))
        values, present = values[:, order], present[:, order]
        starts = np.searchsorted(window[order], np.arange(windows + 1)).tolist()
        found = np.zeros((windows, len(self.pairs), 2), dtype=np.int64)
        for place, (start, end) in enumerate(pairwise(starts)):
            rows = slice(start, min(end, start + SIZE))
            found[place] = self._of(values[:, rows], present[:, rows])
        return found

    def _values(self, column: Callable[[str, bool], Column], rows: int) -> tuple[Floats, Bools]:
        """float64[C, rows]; bool[C, rows]: which of them are usable."""
        found = [each for name in self.columns if isinstance(each := column(name, True), NumericColumn)]
        shape = len(found), rows
        values = np.array([each.values for each in found], dtype=np.float64).reshape(shape)
        return values, np.array([each.state for each in found], dtype=np.uint8).reshape(shape) == PRESENT

    def _of(self, values: Floats, present: Bools) -> Counts:
        return counts(values, present)[self._places] if values.size else self.none


def counts(values: Floats, present: Bools) -> Counts:
    """int64[C, C, 2] of values float64[C, n], n >= 1, that are present or not: rows that go together, and that do not;
    none of either where too few rows say anything of two columns.
    """
    held = present.sum(axis=1)
    scores, commonest = _normal_scores(values, present, held)
    products = scores @ scores.T
    # Means and variances of the first over the rows that the second has, too.
    if present.all():
        rows = np.full(products.shape, float(values.shape[1]))
        sums, squares = scores.sum(axis=1)[:, None], products.diagonal()[:, None]
    else:
        has = present.astype(np.float64)
        both, sums, squares = (part @ has.T for part in (has, scores, scores**2))
        rows = np.maximum(both, 1.0)
    mean = sums / rows
    variance = squares / rows - mean**2
    varied = held - commonest
    told = (np.minimum(variance, variance.T) > _CONSTANT) & (np.outer(varied, varied) >= MEETING_MIN * rows)
    spread = np.sqrt(np.where(told, variance * variance.T, 1.0))
    r = np.where(told, np.clip((products / rows - mean * mean.T) / spread, -1.0, 1.0), 0.0)
    free = np.where(told, rows - 1.0, 0.0)
    # Whole rows, so that neither the order of rows nor the machine reaches a digit that counts.
    alike = np.rint(np.round(free * (1.0 + r) / 2.0, 6))
    found: Counts = np.stack([alike, free - alike], axis=-1).astype(np.int64)
    return found


def _normal_scores(values: Floats, present: Bools, held: Counts) -> tuple[Floats, Counts]:
    """float64[C, n]: of each value, 0 where there is none; int64[C]: rows of the most frequent one. held: int64[C], how
    many values there are.
    """
    rows = values.shape[1]
    values = np.where(present, values, np.inf)
    flat = np.argsort(values, axis=1)  # Missing ones last.
    flat += rows * np.arange(len(values))[:, None]
    ordered = values.ravel()[flat]
    begins = np.ones(values.shape, dtype=np.bool_)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    commonest, inside = np.ones_like(held), np.empty(values.shape)
    plain = begins.all(axis=1) & (held == rows)
    inside[plain] = _quantiles(rows)
    if not plain.all():  # Runs of equal values share the middle of their ranks; the last may be of missing ones.
        starts = np.flatnonzero(begins[~plain])
        sizes, runs = np.diff(starts, append=rows * int((~plain).sum())), begins[~plain].sum(axis=1)
        first = starts - np.repeat(rows * np.arange(len(runs)), runs)
        of = np.repeat(held[~plain], runs)
        known = first < of
        middle = np.where(known, (first + sizes / 2.0) / np.maximum(of, 1), 0.5)
        inside[~plain] = np.repeat(special.ndtri(middle), sizes).reshape(-1, rows)
        commonest[~plain] = np.maximum.reduceat(np.where(known, sizes, 0), np.cumsum(runs) - runs)
    scores = np.empty(values.shape)
    scores.ravel()[flat] = inside
    return scores, commonest


@lru_cache(maxsize=SIZE)
def _quantiles(rows: int) -> Floats:
    """float64[rows]: the normal scores of so many different values."""
    found: Floats = special.ndtri((np.arange(rows) + 0.5) / rows)
    return found
