"""Which series a budget shows: the gravest, without flapping, and never more; hostile amounts and names."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitor.config import load
from monitor.detection.records import State
from monitor.detection.sensitivity import Detectable
from monitor.errors import ConfigError
from monitor.exports.budget import Budget, Shown
from monitor.exports.latest import STATES
from monitor.exports.prometheus import Scrapes
from monitor.runtime import service
from monitor.snapshot import Snapshot, WindowView
from tests.exports.snapshots import (
    drifting,
    model_view,
    reading,
    snapshot,
    verdict,
    watch_view,
    window,
    window_view,
)
from tests.simulation.service import write_config

Stood = Mapping[str, tuple[State, float]]
"""State and effect, by feature."""


def closed(hour: int, stood: Stood, segment: str = "", *, quiet: bool = False) -> WindowView:
    """quiet: with too few rows for any figure."""
    place = window(hour, segment=segment)
    if quiet:
        return window_view(place, [verdict(place, name, state) for name, (state, _) in stood.items()])
    readings = [reading(place, name, statistic, 0.1) for name in stood for statistic in ("psi", "missing")]
    return window_view(place, [verdict(place, name, *each, 0.01) for name, each in stood.items()], readings)


def of(*views: WindowView) -> Snapshot:
    return snapshot(model_view(windows=views))


def features(shown: Shown) -> set[tuple[str, str]]:
    """Segment and name of the features whose state is shown."""
    return {(each.labels[2], each.labels[3]) for each in shown.series if each.metric == "drift_state"}


def room_for(number: int, snapshot: Snapshot) -> int:
    """The budget in which so many features of it fit."""
    shown = Budget(1 << 30).of(snapshot)
    each = Counter((*each.labels[:4],) for each in shown.series if each.metric.startswith(("drift_", "feature_")))
    sizes = {size for labels, size in each.items() if labels[3] not in STATES}
    return len(list(shown.series)) - (len(features(shown)) - number) * max(sizes)


def values(shown: Shown, metric: str) -> dict[tuple[str, ...], float]:
    return {each.labels: each.value for each in shown.series if each.metric == metric}


def test_a_drifting_feature_that_is_shown_is_not_driven_out_by_one_that_drifts_more() -> None:
    before: Stood = {"held": ("drifting", 0.1), "calm": ("ok", 0.0)}
    after: Stood = {"held": ("drifting", 0.1), "calm": ("drifting", 0.9)}
    budget = Budget(room_for(1, of(closed(0, before))))
    assert features(budget.of(of(closed(0, before)))) == {("", "held")}
    shown = budget.of(of(closed(0, before), closed(1, after)))
    assert features(shown) == {("", "held")}
    assert values(shown, "series_dropped_features")["fraud", "drifting"] == 1
    over: Stood = {"held": ("ok", 0.1), "calm": ("drifting", 0.9)}
    assert features(budget.of(of(closed(1, after), closed(2, over)))) == {("", "calm")}


def test_a_segment_that_drifts_and_is_shown_is_not_driven_out_by_whole_traffic() -> None:
    part = {"amount": ("drifting", 0.3)}
    whole = [closed(0, {"age": ("ok", 0.0)}), closed(1, {"age": ("drifting", 0.9)})]
    segment = closed(0, part, "country=PL")
    budget = Budget(room_for(1, of(whole[0], segment)))
    assert features(budget.of(of(whole[0], segment))) == {("country=PL", "amount")}
    assert features(budget.of(of(*whole, segment))) == {("country=PL", "amount")}


def test_calm_features_do_not_come_and_go_with_their_effects() -> None:
    names = [f"f{number}" for number in range(20)]
    noise = random.Random(1)
    history = [closed(hour, {name: ("ok", noise.random()) for name in names}) for hour in range(10)]
    budget = Budget(room_for(7, of(history[0])))
    (first, *others) = (features(budget.of(of(*history[: hour + 1]))) for hour in range(10))
    assert len(first) == 7
    assert all(each == first for each in others)


def test_a_feature_that_begins_to_watch_takes_the_place_of_one_and_leaves_it_to_no_other() -> None:
    calm: dict[str, tuple[State, float]] = {f"f{number}": ("ok", 0.1 - number / 100) for number in range(6)}
    budget = Budget(room_for(3, of(closed(0, calm))))
    assert features(budget.of(of(closed(0, calm)))) == {("", "f0"), ("", "f1"), ("", "f2")}
    watched = {("", "f0"), ("", "f1"), ("", "f5")}
    assert features(budget.of(of(closed(1, calm | {"f5": ("watch", 0.0)})))) == watched
    assert features(budget.of(of(closed(2, calm)))) == watched


def test_a_quiet_window_lends_no_room_that_a_busy_one_would_take_back() -> None:
    stood: Stood = {f"f{number}": ("drifting", 1.0 - number / 10) for number in range(10)}
    busy, quiet = closed(0, stood), closed(1, stood, quiet=True)
    budget = Budget(room_for(4, of(busy)))
    first = features(budget.of(of(busy)))
    assert len(first) == 4
    assert features(budget.of(of(busy, quiet))) == first
    assert features(budget.of(of(busy, quiet, closed(2, stood)))) == first


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(STATES), st.floats(0, 2)), min_size=12, max_size=12), min_size=2, max_size=6
    ),
    st.integers(30, 250),
)
def test_whatever_comes_the_sum_is_right_and_what_drifts_stays(
    windows: list[list[tuple[State, float]]], limit: int
) -> None:
    budget = Budget(limit)
    before: set[tuple[str, str]] = set()
    for hour, stood in enumerate(windows):
        halves = (stood[:6], "country=PL"), (stood[6:], "")
        current = of(*(closed(hour, {f"f{n}": each for n, each in enumerate(half)}, at) for half, at in halves))
        shown, whole = budget.of(current), Budget(1 << 30).of(current)
        (dropped,) = values(shown, "series_dropped").values()
        assert len(list(shown.series)) <= limit
        left_out = values(shown, "series_dropped_features")
        if left_out:
            assert len(list(shown.series)) + dropped == len(list(whole.series))
            assert sum(left_out.values()) == len(features(whole)) - len(features(shown))
        drift = {
            labels[2:4] for labels, value in values(whole, "drift_state").items() if labels[4] == "drifting" and value
        }
        assert before <= features(shown) | {each for each in before if each not in drift}
        before = features(shown) & drift


def test_open_incidents_come_before_everything_else_of_models() -> None:
    fraud = drifting().models["fraud"]
    many = [replace(model_view(f"a{number:02}"), versions=("1", "2", "3")) for number in range(30)]
    shown = Budget(100).of(snapshot(*many, fraud))
    assert max(values(shown, "incidents_open").values()) == 1
    assert {labels[0] for labels in values(shown, "incidents_open")} == {"fraud"}


def crowd(models: int, versions: int, segments: int) -> Snapshot:
    """Of each model so many versions with so many segments, of one feature that drifts in the last of each."""
    views = []
    for number in range(models):
        name, numbers = f"m{number:02}", [str(version) for version in range(versions)]
        places = [
            window(0, model=name, version=version, segment=segment)
            for version in numbers
            for segment in ("", *(f"country={part:02}" for part in range(segments)))
        ]
        states: Iterable[State] = (
            "drifting" if place.segment == f"country={segments - 1}" else "ok" for place in places
        )
        windows = [
            window_view(place, [verdict(place, "amount", state, 0.1, 0.01)])
            for place, state in zip(places, states, strict=True)
        ]
        views.append(model_view(name, versions=tuple(numbers), windows=windows))
    return snapshot(*views)


def test_thirty_models_of_twenty_versions_and_fifty_segments_stay_within_the_budget() -> None:
    shown = Budget(10_000).of(crowd(30, 20, 50))
    kept = list(shown.series)
    (dropped,) = values(shown, "series_dropped").values()
    a_model = 2 + 1 + 5 + 6 + 1 + 6  # times, predictions, labels, delays, requests in flight, what was left out
    a_version, a_slice, a_feature, a_tolerance = 9 + 6, 2 + 6, 6 + 1 + 1 + 2, 1
    assert len(kept) <= 10_000
    assert (
        len(kept) + dropped == 6 + 30 * a_model + 600 * a_version + 600 * 51 * (a_slice + a_feature) + 600 * a_tolerance
    )
    assert len(values(shown, "predictions_total")) == 30


def test_where_there_is_room_for_little_what_drifts_is_shown_before_calm_segments() -> None:
    shown = Budget(1_000).of(crowd(2, 3, 50))
    state = {labels[1:4]: labels[4] for labels, value in values(shown, "drift_state").items() if value}
    assert {labels for labels, each in state.items() if each == "drifting"} == {
        (v, "country=49", "amount") for v in "012"
    }
    assert {labels for labels, each in state.items() if each == "ok"} == {(v, "", "amount") for v in "012"}
    assert len(values(shown, "window_rows")) > 6 + 6
    assert sum(values(shown, "series_dropped_features").values()) == 6 * 51 - 2 * 6


def test_a_name_of_a_megabyte_costs_a_few_hundred_bytes_a_series_and_stays_its_own() -> None:
    names = ["x" * (1 << 20), "x" * ((1 << 20) - 1) + "y"]
    place = window(0, version=names[0], segment=f"country={names[1]}")
    view = window_view(place, [verdict(place, name, "ok", 0.1, 0.01) for name in names])
    current = snapshot(model_view(names[0], features=tuple(names), versions=(names[0],), windows=[view]))
    text, _ = Scrapes(lambda: current).scrape()
    samples = [each for family in text_string_to_metric_families(text.decode()) for each in family.samples]
    assert len(text) < 1_200 * len(samples)
    assert len({each.labels["feature"] for each in samples if "feature" in each.labels}) == 2
    assert max(len(value) for each in samples for value in each.labels.values()) == 256


def test_what_is_written_once_is_never_old() -> None:
    first, second = closed(0, {"a": ("ok", 0.1)}), closed(1, {"a": ("drifting", 0.9)})
    retired = snapshot(model_view(versions=("4",), windows=[first, second]))
    watched = snapshot(model_view(windows=[first, second], watches={"3": watch_view(a=Detectable(0.2, 1))}))
    one = model_view(windows=[first, second])
    latest = of(first)
    scrapes = Scrapes(lambda: latest)
    for latest in (of(first), of(first, second), watched, retired, snapshot(replace(one, predictions=5)), of(second)):
        for accept in ("", "application/openmetrics-text"):
            assert scrapes.scrape(accept) == Scrapes(lambda: latest).scrape(accept)  # noqa: B023


def test_a_scrape_between_two_windows_writes_no_more_than_the_service_and_its_models() -> None:
    views = tuple(closed(hour, {"a": ("ok", 0.1)}) for hour in range(3))
    budget = Budget(1_000)
    first = budget.of(of(*views))
    second = budget.of(snapshot(replace(model_view(windows=views), predictions=9)))
    assert second.standing is first.standing
    assert second.live != first.live


def test_the_service_has_the_budget_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[int] = []

    def made(*parts: object, series_budget: int, **options: object) -> None:
        budgets.append(series_budget)
        raise ConfigError("enough seen")

    monkeypatch.setattr(service, "create_app", made)
    file = write_config(tmp_path)
    file.write_text(file.read_text().replace("port: 0", "port: 0\n  series_budget: 123"))
    with pytest.raises(ConfigError, match="enough"):
        service.Service(load(file))
    assert budgets == [123]
