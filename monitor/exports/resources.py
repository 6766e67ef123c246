"""What the API answers with: one model a resource, in the words of the contract, made from the snapshot."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Self

from monitor.detection import records
from monitor.detection.records import Aspect, State
from monitor.events.schema import Task
from monitor.events.timestamps import utc
from monitor.exports.figures import ExpectedFigure, Latency, Performance
from monitor.exports.latest import Finder, Slice, learning, overall, slices
from monitor.exports.resource import Resource, Span, Text
from monitor.snapshot import ModelView, PerformanceView, WindowView
from monitor.statistics.reading import Status


class Moved(Resource):
    """Cells of a feature that drifts: their values, their share of its rows, and their part of the difference. Of
    `@correlation`: two features, and their correlation.
    """

    cell: Text
    usual: float
    now: float
    part: float

    @classmethod
    def of(cls, moved: records.Moved) -> Self:
        return cls(**moved._asdict())


class Verdict(Resource):
    """What one window says of one feature."""

    feature: Text
    segment: Text
    """Empty for whole traffic, else like `country=PL`."""
    window_start: datetime
    window_end: datetime
    rows: int
    state: State
    effect: float | None
    """De-biased size of the drift, in PSI units."""
    noise_floor: float | None
    """Effect that chance alone gives at this window's size."""
    psi: float | None
    p_value: float | None
    """Of a change within the tolerance."""
    evidence_ratio: float
    """Evidence of drift over the alarm's limit; the alarm is at 1."""
    wrong: list[Aspect]
    """What is wrong with its data, besides the distribution of values."""
    moved: list[Moved]
    """Where a feature that drifts moved most."""
    last_tested: datetime | None
    """End of the newest window so far that held enough rows to test it."""

    @classmethod
    def of(cls, verdict: records.Verdict) -> Self:
        return cls(
            feature=verdict.feature,
            segment=verdict.window.segment,
            window_start=utc(verdict.window.start_ms),
            window_end=utc(verdict.window.end_ms),
            rows=verdict.rows,
            state=verdict.state,
            effect=verdict.effect,
            noise_floor=verdict.noise_floor,
            psi=verdict.psi,
            p_value=verdict.p_value,
            evidence_ratio=verdict.evidence_ratio,
            wrong=list(verdict.wrong),
            moved=[Moved.of(each) for each in verdict.moved],
            last_tested=None if verdict.tested_ms < 0 else utc(verdict.tested_ms),
        )


class Differing(Resource):
    """A feature of which production is not as training was; `usual` is its share of the rows in training."""

    feature: Text
    effect: float
    """De-biased size of the difference, in PSI units."""
    moved: list[Moved]


class Skew(Resource):
    """How the version's first windows in production differ from the rows of its reference. It is no alarm."""

    measured_from: datetime
    measured_until: datetime
    features: list[Differing]
    """Those that differ by more than is tolerated, worst first."""

    @classmethod
    def of(cls, skew: records.Skew) -> Self:
        return cls(
            measured_from=utc(skew.start_ms),
            measured_until=utc(skew.end_ms),
            features=[
                Differing(feature=each.feature, effect=each.effect, moved=[Moved.of(cell) for cell in each.moved])
                for each in skew.features
            ],
        )


class Detectable(Resource):
    """A change that would be found as often as not."""

    effect: float
    """De-biased, in PSI units."""
    windows: int
    """Number of windows of the usual size that are judged together, as each alone holds too few rows."""


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
    learning_until: datetime | None
    """Event time from which the alarm budget holds; null where it holds."""
    learning: Text | None
    """What that means, in one sentence."""
    skew: Skew | None
    """Null while the version learns what is usual in production, and where its reference tells that."""
    features: list[Verdict]
    """The newest verdict that could be reached of each feature, most drifted first."""
    detectable: dict[Text, Detectable | None]
    """Smallest change that would be found, by feature, null where it cannot be tested; empty while learning."""
    performance: Performance | None
    """The newest settled one."""
    performance_estimate: list[ExpectedFigure]
    """Of the last closed window. It opens no incident: it sees a change in who comes, not in what is true of them."""

    @classmethod
    def of(cls, part: Slice) -> Self:
        until_ms = None if part.watch is None else part.watch.learning_until_ms
        return cls(
            version=part.version,
            segment=part.segment,
            state=overall(part.standing),
            window=part.window and Span.of(part.window.window),
            rows=part.window and part.window.rows,
            learning_until=None if until_ms is None else utc(until_ms),
            learning=learning(part),
            skew=part.watch and part.watch.skew and Skew.of(part.watch.skew),
            features=[Verdict.of(verdict) for verdict in part.standing],
            detectable={
                feature: found and Detectable(effect=found.effect, windows=found.windows)
                for feature, found in part.detectable.items()
            },
            performance=part.performance and Performance.of(part.performance),
            performance_estimate=[ExpectedFigure.of(each) for each in (part.window.estimates if part.window else ())],
        )


class Alarms(Resource):
    """The settings that alarms follow."""

    budget: float
    """False alarms accepted of the model in a month."""
    tolerance: float
    """Largest change that nobody cares about, in PSI units."""
    persistence: int
    """Windows that a change of values takes to alarm."""


class Model(Resource):
    """One model at a glance."""

    name: Text
    task: Task
    metric: Text
    """The performance metric that decides."""
    state: State
    """The gravest state of any feature, in any version and segment."""
    versions: list[Text]
    versions_since: dict[Text, datetime]
    """Start of the first window of each."""
    last_event: datetime | None
    """Largest event time seen."""
    watermark: datetime | None
    """Event time before which windows are closed."""
    predictions: int
    """Predictions accepted."""
    latency: Latency | None
    """Null until an event carries one."""
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
            versions_since={version: utc(since_ms) for version, since_ms in model.since_ms.items()},
            last_event=None if model.last_event_ms is None else utc(model.last_event_ms),
            watermark=None if model.watermark_ms is None else utc(model.watermark_ms),
            predictions=model.predictions,
            latency=None if model.latency_s is None else Latency.of(model.latency_s),
            labels=dict(model.labels),
            incidents_open=sum(incident.open for incident in model.incidents),
        )


class ModelDetail(Model):
    """One model with the standing of each version and segment."""

    features: list[Text]
    alarms: Alarms
    current: list[Standing]
    """Newest version first, whole traffic before its segments."""

    @classmethod
    def of(cls, model: ModelView) -> Self:
        glance = Model.of(model).model_dump()
        return cls(
            **glance,
            features=list(model.features),
            alarms=Alarms.model_validate(model.alarms, from_attributes=True),
            current=[Standing.of(part) for part in slices(model)],
        )


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
    ignored: Text
    """The calendar's entry by which the window was not judged; empty where it was."""
    performance: Performance | None
    """Null until labels were counted for this window."""
    performance_estimate: list[ExpectedFigure]

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
            ignored=view.ignored,
            performance=performance and Performance.of(performance),
            performance_estimate=[ExpectedFigure.of(each) for each in view.estimates],
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
    def of(cls, view: WindowView, finder: Finder) -> Self:
        verdict = finder.verdict(view)
        return cls(
            version=view.window.version,
            segment=view.window.segment,
            window_start=utc(view.window.start_ms),
            window_end=utc(view.window.end_ms),
            rows=view.rows,
            verdict=verdict and Verdict.of(verdict),
            readings=[
                Statistic(statistic=reading.statistic, status=reading.status, value=reading.value)
                for reading in finder.readings(view)
            ],
        )


class Health(Resource):
    """The answer of /livez and /readyz."""

    status: Text
