"""The scrape: golden text, what is absent and what holds, hostile names, the budget."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from monitor.detection.records import State
from monitor.detection.sensitivity import Detectable
from monitor.exports.budget import Budget
from monitor.exports.prometheus import Scrapes
from monitor.snapshot import ServiceView, Snapshot, Target
from monitor.spec import AlarmSpec
from tests.exports.snapshots import (
    HOSTILE,
    drifting,
    model_view,
    performance_view,
    reading,
    snapshot,
    verdict,
    watch_view,
    window,
    window_view,
)

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"

Labels = dict[str, str]


def scraped(current: Snapshot, budget: int = 10_000) -> dict[str, list[tuple[Labels, float]]]:
    """Samples by name, through the text format and the client's own parser."""
    text = Scrapes(lambda: current, budget).scrape()[0].decode("utf-8")
    samples: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.timestamp is None
            samples.setdefault(sample.name.removeprefix("model_monitor_"), []).append((sample.labels, sample.value))
    return samples


def openmetrics_families(body: bytes) -> list[Metric]:
    return list(openmetrics_parser.text_string_to_metric_families(body.decode("utf-8")))  # type: ignore[no-untyped-call]


def states_of(current: Snapshot, feature: str) -> Labels:
    """The one state that is 1, by version."""
    return {
        labels["version"]: labels["state"]
        for labels, value in scraped(current).get("drift_state", [])
        if labels["feature"] == feature and value == 1
    }


def test_a_scrape_is_the_golden_text() -> None:
    assert Scrapes(drifting).scrape()[0].decode("utf-8") == GOLDEN.read_text(encoding="utf-8")


def test_a_scrape_reads_one_snapshot() -> None:
    reads = 0

    def current() -> Snapshot:
        nonlocal reads
        reads += 1
        return drifting()

    scrapes = Scrapes(current)
    assert reads == 0
    scrapes.scrape()
    assert reads == 1


def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    body, content_type = Scrapes(drifting).scrape("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert "model_monitor_events" in {family.name for family in openmetrics_families(body)}


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_no_created_series_are_exported(accept: str) -> None:
    body, _ = Scrapes(drifting).scrape(accept)
    assert b"_created" not in body


def test_a_histogram_has_cumulative_buckets_in_order_a_count_and_a_sum() -> None:
    fraud = {"model": "fraud"}
    exported = {
        name: [each for each in series if fraud.items() <= each[0].items()]
        for name, series in scraped(drifting()).items()
    }
    buckets = [(labels["le"], value) for labels, value in exported["label_delay_seconds_bucket"]]
    assert [(float(end), rows) for end, rows in buckets] == [(1, 500), (3_600, 570), (7_776_000, 575), (inf, 577)]
    assert buckets[-1][0] == "+Inf"
    assert exported["label_delay_seconds_count"] == [(fraud, 577)]
    assert exported["label_delay_seconds_sum"] == [(fraud, 16_000_000.25)]
    body, _ = Scrapes(drifting).scrape("application/openmetrics-text")
    family = next(each for each in openmetrics_families(body) if each.name == "model_monitor_label_delay_seconds")
    assert family.type == "histogram"


def test_latency_is_of_the_model_that_sends_it_alone() -> None:
    exported = scraped(drifting())
    buckets = {float(labels["le"]): value for labels, value in exported["prediction_latency_seconds_bucket"]}
    assert buckets == {0.01: 900, 0.1: 1_500, 1: 1_600, inf: 1_620}
    fraud = {"model": "fraud"}
    assert exported["prediction_latency_seconds_count"] == [(fraud, 1_620)]
    assert exported["prediction_latency_seconds_sum"] == [(fraud, 95.5)]
    assert exported["prediction_latency_invalid_total"] == [(fraud, 4)]


def test_a_service_that_has_read_nothing_exports_no_figure_of_a_model() -> None:
    exported = scraped(snapshot(model_view(versions=()), service=ServiceView()))
    assert not {name for name in exported if name.startswith(("drift", "performance", "window", "feature"))}
    assert exported["labels_total"][0] == ({"model": "fraud", "result": "matched"}, 0.0)
    assert "poll_last_return_timestamp_seconds" not in exported


def test_every_kind_of_incident_is_there_from_the_first_scrape() -> None:
    kinds = scraped(snapshot(model_view()))["incidents_open"]
    assert len(kinds) == 9
    assert {value for _, value in kinds} == {0.0}


def test_exactly_one_state_of_a_feature_is_one() -> None:
    states = scraped(drifting())["drift_state"]
    for feature in ("amount", "country"):
        assert sum(value for labels, value in states if labels["feature"] == feature) == 1
        assert len([labels for labels, _ in states if labels["feature"] == feature]) == 6


def values_of(current: Snapshot, metric: str) -> dict[str, float]:
    """By feature."""
    return {labels["feature"]: value for labels, value in scraped(current).get(metric, [])}


def test_a_state_holds_through_windows_with_too_little_data() -> None:
    quiet = model_view(
        features=("amount", "age"),
        windows=[
            window_view(
                window(0), [verdict(window(0), "amount", "drifting", 0.3, 0.02), verdict(window(0), "age", "ok")]
            ),
            window_view(window(1), [verdict(window(1), "amount", "drifting"), verdict(window(1), "age", "watch")]),
            window_view(
                window(2), [verdict(window(2), "amount", "drifting"), verdict(window(2), "age", "insufficient")]
            ),
            window_view(window(3)),
        ],
    )
    exported = scraped(snapshot(quiet))
    assert states_of(snapshot(quiet), "amount") == {"3": "drifting"}
    assert states_of(snapshot(quiet), "age") == {"3": "watch"}
    assert "drift_effect" not in exported


def test_a_drift_that_ended_in_a_window_with_too_little_data_is_over() -> None:
    places = [window(0), window(1)]
    states: list[State] = ["drifting", "insufficient"]
    views = [window_view(place, [verdict(place, "amount", state)]) for place, state in zip(places, states, strict=True)]
    assert states_of(snapshot(model_view(windows=views)), "amount") == {"3": "insufficient"}


def test_evidence_and_the_last_test_hold_through_a_quiet_night() -> None:
    busy, quiet = window(0), [window(hour) for hour in range(1, 4)]
    first = [verdict(busy, "amount", "watch", 0.1, 0.02, 0.04), verdict(busy, "age", "ok", 0.0, 0.02, 0.001)]
    night = [
        [
            verdict(place, "amount", "insufficient", evidence_ratio=0.05, tested_ms=busy.end_ms),
            verdict(place, "age", "insufficient", evidence_ratio=0.001, tested_ms=busy.end_ms),
            verdict(place, "never", "insufficient"),
        ]
        for place in quiet
    ]
    views = [window_view(place, verdicts) for place, verdicts in zip([busy, *quiet], [first, *night], strict=True)]
    current = snapshot(model_view(windows=views))
    assert states_of(current, "amount") == {"3": "watch"}
    assert values_of(current, "drift_evidence_ratio") == {"amount": 0.05, "age": 0.001, "never": 0.0}
    tested = values_of(current, "drift_last_tested_timestamp_seconds")
    assert tested == dict.fromkeys(("amount", "age"), busy.end_ms / 1000)
    assert "drift_effect" not in scraped(current)


def test_what_could_be_found_is_of_the_version_and_absent_where_nothing_could() -> None:
    views = [
        window_view(place, [verdict(place, name, "ok", 0.1) for name in ("amount", "age")])
        for place in (window(0), window(0, version="4"), window(0, segment="country=PL"))
    ]
    watches = {"3": watch_view(amount=Detectable(0.25, 3), age=None)}
    current = snapshot(model_view(versions=("3", "4"), windows=views, watches=watches))
    ((labels, effect),) = scraped(current)["drift_detectable_effect"]
    assert effect == 0.25
    assert labels == {"model": "fraud", "version": "3", "segment": "", "feature": "amount"}


def test_a_feature_that_was_never_judged_is_insufficient() -> None:
    few = model_view(windows=[window_view(window(0), [verdict(window(0), "amount", "insufficient")])])
    assert states_of(snapshot(few), "amount") == {"3": "insufficient"}


def test_a_retired_version_disappears_but_not_its_open_incidents() -> None:
    old, new = window(0, version="1"), window(0, version="2")
    views = [window_view(place, [verdict(place, "amount", "ok", 0.0, 0.1)]) for place in (old, new)]
    incident = next(i for i in drifting().models["fraud"].incidents if i.open)
    retired = model_view(versions=("2",), windows=views)
    assert {labels["version"] for labels, _ in scraped(snapshot(retired))["drift_state"]} == {"2"}
    lingering = replace(retired, incidents=(replace(incident, opened=old),))
    assert {labels["version"] for labels, value in scraped(snapshot(lingering))["incidents_open"] if value == 1} == {
        "1"
    }


def test_segments_are_series_of_their_own() -> None:
    whole, part = window(0), window(0, segment="country=PL")
    views = [window_view(place, [verdict(place, "amount", "ok", 0.1, 0.1)]) for place in (whole, part)]
    effects = scraped(snapshot(model_view(windows=views)))["drift_effect"]
    assert [labels["segment"] for labels, _ in effects] == ["", "country=PL"]


def test_a_segment_has_a_smallest_change_of_its_own() -> None:
    whole, part = window(0), window(0, segment="country=PL")
    views = [window_view(place, [verdict(place, "amount", "ok", 0.1, 0.1)]) for place in (whole, part)]
    told = watch_view(amount=Detectable(0.08, 1), segments={"country=PL": {"amount": Detectable(0.4, 2)}})
    found = scraped(snapshot(model_view(windows=views, watches={"3": told})))["drift_detectable_effect"]
    assert [(labels["segment"], value) for labels, value in found] == [("", 0.08), ("country=PL", 0.4)]


def test_where_series_must_be_left_out_whole_traffic_comes_before_segments_in_the_same_state() -> None:
    whole, part = window(0), window(0, segment="country=PL")
    views = [
        window_view(whole, [verdict(whole, "calm", "ok", 0.001, 0.1)]),
        window_view(part, [verdict(part, "noisy", "ok", 0.2, 0.1), verdict(part, "moved", "drifting", 0.1, 0.1)]),
    ]
    many = snapshot(model_view(windows=views))
    everything = len(list(Budget(1 << 20).of(many).series))
    kept = [each for each in Budget(everything - 1).of(many).series if each.metric == "drift_effect"]
    assert [each.labels[3] for each in kept] == ["moved", "calm"]


def test_a_reading_without_a_value_is_absent_not_zero() -> None:
    place = window(0)
    views = [window_view(place, [], [reading(place, "a", "psi", None), reading(place, "a", "missing", 0.0)])]
    exported = scraped(snapshot(model_view(windows=views)))
    assert "drift_score" not in exported
    assert exported["feature_missing_ratio"][0][1] == 0.0


def test_performance_is_of_the_newest_settled_window() -> None:
    views = [performance_view(window(0), 0.9), performance_view(window(1), 0.8)]
    views.append(performance_view(window(2), 0.1, settled=False))
    exported = scraped(snapshot(model_view(performance=views)))
    assert exported["performance"][0][1] == 0.8
    assert exported["performance_lower"][0][1] == pytest.approx(0.79)
    assert exported["performance_window_end_timestamp_seconds"][0][1] == window(1).end_ms / 1000


def test_a_settled_window_without_enough_labels_shows_its_coverage_but_no_figure() -> None:
    exported = scraped(snapshot(model_view(performance=[performance_view(window(0), None)])))
    assert "performance" not in exported
    assert exported["label_coverage_ratio"][0][1] == 0.71


@settings(deadline=None)
@given(name=st.text(st.characters(), max_size=20))
@example(name="\ud800")
@example(name=HOSTILE)
@example(name='\\"} 1\nmodel_monitor_series_dropped 5\r\x00\u2028')
def test_no_name_can_break_a_scrape(name: str) -> None:
    place = window(0, model=name, version=name, segment=name)
    view = window_view(place, [verdict(place, name, "ok", 0.5, 0.1)], [reading(place, name, "psi", 0.25)])
    service = ServiceView(events={(name, "accepted"): 1}, outbox_pending={name: 2}, lag={(name, 0): 3})
    current = snapshot(model_view(name, versions=(name,), windows=[view]), service=service)
    expected = name.encode("utf-8", "backslashreplace").decode("utf-8")
    exported = scraped(current)
    assert exported["drift_score"] == [
        (dict.fromkeys(("model", "version", "segment", "feature"), expected) | {"statistic": "psi"}, 0.25)
    ]
    assert exported["series_dropped"] == [({}, 0.0)]
    body, _ = Scrapes(lambda: current).scrape("application/openmetrics-text")
    assert openmetrics_families(body)


def many_features(number: int) -> Snapshot:
    """Feature i has effect i/number; those in the last tenth drift."""
    place = window(0)
    names = [f"feature_{i:05}" for i in range(number)]
    verdicts = [
        verdict(place, name, "drifting" if i >= 0.9 * number else "ok", i / number, 0.01)
        for i, name in enumerate(names)
    ]
    readings = [reading(place, name, "psi", 0.1) for name in names]
    return snapshot(model_view(features=tuple(names), windows=[window_view(place, verdicts, readings)]))


def test_a_scrape_of_ten_thousand_features_stays_within_the_budget() -> None:
    exported = scraped(many_features(10_000))
    assert sum(map(len, exported.values())) <= 10_000
    kept = {labels["feature"] for labels, _ in exported["drift_state"]}
    assert kept == {f"feature_{i:05}" for i in range(10_000 - len(kept), 10_000)}
    a_feature = 6 + 6
    assert exported["series_dropped"] == [({}, a_feature * (10_000 - len(kept)))]


def test_features_beyond_the_budget_are_still_counted_by_state() -> None:
    counted = {labels["state"]: value for labels, value in scraped(many_features(100), 150)["drift_features"]}
    assert counted == {"learning": 0, "insufficient": 0, "untestable": 0, "ok": 90, "watch": 0, "drifting": 10}


def test_a_drifting_feature_is_kept_before_one_with_a_larger_effect() -> None:
    place = window(0)
    view = window_view(place, [verdict(place, "loud", "ok", 0.9, 1.0), verdict(place, "moved", "drifting", 0.1, 0.0)])
    current = snapshot(model_view(windows=[view]))
    total = sum(map(len, scraped(current).values()))
    exported = scraped(current, total - 1)
    assert {labels["feature"] for labels, _ in exported["drift_state"]} == {"moved"}
    assert exported["series_dropped"] == [({}, 11)]


def test_nothing_less_drifted_takes_the_room_of_a_feature_that_did_not_fit() -> None:
    place = window(0)
    verdicts = [verdict(place, "first", "drifting", 0.2, 0.0), verdict(place, "last", "untestable")]
    readings = [reading(place, "first", f"statistic_{i}", 0.1) for i in range(20)]
    current = snapshot(model_view(windows=[window_view(place, verdicts, readings)]))
    total = sum(map(len, scraped(current).values()))
    exported = scraped(current, total - 10)
    assert "drift_state" not in exported
    assert exported["series_dropped"] == [({}, 31 + 8)]


def test_whole_traffic_of_every_model_comes_before_the_segments_of_any() -> None:
    models = [
        model_view(
            name, windows=[window_view(window(0, model=name, segment=segment)) for segment in ("country=PL", "")]
        )
        for name in ("a", "b")
    ]
    total = sum(map(len, scraped(snapshot(*models)).values()))
    rows = scraped(snapshot(*models), total - 16)["window_rows"]
    assert [(labels["model"], labels["segment"]) for labels, _ in rows] == [("a", ""), ("b", "")]


@pytest.mark.parametrize("budget", [0, 20, 40, 60, 200])
def test_what_is_kept_and_what_is_dropped_make_the_whole(budget: int) -> None:
    whole = sum(map(len, scraped(drifting()).values()))
    exported = scraped(drifting(), budget)
    kept = sum(map(len, exported.values()))
    assert kept + exported["series_dropped"][0][1] == whole
    assert kept <= budget or not any("model" in labels for samples in exported.values() for labels, _ in samples)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say() -> None:
    hostile = model_view(HOSTILE, windows=[window_view(window(0, model=HOSTILE))])
    models = {**drifting().models, HOSTILE: hostile}
    text, _ = Scrapes(lambda: replace(drifting(), models=models)).scrape()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_what_performance_is_held_against_is_there_for_versions_that_have_it() -> None:
    targets = {"3": Target(0.91, 0.88), "4": Target(0.92, None), "2": Target(0.9, 0.87)}
    exported = scraped(snapshot(model_view(versions=("3", "4", "5"), targets=targets)))
    at = {"model": "fraud", "segment": "", "metric": "roc_auc"}
    assert exported["performance_reference"] == [({**at, "version": "3"}, 0.91), ({**at, "version": "4"}, 0.92)]
    assert exported["performance_limit"] == [({**at, "version": "3"}, 0.88)]


def test_a_feature_shows_the_tolerance_in_force() -> None:
    place = window(0)
    view = window_view(place, [verdict(place, "amount", "ok"), verdict(place, "country", "ok")])
    part = window(0, segment="country=PL")
    model = model_view(windows=[view, window_view(part, [verdict(part, "amount", "ok")])])
    own = replace(model, alarms=AlarmSpec(tolerance=0.03, tolerances={"country": 0.1}))
    assert values_of(snapshot(own), "drift_tolerance") == {"amount": 0.03, "country": 0.1}
    assert {labels["segment"] for labels, _ in scraped(snapshot(own))["drift_tolerance"]} == {""}
