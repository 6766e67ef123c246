"""An incident's life: opened by the first feature, joined by others, worsened, resolved when none is left.

One model version has at most one incident of a cause that nobody has acknowledged, so fifty drifting features are one
message, not fifty. What goes wrong after somebody has acknowledged it is a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from monitor.detection.identity import identity
from monitor.detection.records import Cause, Incident, IncidentChange, IncidentEvent, Severity
from monitor.errors import RefusedError
from monitor.windows.window import Window

_RANK: Mapping[Severity, int] = {"minor": 0, "moderate": 1, "major": 2}

Key = tuple[str, str, Cause] | str
"""Of an incident that nobody has acknowledged; or the id of one that somebody has."""


@dataclass(slots=True)
class Incidents:
    """The incidents of one model that are not over. open: by (version, segment, cause); acknowledged: by id."""

    open: dict[tuple[str, str, Cause], Incident] = field(default_factory=dict)
    acknowledged: dict[str, Incident] = field(default_factory=dict)

    def all(self) -> list[tuple[Key, Incident]]:
        """Both kinds."""
        return [*self.open.items(), *self.acknowledged.items()]

    @property
    def standing(self) -> list[Incident]:
        return [incident for _, incident in self.all()]

    def update(
        self,
        window: Window,
        cause: Cause,
        affected: Mapping[str, Severity],
        reason: str,
        onset_ms: int | None = None,
    ) -> list[IncidentChange]:
        """Take in what one window says: the features affected now (none: the incident is over), in order of effect.

        For `performance` the "features" are the metric and losses. reason: one sentence for people. onset_ms: when what
        it says is estimated to have begun; None: with the window.
        """
        onset_ms = window.start_ms if onset_ms is None else onset_ms
        changes, rest = [], dict(affected)
        for incident in list(self.acknowledged.values()):
            if (incident.opened.version, incident.opened.segment, incident.cause) == (*window[2:4], cause):
                mine = {name: rest.pop(name) for name in incident.features if name in rest}
                changes += self._follow(incident.id, incident, window, mine, reason, onset_ms)
        key = (window.version, window.segment, cause)
        known = self.open.get(key)
        if known is not None:
            changes += self._follow(key, known, window, rest, reason, onset_ms)
        elif rest:
            changes.append(self._open(window, cause, rest, reason, onset_ms))
        return changes

    def _follow(
        self,
        key: Key,
        incident: Incident,
        window: Window,
        affected: Mapping[str, Severity],
        reason: str,
        onset_ms: int,
    ) -> list[IncidentChange]:
        if not affected:
            self._put(key, replace(incident, latest=window))
            return [self.close(key, reason, onset_ms)]
        joined = tuple(name for name in affected if name not in incident.features)
        worst = max(affected.values(), key=_RANK.__getitem__)
        event: IncidentEvent | None = None
        if _RANK[worst] > _RANK[incident.severity]:
            event = "worsened"
        elif joined:
            event = "joined"
        severity = worst if event == "worsened" else incident.severity
        incident = replace(incident, latest=window, features=incident.features + joined, severity=severity)
        self._put(key, incident)
        return [] if event is None else [IncidentChange(incident, event, window, reason, onset_ms)]

    def _put(self, key: Key, incident: Incident) -> None:
        if isinstance(key, str):
            self.acknowledged[key] = incident
        else:
            self.open[key] = incident

    def _open(
        self, window: Window, cause: Cause, affected: Mapping[str, Severity], reason: str, onset_ms: int
    ) -> IncidentChange:
        worst = max(affected.values(), key=_RANK.__getitem__)
        incident = Incident(identity("inc", cause, window), cause, worst, window, window, tuple(affected))
        self.open[(window.version, window.segment, cause)] = incident
        return IncidentChange(incident, "opened", window, reason, onset_ms)

    def close(self, key: Key, reason: str, onset_ms: int | None = None) -> IncidentChange:
        """An incident is over. onset_ms: from when on; None: with the newest window it was seen in."""
        incident = self.acknowledged.pop(key) if isinstance(key, str) else self.open.pop(key)
        onset_ms = incident.latest.start_ms if onset_ms is None else onset_ms
        return IncidentChange(replace(incident, open=False), "resolved", incident.latest, reason, onset_ms)

    def acknowledge(self, name: str, note: str) -> IncidentChange:
        """Somebody looks after the incident of this id. RefusedError where it is over, or was acknowledged."""
        if name in self.acknowledged:
            raise RefusedError(f"incident {name} was acknowledged before: nothing is left to be done")
        key = next((key for key, incident in self.open.items() if incident.id == name), None)
        if key is None:
            raise RefusedError(f"incident {name} is not open: /api/v1/incidents?open=true lists those that are")
        incident = self.acknowledged[name] = replace(self.open.pop(key), acknowledged=True)
        reason = note or "somebody looks after it"
        return IncidentChange(incident, "acknowledged", incident.latest, reason, incident.latest.start_ms)
