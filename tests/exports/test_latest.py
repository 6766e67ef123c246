"""What is true now of each version and segment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.records import State
from monitor.exports.latest import Finder, alive, overall, slices
from tests.exports.snapshots import drifting, model_view, performance_view, reading, verdict, window, window_view


def test_the_newest_version_comes_first_and_whole_traffic_before_its_segments() -> None:
    places = [
        window(0, version=version, segment=segment)
        for version in ("9", "10")
        for segment in ("country=PL", "country=DE", "")
    ]
    model = model_view(versions=("9", "10"), windows=[window_view(place) for place in places])
    assert [(part.version, part.segment) for part in slices(model)] == [
        ("10", ""),
        ("10", "country=DE"),
        ("10", "country=PL"),
        ("9", ""),
        ("9", "country=DE"),
        ("9", "country=PL"),
    ]


def test_the_window_of_a_slice_is_its_last_closed_one() -> None:
    model = model_view(windows=[window_view(window(0)), window_view(window(1)), window_view(window(2, version="4"))])
    (part,) = slices(model)
    assert part.window is not None
    assert part.window.window == window(1)


def test_labels_may_settle_a_version_whose_windows_are_no_longer_held() -> None:
    (part,) = slices(model_view(performance=[performance_view(window(0), 0.9)]))
    assert part.window is None
    assert part.standing == ()
    assert part.performance is not None


def test_a_version_with_an_open_incident_outlives_its_retirement_as_the_oldest() -> None:
    incident = next(incident for incident in drifting().models["fraud"].incidents if incident.open)
    lingering = replace(incident, opened=window(0, version="2"))
    assert alive(model_view(versions=("3", "4"), incidents=[incident, lingering])) == ("2", "3", "4")
    closed = replace(lingering, open=False)
    assert alive(model_view(versions=("3", "4"), incidents=[incident, closed])) == ("3", "4")


@pytest.mark.parametrize(
    ("states", "gravest"),
    [
        (("ok", "drifting", "watch"), "drifting"),
        (("ok", "watch"), "watch"),
        (("learning", "ok", "insufficient", "untestable"), "ok"),
        (("insufficient", "learning"), "learning"),
        (("insufficient",), "insufficient"),
        ((), "learning"),
    ],
)
def test_the_gravest_state_stands_for_all(states: tuple[State, ...], gravest: State) -> None:
    assert overall(verdict(window(), "amount", state) for state in states) == gravest


@given(
    st.lists(st.permutations("abcd").flatmap(lambda order: st.sampled_from([order[:n] for n in range(5)])), max_size=6)
)
def test_what_is_found_of_a_feature_is_all_there_is_wherever_windows_hold_it(orders: list[list[str]]) -> None:
    finder = Finder("b")
    for hour, names in enumerate(orders):
        place = window(hour)
        readings = [reading(place, name, statistic, 0.1) for name in names for statistic in ("psi", "missing")]
        view = window_view(place, [verdict(place, name, "ok") for name in names], readings)
        assert finder.verdict(view) == next((each for each in view.verdicts if each.feature == "b"), None)
        assert finder.readings(view) == tuple(each for each in view.readings if each.feature == "b")
