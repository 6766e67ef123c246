"""What the API answers with of incidents and retrain triggers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self

from monitor.addresses import report_page
from monitor.detection import records
from monitor.detection.life import Life, TriggerState
from monitor.detection.records import Cause, IncidentEvent, Severity
from monitor.events.timestamps import utc
from monitor.exports.resource import Resource, Span, Text
from monitor.exports.resources import Verdict
from monitor.snapshot import DeliveryView


class Incident(Resource):
    """One problem of one model version."""

    id: Text
    model: Text
    version: Text
    segment: Text
    cause: Cause
    severity: Severity
    open: bool
    acknowledged: bool
    """Whether somebody looks after it."""
    opened: Span
    """The window that opened it."""
    latest: Span
    """The newest window that it was seen in."""
    features: list[Text]
    """In the order they joined."""
    report: Text
    """Path and query of the report on that window, which there is as long as its rows are kept."""

    @classmethod
    def of(cls, incident: records.Incident) -> Self:
        return cls(
            id=incident.id,
            model=incident.opened.model,
            version=incident.opened.version,
            segment=incident.opened.segment,
            cause=incident.cause,
            severity=incident.severity,
            open=incident.open,
            acknowledged=incident.acknowledged,
            opened=Span.of(incident.opened),
            latest=Span.of(incident.latest),
            features=list(incident.features),
            report=report_page(incident.latest),
        )


class IncidentStep(Resource):
    """A step in an incident's life."""

    event: IncidentEvent
    window: Span
    """The window that said so."""
    reason: Text
    """One sentence."""
    severity: Severity
    """As of then."""
    onset: datetime
    """When what it says is estimated to have begun."""

    @classmethod
    def of(cls, change: records.IncidentChange) -> Self:
        return cls(
            event=change.event,
            window=Span.of(change.window),
            reason=change.reason,
            severity=change.incident.severity,
            onset=utc(change.onset_ms),
        )


class IncidentDetail(Incident):
    """One problem of one model version, and its life so far."""

    steps: list[IncidentStep]
    """The newest hundred that are still kept, oldest first."""

    @classmethod
    def of(cls, incident: records.Incident, steps: Sequence[records.IncidentChange] = ()) -> Self:
        glance = Incident.of(incident).model_dump()
        return cls(**glance, steps=[IncidentStep.of(each) for each in steps])


class TriggerPerformance(Resource):
    """The performance that a trigger was decided on."""

    metric: Text
    value: float
    lower: float
    upper: float
    reference: float
    """The figure that the reference had."""
    label_coverage: float


class Delivery(Resource):
    """Where a trigger's request to one receiver stands."""

    receiver: Text
    state: Text
    """pending, delivered, failed (given up) or disabled (the receiver is gone); never superseded, as messages about
    incidents are."""
    attempts: int
    last_error: Text


class Step(Resource):
    """A state that a trigger came to."""

    state: TriggerState
    at: datetime
    """By the service's clock; of what a window decided, in event time."""
    detail: Text


class Trigger(Resource):
    """A decision that a model should be retrained, and what became of it."""

    id: Text
    model: Text
    version: Text
    segment: Text
    reason: Text
    """drift, performance or manual."""
    severity: Severity
    summary: Text
    window: Span
    """The window that decided."""
    onset: datetime
    """When the change is estimated to have begun."""
    training_window: Span
    """From the onset to the end of `window`, begun earlier where that holds too few labels to train on."""
    incident: Text
    evidence: list[Verdict]
    """The drifting features, worst first."""
    performance: TriggerPerformance | None
    labels_available: int
    rows: int
    offsets: dict[Text, tuple[int, int]]
    """By topic and partition, [first, last + 1) of the window's predictions in Kafka."""
    label_offsets: dict[Text, tuple[int, int]]
    """Likewise, of the labels that had counted in the window."""
    withheld: Text | None
    """Why it was not sent; null where it was to be."""
    state: TriggerState
    """withheld; pending (not tried yet), sent (it may have been received), accepted (the receiver took it), running,
    succeeded, failed, or expired (taken, and not heard of for too long)."""
    since: datetime
    reports: list[Step]
    """The states that it came to, oldest first."""
    run: Text | None
    """What the pipeline calls what it has begun."""
    new_version: Text | None
    """The version that the pipeline says it has made."""
    deliveries: list[Delivery]

    @classmethod
    def of(cls, life: Life, deliveries: Iterable[DeliveryView]) -> Self:
        trigger, fell = life.trigger, life.trigger.performance
        return cls(
            id=trigger.id,
            model=trigger.window.model,
            version=trigger.window.version,
            segment=trigger.window.segment,
            reason=trigger.reason,
            severity=trigger.severity,
            summary=trigger.summary,
            window=Span.of(trigger.window),
            onset=utc(trigger.onset_ms),
            training_window=Span(window_start=utc(trigger.training_ms[0]), window_end=utc(trigger.training_ms[1])),
            incident=trigger.incident,
            evidence=[Verdict.of(verdict) for verdict in trigger.evidence],
            performance=fell and TriggerPerformance.model_validate(fell, from_attributes=True),
            labels_available=trigger.labels,
            rows=trigger.rows,
            offsets=dict(trigger.offsets),
            label_offsets=dict(trigger.label_offsets),
            withheld=trigger.withheld or None,
            state=life.state,
            since=utc(life.since_ms),
            reports=[Step(state=each.state, at=utc(each.at_ms), detail=each.detail) for each in life.steps],
            run=life.run or None,
            new_version=life.version or None,
            deliveries=[
                Delivery(receiver=each.receiver, state=each.state, attempts=each.attempts, last_error=each.last_error)
                for each in deliveries
                if each.subject == trigger.id
            ],
        )
