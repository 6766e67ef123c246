"""The first page: what is wrong now, and every model in a line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detection.records import Cause, Incident, Severity
from monitor.exports.pages import incidents
from monitor.exports.pages.overview import INCIDENTS_MAX, page
from monitor.exports.pages.parts import PAGE
from monitor.snapshot import ModelView, Snapshot, Target
from tests.exports.pages.reader import Read
from tests.exports.snapshots import (
    HOUR_MS,
    TEN_MS,
    drifting,
    model_view,
    performance_view,
    snapshot,
    verdict,
    window,
    window_view,
)


def read(current: Snapshot, now_ms: int = TEN_MS + 2 * HOUR_MS) -> Read:
    found = Read(page(current, now_ms))
    assert found.open == []
    return found


def test_the_page_shows_what_is_wrong_and_how_each_model_stands() -> None:
    text = read(drifting()).text
    for shown in (
        "2 models, 1 open incident",
        "Open incidents ◉ open major drift : amount · fraud, version 3, since 2026-11-23 12:00 UTC",
        "fraud version 3 ▲ drifting 1 of the last 2 windows not as usual 0.840 0.830 to 0.850 roc_auc "
        "reference 0.910, limit 0.880 ▼ below the limit amount",
        "churn – learning – – – no event yet",
    ):
        assert shown in text


def test_the_worst_model_comes_first() -> None:
    fine, bad, odd = (
        model_view(
            name, windows=[window_view(window(0, model=name), [verdict(window(0, model=name), "x", state, 0.1)])]
        )
        for name, state in (("a", "ok"), ("b", "drifting"), ("c", "watch"))
    )
    incident = drifting().models["fraud"].incidents[1]
    minor = replace(fine, name="z", incidents=(replace(incident, severity="minor"),))
    major = replace(fine, name="y", incidents=(incident,))
    links = [link for link in read(snapshot(fine, minor, bad, odd, major)).links if link.startswith("/models/")]
    assert links == [f"/models/{name}" for name in "yzbca"]


def test_the_page_loads_nothing_but_its_style_and_runs_nothing() -> None:
    found = read(drifting())
    assert not {"script", "img", "iframe", "object"} & found.elements.keys()
    assert not [name for name, _ in found.attributes if name == "src" or name.startswith("on")]
    assert all(link.startswith("/") or link in ("data:,", "#content") for link in found.links)


def test_a_service_that_is_not_ready_says_why() -> None:
    down = replace(drifting(), service=replace(drifting().service, not_ready="no broker answers"))
    assert "Not ready: no broker answers" in read(down).text
    assert "Not ready" not in read(drifting()).text
    assert "As of 2026-11-23 11:00:00 UTC" in read(drifting()).text


def test_of_many_incidents_the_gravest_are_listed_and_the_others_counted() -> None:
    incident = drifting().models["fraud"].incidents[1]
    many = [replace(incident, id=f"inc_{place}", severity="minor") for place in range(INCIDENTS_MAX + 3)]
    found = read(snapshot(model_view(incidents=[*many, incident])))
    assert found.text.count("minor drift") == INCIDENTS_MAX - 1
    assert found.text.index("major drift") < found.text.index("minor drift")
    assert "and 4 more" in found.text


def suffering(cause: Cause, severity: Severity = "major") -> ModelView:
    """No feature of it has moved, but it has an open incident."""
    place = window(0)
    incident = Incident("inc_7", cause, severity, place, place, ("roc_auc",))
    return model_view(
        windows=[window_view(place, [verdict(place, "amount", "ok", 0.0)])],
        performance=[performance_view(place, 0.84)],
        incidents=[incident],
        targets={"3": Target(0.91, 0.88)},
    )


@pytest.mark.parametrize(("cause", "said"), [("performance", "▼ performance fallen"), ("data", "◆ faulty data")])
def test_what_suffers_is_never_said_to_be_ok_alone(cause: Cause, said: str) -> None:
    model = suffering(cause)
    found = read(snapshot(model))
    assert f"version 3 {said} 0 of the last 1 window" in found.text
    assert "● ok" not in found.text
    over = replace(model, incidents=tuple(replace(each, open=False) for each in model.incidents))
    assert "version 3 ● ok 0 of" in read(snapshot(over)).text
    drifts = window_view(window(0), [verdict(window(0), "amount", "drifting", 0.5)])
    assert f"version 3 {said} ▲ drifting" in read(snapshot(replace(model, windows=(drifts,)))).text


@pytest.mark.parametrize(
    ("reference", "limit", "said"),
    [
        (0.91, 0.88, "reference 0.910, limit 0.880 ▼ below the limit –"),
        (0.91, 0.8, "reference 0.910, limit 0.800 –"),
        (0.5, 0.6, "reference 0.500, limit 0.600 ▲ above the limit –"),  # Of a loss, more is worse.
        (0.8, 0.85, "reference 0.800, limit 0.850 –"),
        (0.91, None, "reference 0.910 –"),
    ],
)
def test_performance_stands_beside_reference_and_limit(reference: float, limit: float | None, said: str) -> None:
    model = replace(suffering("performance"), targets={"3": Target(reference, limit)})
    assert f"roc_auc {said}" in read(snapshot(model)).text


def test_an_incident_is_as_grave_as_messages_say_and_the_gravest_come_first() -> None:
    model = suffering("performance")
    old = replace(model.incidents[0], id="inc_old", opened=window(-9), latest=window(-9))
    new = [
        replace(model.incidents[0], id=f"inc_{hour}", cause="drift", opened=window(hour), latest=window(hour))
        for hour in (1, 2)
    ]
    current = snapshot(replace(model, incidents=(new[0], old, new[1])))
    links = [link for link in read(current).links if link.startswith("/incidents/")]
    assert links == ["/incidents/inc_old", "/incidents/inc_2", "/incidents/inc_1"]
    assert read(current).text.count("critical performance") == 1
    assert "major performance" not in read(current).text
    listed = Read(incidents.page(current))
    assert [link for link in listed.links if link.startswith("/incidents/")] == links


def test_whether_somebody_looks_after_an_incident_is_said() -> None:
    model = drifting().models["fraud"]
    taken = replace(model, incidents=tuple(replace(each, acknowledged=True) for each in model.incidents))
    assert "Open incidents ◉ open major drift" in read(drifting()).text
    assert "Open incidents ◐ acknowledged major drift" in read(snapshot(taken)).text


@pytest.mark.parametrize(
    ("since_ms", "said"),
    [
        (-5_000, "just now"),
        (1_999, "just now"),
        (2_000, "2 s ago"),
        (119_999, "119 s ago"),
        (120_000, "2 min ago"),
        (2 * HOUR_MS, "2 h ago"),
        (47 * HOUR_MS, "47 h ago"),
        (1_000 * 24 * HOUR_MS, "1,000 days ago"),
    ],
)
def test_how_long_ago_the_last_event_was_is_said(since_ms: int, said: str) -> None:
    model = replace(model_view(), last_event_ms=TEN_MS)
    text = read(snapshot(model), TEN_MS + since_ms).text
    assert f"– {said} 2026-11-23 10:00 UTC" in text
    assert "silent" not in text, "without windows it is not known how long is usual"


@pytest.mark.parametrize(("hours", "longest"), [((0, 1, 2), 2), ((0, 9), 10), ((0,), None)])
def test_a_model_that_is_silent_for_longer_than_its_windows_were_apart_is_marked(
    hours: tuple[int, ...], longest: int | None
) -> None:
    windows = [window_view(window(hour)) for hour in hours]
    model = replace(model_view(windows=windows), last_event_ms=TEN_MS)
    usual = TEN_MS + (longest or 1_000) * HOUR_MS
    assert "silent for longer than before" not in read(snapshot(model), usual).text
    assert ("‖ silent for longer than before" in read(snapshot(model), usual + 1).text) == (longest is not None)


def test_each_cell_says_what_it_is_as_a_card_too() -> None:
    labels = [value for name, value in read(drifting()).attributes if name == "data-label"]
    assert labels == ["State", "Lately", "Performance", "Not as usual", "Last event"] * 2


def test_models_beyond_the_first_page_can_be_reached() -> None:
    current = snapshot(*(model_view(f"m{number:03}") for number in range(PAGE + 3)))
    first = read(current)
    assert sum(link.startswith("/models/") for link in first.links) == PAGE
    assert f"/?offset={PAGE}" in first.links
    rest = Read(page(current, TEN_MS, PAGE))
    assert [link for link in rest.links if link.startswith("/models/")] == [
        f"/models/m{PAGE + at:03}" for at in range(3)
    ]
    assert f"{PAGE + 1} to {PAGE + 3} of {PAGE + 3}" in rest.text
