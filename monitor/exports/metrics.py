"""Every metric that is exported: one table, from which the collector, the documentation and the tests are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "model_monitor_"

MetricType = Literal["counter", "gauge", "summary", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. name: as it is scraped (`_total`, `_info` included), without the prefix."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()


_SLICE = ("model", "version", "segment")
_FEATURE = (*_SLICE, "feature")
_METRIC = (*_SLICE, "metric")

METRICS: tuple[Metric, ...] = (
    Metric("build_info", "info", "The running release; always 1.", ("version",)),
    Metric("series_dropped", "gauge", "Series left out of this scrape to stay within the series budget."),
    Metric("series_dropped_features", "gauge",
           "Features whose series were left out of this scrape, by their state, in all versions and segments.",
           ("model", "state")),
    Metric("poll_last_return_timestamp_seconds", "gauge", "When the last poll for events returned."),
    Metric("commit_duration_seconds", "summary", "Time taken by each committed step of the loop."),
    Metric("last_commit_timestamp_seconds", "gauge", "When a step that changed anything was last committed."),
    Metric(
        "events_total",
        "counter",
        "Events read, by what became of them: accepted, duplicate, late or rejected.",
        ("topic", "result"),
    ),
    Metric("unknown_keys_total", "counter", "Keys in events that no format or feature knows; they are ignored."),
    Metric("consumer_lag_records", "gauge", "Records not yet read: high water minus position.", ("topic", "partition")),
    Metric("data_gaps_total", "counter", "Spans of offsets that were skipped because the broker no longer held them."),
    Metric("outbox_pending", "gauge", "Messages waiting to be delivered.", ("receiver",)),
    Metric("deliveries_total", "counter", "Attempts to deliver a message, by how they ended.", ("receiver", "result")),
    Metric("last_event_timestamp_seconds", "gauge", "Largest event time seen.", ("model",)),
    Metric("watermark_timestamp_seconds", "gauge", "Event time before which windows are closed.", ("model",)),
    Metric("predictions_total", "counter", "Predictions accepted.", ("model",)),
    Metric(
        "prediction_latency_seconds",
        "histogram",
        "How long accepted predictions took, by the latency_ms of their events; absent until one carries it.",
        ("model",),
    ),
    Metric(
        "prediction_latency_invalid_total",
        "counter",
        "Accepted predictions whose latency_ms is no number from 0 to a day; no part of the histogram.",
        ("model",),
    ),
    Metric(
        "labels_total",
        "counter",
        "Labels, by what became of them: matched with a prediction, waiting for one when they came, expired without"
        " one, in conflict with another partition's, or (matched, but) of an unknown class.",
        ("model", "result"),
    ),
    Metric(
        "label_delay_seconds",
        "histogram",
        "Label time minus prediction time of each prediction's first label; 0 where the label was first.",
        ("model",),
    ),
    Metric(
        "incidents_open", "gauge", "Open incidents, over all segments.", ("model", "version", "cause", "severity")
    ),
    Metric(
        "triggers_total",
        "counter",
        "Retrain requests at each step: requested, or withheld for a reason the API gives; accepted by the pipeline;"
        " succeeded, failed, or expired (not heard of for too long).",
        ("model", "version", "result"),
    ),
    Metric("triggers_in_flight", "gauge", "Retrain requests that the pipeline has not done with.", ("model",)),
    Metric("window_rows", "gauge", "Predictions in the last closed window.", _SLICE),
    Metric("window_end_timestamp_seconds", "gauge", "End of the last closed window, in event time.", _SLICE),
    Metric("drift_features", "gauge", "Features in each drift state, those beyond the series budget included.",
           (*_SLICE, "state")),
    Metric("performance", "gauge", "Realised performance over the newest settled span of labelled windows.", _METRIC),
    Metric("performance_lower", "gauge", "Lower end of the interval of the realised performance.", _METRIC),
    Metric("performance_upper", "gauge", "Upper end of the interval of the realised performance.", _METRIC),
    Metric("performance_estimate", "gauge",
           "Performance to be expected of the last closed window, labelled or not; blind to a change of what is true of"
           " the same rows.", _METRIC),
    Metric("performance_reference", "gauge",
           "The reference's own performance, of the metric that the model is held to.", _METRIC),
    Metric("performance_limit", "gauge",
           "Worst performance that is no fall; absent where no drop is an alarm.", _METRIC),
    Metric("performance_window_end_timestamp_seconds", "gauge", "End of the span that performance is of.", _SLICE),
    Metric("performance_labels", "gauge", "Labels in the span that performance is of.", _SLICE),
    Metric("label_coverage_ratio", "gauge", "Labelled over predicted, in the span that performance is of.", _SLICE),
    Metric("drift_state", "gauge", "1 for the state the feature is in, 0 for the others.", (*_FEATURE, "state")),
    Metric("drift_effect", "gauge", "De-biased size of the drift, in PSI units.", _FEATURE),
    Metric("drift_noise_floor", "gauge", "Effect that chance alone gives at this window's size.", _FEATURE),
    Metric("drift_tolerance", "gauge",
           "Largest difference that nobody cares about, in PSI units, as configured; of whole traffic, and the same of"
           " segments.", _FEATURE),
    Metric("drift_evidence_ratio", "gauge", "Evidence of drift over the alarm's limit: the alarm is at 1.", _FEATURE),
    Metric("drift_detectable_effect", "gauge",
           "Smallest change that windows of the usual size would show, in PSI units; absent while learning, and where"
           " none would be found.", _FEATURE),
    Metric("drift_last_tested_timestamp_seconds", "gauge",
           "End of the newest window that held enough rows to test the feature, in event time.", _FEATURE),
    Metric("drift_score", "gauge", "The named statistic between reference and last closed window.",
           (*_FEATURE, "statistic")),
    Metric("feature_missing_ratio", "gauge", "Rows without a value for the feature.", _FEATURE),
    Metric("feature_invalid_ratio", "gauge", "Rows whose value is of the wrong type or not finite.", _FEATURE),
    Metric("feature_unseen_ratio", "gauge", "Rows with a category that the reference does not know.", _FEATURE),
    Metric("feature_out_of_range_ratio", "gauge", "Rows with a number outside the reference's range.", _FEATURE),
)  # fmt: skip


def page() -> str:
    """docs/METRICS.md, whole: `python -c 'from monitor.exports.metrics import page; print(page(), end="")'`."""
    rows = (
        f"| `{PREFIX}{metric.name}` | {metric.type} | {', '.join(f'`{label}`' for label in metric.labels)} |"
        f" {metric.help} |"
        for metric in METRICS
    )
    return "\n".join((_PREFACE, "| name | type | labels | meaning |", "|---|---|---|---|", *rows, ""))


_PREFACE = """\
# Metrics

<!-- Made from monitor/exports/metrics.py by its function `page`; a test says when the two differ. -->

`GET /metrics` answers in the Prometheus text format, or in OpenMetrics where the scraper asks for it. One scrape
shows one committed snapshot, so its figures belong together; only `consumer_lag_records` and
`poll_last_return_timestamp_seconds` are of now, so that a service that stands still is seen to.

- Samples carry no timestamps. A window's figure is a gauge, and `window_end_timestamp_seconds` or
  `performance_window_end_timestamp_seconds` says which window it is of.
- A figure that could not be computed in the last closed window is absent, never 0 or NaN.
- `drift_state` and `drift_evidence_ratio` hold through windows with too little data, and through a restart: a quiet
  night does not resolve a page. Incidents and results that are known in advance start at 0, so that alerts and rates
  work from the first scrape.
- `performance_estimate` is of the window that `window_end_timestamp_seconds` names, `performance` of the labelled span
  that `performance_window_end_timestamp_seconds` names. Where labels are late these are different windows: their
  difference is a signal only where both stay for a while. The API gives both of the same span.
- `performance_reference` and `performance_limit` are of the one metric that the model is held to, in whole traffic, and
  there where the version has a reference of its own with labels. A reading beyond the limit is a fall only once its
  evidence says so: `incidents_open`.
- `drift_effect` is to be read beside `drift_noise_floor` and `drift_tolerance`, and `drift_evidence_ratio` beside 1.
  Evidence grows by powers: draw it on a logarithmic axis.
- A feature is in one state: `learning` (what is usual is not known yet: only faulty data and major changes alarm, and
  of a version without a reference of its own nothing), `insufficient` (too few rows so far, or a time that the
  calendar ignores), `untestable` (even 30 windows together hold too few, or of a segment the reference does), `ok`,
  `watch` (evidence is half-way to the alarm, in powers) or `drifting`.
- The feature `@prediction` is what the model answered, `@score` with what score. `@rows` is there from the first window
  in which too few or too many rows came, `@correlation` - how features go together: of the pair that changed most, or
  is nearest to the alarm - from the first in which it is known what is usual.
- `incidents_open` has an empty `version` while labels match no prediction: that concerns the whole model.
- `segment` is empty for all of a version's traffic and reads `country=PL` for a part of it, `country=__other__` for all
  values that have no segment of their own. Segments have rows, states and evidence; scores, ratios of data quality and
  performance are of whole traffic. The series of a retired version disappear.
- At most `server.series_budget` series (10,000) are exported: the service, versions with open incidents, the models,
  the other versions, whole traffic of each; then segments and features, the gravest state first, of one state whole
  traffic before segments, then the most drifted. `series_dropped` counts what was left out, `series_dropped_features`
  how many features of each state that were, and `drift_features` every feature all the same. Nothing flaps: a feature
  that drifts and is shown stays while it drifts, whatever else begins to; of others alike, what was shown is; and a
  quiet window, which has fewer figures, lends no room. `monitor plan` says what will be left out.
- A name longer than 256 characters keeps 239 and ends in the digest of the whole.
- `prediction_latency_seconds` is of the predictions that were accepted, as they are read. Its cells end at 1, 2.5, 5,
  10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10 and 30 s, and a quantile is exact to within its cell. `predictions_total`
  less its `_count` is how many did not say how long they took. Both are of all versions of a model: these are named by
  who sends them, and come and go. `window_rows` has each version's part.
- `commit_duration_seconds` is a summary without quantiles: `_sum` and `_count`.
"""
