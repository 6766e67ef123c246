"""Charts of a model's page: what their figures hold, by plotly's own validation, and that no name breaks them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args

import plotly.graph_objects as go
import pytest

from monitor.detection.records import Cause, Incident, State
from monitor.errors import NotFoundError
from monitor.exports.distribution import Compared
from monitor.exports.pages.assets import asset
from monitor.exports.pages.charts import chart
from monitor.exports.pages.feature import page as feature_page
from monitor.exports.pages.incident import page as of_incident
from monitor.exports.pages.marks import MARKS, meant
from monitor.exports.pages.model import page
from monitor.exports.pages.parts import badge
from monitor.snapshot import ModelView, Target
from tests.exports.pages.reader import Read
from tests.exports.snapshots import (
    HOSTILE,
    TEN_MS,
    drifting,
    model_view,
    performance_view,
    reading,
    snapshot,
    verdict,
    window,
    window_view,
)


def figures(model: ModelView) -> dict[str, Any]:
    found = Read(page(snapshot(model), model)).figures
    for figure in found.values():
        if figure:
            go.Figure(uncoloured(figure))  # Raises where a key or value is none of plotly's.
    return found


def uncoloured(value: Any) -> Any:
    """Colours are names of the page's until its script has looked them up."""
    if isinstance(value, str):
        return "#123456" if re.fullmatch(r"var\(--[a-z]+\)", value) else value
    if isinstance(value, dict):
        return {key: uncoloured(each) for key, each in value.items()}
    return [uncoloured(each) for each in value] if isinstance(value, list) else value


def trace(figure: Any, name: str) -> Any:
    return next(each for each in figure["data"] if each.get("name", "").startswith(name))


def test_a_cell_of_the_heat_map_has_the_colour_of_its_change_in_tolerances() -> None:
    grid = figures(drifting().models["fraud"])["heat-figure"]["data"][0]
    # Effects over a tolerance of 0.03, the most changed feature on top: 0.31 is between 5 and 12.5 tolerances; 0.012
    # and 0.001 are below a half, as 0 is.
    assert grid["z"] == [[0.5, 0.5], [0.5, 4.5]]
    assert grid["meta"]["rows"] == [f"/models/fraud/features/{name}?version=3" for name in ("country", "amount")]
    assert grid["meta"]["windows"] == ["2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"]
    assert grid["text"] == ["country", "amount"]
    assert grid["customdata"] == [[0.0, 0.4], [0.033, 10.0]]
    said = [[grid["meta"]["said"][letter] for letter in row] for row in grid["meta"]["states"]]
    assert said == [["ok", "ok"], ["ok", "faulty data"]]
    assert grid["meta"]["spans"][0] == "2026-11-23 10:00 to 11:00 UTC"


def test_a_cell_of_a_segment_leads_to_its_feature_whatever_the_name() -> None:
    place = window(0)
    part = window(0, segment="country=PL in doubt")
    moved = window_view(part, [verdict(part, "time in hospital", "drifting", 0.5)])
    view = replace(window_view(place, [verdict(place, "amount", "ok", 0.0)]), segments=(moved,))
    grid = figures(model_view(windows=[view, moved]))["heat-figure"]["data"][0]
    address = "/models/fraud/features/time%20in%20hospital?version=3&segment=country%3DPL+in+doubt"
    assert grid["meta"]["rows"][-1] == address
    assert grid["text"][-1] == "time in hospital in country=PL in doubt"


def test_what_a_cell_says_is_marked_apart_from_its_colour() -> None:
    places = [window(hour) for hour in range(4)]
    states = ("ok", "watch", "drifting", "drifting")
    views = [
        window_view(place, [verdict(place, "x", state, 0.1, wrong=("missing",) if at == 3 else ())])
        for at, (place, state) in enumerate(zip(places, states, strict=True))
    ]
    figure = figures(model_view(windows=views))["heat-figure"]
    marks = {each["name"]: each["x"] for each in figure["data"][1:]}
    assert marks == {"watch": [1], "drifting": [2], "faulty data": [3]}


@pytest.mark.parametrize("state", get_args(State))
def test_a_state_has_one_mark_in_badges_charts_and_their_keys(state: State) -> None:
    symbols = {"▲": "triangle-up", "△": "triangle-up-open", "●": "circle", "–": "line-ew-open", "×": "x-thin-open"}
    place = window(0)
    model = model_view(windows=[window_view(place, [verdict(place, "amount", state, 0.1)])])
    marks = {badge(state), meant(MARKS[state], state)}
    (text,) = {Read(mark).text.split()[0] for mark in marks}
    drawn = Read(feature_page(snapshot(model), model, "amount", lambda *_: held_none()))
    effect = trace(drawn.figures["history-figure"], "effect")
    assert effect["marker"]["symbol"] == [symbols[text]]
    assert f"{text} {state}" in drawn.text.partition("Effect and evidence")[2].partition("As a table")[0]
    mapped = {each["name"]: each["marker"]["symbol"] for each in figures(model)["heat-figure"]["data"][1:]}
    assert mapped.get(state, symbols[text]) == symbols[text]


def held_none() -> Compared:
    raise NotFoundError("there is none")


def test_performance_is_drawn_with_interval_expectation_limits_and_coverage() -> None:
    model = replace(drifting().models["fraud"], targets={"3": Target(0.91, 0.88)})
    figure = figures(model)["performance-figure"]
    assert trace(figure, "roc_auc by labels")["y"] == [0.84]
    assert trace(figure, "roc_auc by labels")["x"] == ["2026-11-23T11:00:00"]
    assert trace(figure, "95 % interval")["y"] == [0.85]
    assert trace(figure, "expected")["y"] == [0.875]
    assert [trace(figure, name)["y"] for name in ("reference", "limit")] == [[0.91, 0.91], [0.88, 0.88]]
    assert trace(figure, "share labelled")["y"] == [0.71]
    assert [line["x0"] for line in figure["layout"]["shapes"]] == ["2026-11-23T11:00:00"]
    assert model.incidents[1].opened.start_ms == TEN_MS + 3_600_000


def test_a_version_without_windows_or_labels_has_no_empty_chart() -> None:
    assert figures(model_view()).keys() - {""} == set()


@pytest.mark.parametrize("name", [HOSTILE, "<b>x</b>", "\ud800", "a\u2028b", "</script>"])
def test_no_name_breaks_a_figure(name: str) -> None:
    place = window(0, version=name)
    view = window_view(place, [verdict(place, name, "drifting", 0.5, 0.1)])
    grid = figures(model_view(versions=(name,), windows=[view]))["heat-figure"]["data"][0]
    assert not re.search("<[a-z/]", "".join(grid["text"]))


@pytest.mark.parametrize("cause", ["drift", "data"])
def test_no_name_is_markup_to_the_chart_of_an_incident(cause: Cause) -> None:
    name = '<a href="https://evil.example">&amp;</a>'
    place = window(0)
    found = verdict(place, name, "drifting", 0.5, 0.1, wrong=("missing",) if cause == "data" else ())
    view = window_view(place, [found], [reading(place, name, "missing", 0.5)])
    incident = Incident("inc_1", cause, "major", place, place, (name,))
    model = model_view(windows=[view], incidents=[incident])
    course = Read(of_incident(snapshot(model).service, model, incident)).figures["course-figure"]
    shown = '&lt;a href="https://evil.example"&gt;&amp;amp;&lt;/a&gt;'
    for text in (course["data"][0]["name"], course["layout"]["yaxis"]["title"]["text"]):
        assert shown in text
        assert "<" not in text


def test_the_element_that_holds_a_figure_cannot_be_ended_from_within() -> None:
    drawn = chart("x", "t", "s", [{"type": "bar", "name": "</script><script>alert(1)"}], {}, height=10, table=None)
    assert drawn.count("</script") == 1
    assert "\\u0026lt;/script\\u0026gt;" in drawn


def test_what_pages_load_is_what_plotly_ships_and_has_its_digest_in_its_address() -> None:
    assert asset("plotly.min.js").body.startswith(b"/**\n* plotly.js v")
    with pytest.raises(KeyError):
        asset("../secrets")


def test_evidence_in_the_table_of_performance_is_said_as_that_of_features() -> None:
    model = drifting().models["fraud"]
    views = tuple(replace(view, evidence_ratio=1_000.0) for view in model.performance)
    text = Read(page(snapshot(model), replace(model, performance=views))).text
    assert "577 71% over 1,000%" in text
    assert "000%" not in text.replace("over 1,000%", "")


@pytest.mark.parametrize(
    ("hours", "notes"),
    [
        ((0, 1), ["performance fell,<br>drift began<br>about here"]),
        ((1, 1), ["performance fell,<br>drift began<br>about here"]),
        ((1, 20), ["performance fell<br>about here", "drift began<br>about here"]),
    ],
)
def test_what_began_at_close_times_is_one_note(hours: tuple[int, int], notes: list[str]) -> None:
    causes: tuple[Cause, ...] = ("performance", "drift")
    incidents = [
        Incident(f"inc_{cause}", cause, "major", window(hour), window(hour), ("amount",))
        for cause, hour in zip(causes, hours, strict=True)
    ]
    views = [performance_view(window(hour), 0.84) for hour in range(24)]
    layout = figures(model_view(performance=views, incidents=incidents))["performance-figure"]["layout"]
    assert [each["text"] for each in layout["annotations"]] == notes
    assert len(layout["shapes"]) == len({*hours})
    heights = [each["yshift"] for each in layout["annotations"]]
    assert heights == [0, 30][: len(notes)], "where their sides meet, they stand one above the other"


def test_a_cell_that_was_not_judged_is_in_the_legend() -> None:
    model = drifting().models["fraud"]
    assert "12.5 and more not judged ▲ drifting" in Read(page(snapshot(model), model)).text
