"""How bad a change is, by its de-biased effect in PSI units."""

from __future__ import annotations

from monitor.detection.records import Severity

MODERATE = 0.1
"""0.32 standard deviations of a normal feature."""

MAJOR = 0.25
"""Half a standard deviation."""


def severity(effect: float) -> Severity:
    return "major" if effect >= MAJOR else "moderate" if effect >= MODERATE else "minor"
