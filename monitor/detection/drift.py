"""When a feature has drifted: its de-biased effect stays at or above a threshold for several windows in a row.

The effect is in PSI units after what chance alone gives at the window's size has been taken off, so one threshold
serves windows of every size (see `monitor.statistics.effect`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.detection.records import Severity, State
from monitor.spec import DAY_MS

THRESHOLD = 0.1
"""Smallest effect that matters: 0.32 standard deviations of a normal feature."""

MAJOR = 0.25
"""Smallest effect that is called major: half a standard deviation."""

SILENT_MS = 7 * DAY_MS
"""A version that has sent nothing for so long begins its evidence anew."""


@dataclass(slots=True)
class FeatureState:
    """streak: windows in a row at or above the threshold; calm: drifting windows in a row well below it. end_ms: of its
    newest window.
    """

    state: Literal["ok", "watch", "drifting"] = "ok"
    streak: int = 0
    calm: int = 0
    end_ms: int = 0


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


def forget_silent(features: dict[tuple[str, str], FeatureState], end_ms: int) -> None:
    """Forget the features of versions without a window for SILENT_MS before `end_ms`, but for those that drift: a
    client that makes up versions must not fill the memory.
    """
    bound = end_ms - SILENT_MS
    for key in [key for key, feature in features.items() if feature.end_ms <= bound and feature.state != "drifting"]:
        del features[key]


def severity(effect: float) -> Severity:
    """How bad a drift is, by its de-biased effect."""
    return "major" if effect >= MAJOR else "moderate" if effect >= THRESHOLD else "minor"
