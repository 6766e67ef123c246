"""Simulated traffic of features that go together in many ways, and always in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.detection.correlation import Correlations
from monitor.detection.detector import Detector
from monitor.detection.limits import pair_limits
from monitor.detection.streams import StreamState
from monitor.events.schema import Schema
from monitor.profiles.together import Together, counts
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import WindowSpec
from tests.acceptance.traffic import HOURS, WEEK

HOUR_MS = 3_600_000
FEATURES = 8
TOGETHER = Together(tuple(f"x{number}" for number in range(FEATURES)))

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Floats]
"""float64[FEATURES, rows] of a random generator, the hour and the number of rows; NaN where missing."""


def _normal(random: np.random.Generator, rows: int, r: float = 0.0) -> Floats:
    """Any two of which correlate by r."""
    common, own = random.normal(size=rows), random.normal(size=(FEATURES, rows))
    found: Floats = np.sqrt(r) * common + np.sqrt(1.0 - r) * own
    return found


def _swing(hour: int) -> float:
    return float(np.sin(2.0 * np.pi * (hour % HOURS) / HOURS))


def _common_scale(random: np.random.Generator, hour: int, rows: int) -> Floats:
    """Heavy tails that come together, without correlation."""
    return _normal(random, rows) / np.sqrt(random.chisquare(2.2, rows) / 2.2)


def _counts(random: np.random.Generator, hour: int, rows: int) -> Floats:
    """Ones of 0.5 % to 20 % of the rows, and small counts."""
    shares = np.linspace(0.005, 0.2, FEATURES)[:, None]
    ones = random.random((FEATURES, rows)) < shares
    return np.where(np.arange(FEATURES)[:, None] % 2 == 0, ones, random.poisson(1.5, (FEATURES, rows)))


def _gaps(random: np.random.Generator, hour: int, rows: int) -> Floats:
    missing = random.random((FEATURES, rows)) < np.linspace(0.0, 0.6, FEATURES)[:, None]
    return np.where(missing, np.nan, _normal(random, rows, 0.3))


STEADY: Mapping[str, tuple[Draw, int]] = {
    "independent": (lambda random, hour, rows: _normal(random, rows), 500),
    "correlated by 0.8": (lambda random, hour, rows: _normal(random, rows, 0.8), 500),
    "means that swing by 1 sd": (lambda random, hour, rows: _normal(random, rows, 0.3) + _swing(hour), 500),
    "heavy tails of one scale": (_common_scale, 500),
    "ones and counts": (_counts, 500),
    "missing values": (_gaps, 500),
    "clusters of 5 equal rows": (lambda random, hour, rows: np.repeat(_normal(random, rows // 5), 5, axis=1), 500),
    "correlated by 0 to 0.4, by the hour": (
        lambda random, hour, rows: _normal(random, rows, 0.2 + 0.2 * _swing(hour)),
        500,
    ),
    "50 rows": (lambda random, hour, rows: _normal(random, rows, 0.3), 50),
}
"""How rows are drawn, and how many an hour."""


def alarms(name: str, weeks: int, windows: int, seed: int, budgets: Sequence[float]) -> list[int]:
    """By budget, how often a pair is said to have changed in the windows after those weeks."""
    draw, rows = STEADY[name]
    random, first = np.random.default_rng([seed, 5]), weeks * WEEK
    places = np.triu_indices(FEATURES, 1)
    found = np.zeros((first + windows, *TOGETHER.none.shape), dtype=np.int64)
    for hour in range(len(found)):
        values = draw(random, hour, rows)
        found[hour] = counts(values, ~np.isnan(values))[places]
    hours = np.arange(first)
    baseline = Correlations(_spec(1.0), TOGETHER, found[:first], hours % WEEK, hours // HOURS).detector.baseline
    known = np.ones(len(TOGETHER.pairs), dtype=np.bool_)
    return [
        _alarms(Detector(baseline, pair_limits(_spec(budget), TOGETHER.pairs, known)), found, first)
        for budget in budgets
    ]


def _alarms(detector: Detector, found: NDArray[np.int64], first: int) -> int:
    state, number = StreamState.empty(found.shape[1], 2), 0
    for hour in range(first, len(found)):
        window = found[hour].astype(np.float64), hour * HOUR_MS, hour % WEEK, hour // HOURS
        number += int(detector.judge(state, *window, known=True).alarmed.sum())
    return number


def _spec(budget: float) -> ModelSpec:
    schema = Schema("simulated", "regression", dict.fromkeys(TOGETHER.columns, "numeric"))
    return ModelSpec(
        "simulated", schema, WindowSpec(HOUR_MS), PerformanceSpec("mae", 1.0), alarms=AlarmSpec(budget=budget)
    )
