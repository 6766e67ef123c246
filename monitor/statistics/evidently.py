"""What Evidently 0.7 says of the same rows: its drift scores, its choice of a test, its thresholds.

For people who come from Evidently and want to see the same numbers before they trust others. It works on raw samples,
which the service does not keep; its own statistics are those of `monitor.statistics.registry`. What changes a number is
kept, odd or not:

- missing and infinite values are dropped first, and are no drift;
- numeric shares are of equally wide bins (Sturges) over the range of both samples together, so the bins of the same
  reference differ from window to window; the `n_bins` of Evidently's functions does nothing;
- where a share is 0, psi and kl_div put 0.0001, or a millionth of the least other share if that is at most 0.0001, and
  take nothing off the rest;
- kl_div is that of the current from the reference, in nats; jensenshannon is the root of the divergence, in nats;
- hellinger's numeric bins are those of the distinct values, as if each came once;
- wasserstein is in population standard deviations of the reference, or in thousandths of a unit where that is less;
- chisquare takes the reference for the truth, not for a sample, so its p-values are too small; a category that the
  reference lacks makes it 0;
- z tests the share of what is not the least value.

Of Evidently's other tests, `g_test` raises for samples of different sizes, and `mannw` sees only a rise.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance
from scipy.stats import chisquare as one_sample_chisquare
from scipy.stats import entropy, ks_2samp, norm, wasserstein_distance

Kind = Literal["numeric", "categorical"]
Rows = NDArray[Any]
Floats = NDArray[np.float64]

ROWS_LARGE = 1000
"""A reference of more rows is judged by a distance, not by a p-value."""

_INTEGERS_MAX = 10  # Integers with at most so many values are categories.
_BINNED_MIN = 20  # A numeric reference with more values than this is binned.
_TESTED_AS_NUMBERS_MIN = 5  # So are numbers of more values than this tested.
_LEAST_SCALE = 0.001
_FILL = 0.0001


class Drift(NamedTuple):
    """name: of the test, one of TESTS. score: a distance, or a p-value."""

    name: str
    score: float
    drifted: bool


@dataclass(frozen=True, eq=False)
class Samples:
    """Two samples of one feature without missing values, neither empty: number[m], number[n], or of strings."""

    reference: Rows
    current: Rows
    kind: Kind

    @classmethod
    def of(cls, reference: Rows, current: Rows, kind: Kind | None = None) -> Samples:
        """Of raw rows; missing are nan and None. Without `kind` it is what Evidently infers from the current rows.

        ValueError: a sample is empty; or it is text, that is more than half of its strings differ.
        """
        kind = kind_of(current) if kind is None else kind
        reference, current = _present(reference), _present(current)
        for name, rows in (("reference", reference), ("current", current)):
            if not len(rows):
                raise ValueError(f"the {name} sample holds no value: give one that does")
        return cls(reference, current, kind)


def kind_of(rows: Rows) -> Kind:
    """The kind that Evidently infers of a column; ValueError for text."""
    if rows.dtype.kind == "f":
        return "numeric"
    if rows.dtype.kind in "iu":
        return "categorical" if len(np.unique(rows)) <= _INTEGERS_MAX else "numeric"
    if rows.dtype.kind != "b":
        present = _present(rows)
        if len(_counts(present)) > 0.5 * len(present):
            raise ValueError("more than half of the strings differ, which Evidently takes for text: name the kind")
    return "categorical"


def psi(samples: Samples) -> float:
    """Population stability index, nats."""
    r, c = map(_filled, _shares(samples))
    return float(np.sum((r - c) * np.log(r / c)))


def kl_div(samples: Samples) -> float:
    """Kullback-Leibler divergence of the current sample from the reference, nats."""
    r, c = map(_filled, _shares(samples))
    return float(entropy(r, c))


def jensenshannon(samples: Samples) -> float:
    """Jensen-Shannon distance: the root of the divergence in nats."""
    return float(distance.jensenshannon(*_shares(samples)))


def hellinger(samples: Samples) -> float:
    """Hellinger distance, between 0 and 1."""
    if samples.kind == "categorical":
        r, c = _shares(samples)
    else:
        r, c = _shares_by_density(samples)
    return float(np.sqrt(1.0 - np.clip(np.sum(np.sqrt(r * c)), 0.0, 1.0)))


def wasserstein(samples: Samples) -> float:
    """Wasserstein-1 distance in standard deviations of the reference."""
    scale = max(float(np.std(samples.reference)), _LEAST_SCALE)
    return float(wasserstein_distance(samples.reference, samples.current)) / scale


def ks(samples: Samples) -> float:
    """P-value of the two-sample Kolmogorov-Smirnov test; exact up to 10,000 rows a side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Where exactness fails, scipy says so and approximates.
        return float(ks_2samp(samples.reference, samples.current).pvalue)


def chisquare(samples: Samples) -> float:
    """P-value of the one-sample chi-square test of the current counts."""
    expected, observed = _aligned(samples)
    with np.errstate(divide="ignore", invalid="ignore"):  # A category that is not expected at all.
        return float(one_sample_chisquare(observed, expected * (observed.sum() / expected.sum())).pvalue)


def z(samples: Samples) -> float:
    """P-value of the pooled two-proportion z test of the share of all values but the least."""
    least = min(*_counts(samples.reference), *_counts(samples.current))
    m, n = len(samples.reference), len(samples.current)
    p, q = np.mean(samples.reference != least), np.mean(samples.current != least)
    pooled = (p * m + q * n) / (m + n)
    if pooled == 0.0:
        return 1.0  # One and the same value.
    return float(2.0 * (1.0 - norm.cdf(abs(p - q) / np.sqrt(pooled * (1.0 - pooled) * (1.0 / m + 1.0 / n)))))


@dataclass(frozen=True, slots=True)
class Test:
    """A score of two samples, and when it means drift by default."""

    score: Callable[[Samples], float]
    drifted: Callable[[float], bool]


def _far(score: float) -> bool:
    return score >= 0.1


def _unlikely(p: float) -> bool:
    return p < 0.05


TESTS: Mapping[str, Test] = MappingProxyType(
    {
        "psi": Test(psi, _far),
        "kl_div": Test(kl_div, _far),
        "jensenshannon": Test(jensenshannon, _far),
        "hellinger": Test(hellinger, _far),
        "wasserstein": Test(wasserstein, _far),
        "ks": Test(ks, lambda p: p <= 0.05),
        "chisquare": Test(chisquare, _unlikely),
        "z": Test(z, _unlikely),
    }
)


def drift(name: str, samples: Samples) -> Drift:
    """What the named test says at its default threshold."""
    score = TESTS[name].score(samples)
    return Drift(name, score, TESTS[name].drifted(score))


def default_test(samples: Samples) -> str:
    """The test that Evidently chooses by the size of the reference and the number of distinct values."""
    values = len(_counts(np.concatenate([samples.reference, samples.current])))
    numbers = samples.kind == "numeric" and values > _TESTED_AS_NUMBERS_MIN
    if len(samples.reference) > ROWS_LARGE:
        return "wasserstein" if numbers else "jensenshannon"
    if numbers:
        return "ks"
    return "chisquare" if values > 2 else "z"


def default_drift(reference: Rows, current: Rows, kind: Kind | None = None) -> Drift:
    """What Evidently says of two raw samples when it is told nothing else; ValueError as `Samples.of`."""
    samples = Samples.of(reference, current, kind)
    return drift(default_test(samples), samples)


def _present(rows: Rows) -> Rows:
    if rows.dtype.kind == "f":
        return rows[np.isfinite(rows)]
    if rows.dtype.kind == "O":
        return rows[[row is not None and row == row for row in rows.tolist()]]
    return rows


def _counts(rows: Rows) -> dict[Any, int]:
    if rows.dtype.kind == "O":
        return Counter(rows.tolist())
    distinct, counts = np.unique(rows, return_counts=True)
    return dict(zip(distinct.tolist(), counts.tolist(), strict=True))


def _aligned(samples: Samples) -> tuple[Floats, Floats]:
    """Rows of each value of either sample: float64[values] each."""
    reference, current = _counts(samples.reference), _counts(samples.current)
    values = reference | current
    rows = np.array([[side.get(value, 0) for value in values] for side in (reference, current)], dtype=np.float64)
    return rows[0], rows[1]


def _shares(samples: Samples) -> tuple[Floats, Floats]:
    if samples.kind == "numeric" and len(np.unique(samples.reference)) > _BINNED_MIN:
        both = samples.reference, samples.current
        edges = np.histogram_bin_edges(np.concatenate(both), bins="sturges")
        r, c = (np.histogram(side, edges)[0] / len(side) for side in both)
        return r, c
    reference, current = _aligned(samples)
    return reference / reference.sum(), current / current.sum()


def _shares_by_density(samples: Samples) -> tuple[Floats, Floats]:
    """Shares of the bins of the distinct values, by way of densities: far from 0 the edges' rounding shows in them."""
    both = samples.reference, samples.current
    edges = np.histogram_bin_edges(np.union1d(*both), bins="sturges")
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    r, c = (np.histogram(side, edges, density=True)[0] * width for side in both)
    return r, c


def _filled(shares: Floats) -> Floats:
    least = shares[shares > 0.0].min()
    return np.where(shares == 0.0, least / 10**6 if least <= _FILL else _FILL, shares)
