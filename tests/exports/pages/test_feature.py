"""A feature's page: what it shows of a window and its history, where it leads, and that no name can break it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import plotly.graph_objects as go
import pytest

from monitor.detection.records import Incident
from monitor.errors import NotFoundError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.distribution import Compared
from monitor.exports.pages.feature import Distributed, page
from monitor.profiles.distribution import Cell, Distribution
from monitor.snapshot import ModelView, Snapshot
from tests.exports.client import Client
from tests.exports.pages.reader import Read
from tests.exports.pages.test_charts import trace, uncoloured
from tests.exports.snapshots import (
    HOSTILE,
    drifting,
    model_view,
    reading,
    snapshot,
    verdict,
    window,
    window_view,
)

CELLS = (
    Cell("0 to 10", 0.0, 10.0, 500, 50),
    Cell("10 to 20", 10.0, 20.0, 400, 10),
    Cell("missing", None, None, 100, 20),
    Cell("invalid", None, None, 0, 0),
    Cell("out of range", None, None, 0, 20),
)


def held(
    cells: tuple[Cell, ...] = CELLS, *, numeric: bool = True, replaced: bool = False, asked: list[Any] | None = None
) -> Distributed:
    def distributed(version: str | None, end_ms: int | None) -> Compared:
        if asked is not None:
            asked.append((version, end_ms))
        rows = [sum(counts) for counts in zip(*(cell[3:] for cell in cells), strict=True)] or [0, 0]
        return Compared(window(1), Distribution("amount", numeric, cells, rows[1], rows[0]), "sha256:1", replaced)

    return distributed


def gone(version: str | None, end_ms: int | None) -> Compared:
    raise NotFoundError("there is no such window")


def read(current: Snapshot, feature: str = "amount", distributed: Distributed = gone, **query: Any) -> Read:
    found = Read(page(current, next(iter(current.models.values())), feature, distributed, **query))
    assert found.open == []
    for name, figure in found.figures.items():
        if name:
            go.Figure(uncoloured(figure))  # Raises where a key or value is none of plotly's.
    return found


def hours(number: int, segment: str = "") -> ModelView:
    views = []
    for hour in range(number):
        for part in ("", *([segment] if segment else [])):
            place = window(hour, segment=part)
            found = verdict(place, "amount", "watch" if part else "ok", 0.2 if part else 0.01, 0.02, 0.5)
            views.append(window_view(place, [found], [] if part else [reading(place, "amount", "missing", 0.05)]))
    return model_view(windows=views)


def test_the_window_is_shown_beside_the_reference_and_the_worst_cells_first() -> None:
    text = read(drifting(), distributed=held()).text
    for shown in (
        "2026-11-23 11:00 to 12:00 UTC , 812 rows (the newest)",
        "▲ drifting effect 0.310, of which chance alone gives 0.019; evidence 420% of the alarm's limit; out of range.",
        "100 rows beside 1,000 of the reference.",
        "amount Reference This window Points Of the difference",
        "10 to 20 40.0% 10.0% ▼ -30.0",
        "out of range 0.0% 20.0% ▲ +20.0",
        "missing 10.0% 20.0% ▲ +10.0",
        "amount Reference, rows Share This window, rows Share 0 to 10 500 50.0% 50 50.0% 10 to 20 400 40.0% 10 10.0%",
    ):
        assert shown in text
    moved = text.partition("Of the difference")[2].partition("Chance moves cells")[0]
    assert moved.index("out of range") < moved.index("10 to 20") < moved.index("missing"), "by part of the difference"
    assert "0 to 10" not in moved
    assert "replaced since" not in text


def test_bars_of_both_stand_in_the_same_places_and_differ_in_width() -> None:
    figure = read(drifting(), distributed=held()).figures["cells-figure"]
    reference, now = figure["data"]
    assert (reference["y"], now["y"]) == ([0.5, 0.4, 0.1, 0.0], [0.5, 0.1, 0.2, 0.2])
    assert reference["x"] == now["x"] == [0.0, 1.0, 2.5, 3.5]
    assert reference["width"] > now["width"]
    ticks = dict(zip(figure["layout"]["xaxis"]["tickvals"], figure["layout"]["xaxis"]["ticktext"], strict=True))
    assert ticks == {-0.5: "0", 0.5: "10", 1.5: "20", 2.5: "missing", 3.5: "out of range"}


def test_categories_stand_one_below_the_other() -> None:
    cells = (Cell("PL", None, None, 50, 5), Cell("x" * 40, None, None, 50, 5), *CELLS[2:])
    figure = read(drifting(), distributed=held(cells, numeric=False)).figures["cells-figure"]
    assert figure["data"][0]["orientation"] == "h"
    assert figure["layout"]["yaxis"]["ticktext"][:2] == ["PL", "x" * 23 + "…"]


def test_an_unbounded_cell_and_a_window_without_rows_are_drawn() -> None:
    cells = (Cell("0 to inf", 0.0, float("inf"), 50, 0), *(cell._replace(current=0) for cell in CELLS[2:]))
    found = read(drifting(), distributed=held(cells))
    assert found.figures["cells-figure"]["data"][1]["y"] == [0.0, 0.0]
    assert "Cells that moved" not in found.text


def test_nothing_moved_is_said() -> None:
    alike = tuple(cell._replace(current=cell.reference) for cell in CELLS)
    assert "No cell has moved" in read(drifting(), distributed=held(alike)).text


def test_a_replaced_reference_and_what_is_not_kept_are_said() -> None:
    assert "The reference has been replaced since" in read(drifting(), distributed=held(replaced=True)).text
    assert "Its distribution cannot be shown: there is no such window." in read(drifting()).text


def test_the_history_shows_effect_floor_evidence_and_states() -> None:
    figure = read(drifting()).figures["history-figure"]
    assert trace(figure, "effect")["y"] == [0.001, 0.31]
    assert trace(figure, "effect")["marker"]["symbol"] == ["circle", "triangle-up"]
    assert trace(figure, "what chance")["y"] == [0.019, 0.019]
    assert trace(figure, "tolerance")["y"] == [0.03, 0.03]
    assert trace(figure, "evidence")["y"] == [0.001, 4.2]
    marks = [(each["x"], each["text"]) for each in figure["layout"]["annotations"]]
    assert marks == [("2026-11-23T11:00:00", "drift began"), ("2026-11-23T12:00:00", "this window")]


def test_the_history_is_a_table_too_and_leads_to_each_window() -> None:
    found = read(drifting())
    assert "11:00 to 12:00 UTC ▲ drifting out of range 0.310 0.019 420% 812" in found.text
    assert "/models/fraud/features/amount?version=3&window=2026-11-23T11%3A00%3A00Z" in found.links


def test_missing_and_unseen_rows_are_drawn_with_the_kinds_there_are() -> None:
    found = read(drifting())
    assert [each["name"] for each in found.figures["quality-figure"]["data"]] == ["missing", "out of range"]
    assert "Window Missing Out of range" in found.text
    assert [each["name"] for each in read(drifting(), "country").figures["quality-figure"]["data"]] == [
        "invalid",
        "unseen",
    ]


def test_incidents_that_name_the_feature_are_listed() -> None:
    assert {"/incidents/inc_1"} == {link for link in read(drifting()).links if link.startswith("/incidents/")}
    place = window(0)
    segmented = Incident("inc_2", "drift", "minor", place, place, ("amount in country=PL",), open=False)
    longer = Incident("inc_3", "drift", "minor", place, place, ("amount2",), open=False)
    model = replace(hours(2, "country=PL"), incidents=(segmented, longer))
    for segment, expected in (("", {"inc_2"}), ("country=PL", {"inc_2"})):
        links = read(snapshot(model), version="3", segment=segment).links
        assert {link.rpartition("/")[2] for link in links if link.startswith("/incidents/")} == expected


@pytest.mark.parametrize(
    ("hour", "ways"), [(0, {1}), (1, {0, 2}), (2, {1}), (None, {1})], ids=["oldest", "middle", "newest", "not asked"]
)
def test_windows_are_chosen_by_links_and_a_form_without_script(hour: int | None, ways: set[int]) -> None:
    asked: list[Any] = []
    end_ms = None if hour is None else window(hour).end_ms
    found = Read(page(snapshot(hours(3)), hours(3), "amount", held(asked=asked), "3", "", end_ms))
    assert asked == [("3", window(2 if hour is None else hour).end_ms)]
    ends = {f"2026-11-23T{11 + way}:00:00Z" for way in ways}
    text = page(snapshot(hours(3)), hours(3), "amount", gone, "3", "", end_ms)
    nav = Read(text.partition('aria-label="Windows"')[2].partition("</nav>")[0].join(("<nav>", "</nav>")))
    assert {parse_qs(urlsplit(link).query)["window"][0] for link in nav.links} == ends
    chosen = [value for name, value in found.attributes if name == "value" and value and value.startswith("2026")]
    assert chosen == ["2026-11-23T13:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T11:00:00Z"]
    assert found.attributes.count(("selected", "")) == 1
    at = found.attributes.index(("type", "hidden"))
    assert found.attributes[at + 1 : at + 3] == [("name", "version"), ("value", "3")]


def test_a_window_that_is_no_longer_listed_is_asked_for_all_the_same() -> None:
    asked: list[Any] = []
    end_ms = window(-50).end_ms
    text = Read(page(snapshot(hours(2)), hours(2), "amount", held(asked=asked), "3", "", end_ms)).text
    assert asked == [("3", end_ms)]
    assert "The window that ended at 2026-11-21 09:00 UTC , which is not among those that are listed." in text


def test_a_segment_has_its_own_history_beside_the_distribution_of_all_traffic() -> None:
    asked: list[Any] = []
    found = read(snapshot(hours(2, "country=PL")), distributed=held(asked=asked), version="3", segment="country=PL")
    assert asked == [("3", window(1).end_ms)]
    assert "This is of all traffic" in found.text
    assert trace(found.figures["history-figure"], "effect")["y"] == [0.2, 0.2]
    assert "quality-figure" not in found.figures
    assert "/models/fraud/features/amount?version=3&segment=country%3DPL" in found.links
    assert "/models/fraud/features/amount?version=3" in found.links


def test_a_window_leads_to_its_report_and_a_segments_to_none() -> None:
    current = snapshot(hours(2, "country=PL"))
    for segment, reports in (("", 1), ("country=PL", 0)):
        links = read(current, version="3", segment=segment, end_ms=window(0).end_ms).links
        assert sum("/report?" in link and "2026-11-23T11%3A00%3A00Z" in link for link in links) == reports


def test_windows_of_seconds_are_told_apart() -> None:
    place = replace_times(1_000, 2_000)
    views = [window_view(place, [verdict(place, "amount", "ok", 0.01, 0.02)])]
    assert "2026-11-23 10:00:01 to 10:00:02 UTC" in read(snapshot(model_view(windows=views))).text


def replace_times(start: int, end: int) -> Any:
    first = window(0)
    return first._replace(start_ms=first.start_ms + start, end_ms=first.start_ms + end)


def test_rows_and_correlation_have_a_history_and_no_distribution() -> None:
    place = window(0)
    views = [window_view(place, [verdict(place, "@rows", "ok", 0.01)])]
    found = read(snapshot(model_view(windows=views)), "@rows", held())
    assert found.figures.keys() - {""} == {"history-figure"}


def test_a_model_that_has_seen_nothing_says_so() -> None:
    assert "No window has closed yet." in read(snapshot(model_view())).text


def test_a_version_that_has_retired_keeps_its_page_while_its_windows_are_held() -> None:
    model = replace(hours(2), versions=())
    asked: list[Any] = []
    read(snapshot(model), distributed=held(asked=asked), version="3")
    assert asked == [("3", window(1).end_ms)]


NAMES = [
    "team/fraud",
    "a b",
    "x\"y'z",
    "%2F",
    "ü",
    "?#&",
    "a/b/",
    HOSTILE.replace("\n", " "),
    "\ud800x",
    "<b>",
    "amount/distribution",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_of_any_name_has_a_page_that_its_model_leads_to(name: str) -> None:
    place = window(0)
    cells = (Cell(name, None, None, 5, 1), *CELLS[2:])
    view = window_view(place, [verdict(place, name, "drifting", 0.5, 0.1)])
    current = snapshot(model_view(name="m/n", features=(name,), windows=[view]))
    app = create_app(
        lambda: current, Behind(distributed=lambda model, feature, *asked: held(cells, numeric=False)(*asked))
    )
    served = Client(app)
    links = Read(served.get("/models/m%2Fn").text).links
    link, then = sorted({each for each in links if "/features/" in each}, key=len)
    assert served.get(then).status_code == 200
    answer = served.get(link)
    assert answer.status_code == 200
    shown = Read(answer.text)
    assert shown.open == []
    assert shown.elements["img"] == 0
    assert "<b>" not in answer.text.replace('<b aria-hidden="true">', "")
    assert "cells-figure" in shown.figures


def test_an_unknown_feature_or_time_is_refused() -> None:
    served = Client(create_app(drifting))
    assert served.get("/models/fraud/features/nothing").status_code == 404
    assert served.get("/models/fraud/features/amount?window=yesterday").status_code == 422
    assert served.get("/models/fraud/features/amount?window=2026-11-23T12:00:00Z&version=none").status_code == 200
