"""How a feature is found to have drifted on simulated traffic: by us and, for comparison, by others.

Methods of counts see 20 cells of equal mass; those of rows see every raw value. All judge each window and feature by
itself against the reference, at the threshold that their users get when they set none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import chi2, kstwo

from monitor.statistics import evidently
from monitor.statistics.evidently import Samples
from tests.acceptance.ours import Ours
from tests.acceptance.traffic import Traffic

CELLS = 20
LEVEL = 0.05

Alarms = Sequence[tuple[int, int]]
"""Window of the live traffic, from 0, and feature."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Method(Protocol):
    """name: as a table's row has it."""

    @property
    def name(self) -> str: ...

    def alarms(self, reference: Traffic, live: Traffic) -> Alarms:
        """The windows and features that it would report, in order of time."""
        ...


@dataclass(frozen=True, slots=True)
class OfCounts:
    """flags: of reference and live counts, int64[R, F, B] and int64[T, F, B], bool[T, F]."""

    name: str
    flags: Callable[[Counts, Counts], Flags]

    def alarms(self, reference: Traffic, live: Traffic) -> Alarms:
        return _listed(self.flags(reference.merged(CELLS), live.merged(CELLS)))


@dataclass(frozen=True, slots=True)
class OfRows:
    """Of `rows` reference rows; flags: of both sides' sorted values, float64[F, m] and float64[F, n], bool[F]."""

    name: str
    rows: int
    flags: Callable[[Floats, Floats], Flags]

    def alarms(self, reference: Traffic, live: Traffic) -> Alarms:
        known = np.sort(reference.sample(self.rows), axis=1)
        found = [self.flags(known, np.sort(live.raw(window), axis=1)) for window in range(live.windows)]
        return _listed(np.stack(found))


def chi_square_p(reference: Counts, live: Counts) -> Floats:
    """P-values of the test that a window and the whole reference are of one distribution: float64[T, F]."""
    known = reference.sum(axis=0)
    m, n = known.sum(axis=-1)[:, None], live.sum(axis=-1, keepdims=True)
    pooled = (known + live) / (m + n)
    x = np.sum((live / n - known / m) ** 2 / pooled, axis=-1) / (1.0 / m + 1.0 / n)[..., 0]
    found: Floats = chi2.sf(x, live.shape[-1] - 1)
    return found


def chi_square(reference: Counts, live: Counts) -> Flags:
    """Each test by itself, at 5 %."""
    return chi_square_p(reference, live) < LEVEL


def benjamini_hochberg(reference: Counts, live: Counts) -> Flags:
    """Among the features of a window at most 5 % false discoveries. Benjamini & Hochberg 1995, JRSS B 57(1)."""
    p = chi_square_p(reference, live)
    features = p.shape[1]
    ordered = np.sort(p, axis=1)
    passing = ordered <= LEVEL * np.arange(1, features + 1) / features
    limit = np.where(passing, ordered, -1.0).max(axis=1, keepdims=True)
    return p <= limit


def stability_index(reference: Counts, live: Counts) -> Floats:
    """Population stability index of each window, half a row more in every cell: float64[T, F]."""
    r, c = (_shares(side + 0.5) for side in (reference.sum(axis=0), live))
    found: Floats = np.sum((r - c) * np.log(r / c), axis=-1)
    return found


def psi(reference: Counts, live: Counts) -> Flags:
    """Population stability index of 0.1 or more."""
    return stability_index(reference, live) >= 0.1


def three_sigma_limit(reference: Counts) -> Floats:
    """Mean plus three deviations of the JS distance of the reference's own windows from all of it: float64[F]."""
    known = _jensen_shannon(_shares(reference.sum(axis=0)), _shares(reference))
    limit: Floats = known.mean(axis=0) + 3.0 * known.std(axis=0)
    return limit


def three_sigma(reference: Counts, live: Counts) -> Flags:
    """Above that limit, as NannyML does."""
    return _jensen_shannon(_shares(reference.sum(axis=0)), _shares(live)) > three_sigma_limit(reference)


def kolmogorov_smirnov(reference: Floats, live: Floats) -> Flags:
    """P-value below 5 %, by the distribution that scipy takes for large samples."""
    d = np.array([greatest_distance(*sides) for sides in zip(reference, live, strict=True)])
    return d > _critical(reference.shape[1], live.shape[1], LEVEL)


def evidently_default(reference: Floats, live: Floats) -> Flags:
    """`evidently.default_drift` of numbers of more than five values, without sorting the reference each time."""
    sides = list(zip(reference, live, strict=True))
    if reference.shape[1] > evidently.ROWS_LARGE:
        scale = [max(float(each.std()), 0.001) for each in reference]
        return np.array([mean_way(*pair) for pair in sides]) / scale >= 0.1
    d = np.array([greatest_distance(*pair) for pair in sides])
    # The approximate p-value is close enough to decide all but those near the level.
    surely, perhaps = (_critical(reference.shape[1], live.shape[1], level) for level in (0.03, 0.08))
    flags = d > surely
    for feature in np.flatnonzero((d > perhaps) & (d <= surely)):
        flags[feature] = evidently.drift("ks", Samples(*sides[feature], "numeric")).drifted
    return flags


METHODS: Sequence[Method] = (
    Ours(),
    OfRows("Evidently's defaults, reference of 1,000 rows", 1_000, evidently_default),
    OfRows("Evidently's defaults, reference of 10,000 rows", 10_000, evidently_default),
    OfRows("Kolmogorov-Smirnov p < 0.05", 10_000, kolmogorov_smirnov),
    OfCounts("chi-square p < 0.05", chi_square),
    OfCounts("Benjamini-Hochberg 5 % a window", benjamini_hochberg),
    OfCounts("PSI of 0.1 or more", psi),
    OfCounts("JS distance above mean + 3 sd", three_sigma),
)


def greatest_distance(reference: Floats, live: Floats) -> float:
    """Kolmogorov-Smirnov statistic of sorted samples without ties: float64[m], float64[n]."""
    n = len(live)
    f = np.searchsorted(reference, live) / len(reference)
    steps = np.arange(n + 1) / n
    return float(max((f - steps[:-1]).max(), (steps[1:] - f).max()))


def mean_way(reference: Floats, live: Floats) -> float:
    """Wasserstein-1 distance of sorted samples: the integral of the distance between their quantile functions.

    Live value j takes the shares from j/n to (j+1)/n. The reference's quantiles below it and above it are summed
    apart; their integral from 0 is linear between multiples of 1/m.
    """
    m, n = len(reference), len(live)
    integral = np.concatenate([[0.0], np.cumsum(reference)]) / m
    steps = np.arange(n + 1) / n
    at_steps = np.interp(steps * m, np.arange(m + 1), integral)
    below, above = steps[:-1], steps[1:]
    rank = np.searchsorted(reference, live)
    parted = np.clip(rank / m, below, above)
    at_parted = np.where(parted == rank / m, integral[rank], np.where(parted == below, at_steps[:-1], at_steps[1:]))
    low = live * (parted - below) - (at_parted - at_steps[:-1])
    high = (at_steps[1:] - at_parted) - live * (above - parted)
    return float(np.sum(low + high))


@cache
def _critical(m: int, n: int, level: float) -> float:
    return float(kstwo.isf(level, round(m * n / (m + n))))


def _shares(counts: Counts | Floats) -> Floats:
    shares: Floats = counts / counts.sum(axis=-1, keepdims=True)
    return shares


def _jensen_shannon(one: Floats, other: Floats) -> Floats:
    """Distance: the root of the divergence in bits."""
    middle = (one + other) / 2.0
    bits = (rel_entr(one, middle) + rel_entr(other, middle)).sum(axis=-1) / 2.0 / np.log(2.0)
    return np.sqrt(np.maximum(bits, 0.0))


def _listed(flags: Flags) -> Alarms:
    return [(int(window), int(feature)) for window, feature in np.argwhere(flags)]
