"""How much evidence each stream of a model needs: its part of the alarm budget, by what it is of and how important."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.detection.budget import (
    CORRELATION_SHARE,
    DATA_SHARE,
    DAY_WINDOWS,
    ROWS_SHARE,
    VALUES_SHARE,
    evidence_limit,
    windows_a_month,
)
from monitor.detection.streams import Limits
from monitor.events.batch import OUTPUTS
from monitor.spec import DAY_MS, AlarmSpec, FeatureSpec, ModelSpec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def value_limits(spec: ModelSpec, names: tuple[str, ...]) -> Limits:
    """Of the distribution of each feature's values."""
    told = [told_of(spec, name) for name in names]
    weights = np.array([_weight(spec, name) for name in names], dtype=np.float64)
    tolerance = np.array([each.tolerance or spec.alarms.tolerance for each in told])
    return Limits(tolerance, _limits(spec, weights, VALUES_SHARE), spec.alarms.persistence)


def pair_limits(spec: ModelSpec, pairs: Sequence[tuple[str, str]], known: Bools) -> Limits:
    """Of how each pair goes together; known: bool[P], those of which it is known what is usual."""
    weights = np.array([math.sqrt(_weight(spec, one) * _weight(spec, other)) for one, other in pairs]) * known
    tolerance = np.full(len(pairs), spec.alarms.tolerance)
    limit = _limits(spec, weights, CORRELATION_SHARE)
    return Limits(tolerance, limit, spec.alarms.persistence, shares=True)


def share_limits(spec: ModelSpec, names: tuple[str, ...]) -> Limits:
    """Of the shares of each feature's rows that are missing, then of the wrong type, then never seen."""
    watched = np.array([told_of(spec, name).monitor != "off" for name in names], dtype=np.bool_)
    # Whether a model answers at all is for other monitors; that it answers what it never did is for this one.
    sent = watched & np.array([name not in OUTPUTS for name in names], dtype=np.bool_)
    weights = np.concatenate([sent, sent, watched]).astype(np.float64)
    # Only by the window: what is wrong with the data is wrong at once.
    share = DATA_SHARE if spec.window.timed else DATA_SHARE + ROWS_SHARE
    limit = _limits(spec, weights, share, days=False)
    both = np.arange(3 * len(names)) < len(names)  # Values that are suddenly never missing are made up.
    tolerance = np.full(3 * len(names), spec.alarms.tolerance)
    return Limits(tolerance, limit, 1, shares=True, rare=True, both=both)


def told_of(spec: ModelSpec, name: str) -> FeatureSpec:
    """How a feature, or an output, is to be watched."""
    return spec.features.get(name, FeatureSpec())


def _weight(spec: ModelSpec, name: str) -> float:
    """Its part of the budget for values, beside the others'."""
    told = told_of(spec, name)
    return told.importance if told.monitor == "drift" else 0.0


def _limits(spec: ModelSpec, weights: Floats, share: float, *, days: bool = True) -> Floats:
    """float64[2, S]: evidence at the alarm on each scale; the two share the budget where both are used."""
    alarms: AlarmSpec = spec.alarms
    daily = days and spec.window.timed and spec.window.size < DAY_MS
    shares = share * weights / max(weights.sum(), 1e-300)
    windows = evidence_limit(windows_a_month(spec.window), alarms.budget, shares / 2 if daily else shares)
    if not daily:
        return np.stack([windows, np.full_like(windows, np.inf)])
    return np.stack([windows, evidence_limit(DAY_WINDOWS, alarms.budget, shares / 2)])
