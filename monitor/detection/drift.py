"""When a feature has drifted: its de-biased effect stays at or above a threshold for several windows in a row.

The effect is in PSI units after what chance alone gives at the window's size has been taken off, so one threshold
serves windows of every size (see `monitor.statistics.effect`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.detection.records import Severity, State

THRESHOLD = 0.1
"""Smallest effect that matters: 0.32 standard deviations of a normal feature."""

MAJOR = 0.25
"""Smallest effect that is called major: half a standard deviation."""


@dataclass(slots=True)
class FeatureState:
    """streak: windows in a row at or above the threshold; calm: drifting windows in a row well below it."""

    state: Literal["ok", "watch", "drifting"] = "ok"
    streak: int = 0
    calm: int = 0


def judge(feature: FeatureState, effect: float | None, persistence: int) -> State:
    """The feature's state after one more window; None is a window that held too little to say, and changes nothing.

    Drift ends after `persistence` windows below half the threshold: a feature at its edge must not flap.
    """
    if effect is None:
        return "drifting" if feature.state == "drifting" else "insufficient"
    if feature.state == "drifting":
        feature.calm = feature.calm + 1 if effect < THRESHOLD / 2 else 0
        if feature.calm >= persistence:
            feature.state, feature.streak, feature.calm = "ok", 0, 0
    else:
        feature.streak = feature.streak + 1 if effect >= THRESHOLD else 0
        feature.state = "drifting" if feature.streak >= persistence else "watch" if feature.streak else "ok"
    return feature.state


def severity(effect: float) -> Severity:
    """How bad a drift is, by its de-biased effect."""
    return "major" if effect >= MAJOR else "moderate" if effect >= THRESHOLD else "minor"
