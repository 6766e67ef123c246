"""Whether an incident should have its model retrained now, and if not, why not.

Drift runs ahead of performance, which waits for labels. Both are arbitrated here in window order, at boundaries that
the labels have reached too, so that the decision is the same however far ahead drift happened to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from monitor.detection.identity import identity
from monitor.detection.records import Cause, Incident, IncidentChange, PerformanceEvidence, Trigger, Verdict
from monitor.detection.sentences import listed, spoken
from monitor.events.batch import LABELS
from monitor.events.timestamps import iso
from monitor.spec import RetrainSpec
from monitor.windows.window import Offsets, Window


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one window says of a cause: its incident's changes, and what stands behind them.

    reason: one sentence for people. calm: whether a window that could be judged showed no feature outside its
    tolerance. onset_ms: when what it says is estimated to have begun, where that is earlier than its incident. Waits
    until the labels have caught up with its window.
    """

    window: Window
    cause: Cause
    changes: tuple[IncidentChange, ...]
    reason: str
    rows: int
    offsets: Offsets
    profile: str
    verdicts: tuple[Verdict, ...] = ()
    performance: PerformanceEvidence | None = None
    calm: bool = False
    onset_ms: int | None = None


@dataclass(slots=True)
class Arbiter:
    """What has been asked of one model's pipeline.

    waiting: evidence of windows that end after the last boundary. open: incidents as of that boundary, with their
    newest evidence. asked: incidents that a trigger was sent for. withheld: the reasons given for an incident.
    sent_ms: the boundary at which the last trigger was sent, or None.
    """

    waiting: list[Evidence] = field(default_factory=list)
    open: dict[str, tuple[Incident, Evidence]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    withheld: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent_ms: int | None = None

    def note(self, evidence: Evidence) -> None:
        """Keep what a window said until the boundary that it belongs to."""
        self.waiting.append(evidence)

    def arbitrate(self, boundary_ms: int, spec: RetrainSpec | None, labels: int, labelled: bool) -> list[Trigger]:
        """Triggers of one boundary: at most one to be sent, and each refusal whose reason is new."""
        due = [evidence for evidence in self.waiting if evidence.window.end_ms <= boundary_ms]
        self.waiting = [evidence for evidence in self.waiting if evidence.window.end_ms > boundary_ms]
        for evidence in sorted(due, key=lambda each: (each.window, each.cause)):
            self._take_in(evidence)
        if spec is None:
            return []
        triggers = []
        candidates = [each for each in self.open.values() if each[0].cause in spec.on and each[0].id not in self.asked]
        for incident, evidence in sorted(candidates, key=lambda each: (each[0].opened, each[0].cause)):
            reason = self._objection(incident, evidence, boundary_ms, spec, labels, labelled)
            if reason in self.withheld.get(incident.id, ()):
                continue  # Said once: a change at the edge of the tolerance would give two reasons in turn for ever.
            if reason:
                self.withheld[incident.id] = (*self.withheld.get(incident.id, ()), reason)
            else:
                self.asked.add(incident.id)
                self.sent_ms = boundary_ms
            triggers.append(_trigger(incident, evidence, self._drifting(incident, evidence), labels, reason))
        return triggers

    def _drifting(self, incident: Incident, evidence: Evidence) -> tuple[Verdict, ...]:
        """The features of the incident's version that drift as of this boundary, worst first."""
        if incident.cause != "drift":
            place = (evidence.window.version, evidence.window.segment)
            newest = [
                drift
                for other, drift in self.open.values()
                if other.cause == "drift" and (drift.window.version, drift.window.segment) == place
            ]
            if not newest or newest[0].calm:
                return ()
            evidence = newest[0]
        return tuple(sorted(evidence.verdicts, key=lambda verdict: verdict.rank))

    def _take_in(self, evidence: Evidence) -> None:
        for change in evidence.changes:
            incident = change.incident
            self.open[incident.id] = (incident, evidence)
            if not incident.open:
                del self.open[incident.id]
                self.asked.discard(incident.id)
                self.withheld.pop(incident.id, None)
        if evidence.cause == "drift" and all(verdict.standing is None for verdict in evidence.verdicts):
            return  # A window that could not be judged says nothing new.
        for incident, _ in list(self.open.values()):
            same = (incident.cause, incident.latest.version, incident.latest.segment)
            if same == (evidence.cause, evidence.window.version, evidence.window.segment):
                self.open[incident.id] = (incident, evidence)

    def _objection(
        self,
        incident: Incident,
        evidence: Evidence,
        boundary_ms: int,
        spec: RetrainSpec,
        labels: int,
        labelled: bool,
    ) -> str:
        """Why an incident's model is not to be retrained now, or nothing."""
        place = (incident.latest.version, incident.latest.segment)
        broken = [
            other
            for other, _ in self.open.values()
            if other.cause == "data"
            and ((other.latest.version, other.latest.segment) == place or other.latest.segment == LABELS)
        ]
        if evidence.calm:
            # An incident stays open for a while after its features have come back; nobody need retrain for that.
            return "its newest window no longer drifts"
        if incident.cause == "drift" and incident.severity == "minor":
            return "the drift is minor"
        if broken:
            wrong = listed([spoken(name) for name in broken[0].features])
            return f"the data is wrong ({wrong}): retraining would learn it"
        if self.sent_ms is not None and boundary_ms < self.sent_ms + spec.cooldown_ms:
            return f"cooling down until {iso(self.sent_ms + spec.cooldown_ms)}"
        if labelled and labels < spec.labels_min:
            return f"fewer than the {spec.labels_min} labels that retraining needs have arrived"
        return ""


def _trigger(
    incident: Incident, evidence: Evidence, drifting: tuple[Verdict, ...], labels: int, withheld: str
) -> Trigger:
    reason: Literal["performance", "drift"] = "performance" if incident.cause == "performance" else "drift"
    summary = evidence.reason
    if reason == "performance" and drifting:
        summary += f"; {listed([spoken(verdict.name) for verdict in drifting])} drifted"
    opened_ms = incident.opened.start_ms
    onset_ms = opened_ms if evidence.onset_ms is None else min(opened_ms, evidence.onset_ms)
    return Trigger(
        id=identity("trg", f"{incident.id}/{withheld}", evidence.window),
        reason=reason,
        severity=incident.severity,
        summary=summary,
        window=evidence.window,
        onset_ms=onset_ms,
        incident=incident.id,
        evidence=drifting,
        performance=evidence.performance,
        labels=labels,
        rows=evidence.rows,
        offsets=evidence.offsets,
        training_ms=(min(onset_ms, evidence.window.start_ms), evidence.window.end_ms),
        profile=evidence.profile,
        withheld=withheld,
    )
