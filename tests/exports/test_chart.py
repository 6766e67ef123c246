"""The chart of a back-test, read back as XML: what it shows, what it puts together, and that no name breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from monitor.detection.records import Incident, IncidentChange, State, Verdict
from monitor.engine import Output
from monitor.errors import ConfigError
from monitor.events.schema import Schema
from monitor.exports.chart import chart, kind_of
from monitor.exports.heat import COLUMNS_MAX, ROWS_MAX, of_outputs
from monitor.snapshot import PerformanceView, WindowView
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.statistics.reading import Reading
from monitor.windows.window import Window, WindowSpec

HOUR_MS = 3_600_000
HOSTILE = "<b>&\"'\x00]]>"
SPEC = ModelSpec(
    "fraud", Schema("fraud", "binary", {}, positive="a"), WindowSpec(HOUR_MS), PerformanceSpec("roc_auc", 0.03)
)
SVG = "{http://www.w3.org/2000/svg}"


def window(number: int, version: str = "3") -> Window:
    return Window((number + 1) * HOUR_MS, "fraud", version, "", number * HOUR_MS)


def verdict(number: int, feature: str, effect: float | None, state: State = "ok", version: str = "3") -> Verdict:
    return Verdict(window(number, version), feature, 500, state, effect)


def output(verdicts: Sequence[Verdict]) -> Output:
    by_window: dict[Window, list[Verdict]] = {}
    for each in verdicts:
        by_window.setdefault(each.window, []).append(each)
    return Output(windows=[WindowView(key, 500, (), tuple(mine)) for key, mine in by_window.items()])


def texts(svg: str) -> list[str]:
    return ["".join(part.itertext()) for part in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_worst_feature_comes_first_and_its_cells_hold_effect_over_tolerance() -> None:
    said = output(
        [
            *(verdict(number, "calm", 0.01) for number in range(4)),
            *(verdict(number, "big", 0.5) for number in range(4)),
            *(verdict(number, "drifts", 0.05, "drifting" if number > 1 else "ok") for number in range(4)),
        ]
    )
    seen = of_outputs([said], AlarmSpec(tolerances={"big": 0.1}), "roc_auc")
    assert [row.feature for row in seen.rows] == ["drifts", "big", "calm"]
    assert [[cell.ratio for cell in row.cells if cell] for row in seen.rows] == [
        pytest.approx([2.5] * 4),
        pytest.approx([5.0] * 4),
        pytest.approx([0.5] * 4),
    ]


def test_thousands_of_windows_become_columns_that_show_the_worst_of_theirs() -> None:
    said = output([verdict(number, "x", 1.0 if number == 1_234 else 0.0) for number in range(3_000)])
    seen = of_outputs([said], AlarmSpec(), "roc_auc")
    assert len(seen.columns) == 3_000 / 13 // 1 + 1 <= COLUMNS_MAX
    assert [place for place, cell in enumerate(seen.rows[0].cells) if cell and cell.ratio] == [1_234 // 13]
    said_text = " ".join(texts(chart("svg", SPEC, {}, [said])))
    assert "3,000 windows of 1h" in said_text
    assert "a column is 13 successive windows, and shows the worst of them" in said_text


def test_of_hundreds_of_features_the_worst_stay_and_the_rest_are_counted() -> None:
    said = output([verdict(0, f"f{place:03}", place / 1_000) for place in range(200)])
    shown = texts(chart("svg", SPEC, {}, [said]))
    assert [text for text in shown if text.startswith("f")][1] == "f199f199"
    assert sum(text.startswith("f") and text != shown[0] for text in shown) == ROWS_MAX
    assert "140 more features, with smaller changes, are left out" in shown


def test_a_single_feature_is_not_left_out_for_a_sentence_that_says_so() -> None:
    said = output([verdict(0, f"f{place:03}", 0.5) for place in range(ROWS_MAX + 1)])
    seen = of_outputs([said], AlarmSpec(), "roc_auc")
    assert (len(seen.rows), seen.left_out) == (ROWS_MAX + 1, 0)
    said = output([verdict(0, f"f{place:03}", 0.5) for place in range(ROWS_MAX + 2)])
    seen = of_outputs([said], AlarmSpec(), "roc_auc")
    assert (len(seen.rows), seen.left_out) == (ROWS_MAX, 2)


def test_what_chance_explains_has_no_colour_of_change() -> None:
    def ratio(p_value: float | None, state: State = "ok") -> float | None:
        each = Verdict(window(0), "x", 500, state, 0.1, p_value=p_value)
        cell = of_outputs([output([each])], AlarmSpec(), "roc_auc").rows[0].cells[0]
        assert cell is not None
        return cell.ratio

    assert ratio(0.01) == 1.0
    assert ratio(1e-6) == pytest.approx(5.0)
    assert ratio(0.01, "drifting") == pytest.approx(5.0)


def test_ticks_are_of_the_models_time_zone() -> None:
    spec = replace(SPEC, timezone="Asia/Kolkata")
    said = output([verdict(number, "x", 0.0) for number in range(72)])
    shown = texts(chart("svg", spec, {}, [said]))
    # From midnight UTC of 1 January 1970, which is half past five there.
    assert "72 windows of 1h, 1970-01-01 05:30 to 1970-01-04 05:30; times are of Asia/Kolkata" in shown[1]
    assert {"1970-01-02 00:00", "1970-01-03 00:00", "1970-01-04 00:00"} <= set(shown)


def test_states_are_marked_besides_their_colour() -> None:
    def shapes(state: State, effect: float | None = 0.01, wrong: bool = False) -> list[str]:
        each = verdict(0, "x", effect, state)
        if wrong:
            each = Verdict(each.window, "x", 500, state, effect, wrong=("missing",))
        root = ElementTree.fromstring(chart("svg", SPEC, {}, [output([each])]))
        return sorted(ElementTree.tostring(part, encoding="unicode") for part in root)

    looks = {
        "ok": shapes("ok"),
        "watch": shapes("watch"),
        "drifting": shapes("drifting"),
        "learning": shapes("learning"),
        "data": shapes("drifting", wrong=True),
        "untested": shapes("insufficient", None),
    }
    for name, mine in looks.items():
        assert [other for other, theirs in looks.items() if theirs == mine] == [name]


def test_incidents_lie_over_the_windows_they_were_open_in() -> None:
    said = output([verdict(number, "x", 0.0) for number in range(10)])
    opened = Incident("i1", "data", "minor", window(3), window(3), ("x",))
    closed = Incident("i2", "drift", "major", window(5), window(5), ("x",))
    said.changes += [
        IncidentChange(opened, "opened", window(3), "", 0),
        IncidentChange(closed, "opened", window(5), "", window(2).start_ms + 1),
        IncidentChange(closed, "resolved", window(7), "", window(6).start_ms),
    ]
    spans = of_outputs([said], AlarmSpec(), "roc_auc").incidents
    assert [(span.cause, span.first, span.last) for span in spans] == [("data", 3, 9), ("drift", 5, 7)]
    assert [span.onset for span in spans] == [0, 2]


def test_the_marks_of_incidents_have_a_key_where_there_are_some() -> None:
    said = output([verdict(number, "x", 0.0) for number in range(10)])
    quiet = chart("svg", SPEC, {}, [said])
    assert "incidents" not in texts(quiet)
    assert "circle" not in quiet
    found = Incident("i1", "drift", "minor", window(3), window(3), ("x",))
    said.changes.append(IncidentChange(found, "opened", window(3), "", window(1).start_ms))
    drawn = chart("svg", SPEC, {}, [said])
    key = texts(drawn)[texts(drawn).index("incidents") :]
    assert key[1:4] == ["drift", "performance", "data"]
    assert key[4] == "from when it is estimated to have begun; the bar, from its first alarm to its end"
    assert drawn.count("<circle") == 2  # One before the incident, one in the key.
    said.changes[0] = replace(said.changes[0], onset_ms=window(3).start_ms)
    assert chart("svg", SPEC, {}, [said]).count("<circle") == 1  # Found in its first window.


def test_windows_that_were_ignored_are_marked() -> None:
    names = ["", "sale", "sale", "", "sale", "fair", "fair"]
    said = output([verdict(number, "x", None, "insufficient") for number in range(len(names))])
    said.windows = [replace(view, ignored=name) for view, name in zip(said.windows, names, strict=True)]
    runs = of_outputs([said], AlarmSpec(), "roc_auc").ignored
    assert runs == (("sale", 1, 2), ("sale", 4, 4), ("fair", 5, 6))
    drawn = chart("svg", SPEC, {}, [said])
    assert drawn.count("not judged, as the calendar says: sale") == 2
    assert drawn.count("not judged, as the calendar says: fair") == 1
    assert "ignored" in texts(drawn)


def test_performance_is_the_last_revision_of_each_window() -> None:
    said = output([verdict(number, "x", 0.0) for number in range(2)])

    def view(number: int, value: float, revision: int) -> PerformanceView:
        readings = (Reading(window(number), "", "roc_auc", 500, "ok", value, value - 0.1, value + 0.1, revision),)
        return PerformanceView(window(number), number * HOUR_MS, 500, 1.0, readings, settled=True)

    said.performance += [view(0, 0.5, 0), view(1, 0.7, 0)]
    later = Output(performance=[view(0, 0.6, 1)])
    (points,) = of_outputs([said, later], AlarmSpec(), "roc_auc").performance.values()
    assert [(point.column, point.value) for point in points] == [(0, 0.6), (1, 0.7)]
    assert "roc_auc" in texts(chart("svg", SPEC, {}, [said, later]))


def test_versions_have_rows_of_their_own() -> None:
    said = output([verdict(0, "x", 0.5, version="3"), verdict(0, "x", 0.0, version="4")])
    assert [row.version for row in of_outputs([said], AlarmSpec(), "roc_auc").rows] == ["3", "4"]
    assert {"x (3)x (3)", "x (4)x (4)"} <= set(texts(chart("svg", SPEC, {}, [said])))


def test_no_name_breaks_the_picture_or_the_page() -> None:
    said = output([verdict(0, HOSTILE, 0.5)])
    assert any("<b>&\"'" in text for text in texts(chart("svg", SPEC, {}, [said])))
    page = chart("html", SPEC, {}, [said])
    assert page.startswith("<!doctype html>\n<html")
    assert "<b>" not in page
    assert "\x00" not in page


def test_a_run_without_windows_says_so() -> None:
    assert "no window was closed" in texts(chart("svg", SPEC, {}, []))


@pytest.mark.parametrize(("name", "kind"), [("a.svg", "svg"), ("a.b.HTML", "html")])
def test_the_ending_says_the_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize("name", ["a.png", "svg", "a"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"draws \.svg and \.html"):
        kind_of(name)


def test_segments_have_rows_only_where_something_moved() -> None:
    views = []
    for number in range(3):
        whole = window(number)
        calm, moved = (whole._replace(segment=name) for name in ("country=DE", "country=PL"))
        verdicts = [
            verdict(number, "amount", 0.01),
            replace(verdict(number, "amount", 0.9), window=calm),
            replace(verdict(number, "amount", 0.5, "drifting" if number else "ok"), window=moved),
        ]
        views.append(WindowView.of(whole, 500, {}, "", (), verdicts, (), ""))
    seen = of_outputs([Output(windows=views)], AlarmSpec(), "roc_auc")
    assert [row.name for row in seen.rows] == ["amount in country=PL", "amount"]
    assert "amount in country=PLamount in country=PL" in texts(chart("svg", SPEC, {}, [Output(windows=views)]))
