from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from monitor.detection.records import Incident, Moved
from monitor.exports import picture as module
from monitor.exports.api import create_app
from monitor.exports.course import Line, Step, began_ms, concerned, line
from monitor.exports.picture import HEIGHT, SCALE, STEPS_MAX, WIDTH, picture, png, svg, thinned
from monitor.snapshot import ModelView, Target
from tests.exports.client import Client
from tests.exports.snapshots import (
    HOSTILE,
    HOUR_MS,
    TEN_MS,
    model_view,
    performance_view,
    reading,
    snapshot,
    verdict,
    window,
    window_view,
)

HOURS = 12


def story(name: str = "fraud") -> ModelView:
    """Twelve hours: from the eighth on `amount` drifts, `country` goes missing, and performance falls."""
    views = []
    for hour in range(HOURS):
        place = window(hour, model=name)
        bad = hour >= 8
        amount = verdict(
            place, "amount", "drifting" if bad else "ok", 0.4 if bad else 0.01, moved=(Moved("a", 0, 1, 1),)
        )
        country = verdict(place, "country", "ok", 0.0, wrong=("missing",) if bad else ())
        missing = reading(place, "country", "missing", 0.5 if bad else 0.02)
        views.append(
            window_view(place, [replace(amount, onset_ms=window(7).start_ms if bad else -1), country], [missing])
        )
    performance = [performance_view(window(hour, model=name), 0.7 if hour >= 8 else 0.9) for hour in range(HOURS)]
    incidents = [
        Incident("inc_drift", "drift", "major", window(8, model=name), window(HOURS - 1, model=name), ("amount",)),
        Incident("inc_data", "data", "major", window(8, model=name), window(HOURS - 1, model=name), ("country",)),
        Incident(
            "inc_fell", "performance", "major", window(8, model=name), window(HOURS - 1, model=name), ("roc_auc",)
        ),
        Incident(
            "inc_old", "drift", "minor", window(-900, model=name), window(-890, model=name), ("amount",), open=False
        ),
    ]
    view = model_view(name, windows=views, performance=performance, incidents=incidents)
    return replace(view, targets={"3": Target(0.91, 0.88)})


def of(cause: str, view: ModelView | None = None) -> tuple[ModelView, Incident, Line]:
    view = view or story()
    incident = next(each for each in view.incidents if each.cause == cause)
    found = line(view, incident, incident.latest, began_ms(view, incident))
    assert found is not None
    return view, incident, found


def test_a_feature_is_held_against_its_own_tolerance() -> None:
    view = story()
    _, _, found = of("drift", replace(view, alarms=replace(view.alarms, tolerances={"amount": 0.3})))
    assert found.limits == (("tolerance", 0.3),)


@pytest.mark.parametrize(
    ("cause", "name", "before", "now", "limits", "began"),
    [
        ("drift", "effect of amount", 0.01, 0.4, [("tolerance", 0.03)], 7),
        ("data", "share of country missing", 0.02, 0.5, [], 8),
        ("performance", "roc_auc", 0.9, 0.7, [("reference", 0.91), ("limit", 0.88)], 8),
    ],
)
def test_what_an_incident_is_about_window_by_window(
    cause: str, name: str, before: float, now: float, limits: list[tuple[str, float]], began: int
) -> None:
    _, _, found = of(cause)
    assert found.name == name
    assert found.values == (before,) * 8 + (now,) * 4
    assert list(found.limits) == limits
    assert found.began_ms == TEN_MS + began * HOUR_MS


def test_only_what_was_up_to_a_window_is_told() -> None:
    view, incident, _ = of("performance")
    found = line(view, incident, window(9), 0)
    assert found is not None
    assert len(found.steps) == 10
    drifted, cause, _ = of("drift")
    upto = line(drifted, cause, window(9), 0)
    assert upto is not None
    assert upto.steps[-1].window == window(9)
    assert [each.feature for each in concerned(view, incident, window(9))] == ["amount", "country"]
    assert concerned(view, incident, window(3)) == []


def test_features_of_the_incidents_own_cause_come_first() -> None:
    view, incident, _ = of("data")
    assert [each.feature for each in concerned(view, incident, window(9))] == ["country", "amount"]


@pytest.mark.parametrize("cause", ["drift", "data", "performance"])
def test_the_drawing_says_what_when_and_how_bad(cause: str) -> None:
    _, incident, found = of(cause)
    root = ET.fromstring(svg(incident, found))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] is not None
    assert texts[0].startswith("fraud (version 3): ")
    grave = "major" if cause == "drift" else "critical"
    assert f"{found.name}, 12 windows; {grave}" in texts
    assert f"now {found.values[-1]:.3g}" in texts
    hour = 17 if cause == "drift" else 18
    assert f"began about 23 Nov {hour}:00 UTC" in texts
    assert {f"{name} {value:.3g}" for name, value in found.limits} <= set(texts)


def test_nothing_is_drawn_beside_the_picture_and_no_label_covers_another() -> None:
    _, incident, found = of("performance")
    near = replace(found, limits=(("reference", 0.7), ("limit", 0.7)))
    root = ET.fromstring(svg(incident, near))
    labels = [each for each in root.iter() if each.get("x") == "538"]
    heights = sorted(float(each.get("y", "nan")) for each in labels)
    assert len(heights) == 3
    assert min(later - sooner for sooner, later in pairwise(heights)) >= 15
    for each in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(each.get("cx", "nan")) < WIDTH
        assert 0 < float(each.get("cy", "nan")) < HEIGHT


def test_the_image_is_a_png_of_its_size() -> None:
    view, incident, _ = of("drift")
    drawn = picture(view, incident)
    assert drawn is not None
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", drawn[16:24]) == (WIDTH * SCALE, HEIGHT * SCALE)
    assert len(drawn) < 200_000


@pytest.mark.parametrize("name", ["fraud", "Ωμέγα", "Мошенничество"])
def test_its_letters_come_from_the_font_that_is_shipped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text in the style of the picture leaves ink; without the shipped font, and none of the machine, it does not."""

    def drawn(text: str) -> bytes:
        style = f"<style>{module._STYLE}</style>"
        size = 'width="200" height="40"'
        return png(f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}<text x="5" y="30">{text}</text></svg>')

    assert len(drawn(name)) > 2 * len(drawn(""))
    png.cache_clear()
    monkeypatch.setattr(module, "_FONT", "/nonexistent.ttf")
    assert drawn(name) == drawn("")
    png.cache_clear()


@pytest.mark.parametrize("name", [HOSTILE, "\ud800\x00\u202e", "x" * 10_000], ids=ascii)
def test_no_name_breaks_the_drawing(name: str) -> None:
    view, incident, found = of("drift", story(name))
    ET.fromstring(svg(replace(incident, features=(name,) * 9), replace(found, name=name)))
    assert picture(view, incident)


def test_a_long_story_is_drawn_from_before_it_began_at_equal_distances() -> None:
    steps = tuple(Step(window(hour), float(hour)) for hour in range(500))
    few = thinned(Line("x", steps, (), 0)).steps
    assert len(few) <= STEPS_MAX
    assert few[-1] == steps[-1]
    assert len({later.value - sooner.value for sooner, later in pairwise(few)}) == 1


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5), (0.0, 0.0), (-3.0, 1e9)])
def test_flat_and_wild_figures_are_drawn(values: tuple[float, ...]) -> None:
    _, incident, _ = of("drift")
    steps = tuple(Step(window(hour), value) for hour, value in enumerate(values))
    assert "nan" not in svg(incident, Line("x", steps, (), 0))


def test_it_is_served_and_what_cannot_be_drawn_is_said() -> None:
    http = Client(create_app(lambda: snapshot(story())))
    answer = http.get("/api/v1/incidents/inc_fell/picture.png?at=1795431600000")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    gone = http.get("/api/v1/incidents/inc_old/picture.png")
    assert (gone.status_code, gone.json()["detail"]) == (
        404,
        "the incident's windows are no longer held, so that there is nothing to draw",
    )
    assert http.get("/api/v1/incidents/nope/picture.png").status_code == 404
