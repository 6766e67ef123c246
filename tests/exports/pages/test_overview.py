"""The first page: what is wrong now, and every model in a line."""

from __future__ import annotations

from dataclasses import replace

from monitor.exports.pages.overview import INCIDENTS_MAX, page
from monitor.exports.pages.parts import PAGE
from monitor.snapshot import Snapshot
from tests.exports.pages.reader import Read
from tests.exports.snapshots import drifting, model_view, snapshot, verdict, window, window_view


def read(current: Snapshot) -> Read:
    found = Read(page(current))
    assert found.open == []
    return found


def test_the_page_shows_what_is_wrong_and_how_each_model_stands() -> None:
    text = read(drifting()).text
    for shown in (
        "2 models, 1 open incident",
        "Open incidents major drift : amount · fraud, version 3, since 2026-11-23 12:00 UTC",
        "fraud version 3 ▲ drifting 1 of the last 2 windows not as usual 0.840 0.830 to 0.850 roc_auc amount",
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


def test_models_beyond_the_first_page_can_be_reached() -> None:
    current = snapshot(*(model_view(f"m{number:03}") for number in range(PAGE + 3)))
    first = read(current)
    assert sum(link.startswith("/models/") for link in first.links) == PAGE
    assert f"/?offset={PAGE}" in first.links
    rest = Read(page(current, PAGE))
    assert [link for link in rest.links if link.startswith("/models/")] == [
        f"/models/m{PAGE + at:03}" for at in range(3)
    ]
    assert f"{PAGE + 1} to {PAGE + 3} of {PAGE + 3}" in rest.text
