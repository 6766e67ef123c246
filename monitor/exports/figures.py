"""What the API answers with of performance, realised and expected, and of latency."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from monitor.events.timestamps import utc
from monitor.exports.latest import estimated
from monitor.exports.resource import Resource, Text
from monitor.snapshot import ESTIMATE, Histogram, PerformanceView
from monitor.statistics.reading import Reading, Status


class Latency(Resource):
    """How long a model takes to answer, in seconds: of all predictions so far that say so. `/metrics` has it of now."""

    predictions: int
    mean: float | None
    p50: float | None
    p95: float | None
    """Quantiles, read between the ends of the histogram's cells; 30 for all that is longer."""

    @classmethod
    def of(cls, latency: Histogram) -> Self:
        mean = latency.total / latency.count if latency.count else None
        return cls(predictions=latency.count, mean=mean, p50=latency.quantile(0.5), p95=latency.quantile(0.95))


class Figure(Resource):
    """One performance metric with its interval."""

    metric: Text
    status: Status
    value: float | None
    lower: float | None
    upper: float | None
    revision: int
    """0 for the first reading, then 1, 2, ... as later labels change it."""
    estimate: float | None
    """What was to be expected of the same span without its labels."""
    estimate_lower: float | None
    estimate_upper: float | None
    gap: float | None
    """Value minus estimate. One that lasts says that what is true of the same rows has changed, not who comes."""

    @classmethod
    def of(cls, reading: Reading, expected: Reading | None) -> Self:
        estimate = None if expected is None else expected.value
        return cls(
            metric=reading.statistic,
            status=reading.status,
            value=reading.value,
            lower=reading.lower,
            upper=reading.upper,
            revision=reading.revision,
            estimate=estimate,
            estimate_lower=None if expected is None else expected.lower,
            estimate_upper=None if expected is None else expected.upper,
            gap=None if reading.value is None or estimate is None else reading.value - estimate,
        )


class ExpectedFigure(Resource):
    """One performance metric as it is to be expected without labels, with its interval."""

    metric: Text
    status: Status
    rows: int
    """Predictions that it rests on."""
    value: float | None
    lower: float | None
    upper: float | None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        return cls.model_validate(reading._asdict() | {"metric": reading.statistic.removesuffix(ESTIMATE)})


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
    """At that verdict, evidence that the metric has fallen or a loss has risen, over the alarm limit: the alarm is at
    1. Null before it, and where the reference has no labels to compare with."""
    evidence_loss: Text
    """What is nearest to its limit: the metric, such as `roc_auc`, or a loss, such as `error_rate`; empty where nothing
    is followed."""
    metrics: list[Figure]

    @classmethod
    def of(cls, view: PerformanceView) -> Self:
        expected = estimated(view.estimates)
        return cls(
            window_start=utc(view.span_start_ms),
            window_end=utc(view.window.end_ms),
            labels=view.labels,
            label_coverage=view.coverage,
            settled=view.settled,
            evidence_ratio=view.evidence_ratio,
            evidence_loss=view.evidence_loss,
            metrics=[Figure.of(reading, expected.get(reading.statistic)) for reading in view.readings],
        )
