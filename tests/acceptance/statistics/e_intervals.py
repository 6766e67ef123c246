"""Intervals from cells hold the exact value of the raw rows; merging in any order gives the bits of one pass.

A case: a reference, its cells as the service builds them, a window; scipy and scikit-learn say what is exact. Rows are
of many shapes, ties, atoms, heavy tails and values far outside the reference among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.metrics import roc_auc_score

from monitor.events.batch import OUTPUTS, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles.layout import NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.statistics.performance.ranking import ranking
from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Grid
from tests.acceptance.figures import Figure
from tests.profiles.rows import predictions
from tests.statistics.performance.populations import BINARY, Outcome, binary

SEEDS = range(10)
CASES = 100
"""Of each kind, a seed."""

Floats = NDArray[np.float64]
Random = np.random.Generator

SHAPES: Sequence[Callable[[int, Random], Floats]] = (
    lambda rows, rng: rng.normal(size=rows),
    lambda rows, rng: np.round(rng.normal(size=rows), 1),
    lambda rows, rng: np.where(rng.random(rows) < 0.6, 0.0, rng.normal(size=rows)),
    lambda rows, rng: np.where(rng.random(rows) < 0.5, np.round(rng.exponential(size=rows)), rng.exponential()),
    lambda rows, rng: rng.lognormal(sigma=2.0, size=rows),
    lambda rows, rng: rng.standard_t(1.2, size=rows),
    lambda rows, rng: rng.poisson(2.0, size=rows).astype(float),
    lambda rows, rng: np.full(rows, float(rng.integers(3))),
    lambda rows, rng: rng.integers(2, size=rows).astype(float),
    lambda rows, rng: rng.normal(1e9, 1e-3, size=rows),
    lambda rows, rng: 1e-12 * rng.exponential(size=rows),
    lambda rows, rng: rng.normal(size=rows) * np.where(rng.random(rows) < 0.05, 1e6, 1.0),
    lambda rows, rng: rng.random(rows) + np.repeat(rng.integers(0, 50, rows // 2 + 1), 2)[:rows],
)
SCORES: Sequence[Callable[[Floats, Random], Floats]] = (
    lambda signal, rng: 1.0 / (1.0 + np.exp(-signal)),
    lambda signal, rng: np.round(1.0 / (1.0 + np.exp(-signal)), 2),
    lambda signal, rng: np.round(1.0 / (1.0 + np.exp(-3 * signal)), 1),
    lambda signal, rng: 1.0 / (1.0 + np.exp(7.0 - signal)),
    lambda signal, rng: np.where(signal < 0.2, 0.0, np.where(signal > 1.0, 1.0, signal)),
    lambda signal, rng: np.full(len(signal), rng.random()),
    lambda signal, rng: rng.random(len(signal)) ** rng.uniform(0.2, 20),
    lambda signal, rng: np.where(rng.random(len(signal)) < 0.5, 0.37, rng.random(len(signal))),
)


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Cases in which an interval does not hold the exact value, or a merge is not one pass."""
    numeric = [row for seed in seeds for row in _numeric_cases(np.random.default_rng([seed, 1]))]
    for name, (missed, width) in {"kolmogorov_smirnov": (0, 1), "wasserstein": (2, 3)}.items():
        found, widths = [row[missed] for row in numeric], [row[width] for row in numeric]
        yield Figure.none("E", f"{name} outside its interval, of {len(found)} cases", sum(found))
        yield Figure("E", f"{name}: median width of the interval", float(np.median(widths)), "shown", True)
    ranked = [row for seed in seeds for row in _ranking_cases(np.random.default_rng([seed, 2]))]
    yield Figure.none("E", f"ROC AUC outside its interval, of {len(ranked)} cases", sum(missed for missed, _ in ranked))
    yield Figure(
        "E", "ROC AUC: median width of the interval", float(np.median([row[1] for row in ranked])), "shown", True
    )
    merged = [same for seed in seeds for same in _merge_cases(np.random.default_rng([seed, 3]))]
    yield Figure.none("E", f"profiles whose merge is not one pass, of {len(merged)} cases", merged.count(False))
    merged = [same for seed in seeds for same in _outcome_cases(np.random.default_rng([seed, 4]))]
    yield Figure.none("E", f"outcomes whose merge is not one pass, of {len(merged)} cases", merged.count(False))


def _numeric_cases(rng: Random) -> Iterator[tuple[bool, float, bool, float]]:
    """Whether D, then W1, is missed, each with the width of its interval. Features of a model share their rows."""
    for first in range(0, CASES, 20):
        reference, window = _model(rng, 20 if first + 20 <= CASES else CASES - first)
        built = Reference.build(_schema(reference), reference, None)
        profile = Profile.empty(built.layout)
        profile.fold(window)
        for name, layout in built.layout.features.items():
            if name in OUTPUTS:
                continue
            assert isinstance(layout, NumericLayout)
            sides = built.profile.features[name], profile.features[name]
            assert isinstance(sides[0], NumericSummary)
            assert isinstance(sides[1], NumericSummary)
            view = Grid.of(layout, *sides)
            rows = [_values(batch, name) for batch in (reference, window)]
            with np.errstate(divide="ignore"):  # Scipy's p-value of two rows.
                d = float(ks_2samp(*rows, method="asymp").statistic)
            w = float(wasserstein_distance(*rows)) / layout.scale
            yield *_judged("kolmogorov_smirnov", view, d), *_judged("wasserstein", view, w)


def _judged(name: str, view: Grid, truth: float) -> tuple[bool, float]:
    estimate = REGISTRY[name](view)
    assert estimate.lower is not None
    assert estimate.upper is not None
    slack = 1e-9 * (1.0 + truth)  # Scipy's own rounding.
    holds = estimate.lower <= estimate.value <= estimate.upper
    return not (holds and estimate.lower - slack <= truth <= estimate.upper + slack), estimate.upper - estimate.lower


def _model(rng: Random, features: int) -> tuple[Predictions, Predictions]:
    """A reference and a window: most features move and stretch, one in four takes another shape."""
    m, n = (int(size) for size in np.exp(rng.uniform(0.0, 8.0, size=2)))
    sides: tuple[dict[str, NumericColumn], dict[str, NumericColumn]] = {}, {}
    for feature in range(features):
        shape = int(rng.integers(len(SHAPES)))
        reference = SHAPES[shape](m, rng)
        current = SHAPES[shape if rng.random() < 0.75 else int(rng.integers(len(SHAPES)))](n, rng)
        spread = float(reference.std()) or 1.0
        current = current * math.exp(rng.normal() * rng.integers(2)) + spread * rng.normal() * rng.integers(3)
        for side, rows in zip(sides, (reference, current), strict=True):
            side[f"feature {feature:02d}"] = NumericColumn.of(rows)
    reference, current = (
        replace(predictions(rng, rows), features=side) for rows, side in zip((m, n), sides, strict=True)
    )
    return reference, current


def _schema(batch: Predictions) -> Schema:
    return Schema("m", "binary", dict.fromkeys(batch.features, "numeric"), positive="1")


def _values(batch: Predictions, name: str) -> Floats:
    column = batch.features[name]
    assert isinstance(column, NumericColumn)
    return column.values


def _ranking_cases(rng: Random) -> Iterator[tuple[bool, float]]:
    for case in range(CASES):
        label, score = _scored(rng, case)
        got = ranking(binary(label, score).outcome().summary.counts)
        assert got is not None
        yield abs(got.auc - roc_auc_score(label, score)) > got.doubt + 1e-12, 2.0 * got.doubt


def _scored(rng: Random, case: int) -> tuple[NDArray[np.int64], Floats]:
    """At least two rows of each class."""
    rows = int(np.exp(rng.uniform(math.log(4), 8.0)))
    label = (rng.random(rows) < rng.choice([0.02, 0.3, 0.5, 0.9])).astype(np.int64)
    label[:4] = 0, 0, 1, 1
    return label, SCORES[case % len(SCORES)](rng.normal(size=rows) + rng.uniform(-1, 3) * label, rng)


def _merge_cases(rng: Random) -> Iterator[bool]:
    """Whether merge(a, b), merge(b, a), both with an empty one, and one pass over all rows have the same bytes."""
    reference = predictions(rng, 3_000)
    schema = Schema("m", "binary", {"amount": "numeric", "age": "numeric", "country": "categorical"}, positive="1")
    layout = Reference.build(schema, reference, None).layout
    for _ in range(CASES):
        batch = predictions(rng, int(rng.integers(0, 900)), shift=float(rng.normal()))
        order, cut = rng.permutation(len(batch)), int(rng.integers(0, len(batch) + 1))
        whole, a, b = (Profile.empty(layout) for _ in range(3))
        whole.fold(batch)
        a.fold(batch.take(order[:cut]))
        b.fold(batch.take(order[cut:]))
        merges = a.merge(b), b.merge(a), Profile.empty(layout).merge(b).merge(a)
        yield {merged.dump() for merged in merges} == {whole.dump()}


def _outcome_cases(rng: Random) -> Iterator[bool]:
    for case in range(CASES):
        pairs = binary(*_scored(rng, case)).pairs
        order, cut = rng.permutation(len(pairs)), int(rng.integers(0, len(pairs) + 1))
        whole, a, b = (Outcome.empty(BINARY) for _ in range(3))
        whole.fold(BINARY, pairs)
        a.fold(BINARY, pairs.take(order[:cut]))
        b.fold(BINARY, pairs.take(order[cut:]))
        yield {_bytes(merged) for merged in (a.merge(b), b.merge(a))} == {_bytes(whole)}


def _bytes(outcome: Outcome) -> bytes:
    return msgspec.msgpack.encode(outcome.plain())
