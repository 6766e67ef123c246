"""The table of metrics agrees with the contract, with what is exported and with its documentation."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from monitor.exports.metrics import METRICS, PREFIX, page
from monitor.exports.prometheus import Scrapes
from tests.exports.snapshots import drifting

ROOT = Path(__file__).parents[2]

CONTRACT = {
    "build_info": {"version"},
    "series_dropped": set(),
    "events_total": {"topic", "result"},
    "consumer_lag_records": {"topic", "partition"},
    "last_event_timestamp_seconds": {"model"},
    "watermark_timestamp_seconds": {"model"},
    "window_rows": {"model", "version", "segment"},
    "window_end_timestamp_seconds": {"model", "version", "segment"},
    "drift_effect": {"model", "version", "segment", "feature"},
    "drift_noise_floor": {"model", "version", "segment", "feature"},
    "drift_evidence_ratio": {"model", "version", "segment", "feature"},
    "drift_detectable_effect": {"model", "version", "segment", "feature"},
    "drift_last_tested_timestamp_seconds": {"model", "version", "segment", "feature"},
    "drift_score": {"model", "version", "segment", "feature", "statistic"},
    "drift_state": {"model", "version", "segment", "feature", "state"},
    "feature_missing_ratio": {"model", "version", "segment", "feature"},
    "feature_unseen_ratio": {"model", "version", "segment", "feature"},
    "feature_out_of_range_ratio": {"model", "version", "segment", "feature"},
    "performance": {"model", "version", "segment", "metric"},
    "performance_lower": {"model", "version", "segment", "metric"},
    "performance_upper": {"model", "version", "segment", "metric"},
    "performance_window_end_timestamp_seconds": {"model", "version", "segment"},
    "performance_labels": {"model", "version", "segment"},
    "performance_estimate": {"model", "version", "segment", "metric"},
    "label_coverage_ratio": {"model", "version", "segment"},
    "labels_total": {"model", "result"},
    "label_delay_seconds": {"model"},
    "predictions_total": {"model"},
    "prediction_latency_seconds": {"model"},
    "incidents_open": {"model", "version", "cause", "severity"},
    "triggers_total": {"model", "version", "result"},
    "outbox_pending": {"receiver"},
    "deliveries_total": {"receiver", "result"},
    "poll_last_return_timestamp_seconds": set(),
    "commit_duration_seconds": set(),
}
"""The names that were promised, so far as a snapshot can fill them, and their labels."""

ADDED = {
    "series_dropped_features": {"model", "state"},
    "last_commit_timestamp_seconds": set(),
    "unknown_keys_total": set(),
    "data_gaps_total": set(),
    "prediction_latency_invalid_total": {"model"},
    "drift_features": {"model", "version", "segment", "state"},
    "triggers_in_flight": {"model"},
    "performance_reference": {"model", "version", "segment", "metric"},
    "performance_limit": {"model", "version", "segment", "metric"},
    "drift_tolerance": {"model", "version", "segment", "feature"},
    "feature_invalid_ratio": {"model", "version", "segment", "feature"},
}
"""What was added to the promise: docs/METRICS.md documents it."""


def test_the_table_is_the_contract_and_what_was_added_to_it() -> None:
    assert {metric.name: set(metric.labels) for metric in METRICS} == CONTRACT | ADDED


def test_every_name_is_in_the_table_once() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))


def test_every_metric_of_the_table_is_exported_with_its_labels() -> None:
    families = text_string_to_metric_families(Scrapes(drifting).scrape()[0].decode("utf-8"))
    exported = {
        re.sub("_(bucket|count|sum)$", "", sample.name.removeprefix(PREFIX)): set(sample.labels) - {"le"}
        for family in families
        for sample in family.samples
    }
    assert exported == {metric.name: set(metric.labels) for metric in METRICS}


def test_names_follow_the_conventions_of_their_type() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert metric.name.endswith("_info") == (metric.type == "info"), metric.name
        assert not {"le", "quantile", "job", "instance", "type"} & set(metric.labels), metric.name
        assert metric.help.endswith("."), metric.name


def test_the_documentation_is_current() -> None:
    written = (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8")
    assert written == page(), "write docs/METRICS.md anew, as the docstring of monitor.exports.metrics.page says"
