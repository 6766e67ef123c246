"""Which series a snapshot has, in groups that are shown whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, product
from math import inf
from typing import NamedTuple

from prometheus_client.utils import floatToGoString

from monitor import __version__
from monitor.detection.records import State, Verdict
from monitor.exports.latest import CAUSES, SEVERITIES, STATES, Slice, alive, estimated, overall
from monitor.snapshot import LABEL_RESULTS, TRIGGER_RESULTS, Histogram, ModelView, PerformanceView, ServiceView
from monitor.spec import AlarmSpec
from monitor.statistics.reading import Reading
from monitor.statistics.registry import QUALITY

EVENT_RESULTS = ("accepted", "duplicate", "late", "rejected")
DELIVERY_RESULTS = ("delivered", "retry", "failed", "disabled", "superseded")

_QUALITY = {statistic.name: f"feature_{statistic.name}_ratio" for statistic in QUALITY}
"""Metric of each statistic of data quality."""

Labels = tuple[str, ...]


class Series(NamedTuple):
    """One sample: a metric of the table, its label values in the table's order, its value; of a histogram, its `le`."""

    metric: str
    labels: Labels
    value: float
    suffix: str = ""
    le: str = ""


@dataclass(frozen=True, slots=True)
class SliceGroup:
    """What there is of one version or segment as a whole. labels: model, version, segment."""

    labels: Labels
    state: State
    series: tuple[Series, ...]

    @property
    def size(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True)
class FeatureGroup:
    """What there is of one feature in a slice. labels: the slice's, then the feature. verdict: what stands of it; None
    where it is not watched. size: how many series that will be, which are made only where they are shown: of ten
    thousand features most are not.
    """

    labels: Labels
    part: Features
    verdict: Verdict | None
    size: int

    @property
    def series(self) -> Iterator[Series]:
        return self.part.series(self.labels, self.verdict)


class Features:
    """The features of one slice. labels: model, version, segment. alarms: the model's."""

    def __init__(self, labels: Labels, part: Slice, alarms: AlarmSpec) -> None:
        self._labels, self._part, self._alarms = labels, part, alarms
        window = part.window
        self._newest = {} if window is None else {verdict.feature: verdict for verdict in window.verdicts}
        self._readings: dict[str, list[Reading]] = {}
        for reading in () if window is None else window.readings:
            if reading.value is not None:
                self._readings.setdefault(reading.feature, []).append(reading)

    def groups(self) -> Iterator[FeatureGroup]:
        standing = {verdict.feature: verdict for verdict in self._part.standing}
        for feature in {**standing, **self._newest, **self._readings}:
            verdict, newest = standing.get(feature), self._newest.get(feature)
            size = len(self._readings.get(feature, ()))
            if verdict is not None:
                size += len(STATES) + 1 + (verdict.tested_ms >= 0) + bool(self._part.detectable.get(feature))
                size += not self._part.segment
            if newest is not None:
                size += (newest.effect is not None) + (newest.noise_floor is not None)
            yield FeatureGroup((*self._labels, feature), self, verdict, size)

    def series(self, labels: Labels, verdict: Verdict | None) -> Iterator[Series]:
        """What holds of a feature, and the figures of the last closed window. labels: with the feature's."""
        feature = labels[-1]
        if verdict is not None:
            for state in STATES:
                yield Series("drift_state", (*labels, state), verdict.state == state)
            yield Series("drift_evidence_ratio", labels, verdict.evidence_ratio)
            if verdict.tested_ms >= 0:
                yield Series("drift_last_tested_timestamp_seconds", labels, verdict.tested_ms / 1000)
            if detectable := self._part.detectable.get(feature):
                yield Series("drift_detectable_effect", labels, detectable.effect)
            if not self._part.segment:
                yield Series("drift_tolerance", labels, self._alarms.tolerance_of(feature))
        newest = self._newest.get(feature)
        if newest is not None and newest.effect is not None:
            yield Series("drift_effect", labels, newest.effect)
        if newest is not None and newest.noise_floor is not None:
            yield Series("drift_noise_floor", labels, newest.noise_floor)
        for reading in self._readings.get(feature, ()):
            if reading.value is not None:
                quality = _QUALITY.get(reading.statistic)
                metric, more = (quality, labels) if quality else ("drift_score", (*labels, reading.statistic))
                yield Series(metric, more, reading.value)


def of_service(service: ServiceView) -> Iterator[Series]:
    """What there is of the service itself."""
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


def of_model(model: ModelView) -> Iterator[Series]:
    """What there is of a model as a whole."""
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
    yield Series("triggers_in_flight", (name,), model.in_flight)


def of_versions(model: ModelView) -> Iterator[tuple[bool, list[Series]]]:
    """What is decided of each version, and by what: whether an incident is open, and the series."""
    incidents = Counter((i.opened.version, i.cause, i.severity) for i in model.incidents if i.open)
    opened = {version for version, _, _ in incidents}
    for version in alive(model):
        found = [
            Series("incidents_open", (model.name, version, cause, severity), incidents[version, cause, severity])
            for cause, severity in product(CAUSES, SEVERITIES)
        ]
        found += _target(model, version)
        found += [
            Series("triggers_total", (model.name, version, result), model.decided.get((version, result), 0))
            for result in TRIGGER_RESULTS
        ]
        yield version in opened, found


def _target(model: ModelView, version: str) -> Iterator[Series]:
    target = model.targets.get(version)
    if target is not None:
        labels = (model.name, version, "", model.metric)
        yield Series("performance_reference", labels, target.reference)
        if target.limit is not None:
            yield Series("performance_limit", labels, target.limit)


def of_slice(labels: Labels, part: Slice) -> SliceGroup:
    """labels: model, version, segment."""
    return SliceGroup(labels, overall(part.standing), tuple(_slice(labels, part)))


def _histogram(name: str, labels: tuple[str, ...], histogram: Histogram) -> Iterator[Series]:
    """Classic buckets, cumulative, the one of everything last."""
    counts = list(accumulate((*(rows for _, rows in histogram.rows), histogram.beyond)))
    for end, count in zip((*(end for end, _ in histogram.rows), inf), counts, strict=True):
        le = floatToGoString(end)  # type: ignore[no-untyped-call]
        yield Series(name, labels, count, "_bucket", le)
    yield Series(name, labels, counts[-1], "_count")
    yield Series(name, labels, histogram.total, "_sum")


def _slice(labels: Labels, part: Slice) -> Iterator[Series]:
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


def _performance(labels: Labels, performance: PerformanceView) -> Iterator[Series]:
    for reading in performance.readings:
        metric = (*labels, reading.statistic)
        for name, value in (("", reading.value), ("_lower", reading.lower), ("_upper", reading.upper)):
            if value is not None:
                yield Series("performance" + name, metric, value)
    yield Series("performance_window_end_timestamp_seconds", labels, performance.window.end_ms / 1000)
    yield Series("performance_labels", labels, performance.labels)
    yield Series("label_coverage_ratio", labels, performance.coverage)
