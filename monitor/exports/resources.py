"""What the API answers with: one model a resource, in the words of the contract, made from the snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from monitor.detection import records
from monitor.detection.records import Cause, Severity, State
from monitor.events.schema import Task
from monitor.events.timestamps import utc
from monitor.exports.latest import Slice, overall, slices
from monitor.exports.text import clean
from monitor.snapshot import DeliveryView, ModelView, PerformanceView, WindowView
from monitor.statistics.reading import Status
from monitor.windows.window import Window

Text = Annotated[str, BeforeValidator(clean)]


class Resource(BaseModel):
    """Times are UTC, ISO 8601 with Z. A figure that could not be computed is null."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Item = TypeVar("Item", bound=Resource)


class Page(Resource, Generic[Item]):
    """One page of a list."""

    # A generic model's docstring does not reach the schemas of its kinds.
    model_config = ConfigDict(json_schema_extra={"description": "One page of a list."})

    items: list[Item]
    total: int
    """Length of the whole list."""
    next: str | None
    """Path and query of the next page, null on the last."""


class Span(Resource):
    """One window [start, end) in event time."""

    window_start: datetime
    window_end: datetime

    @classmethod
    def of(cls, window: Window) -> Self:
        return cls(window_start=utc(window.start_ms), window_end=utc(window.end_ms))


class Verdict(Resource):
    """What one window says of one feature."""

    feature: Text
    window_start: datetime
    window_end: datetime
    rows: int
    state: State
    effect: float | None
    """De-biased size of the drift, in PSI units."""
    noise_floor: float | None
    """Effect that chance alone gives at this window's size."""
    psi: float | None

    @classmethod
    def of(cls, verdict: records.Verdict) -> Self:
        return cls(
            feature=verdict.feature,
            window_start=utc(verdict.window.start_ms),
            window_end=utc(verdict.window.end_ms),
            rows=verdict.rows,
            state=verdict.state,
            effect=verdict.effect,
            noise_floor=verdict.noise_floor,
            psi=verdict.psi,
        )


class Figure(Resource):
    """One performance metric with its interval."""

    metric: Text
    status: Status
    value: float | None
    lower: float | None
    upper: float | None
    revision: int
    """0 for the first reading, then 1, 2, ... as later labels change it."""


class Performance(Resource):
    """Realised performance over the fewest whole windows that hold enough labels."""

    window_start: datetime
    """Start of the span: of the oldest window in it."""
    window_end: datetime
    labels: int
    label_coverage: float
    """Labelled over predicted, in the span."""
    settled: bool
    """Whether the window has had its one verdict; later labels only change the figures."""
    evidence_ratio: float | None
    """At that verdict, evidence that a loss has risen, over the alarm limit: the alarm is at 1. Null before it, and
    where the reference has no labels to compare with."""
    evidence_loss: Text
    """The loss nearest to its limit, such as `error_rate`; empty where there is none."""
    metrics: list[Figure]

    @classmethod
    def of(cls, view: PerformanceView) -> Self:
        return cls(
            window_start=utc(view.span_start_ms),
            window_end=utc(view.window.end_ms),
            labels=view.labels,
            label_coverage=view.coverage,
            settled=view.settled,
            evidence_ratio=view.evidence_ratio,
            evidence_loss=view.evidence_loss,
            metrics=[
                Figure.model_validate({"metric": reading.statistic, **reading._asdict()}) for reading in view.readings
            ],
        )


class Standing(Resource):
    """What is true now of one version, whole or in one segment."""

    version: Text
    segment: Text
    """Empty for all of the version's traffic, else like `country=PL`."""
    state: State
    """The gravest state of its features."""
    window: Span | None
    """The last closed window."""
    rows: int | None
    """Predictions in that window."""
    features: list[Verdict]
    """The newest verdict that could be reached of each feature, most drifted first."""
    performance: Performance | None
    """The newest settled one."""

    @classmethod
    def of(cls, part: Slice) -> Self:
        return cls(
            version=part.version,
            segment=part.segment,
            state=overall(part.standing),
            window=part.window and Span.of(part.window.window),
            rows=part.window and part.window.rows,
            features=[Verdict.of(verdict) for verdict in part.standing],
            performance=part.performance and Performance.of(part.performance),
        )


class Model(Resource):
    """One model at a glance."""

    name: Text
    task: Task
    metric: Text
    """The performance metric that decides."""
    state: State
    """The gravest state of any feature, in any version and segment."""
    versions: list[Text]
    last_event: datetime | None
    """Largest event time seen."""
    watermark: datetime | None
    """Event time before which windows are closed."""
    predictions: int
    """Predictions accepted."""
    labels: dict[Text, int]
    """Labels by what became of them: matched, conflict."""
    incidents_open: int

    @classmethod
    def of(cls, model: ModelView) -> Self:
        return cls(
            name=model.name,
            task=model.task,
            metric=model.metric,
            state=overall(verdict for part in slices(model) for verdict in part.standing),
            versions=list(model.versions),
            last_event=None if model.last_event_ms is None else utc(model.last_event_ms),
            watermark=None if model.watermark_ms is None else utc(model.watermark_ms),
            predictions=model.predictions,
            labels=dict(model.labels),
            incidents_open=sum(incident.open for incident in model.incidents),
        )


class ModelDetail(Model):
    """One model with the standing of each version and segment."""

    features: list[Text]
    current: list[Standing]
    """Newest version first, whole traffic before its segments."""

    @classmethod
    def of(cls, model: ModelView) -> Self:
        glance = Model.of(model).model_dump()
        return cls(**glance, features=list(model.features), current=[Standing.of(part) for part in slices(model)])


class WindowSummary(Resource):
    """One closed window."""

    version: Text
    segment: Text
    window_start: datetime
    window_end: datetime
    rows: int
    states: dict[State, int]
    """Number of features in each state."""
    drifting: list[Text]
    performance: Performance | None
    """Null until labels were counted for this window."""

    @classmethod
    def of(cls, view: WindowView, performance: PerformanceView | None) -> Self:
        return cls(
            version=view.window.version,
            segment=view.window.segment,
            window_start=utc(view.window.start_ms),
            window_end=utc(view.window.end_ms),
            rows=view.rows,
            states=dict(Counter(verdict.state for verdict in view.verdicts)),
            drifting=[verdict.feature for verdict in view.verdicts if verdict.state == "drifting"],
            performance=performance and Performance.of(performance),
        )


class Statistic(Resource):
    """One statistic of one feature in one window."""

    statistic: Text
    status: Status
    value: float | None


class FeatureWindow(Resource):
    """One feature in one closed window."""

    version: Text
    segment: Text
    window_start: datetime
    window_end: datetime
    rows: int
    verdict: Verdict | None
    """Null where the feature is not watched for drift."""
    readings: list[Statistic]

    @classmethod
    def of(cls, view: WindowView, feature: str) -> Self:
        verdict = next((verdict for verdict in view.verdicts if verdict.feature == feature), None)
        return cls(
            version=view.window.version,
            segment=view.window.segment,
            window_start=utc(view.window.start_ms),
            window_end=utc(view.window.end_ms),
            rows=view.rows,
            verdict=verdict and Verdict.of(verdict),
            readings=[
                Statistic(statistic=reading.statistic, status=reading.status, value=reading.value)
                for reading in view.readings
                if reading.feature == feature
            ],
        )


class Incident(Resource):
    """One problem of one model version."""

    id: Text
    model: Text
    version: Text
    segment: Text
    cause: Cause
    severity: Severity
    open: bool
    opened: Span
    """The window that opened it."""
    latest: Span
    """The newest window that it was seen in."""
    features: list[Text]
    """In the order they joined."""

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
            opened=Span.of(incident.opened),
            latest=Span.of(incident.latest),
            features=list(incident.features),
        )


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
    """Where a trigger's message to one receiver stands."""

    receiver: Text
    state: Text
    """pending, delivered, failed (given up) or disabled (the receiver is gone)."""
    attempts: int
    last_error: Text


class Trigger(Resource):
    """A decision that a model should be retrained."""

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
    deliveries: list[Delivery]

    @classmethod
    def of(cls, trigger: records.Trigger, deliveries: Iterable[DeliveryView]) -> Self:
        fell = trigger.performance
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
            deliveries=[
                Delivery(receiver=each.receiver, state=each.state, attempts=each.attempts, last_error=each.last_error)
                for each in deliveries
                if each.trigger == trigger.id
            ],
        )


class Health(Resource):
    """The answer of /livez and /readyz."""

    status: Text
