"""What a step says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.detection.life import TriggerChange
from monitor.detection.records import IncidentChange, Skew, Trigger, VersionChange
from monitor.engine.kept import Kept
from monitor.snapshot import PerformanceView, WindowView
from monitor.statistics.reading import Reading


@dataclass(slots=True)
class Output:
    """What one step of one model says, in the order it came about. skews: of versions that have learned in it.
    kept: of the windows that closed, those that had a reference.
    triggers: those that were made or withheld; trigger_changes: each step in the life of any, its beginning included.
    """

    readings: list[Reading] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    trigger_changes: list[TriggerChange] = field(default_factory=list)
    windows: list[WindowView] = field(default_factory=list)
    performance: list[PerformanceView] = field(default_factory=list)
    skews: list[Skew] = field(default_factory=list)
    versions: list[VersionChange] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def begin(self, changes: Sequence[TriggerChange]) -> None:
        """Triggers that were made or withheld."""
        self.triggers += [change.trigger for change in changes]
        self.trigger_changes += changes
