"""The index page: what it shows, and that no name can break it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.detection.life import Life
from monitor.detection.records import State
from monitor.detection.sensitivity import Detectable
from monitor.exports.pages.choices import CHOICES_MAX
from monitor.exports.pages.model import FEATURES_MAX, page
from monitor.snapshot import Snapshot, WindowView
from tests.exports.pages.reader import Read
from tests.exports.snapshots import (
    HOSTILE,
    drifting,
    model_view,
    performance_view,
    skewed,
    snapshot,
    verdict,
    watch_view,
    window,
    window_view,
)


def read(current: Snapshot, name: str | None = None, **query: Any) -> Read:
    """The page of a model, of the only one where none is named."""
    model = current.models[name] if name else next(iter(current.models.values()))
    found = Read(page(current, model, **query))
    assert found.open == []
    return found


def test_the_page_shows_what_drifts_performs_and_was_decided() -> None:
    text = read(drifting()).text
    for shown in (
        "1,624 predictions · answers in 9 ms, 95 of 100 within 451 ms · last event",
        "Last window: 812 rows, 0.226 a second, 2026-11-23 11:00 to 12:00 UTC",
        "amount ▲ drifting out of range: 25.0% 100 to 250: 5% → 14% 0.310 chance 0.019 420% 0.085",
        "country ● ok 0.012 chance 0.020 0.2% –",
        "roc_auc 0.840 0.830 to 0.850",
        "expected of the last window 0.875 0.855 to 0.895",
        "roc_auc 0.840 0.830 to 0.850 0.900, gap -0.060 0.875 0.855 to 0.895",
        "577 labels, 71% labelled, 2026-11-23 10:00 to 11:00 UTC",
        "Open incidents major drift : amount · version 3, since 2026-11-23 12:00 UTC",
        "amount drifted , 2026-11-23 12:00 UTC , sent: 2 tries to airflow, HTTP 503.",
        "amount drifted , 2026-11-23 11:00 UTC , withheld: too few labels",
    ):
        assert shown in text


def test_the_page_leads_to_what_it_names() -> None:
    links = read(drifting()).links
    assert {"/", "/incidents/inc_1", "/triggers/trg_1", "/models/fraud/features/amount?version=3"} <= {*links}
    assert "/models/fraud/report?version=3&window=2026-11-23T12%3A00%3A00Z" in links


def test_the_table_of_the_heat_map_leads_to_the_window_that_it_names() -> None:
    # Of the second hour, in which alone it was not as usual; the heat map's cells lead there by mouse alone.
    table = page(drifting(), drifting().models["fraud"]).partition("Last of them")[2].partition("</table>")[0]
    assert 'href="/models/fraud/features/amount?version=3&amp;window=2026-11-23T12%3A00%3A00Z"' in table


def test_a_model_that_has_seen_nothing_says_so() -> None:
    text = read(drifting(), "churn").text
    assert "No window has closed yet." in text
    assert "Features" not in text


def test_only_the_most_drifted_features_are_shown_and_the_rest_counted() -> None:
    place = window(0)
    verdicts = [verdict(place, f"feature_{i:02}", "drifting", i / 100, 0.01) for i in range(FEATURES_MAX + 5)]
    page = read(snapshot(model_view(windows=[window_view(place, verdicts)])))
    listed = page.text.partition(" Feature State ")[2]
    assert f"feature_{FEATURES_MAX + 4:02}" in listed
    assert "feature_04" not in listed
    assert "and 5 more" in listed


def test_a_page_of_ten_thousand_features_is_as_long_as_one_of_a_hundred() -> None:
    def wide(features: int) -> str:
        place = window(0)
        names = [f"feature_{number:05}" for number in range(features)]
        view = window_view(place, [verdict(place, name, "drifting", 0.5, 0.01) for name in names])
        model = model_view(windows=[view] + [replace(view, window=window(hour)) for hour in range(1, 40)])
        return page(snapshot(model), model)

    assert len(wide(10_000)) == pytest.approx(len(wide(100)), abs=1_000)


def test_the_model_then_is_shown_as_the_window_left_it() -> None:
    end_ms = window(0).end_ms
    found = read(drifting(), end_ms=end_ms)
    assert "As it stood when the window closed that ended at 2026-11-23 11:00 UTC" in found.text
    assert "amount ● ok 0.001 chance 0.019" in found.text
    assert "0.310" not in found.text.partition(" Feature State ")[2]
    assert "/models/fraud/features/amount?version=3&window=2026-11-23T11%3A00%3A00Z" in found.links
    assert "/models/fraud" in found.links
    (frame,) = found.figures["heat-figure"]["layout"]["shapes"]
    assert (frame["x0"], frame["x1"]) == (-0.5, 0.5)
    marks = [(each["x0"], each["line"]["dash"]) for each in found.figures["performance-figure"]["layout"]["shapes"]]
    assert ("2026-11-23T11:00:00", "solid") in marks
    assert "amount ▲ drifting" in read(drifting(), end_ms=window(1).end_ms).text


def test_the_model_of_a_window_that_is_gone_is_said_to_be_of_now() -> None:
    text = read(drifting(), end_ms=window(-5).end_ms).text
    assert "No window up to 2026-11-23 06:00 UTC is held any more: this is how it stands now." in text
    assert "amount ▲ drifting" in text


def test_a_version_that_is_gone_is_shown_as_of_its_windows() -> None:
    def views(version: str, *hours: int) -> list[WindowView]:
        places = [window(hour, version=version) for hour in hours]
        return [window_view(place, [verdict(place, "amount", "drifting", 0.5)]) for place in places]

    current = snapshot(model_view(versions=("4",), windows=[*views("3", 0, 1), *views("4", 2)]))
    then = read(current, version="3", end_ms=window(0).end_ms).text
    assert "Version 3 ▲ drifting" in then
    assert "any more" not in then
    text = read(current, version="3").text
    assert "There are no events of version 3 any more: this is how it last was." in text
    assert "version 4 ▲ drifting version 3 ▲ drifting" in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"version": "9"}, "Nothing is held of version 9: this is version 3."),
        ({"version": "3", "segment": "a=b"}, "Nothing is held of version 3, a=b: this is version 3."),
        ({"segment": "a=b"}, "Nothing is held of version 3, a=b: this is version 3."),
        ({"version": "3"}, ""),
        ({}, ""),
    ],
)
def test_what_is_not_there_is_said(query: dict[str, str], said: str) -> None:
    text = read(drifting(), **query).text
    assert ("Nothing is held" in text) == bool(said)
    assert said in text


def test_all_segments_can_be_reached_and_the_one_shown_is_among_them() -> None:
    names = [f"n={number:02}" for number in range(3 * CHOICES_MAX)]
    views = [window_view(window(0, segment=name), [verdict(window(0), "amount", "ok", 0.1)]) for name in ("", *names)]
    found = read(snapshot(model_view(windows=views)), version="3", segment=names[-1])
    addresses = [link for link in found.links if "segment=" in link and "/features/" not in link]
    assert len(addresses) == CHOICES_MAX  # The whole is one of the choices, and the one shown is beyond them.
    assert f"/models/fraud?version=3&segment=n%3D{len(names) - 1}" in addresses
    options = [value for name, value in found.attributes if name == "value" and (value or "").startswith("n=")]
    assert {*names} <= {*options}
    assert f"One of {len(names) + 1} segments" in found.text


def test_the_way_from_a_segment_to_all_traffic_is_not_the_segment() -> None:
    place = window(0, segment="a=b")
    view = window_view(place, [verdict(place, "amount", "ok", 0.1)])
    links = read(snapshot(model_view(windows=[view])), version="3", segment="a=b").links
    assert "/models/fraud?version=3" in links


def test_features_are_found_by_part_of_their_names() -> None:
    place = window(0)
    names = ("amount", "amount_eur", "age")
    current = snapshot(model_view(windows=[window_view(place, [verdict(place, name, "ok", 0.0) for name in names])]))
    text = read(current, search="MOUNT").text.partition(" Feature State ")[2]
    assert re.findall(r"(\w+) ● ok", text) == ["amount", "amount_eur"]
    assert "No feature has such a name." in read(current, search="nothing").text


def test_segments_are_shown_where_something_moved() -> None:
    states: dict[str, State] = {"": "ok", "country=PL": "drifting", "country=DE": "ok"}
    places = {window(0, segment=segment): state for segment, state in states.items()}
    views = [window_view(place, [verdict(place, "amount", state, 0.1, 0.1)]) for place, state in places.items()]
    page = read(snapshot(model_view(windows=views)))
    assert "all traffic country=PL ▲ drifting country=DE Version 3" in page.text
    assert "/models/fraud?version=3&segment=country%3DPL" in page.links
    assert (
        "Version 3, country=PL ▲ drifting"
        in read(snapshot(model_view(windows=views)), segment="country=PL", version="3").text
    )


def test_what_could_not_be_judged_is_not_said_to_be_fine() -> None:
    def said(state: State) -> str:
        return read(snapshot(model_view(windows=[window_view(window(0), [verdict(window(0), "amount", state)])]))).text

    assert "No feature drifts." in said("ok")
    assert "No feature could be judged yet: what is usual is still being learned." in said("learning")
    assert "No feature could be judged yet: even 30 windows together hold too few rows." in said("untestable")


@pytest.mark.parametrize(
    ("ratio", "shown", "length"),
    [
        (0.0, "0%", "0.0%"),
        (1e-6, "under 0.01%", "0.0%"),
        (1e-5, "under 0.01%", "14.3%"),
        (0.0004, "0.04%", "37.2%"),
        (0.002, "0.2%", "47.2%"),
        (0.5, "50%", "81.4%"),
        (1.0, "100%", "85.7%"),
        (10.0, "over 1,000%", "100.0%"),
        (1e9, "over 1,000%", "100.0%"),
    ],
)
def test_evidence_is_a_share_of_the_limit_and_a_bar_of_powers_of_ten(ratio: float, shown: str, length: str) -> None:
    place = window(0)
    page = read(snapshot(model_view(windows=[window_view(place, [verdict(place, "amount", "ok", 0.1, 0.0, ratio)])])))
    styles = [
        value for name, value in page.attributes if name == "style" and (value or "").startswith(("width", "left"))
    ]
    assert f"0.100 chance 0.000 {shown} –" in page.text
    assert styles == ["width:40.0%", "left:0.0%", f"width:{length}", "left:85.7%"]


def test_outputs_stand_apart_from_the_features() -> None:
    place = window(0)
    names = ("@score", "amount", "@prediction", "score")
    verdicts = [verdict(place, name, "ok", effect / 100, 0.0) for effect, name in enumerate(names)]
    incident = replace(drifting().models["fraud"].incidents[1], features=("@score", "amount"))
    page = read(snapshot(model_view(windows=[window_view(place, verdicts)], incidents=[incident])))
    features, outputs = page.text.split(" Feature State ")[1].split(" Output State ")
    assert re.findall(r"(\w+) ● ok (\S+) chance", features) == [("score", "0.030"), ("amount", "0.010")]
    assert re.findall(r"(\w+) ● ok (\S+) chance", outputs) == [("prediction", "0.020"), ("score", "0.000")]
    assert "major drift : score, amount" in page.text


def test_a_drift_in_a_window_too_small_to_test_says_when_it_was_last_tested() -> None:
    place = window(1)
    view = window_view(place, [verdict(place, "amount", "drifting", None, None, 2.0, tested_ms=window(0).end_ms)])
    text = read(snapshot(model_view(windows=[view]))).text
    assert "amount ▲ drifting – last tested 2026-11-23 11:00 UTC 200% –" in text


def test_a_version_without_a_reference_of_its_own_that_learns_nothing_says_so() -> None:
    view = window_view(window(0), [verdict(window(0), "amount", "learning", 0.1, 0.0)])
    watches = {"3": watch_view(registered=False)}
    text = read(snapshot(model_view(windows=[view], watches=watches))).text
    assert "No feature is judged: the version has no reference of its own." in text
    watches = {"3": watch_view(window(5).end_ms, registered=False)}
    text = read(snapshot(model_view(windows=[view], watches=watches))).text
    assert "Version 3 is learning what is usual" in text
    assert "No feature" not in text


def test_the_page_says_how_production_differs_from_training_and_since_when() -> None:
    view = window_view(window(0), [verdict(window(0), "amount", "ok", 0.0, 0.01)])
    text = read(snapshot(model_view(windows=[view], watches={"3": watch_view(skew=skewed())}))).text
    assert (
        "Training and production differ: amount (effect 0.31; 20 to 45 went from 5% of rows to 12%) "
        ", measured 2026-11-09 10:00 UTC to 2026-11-23 10:00 UTC"
    ) in text
    alike = watch_view(skew=replace(skewed(), features=()))
    assert "differ" not in read(snapshot(model_view(windows=[view], watches={"3": alike}))).text


def test_a_change_that_takes_several_windows_to_find_says_how_many() -> None:
    place = window(0)
    view = window_view(place, [verdict(place, "amount", "ok", 0.1, 0.0)])
    watches = {"3": watch_view(amount=Detectable(0.25, 8))}
    assert "0.250 in 8 windows" in read(snapshot(model_view(windows=[view], watches=watches))).text


def test_a_span_of_several_days_shows_both_dates() -> None:
    long = performance_view(window(0), 0.9)
    long = replace(long, span_start_ms=long.window.end_ms - 3 * 86_400_000)
    text = read(snapshot(model_view(performance=[long]))).text
    assert "2026-11-20 11:00 UTC to 2026-11-23 11:00 UTC" in text


@settings(deadline=None)
@given(name=st.text(st.characters(), max_size=20))
@example(name=HOSTILE)
@example(name="\ud800")
@example(name='" onmouseover="alert(1)')
@example(name="{{7*7}}")
def test_no_name_can_break_the_page(name: str) -> None:
    def named(name: str) -> Read:
        place = window(0, model=name, version=name, segment=name)
        view = window_view(place, [verdict(place, name, "drifting", 0.5, 0.1)])
        incident = replace(drifting().models["fraud"].incidents[1], opened=place, features=(name,))
        trigger = replace(drifting().models["fraud"].triggers[0].trigger, summary=name, withheld=name or "x")
        model = model_view(
            name, versions=(name,), windows=[view], incidents=[incident], triggers=[Life.begun(trigger, 0)]
        )
        return read(snapshot(model, service=replace(drifting().service, not_ready=name)))

    plain = named("plain")
    hostile = named(name or "x")
    assert hostile.elements == plain.elements
    assert Counter(key for key, _ in hostile.attributes) == Counter(key for key, _ in plain.attributes)


def test_a_window_that_the_calendar_says_to_ignore_is_said_so() -> None:
    first, second = window(0), window(1)
    ignored = replace(window_view(second, [verdict(second, "amount", "insufficient", None)]), ignored="sale")
    judged = window_view(first, [verdict(first, "amount", "ok", 0.01)])
    text = read(snapshot(model_view("fraud", windows=[judged, ignored]))).text
    assert "No feature drifts." in text
    assert "The last window was not judged, as the calendar says (sale): this is of earlier ones." in text
    assert "too few rows" not in text


def test_a_window_too_small_to_judge_is_said_so() -> None:
    first, second = window(0), window(1)
    small = window_view(second, [verdict(second, "amount", "insufficient", None)])
    judged = window_view(first, [verdict(first, "amount", "ok", 0.01)])
    text = read(snapshot(model_view("fraud", windows=[judged, small]))).text
    assert "No feature drifts." in text
    assert "The last window held too few rows to judge any feature: this is of earlier ones." in text
    text = read(snapshot(model_view("fraud", windows=[small]))).text
    assert "No feature drifts." not in text
    assert "No feature could be judged yet: every window held too few rows." in text
    assert "earlier ones" not in text


def test_a_trigger_is_shown_with_what_became_of_it() -> None:
    begun = drifting().models["fraud"].triggers[1]
    running = begun.after("running", 0, "epoch 2 of 9")
    for life, said in (
        (begun.after("delivered", 0, "HTTP 202."), "accepted: HTTP 202."),
        (running, "running: epoch 2 of 9"),
        (running.after("succeeded", 0, "", "", "4"), "succeeded: version 4"),
        (running.after("succeeded", 0), "succeeded"),
        (running.after("failed", 0, "no memory"), "failed: no memory"),
        (running.after("expired", 0, "nothing was heard of it"), "expired: nothing was heard of it"),
    ):
        text = read(snapshot(model_view(triggers=[life]))).text
        assert f"amount drifted , 2026-11-23 12:00 UTC , {said}" in text
