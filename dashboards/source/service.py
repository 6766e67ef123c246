"""The service itself: whether what it shows is of now, complete, and told to whom it should be."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as builders

from dashboards.source import frame
from dashboards.source.panels import (
    DRIFTING,
    IDLE,
    NONE_IS_CALM,
    NONE_IS_WELL,
    OK,
    WATCH,
    Line,
    Panel,
    chart,
    figure,
    fixed,
)
from dashboards.source.promql import TARGET, Scope, rate, risen

ALL = Scope()
OUTCOMES = {
    "accepted|delivered": fixed(OK),
    "duplicate|superseded": fixed(IDLE),
    "late|retry": fixed(WATCH),
    "rejected|failed|disabled": fixed(DRIFTING),
}
INSTANCE = "{{instance}}"


def build() -> builders.Dashboard:
    made = frame.dashboard(
        frame.SERVICE,
        "Model monitor: the service",
        "The service itself: whether what it shows is of now, complete, and told to whom it should be.",
        "now-6h",
        [],
    )
    rows = {
        "Now": _now(),
        "Does it keep up?": _reading(),
        "Is what it reads complete?": _complete(),
        "Is what it decides told?": _telling(),
        "Can it be scraped?": _scraped(),
    }
    return frame.filled(made, rows)


def _now() -> Iterator[Panel]:
    yield figure(
        "Release",
        "That is running; more than one while an update rolls out.",
        Line(f"count by (version) ({ALL('build_info')})", "{{version}}"),
        names=True,
        none="not scraped",
    )
    yield figure(
        "Last poll",
        "A poll returns every fraction of a second, with events or without, as long as Kafka answers: the alert"
        " ModelMonitorNotReading is at two minutes.",
        Line(f"max(time() - {ALL('poll_last_return_timestamp_seconds')})"),
        unit="s",
        decimals=0,
        steps=((None, OK), (60, WATCH), (120, DRIFTING)),
        none="none yet",
    )
    yield figure(
        "Records waiting",
        "Not read yet, in all topics and partitions.",
        Line(f"sum({ALL('consumer_lag_records')})"),
        none="unknown",
    )
    yield figure(
        "Messages waiting",
        "For receivers, retrain requests among them. They are sent again for three days.",
        Line(f"sum({ALL('outbox_pending')})"),
        steps=NONE_IS_CALM,
        none="no receiver",
    )
    yield figure(
        "Rejected in the time shown",
        "Events that could not be read: they are in the dead-letter topic, each with its reason.",
        Line(risen(ALL("events_total", result="rejected"))),
        steps=NONE_IS_CALM,
        none="nothing read",
    )
    yield figure(
        "Given up in the time shown",
        "Messages that a receiver refused, or did not take for three days, or whose receiver is gone: a retraining may"
        " not happen.",
        Line(risen(ALL("deliveries_total", result="~failed|disabled"))),
        steps=NONE_IS_WELL,
        none="no receiver",
    )
    yield figure(
        "Gaps in the time shown",
        "Spans of records that Kafka no longer held when they were to be read.",
        Line(risen(ALL("data_gaps_total"))),
        steps=NONE_IS_WELL,
    )
    yield figure(
        "Series left out",
        "Of the scrape, to stay within the series budget: the least drifted features. Alarms are complete all the"
        " same.",
        Line(f"sum({ALL('series_dropped')})"),
        steps=NONE_IS_CALM,
    )


def _reading() -> Iterator[Panel]:
    yield chart(
        "Records waiting",
        "High water less position. It should fall after a start, and stay low.",
        Line(f"sum by (topic, partition) ({ALL('consumer_lag_records')})", "{{topic}} {{partition}}"),
    )
    yield chart(
        "Events read",
        "By topic.",
        Line(rate(ALL("events_total"), "topic"), "{{topic}}"),
        unit="cps",
    )
    yield chart(
        "How old what is shown is",
        "Behind the clock, in event time: each model's newest event, and the watermark up to which its windows are"
        " closed. A watermark that stands while events come waits for a partition.",
        Line(ALL.age("last_event_timestamp_seconds", "model"), "newest event of {{model}}"),
        Line(ALL.age("watermark_timestamp_seconds", "model"), "watermark of {{model}}"),
        unit="s",
    )
    yield chart(
        "Since it last did something",
        "Since its last poll returned, and since a step that changed anything was kept. Without events nothing is to be"
        " kept: only while records wait is that a fault.",
        Line(f"time() - {ALL('poll_last_return_timestamp_seconds')}", "last poll, " + INSTANCE),
        Line(f"time() - {ALL('last_commit_timestamp_seconds')}", "last commit, " + INSTANCE),
        unit="s",
    )
    commits = ALL("commit_duration_seconds_count")
    yield chart(
        "Commits",
        "Steps that were kept: state, offsets and messages in one transaction.",
        Line(rate(commits, "instance"), INSTANCE),
        unit="cps",
    )
    yield chart(
        "Time that a commit takes",
        "On average. A disk that is slow, or nearly full, shows here.",
        Line(f"{rate(ALL('commit_duration_seconds_sum'), 'instance')} / {rate(commits, 'instance')}", INSTANCE),
        unit="s",
    )


def _complete() -> Iterator[Panel]:
    events = ALL("events_total")
    yield chart(
        "Events by what became of them",
        "Every event that is read is one of these. late: its window had closed. duplicate: its id had come. rejected:"
        " it could not be read.",
        Line(rate(events, "result"), "{{result}}"),
        unit="cps",
        stacked=True,
        styles=OUTCOMES,
    )
    yield chart(
        "Share of events that count nowhere",
        "Of each topic's: late and rejected.",
        Line(
            f"{rate(ALL('events_total', result='~late|rejected'), 'topic, result')}"
            f" / ignoring (result) group_left () {rate(events, 'topic')}",
            "{{topic}}: {{result}}",
        ),
        unit="percentunit",
    )
    yield chart(
        "Keys that nothing knows",
        "In events: they are ignored. A new one often is a feature that somebody forgot to configure.",
        Line(rate(ALL("unknown_keys_total"), "instance"), INSTANCE),
        unit="cps",
    )
    yield chart(
        "Latencies that cannot be",
        "Accepted predictions whose latency_ms is no number from 0 to a day.",
        Line(rate(ALL("prediction_latency_invalid_total"), "model"), "{{model}}"),
        unit="cps",
    )


def _telling() -> Iterator[Panel]:
    yield chart(
        "Messages waiting",
        "By receiver. One that stays takes nothing: the alert ModelMonitorDeliveryStuck is at half an hour.",
        Line(f"sum by (receiver) ({ALL('outbox_pending')})", "{{receiver}}"),
        decimals=0,
    )
    yield chart(
        "Attempts to deliver, by how they ended",
        "retry: it is tried again later. failed and disabled: it was given up. superseded: newer news took its place.",
        Line(f"sum by (result) (increase({ALL('deliveries_total')}[$__rate_interval]))", "{{result}}"),
        bars=True,
        stacked=True,
        decimals=0,
        styles=OUTCOMES,
    )


def _scraped() -> Iterator[Panel]:
    ours = f"and on (job, instance) {ALL('build_info')}"
    yield chart(
        "Series in a scrape",
        "That Prometheus took, and that were left out to stay within the series budget.",
        Line(f"scrape_samples_scraped{{{TARGET}}} {ours}", "taken, " + INSTANCE),
        Line(ALL("series_dropped"), "left out, " + INSTANCE),
        span=8,
    )
    yield chart(
        "Features left out",
        "Of a scrape, by model and state. What drifts is on the model's page all the same.",
        Line(f"sum by (model, state) ({ALL('series_dropped_features')})", "{{model}}: {{state}}"),
        span=8,
        decimals=0,
    )
    yield chart(
        "Time that a scrape takes",
        "As Prometheus measures it.",
        Line(f"scrape_duration_seconds{{{TARGET}}} {ours}", INSTANCE),
        unit="s",
        span=8,
    )
