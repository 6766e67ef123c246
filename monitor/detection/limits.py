"""How much evidence each stream of a version needs to alarm: its part of the budget, by what it is of and how
important.
"""

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
    divided,
    evidence_limit,
    windows_a_month,
)
from monitor.detection.streams import Limits
from monitor.detection.subject import Subject
from monitor.events.batch import OUTPUTS
from monitor.spec import DAY_MS, FeatureSpec, ModelSpec

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def told_of(spec: ModelSpec, feature: str) -> FeatureSpec:
    """How a feature, or an output, is to be watched."""
    return spec.features.get(feature, FeatureSpec())


def judged(spec: ModelSpec, subject: Subject) -> bool:
    """Whether its distribution is: not in the segments that are by its own values."""
    return told_of(spec, subject.feature).monitor == "drift" and not subject.own


def value_limits(spec: ModelSpec, subjects: Sequence[Subject], testable: Bools) -> Limits:
    """Of the distributions of values; testable: bool[S]."""
    weights = np.array([_weight(spec, each) for each in subjects], dtype=np.float64)
    tolerance = np.array([spec.alarms.tolerance_of(each.feature) for each in subjects])
    limit = _limits(spec, divided(VALUES_SHARE, weights * testable, _parts(subjects)))
    return Limits(tolerance, limit, spec.alarms.persistence)


def pair_limits(spec: ModelSpec, pairs: Sequence[tuple[str, str]], known: Bools) -> Limits:
    """Of how each pair goes together in whole traffic; known: bool[P], those of which it is known what is usual."""
    both = [(_weight(spec, Subject(one)), _weight(spec, Subject(other))) for one, other in pairs]
    weights = np.array([math.sqrt(one * other) for one, other in both], dtype=np.float64) * known
    limit = _limits(spec, divided(CORRELATION_SHARE, weights, np.zeros(len(pairs), dtype=np.bool_)))
    return Limits(np.full(len(pairs), spec.alarms.tolerance), limit, spec.alarms.persistence, shares=True)


def share_limits(spec: ModelSpec, subjects: Sequence[Subject], testable: Bools) -> Limits:
    """Of the shares of rows that are missing, then of the wrong type, then never seen: 3 S streams."""
    looked_at = [told_of(spec, each.feature).monitor != "off" and not each.own for each in subjects]
    watched = np.array(looked_at, dtype=np.bool_) & testable
    # Whether a model answers at all is for other monitors; that it answers what it never did is for this one.
    sent = watched & np.array([each.feature not in OUTPUTS for each in subjects], dtype=np.bool_)
    weights = np.concatenate([sent, sent, watched]).astype(np.float64)
    # Only by the window: what is wrong with the data is wrong at once.
    share = DATA_SHARE if spec.window.timed else DATA_SHARE + ROWS_SHARE
    limit = _limits(spec, divided(share, weights, np.tile(_parts(subjects), 3)), days=False)
    both = np.arange(3 * len(subjects)) < len(subjects)  # Values that are suddenly never missing are made up.
    tolerance = np.full(3 * len(subjects), spec.alarms.tolerance)
    return Limits(tolerance, limit, 1, shares=True, rare=True, both=both)


def _weight(spec: ModelSpec, subject: Subject) -> float:
    """Its part of the budget for values, beside the others'."""
    return told_of(spec, subject.feature).importance if judged(spec, subject) else 0.0


def _parts(subjects: Sequence[Subject]) -> Bools:
    return np.array([bool(each.segment) for each in subjects], dtype=np.bool_)


def _limits(spec: ModelSpec, shares: Floats, *, days: bool = True) -> Floats:
    """float64[2, S]: evidence at the alarm on each scale, by shares of the budget; the two halve it where both are
    used.
    """
    daily = days and spec.window.timed and spec.window.size < DAY_MS
    budget = spec.alarms.budget
    windows = evidence_limit(windows_a_month(spec.window), budget, shares / 2 if daily else shares)
    if not daily:
        return np.stack([windows, np.full_like(windows, np.inf)])
    return np.stack([windows, evidence_limit(DAY_WINDOWS, budget, shares / 2)])
