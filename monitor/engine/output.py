"""What a step says."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.detection.records import IncidentChange, Skew, Trigger, VersionChange
from monitor.snapshot import PerformanceView, WindowView
from monitor.statistics.reading import Reading


@dataclass(slots=True)
class Output:
    """What one step of one model says, in the order it came about. skews: of versions that have learned in it."""

    readings: list[Reading] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    windows: list[WindowView] = field(default_factory=list)
    performance: list[PerformanceView] = field(default_factory=list)
    skews: list[Skew] = field(default_factory=list)
    versions: list[VersionChange] = field(default_factory=list)
