"""An incident's life: opened by the first feature, joined by others, worsened, resolved when none is left.

One model version has at most one open incident of a cause, so fifty drifting features are one message, not fifty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from monitor.detection.identity import identity
from monitor.detection.records import Cause, Incident, IncidentChange, IncidentEvent, Severity
from monitor.windows.window import Window

_RANK: Mapping[Severity, int] = {"minor": 0, "moderate": 1, "major": 2}


@dataclass(slots=True)
class Incidents:
    """The open incidents of one model, by (version, segment, cause)."""

    open: dict[tuple[str, str, Cause], Incident] = field(default_factory=dict)

    def update(
        self, window: Window, cause: Cause, affected: Mapping[str, Severity], reason: str
    ) -> list[IncidentChange]:
        """Take in what one window says: the features affected now (none: the incident is over), in order of effect.

        For `performance` the one "feature" is the metric. reason: one sentence for people.
        """
        key = (window.version, window.segment, cause)
        incident = self.open.get(key)
        if incident is None:
            return [self._open(window, cause, affected, reason)] if affected else []
        if not affected:
            del self.open[key]
            ended = replace(incident, latest=window, open=False)
            return [IncidentChange(ended, "resolved", window, reason)]
        joined = tuple(name for name in affected if name not in incident.features)
        worst = max(affected.values(), key=_RANK.__getitem__)
        event: IncidentEvent | None = None
        if _RANK[worst] > _RANK[incident.severity]:
            event = "worsened"
        elif joined:
            event = "joined"
        severity = worst if event == "worsened" else incident.severity
        incident = replace(incident, latest=window, features=incident.features + joined, severity=severity)
        self.open[key] = incident
        return [] if event is None else [IncidentChange(incident, event, window, reason)]

    def _open(self, window: Window, cause: Cause, affected: Mapping[str, Severity], reason: str) -> IncidentChange:
        worst = max(affected.values(), key=_RANK.__getitem__)
        incident = Incident(identity("inc", cause, window), cause, worst, window, window, tuple(affected))
        self.open[(window.version, window.segment, cause)] = incident
        return IncidentChange(incident, "opened", window, reason)
