"""The Prometheus collector: one snapshot a scrape, within a budget of series.

Series come in groups, in this order: the service, each model, each version and segment of it, then one group a
feature: the gravest state first, of one state whole traffic before segments, then the most drifted. Groups are kept
whole while they fit; what follows is counted as dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, product
from math import inf
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from monitor import __version__
from monitor.detection.records import Verdict
from monitor.detection.sensitivity import Detectable
from monitor.exports.latest import (
    CAUSES,
    SEVERITIES,
    STATES,
    Rank,
    Slice,
    alive,
    drift_rank,
    estimated,
    slices,
    unwatched,
)
from monitor.exports.metrics import METRICS, PREFIX, Metric
from monitor.exports.text import clean
from monitor.snapshot import (
    LABEL_RESULTS,
    TRIGGER_RESULTS,
    Histogram,
    ModelView,
    PerformanceView,
    ServiceView,
    Snapshot,
)
from monitor.spec import AlarmSpec
from monitor.statistics.reading import Reading
from monitor.statistics.registry import QUALITY

SERIES_BUDGET = 10_000

EVENT_RESULTS = ("accepted", "duplicate", "late", "rejected")
DELIVERY_RESULTS = ("delivered", "retry", "failed", "disabled", "superseded")

_QUALITY = {statistic.name: f"feature_{statistic.name}_ratio" for statistic in QUALITY}
"""Metric of each statistic of data quality."""


class Series(NamedTuple):
    """One sample: a metric of the table, its label values in the table's order, its value; of a histogram, its `le`."""

    metric: str
    labels: tuple[str, ...]
    value: float
    suffix: str = ""
    le: str = ""


Figure = tuple[str, tuple[str, ...], float]
"""One sample of a feature: a metric, its label values after the feature's, its value."""


class FeatureGroup(NamedTuple):
    """The series of one feature, made when they are kept: most of ten thousand features are only counted."""

    labels: tuple[str, str, str, str]
    figures: list[Figure]

    def series(self) -> Iterator[Series]:
        return (Series(metric, (*self.labels, *more), value) for metric, more, value in self.figures)


class SnapshotCollector:
    """Collects the snapshot that `current` returns, at most `budget` series of it (the service's own always)."""

    def __init__(self, current: Callable[[], Snapshot], budget: int = SERIES_BUDGET) -> None:
        self._current = current
        self._budget = budget

    def collect(self) -> Iterable[Family]:
        """The families of the table that have a sample, in the table's order."""
        samples: dict[str, list[Series]] = {}
        for series in within(self._budget, self._current()):
            samples.setdefault(series.metric, []).append(series)
        return [_family(metric, samples[metric.name]) for metric in METRICS if metric.name in samples]

    def describe(self) -> Iterable[Family]:
        """Every family without samples: registering needs the names, not a snapshot."""
        return [_family(metric, ()) for metric in METRICS]


def registry(current: Callable[[], Snapshot], budget: int = SERIES_BUDGET) -> CollectorRegistry:
    """A private registry with that one collector."""
    own = CollectorRegistry()
    own.register(SnapshotCollector(current, budget))
    return own


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """One scrape and its content type: OpenMetrics where `accept` names it, else the text format."""
    if "application/openmetrics-text" in accept:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8"


def within(budget: int, snapshot: Snapshot) -> Iterator[Series]:
    """The series of the leading groups that fit, and how many were dropped."""
    service = tuple(_service(snapshot.service))
    yield from service
    room = budget - len(service) - 1
    dropped = 0
    for group in _groups(snapshot):
        size = len(group.figures) if isinstance(group, FeatureGroup) else len(group)
        if dropped or size > room:
            dropped += size
        else:
            room -= size
            yield from group.series() if isinstance(group, FeatureGroup) else group
    yield Series("series_dropped", (), dropped)


def _family(metric: Metric, samples: Iterable[Series]) -> Family:
    name = PREFIX + metric.name
    # prometheus_client names a family without the suffix that its type gives to the sample.
    family = Family(name.removesuffix("_total").removesuffix("_info"), metric.help, metric.type)
    for series in samples:
        labels = dict(zip(metric.labels, map(clean, series.labels), strict=True))
        if series.le:
            labels["le"] = series.le
        family.add_sample(name + series.suffix, labels, series.value)
    return family


def _groups(snapshot: Snapshot) -> Iterator[list[Series] | FeatureGroup]:
    models = sorted(snapshot.models.values(), key=lambda model: model.name)
    yield from (list(_model(model)) for model in models)
    parts = [((model.name, part.version, part.segment), part) for model in models for part in slices(model)]
    # Whole traffic comes before segments, whichever model it is of.
    parts.sort(key=lambda entry: bool(entry[1].segment))
    yield from (list(_slice(labels, part)) for labels, part in parts)
    features = [
        ranked for labels, part in parts for ranked in _features(labels, part, snapshot.models[labels[0]].alarms)
    ]
    # Of those in one state, whole traffic's come first: effects of small segments are larger by chance alone.
    features.sort(key=lambda ranked: (ranked[0][0], bool(ranked[1].labels[2]), ranked[0][1:]))
    yield from (group for _, group in features)


def _service(service: ServiceView) -> Iterator[Series]:
    yield Series("build_info", (__version__,), 1)
    if service.poll_returned_ms is not None:
        yield Series("poll_last_return_timestamp_seconds", (), service.poll_returned_ms / 1000)
    yield Series("commit_duration_seconds", (), service.commits, "_count")
    yield Series("commit_duration_seconds", (), service.commit_seconds, "_sum")
    if service.committed_ms is not None:
        yield Series("last_commit_timestamp_seconds", (), service.committed_ms / 1000)
    topics = dict.fromkeys(topic for topic, _ in service.events)
    events = {(topic, result): 0 for topic in topics for result in EVENT_RESULTS} | dict(service.events)
    yield from (Series("events_total", key, count) for key, count in events.items())
    yield Series("unknown_keys_total", (), service.unknown_keys)
    for (topic, partition), records in service.lag.items():
        yield Series("consumer_lag_records", (topic, str(partition)), records)
    yield Series("data_gaps_total", (), service.gaps)
    yield from (Series("outbox_pending", (receiver,), count) for receiver, count in service.outbox_pending.items())
    deliveries = dict.fromkeys(product(service.outbox_pending, DELIVERY_RESULTS), 0) | dict(service.deliveries)
    yield from (Series("deliveries_total", key, count) for key, count in deliveries.items())


def _model(model: ModelView) -> Iterator[Series]:
    name = model.name
    if model.last_event_ms is not None:
        yield Series("last_event_timestamp_seconds", (name,), model.last_event_ms / 1000)
    if model.watermark_ms is not None:
        yield Series("watermark_timestamp_seconds", (name,), model.watermark_ms / 1000)
    yield Series("predictions_total", (name,), model.predictions)
    if model.latency_s is not None:
        yield from _histogram("prediction_latency_seconds", (name,), model.latency_s)
        yield Series("prediction_latency_invalid_total", (name,), model.latencies_invalid)
    for result, count in (dict.fromkeys(LABEL_RESULTS, 0) | dict(model.labels)).items():
        yield Series("labels_total", (name, result), count)
    yield from _histogram("label_delay_seconds", (name,), model.label_delay_s)
    versions = alive(model)
    incidents = Counter((i.opened.version, i.cause, i.severity) for i in model.incidents if i.open)
    for version, cause, severity in product(versions, CAUSES, SEVERITIES):
        yield Series("incidents_open", (name, version, cause, severity), incidents[version, cause, severity])
    yield from (series for version in versions for series in _target(model, version))
    yield Series("triggers_in_flight", (name,), model.in_flight)
    for version, result in product(versions, TRIGGER_RESULTS):
        yield Series("triggers_total", (name, version, result), model.decided.get((version, result), 0))


def _target(model: ModelView, version: str) -> Iterator[Series]:
    target = model.targets.get(version)
    if target is not None:
        labels = (model.name, version, "", model.metric)
        yield Series("performance_reference", labels, target.reference)
        if target.limit is not None:
            yield Series("performance_limit", labels, target.limit)


def _histogram(name: str, labels: tuple[str, ...], histogram: Histogram) -> Iterator[Series]:
    """Classic buckets, cumulative, the one of everything last."""
    counts = list(accumulate((*(rows for _, rows in histogram.rows), histogram.beyond)))
    for end, count in zip((*(end for end, _ in histogram.rows), inf), counts, strict=True):
        le = floatToGoString(end)  # type: ignore[no-untyped-call]
        yield Series(name, labels, count, "_bucket", le)
    yield Series(name, labels, counts[-1], "_count")
    yield Series(name, labels, histogram.total, "_sum")


def _slice(labels: tuple[str, str, str], part: Slice) -> Iterator[Series]:
    if part.window is not None:
        yield Series("window_rows", labels, part.window.rows)
        yield Series("window_end_timestamp_seconds", labels, part.window.window.end_ms / 1000)
        states = Counter(verdict.state for verdict in part.standing)
        yield from (Series("drift_features", (*labels, state), states[state]) for state in STATES)
        for metric, reading in estimated(part.window.estimates).items():
            if reading.value is not None:
                yield Series("performance_estimate", (*labels, metric), reading.value)
    if part.performance is not None:
        yield from _performance(labels, part.performance)


def _performance(labels: tuple[str, str, str], performance: PerformanceView) -> Iterator[Series]:
    for reading in performance.readings:
        metric = (*labels, reading.statistic)
        for name, value in (("", reading.value), ("_lower", reading.lower), ("_upper", reading.upper)):
            if value is not None:
                yield Series("performance" + name, metric, value)
    yield Series("performance_window_end_timestamp_seconds", labels, performance.window.end_ms / 1000)
    yield Series("performance_labels", labels, performance.labels)
    yield Series("label_coverage_ratio", labels, performance.coverage)


def _features(labels: tuple[str, str, str], part: Slice, alarms: AlarmSpec) -> Iterator[tuple[Rank, FeatureGroup]]:
    """A group a feature: what holds of it, and the figures of the last closed window."""
    groups = {verdict.feature: list(_held(verdict, part.detectable.get(verdict.feature))) for verdict in part.standing}
    if not part.segment:
        for name, figures in groups.items():
            figures.append(("drift_tolerance", (), alarms.tolerance_of(name)))
    if part.window is not None:
        for verdict in part.window.verdicts:
            groups.setdefault(verdict.feature, []).extend(_verdict(verdict))
        for reading in part.window.readings:
            if reading.value is not None:
                groups.setdefault(reading.feature, []).append(_reading(reading, reading.value))
    ranks = {verdict.feature: drift_rank(verdict) for verdict in part.standing}
    for name, figures in groups.items():
        yield ranks.get(name) or unwatched(name), FeatureGroup((*labels, name), figures)


def _held(verdict: Verdict, detectable: Detectable | None) -> Iterator[Figure]:
    for state in STATES:
        yield "drift_state", (state,), verdict.state == state
    yield "drift_evidence_ratio", (), verdict.evidence_ratio
    if verdict.tested_ms >= 0:
        yield "drift_last_tested_timestamp_seconds", (), verdict.tested_ms / 1000
    if detectable:
        yield "drift_detectable_effect", (), detectable.effect


def _verdict(verdict: Verdict) -> Iterator[Figure]:
    if verdict.effect is not None:
        yield "drift_effect", (), verdict.effect
    if verdict.noise_floor is not None:
        yield "drift_noise_floor", (), verdict.noise_floor


def _reading(reading: Reading, value: float) -> Figure:
    quality = _QUALITY.get(reading.statistic)
    return (quality, (), value) if quality else ("drift_score", (reading.statistic,), value)
