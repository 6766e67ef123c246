"""Whether an incident should have its model retrained now, and if not, why not.

Drift runs ahead of performance, which waits for labels. Both are arbitrated here in window order, at boundaries that
the labels have reached too, so that the decision is the same however far ahead drift happened to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from monitor.detection.identity import identity
from monitor.detection.records import Cause, Incident, IncidentChange, PerformanceEvidence, Trigger, Verdict
from monitor.detection.sentences import listed, spoken
from monitor.events.batch import LABELS
from monitor.events.timestamps import iso
from monitor.spec import DAY_MS, RetrainSpec
from monitor.windows.window import Offsets, Window

BUDGET_MS = 7 * DAY_MS
"""Event time in which no more than the budget's requests are made."""

WAITS_FOR_APPROVAL = "waits for approval: `monitor triggers send`, or approve it on its page"
"""Why a trigger is withheld that only a person may send."""


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
    newest evidence. asked: the trigger that was sent for an incident; failed: the last one that came to nothing, so
    that the incident may ask again. withheld: the reasons given for an incident since. sent_ms: boundaries at which
    triggers were sent, oldest first: the last one, and those that the budget counts.
    """

    waiting: list[Evidence] = field(default_factory=list)
    open: dict[str, tuple[Incident, Evidence]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent_ms: list[int] = field(default_factory=list)

    def note(self, evidence: Evidence) -> None:
        """Keep what a window said until the boundary that it belongs to."""
        self.waiting.append(evidence)

    def arbitrate(
        self, boundary_ms: int, spec: RetrainSpec | None, labels: int, labelled: bool, in_flight: str = ""
    ) -> list[Trigger]:
        """Triggers of one boundary: those to be sent, and each refusal whose reason is new. in_flight: the request that
        the pipeline has not done with, if any.
        """
        due = [evidence for evidence in self.waiting if evidence.window.end_ms <= boundary_ms]
        self.waiting = [evidence for evidence in self.waiting if evidence.window.end_ms > boundary_ms]
        for evidence in sorted(due, key=lambda each: (each.window, each.cause)):
            self._take_in(evidence)
        if spec is None:
            return []
        triggers = []
        candidates = [each for each in self.open.values() if each[0].cause in spec.on and each[0].id not in self.asked]
        for incident, evidence in sorted(candidates, key=lambda each: (each[0].opened, each[0].cause)):
            reason = self._objection(incident, evidence, boundary_ms, spec, labels, labelled, in_flight)
            if reason in self.withheld.get(incident.id, ()):
                continue  # Said once: a change at the edge of the tolerance would give two reasons in turn for ever.
            drifting = self._drifting(incident, evidence)
            trigger = _trigger(incident, evidence, drifting, labels, reason, self.failed.get(incident.id, ""))
            if reason:
                self.withheld[incident.id] = (*self.withheld.get(incident.id, ()), reason)
            else:
                self.send(trigger, boundary_ms)
                in_flight = trigger.id if spec.expires_ms else ""
            triggers.append(trigger)
        return triggers

    def send(self, trigger: Trigger, boundary_ms: int) -> None:
        """A trigger is sent, as of a boundary: its incident asks no more, unless this comes to nothing."""
        self.sent_ms = [*self._counted(boundary_ms), boundary_ms]
        if trigger.incident:
            self.asked[trigger.incident] = trigger.id
            self.withheld.pop(trigger.incident, None)

    def fail(self, trigger: Trigger) -> None:
        """A trigger that was sent came to nothing."""
        if self.asked.get(trigger.incident) == trigger.id:
            self.failed[trigger.incident] = self.asked.pop(trigger.incident)

    def _counted(self, boundary_ms: int) -> list[int]:
        """Of the boundaries at which triggers were sent, those that count for the budget."""
        return [sent_ms for sent_ms in self.sent_ms if sent_ms > boundary_ms - BUDGET_MS]

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
                for kept in (self.asked, self.failed, self.withheld):
                    kept.pop(incident.id, None)
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
        in_flight: str,
    ) -> str:
        """Why an incident's model is not to be retrained now, or nothing."""
        if evidence.calm:
            # An incident stays open for a while after its features have come back; nobody need retrain for that.
            return "its newest window no longer drifts"
        if incident.cause == "drift" and incident.severity == "minor":
            return "the drift is minor"
        wrong = broken((other for other, _ in self.open.values()), incident.latest)
        counted = self._counted(boundary_ms)
        if wrong:
            return wrong
        if in_flight:
            return f"request {in_flight} is in flight"
        if len(counted) >= spec.budget:
            until = iso(counted[-spec.budget] + BUDGET_MS)
            return f"the budget of {spec.budget} requests in seven days is used up until {until}"
        if self.sent_ms and boundary_ms < self.sent_ms[-1] + spec.cooldown_ms:
            return f"cooling down until {iso(self.sent_ms[-1] + spec.cooldown_ms)}"
        if labelled and labels < spec.labels_min:
            return f"fewer than the {spec.labels_min} labels that retraining needs have arrived"
        if spec.approval == "manual":
            return WAITS_FOR_APPROVAL
        return ""


def broken(incidents: Iterable[Incident], window: Window) -> str:
    """Why what came in a window's version and segment is not to be learned from, or nothing. incidents: open ones."""
    place = (window.version, window.segment)
    for other in incidents:
        latest = other.latest
        if other.cause == "data" and ((latest.version, latest.segment) == place or latest.segment == LABELS):
            wrong = listed([spoken(name) for name in other.features])
            return f"the data is wrong ({wrong}): retraining would learn it"
    return ""


def _trigger(
    incident: Incident, evidence: Evidence, drifting: tuple[Verdict, ...], labels: int, withheld: str, failed: str
) -> Trigger:
    """failed: id of the last one for the same incident, if that came to nothing: its window may be the same."""
    reason: Literal["performance", "drift"] = "performance" if incident.cause == "performance" else "drift"
    summary = evidence.reason
    if reason == "performance" and drifting:
        summary += f"; {listed([spoken(verdict.name) for verdict in drifting])} drifted"
    opened_ms = incident.opened.start_ms
    onset_ms = opened_ms if evidence.onset_ms is None else min(opened_ms, evidence.onset_ms)
    return Trigger(
        id=identity("trg", "/".join([incident.id, withheld, *filter(None, [failed])]), evidence.window),
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
