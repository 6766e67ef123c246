"""How bad a change is, by its de-biased effect in PSI units."""

from __future__ import annotations

from typing import Literal, get_args

from monitor.detection.records import Cause, Incident, Severity

Level = Literal["minor", "moderate", "major", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""How urgent an incident is, ascending. `critical` is a consequence that somebody has to look at now: performance has
fallen, or the data is broken, and by much. What has only moved is never more than `major`."""

MODERATE = 0.1
"""0.32 standard deviations of a normal feature."""

MAJOR = 0.25
"""Half a standard deviation."""


def severity(effect: float) -> Severity:
    return "major" if effect >= MAJOR else "moderate" if effect >= MODERATE else "minor"


def level(cause: Cause, severity: Severity) -> Level:
    """It rises with the severity, and so never falls while an incident lasts."""
    return "critical" if severity == "major" and cause in ("performance", "data") else severity


def level_of(incident: Incident) -> Level:
    return level(incident.cause, incident.severity)
