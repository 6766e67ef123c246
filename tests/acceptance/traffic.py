"""Simulated traffic of a model's features as hourly counts, with closed forms to check it against.

A feature is normal with deviation 1 around a mean that may follow the hour of the day, wander and shift. Its cells hold
equal mass of the standard normal: window t of feature f is one draw of n_t rows from the exact cell probabilities at
its mean, or from a Dirichlet distribution around them. Everything is a function of the model and the seed. The first
window begins at midnight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

HOURS = 24
WEEK = 7 * HOURS
MONTH = 30 * HOURS

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """A step of the mean by `sd` deviations in some features, from window `start` on."""

    sd: float
    features: Sequence[int]
    start: int


@dataclass(frozen=True, slots=True)
class Model:
    """How a model's traffic behaves while nothing is wrong.

    rows: an hour, at midnight and at noon. rho: share of a cell's variance that windows have in common beyond chance:
    the variance of n rows is 1 + (n - 1) rho times that of independent ones. cycle: amplitude of the mean over the day,
    deviations, each feature with its own phase; uneven: drawn for each feature, up to that. wander: deviation of an
    AR(1) mean that remembers `memory` of itself an hour. cells: fine ones, to be merged for decisions.
    """

    features: int = 50
    rows: tuple[int, int] = (1000, 1000)
    rho: float = 0.0
    cycle: float = 0.0
    uneven: bool = False
    wander: float = 0.0
    memory: float = 0.9
    cells: int = 40


VARYING = (200, 2_000)
LARGE = (4_000, 40_000)

NULLS: Mapping[str, Model] = {
    "iid": Model(),
    "over-dispersed": Model(rows=VARYING, rho=5e-4),
    "daily cycle": Model(rows=VARYING, cycle=0.3),
    "daily cycle, over-dispersed": Model(rows=VARYING, cycle=0.3, rho=5e-4),
    "wander": Model(wander=0.05),
}
"""Traffic in which nothing is wrong."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """counts: int64[T, F, B]. means: float64[T, F], deviations. first: number of the first window since the start."""

    counts: Counts
    means: Floats
    seed: int
    first: int = 0

    @property
    def windows(self) -> int:
        return self.counts.shape[0]

    @property
    def features(self) -> int:
        return self.counts.shape[1]

    @cached_property
    def rows(self) -> Counts:
        """int64[T]: of each window."""
        rows: Counts = self.counts[:, 0].sum(axis=-1)
        return rows

    def between(self, first: int, last: int) -> Traffic:
        """The windows from `first` up to, not including, `last`."""
        part = slice(first, last)
        return Traffic(self.counts[part], self.means[part], self.seed, self.first + first)

    def take(self, features: slice) -> Traffic:
        """Some of the features; their raw values are other draws from the same cells."""
        return replace(self, counts=self.counts[:, features], means=self.means[:, features])

    def merged(self, cells: int) -> Counts:
        """int64[T, F, cells]: neighbouring cells as one, equally many to each."""
        return self.counts.reshape(*self.counts.shape[:2], cells, -1).sum(axis=-1)

    def raw(self, window: int) -> Floats:
        """float64[F, n]: values that have the window's counts, cell by cell upwards, in no order inside a cell."""
        rng = np.random.default_rng([self.seed, 3, self.first + window])
        return _values(self.counts[window], self.means[window], rng)

    def sample(self, rows: int, seed: int = 0) -> Floats:
        """float64[F, rows]: values of rows drawn from all windows without replacement; fewer than there are."""
        rng = np.random.default_rng([self.seed, 4, seed])
        found = []
        for window, taken in enumerate(rng.multivariate_hypergeometric(self.rows, rows, method="marginals")):
            if taken:
                counts = np.stack([rng.multivariate_hypergeometric(each, taken) for each in self.counts[window]])
                found.append(_values(counts, self.means[window], rng))
        return np.concatenate(found, axis=1)


def simulate(model: Model, windows: int, seed: int, shift: Shift | None = None) -> Traffic:
    """That many windows from midnight on."""
    means = _means(model, windows, seed)
    if shift is not None:
        means[shift.start :, list(shift.features)] += shift.sd
    probabilities = np.diff(_distribution(means, model.cells), axis=-1)
    rng = np.random.default_rng([seed, 2])
    if model.rho:
        probabilities = rng.standard_gamma(probabilities * (1.0 - model.rho) / model.rho)
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
    counts = rng.multinomial(_rows(model, windows)[:, None], probabilities)
    return Traffic(counts, means, seed)


def watched(model: Model, weeks: int, windows: int, seed: int, shift: Shift | None = None) -> tuple[Traffic, Traffic]:
    """A reference of so many weeks, and the traffic that follows it, in whose windows the shift is counted."""
    known = weeks * WEEK
    later = None if shift is None else replace(shift, start=known + shift.start)
    whole = simulate(model, known + windows, seed, later)
    return whole.between(0, known), whole.between(known, known + windows)


def _rows(model: Model, windows: int) -> Counts:
    night, noon = model.rows
    share = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(windows) / HOURS)
    rows: Counts = np.rint(night + (noon - night) * share).astype(np.int64)
    return rows


def _means(model: Model, windows: int, seed: int) -> Floats:
    rng = np.random.default_rng([seed, 0])
    phase = rng.random(model.features)
    amplitude = model.cycle * (rng.random(model.features) if model.uneven else 1.0)
    means: Floats = amplitude * np.sin(2.0 * np.pi * (np.arange(windows)[:, None] / HOURS + phase))
    if model.wander:
        steps = model.wander * np.random.default_rng([seed, 1]).normal(size=means.shape)
        steps[1:] *= np.sqrt(1.0 - model.memory**2)
        for window in range(1, windows):
            steps[window] += model.memory * steps[window - 1]
        means += steps
    return means


def _distribution(means: Floats, cells: int) -> Floats:
    """float64[..., cells + 1]: normal distribution function at the cells' limits, from 0 to 1."""
    limits = np.concatenate([[-np.inf], ndtri(np.arange(1, cells) / cells), [np.inf]])
    found: Floats = ndtr(limits - means[..., None])
    return found


def _values(counts: Counts, means: Floats, rng: np.random.Generator) -> Floats:
    """float64[F, n] of counts: int64[F, B] with n rows in each feature, and their means: float64[F]."""
    distribution = _distribution(means, counts.shape[-1])
    flat = counts.ravel()
    low = np.repeat(distribution[:, :-1].ravel(), flat)
    high = np.repeat(distribution[:, 1:].ravel(), flat)
    place = low + (high - low) * rng.random(len(low))
    values: Floats = ndtri(np.clip(place, 1e-300, 1.0 - 2.0**-53)).reshape(len(counts), -1)
    return values + means[:, None]
