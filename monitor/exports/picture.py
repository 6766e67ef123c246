"""An incident at a glance, small enough for a chat: what it is about over the last windows, and when it began."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import resvg_py

from monitor.detection.records import Incident
from monitor.detection.severity import level_of
from monitor.events.timestamps import utc
from monitor.exports.course import Line, began_ms, headline, line
from monitor.exports.markup import Markup, tag
from monitor.exports.svg import number as _n
from monitor.exports.svg import points as _points
from monitor.exports.svg import shown
from monitor.snapshot import ModelView

WIDTH, HEIGHT = 640, 280
SCALE = 2.0
"""Pixels for each unit of length: a phone's screen has two or three."""

STEPS_MAX = 60
"""Windows that find room side by side."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 530.0, 74.0, 240.0
_INK, _PALE, _GRID = "#1b1f24", "#5b6570", "#c9d1d9"
_CURVE, _BAND, _ALARM = "#24507e", "#3b6ea5", "#b3261e"
_NAME = 60
_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_STYLE = "text{font-family:'DejaVu Sans',sans-serif;font-size:12px}"
_FOREIGN = re.compile("[\u0900-\u1dff\u2e80-\U0010ffff]")
"""Writing that the shipped font does not know: of India, China and others."""


def picture(model: ModelView, incident: Incident) -> bytes | None:
    """PNG; None where no window is held any more of which there is something to draw."""
    found = line(model, incident, incident.latest, began_ms(model, incident))
    if found is None or not found.steps:
        return None
    return png(svg(incident, found))


@lru_cache(maxsize=32)
def png(text: str) -> bytes:
    """A drawing as an image. Its letters come from a font that is shipped, as a container has none; the fonts of the
    machine, which it takes time to look through, are asked only for writing that it does not know.
    """
    return resvg_py.svg_to_bytes(
        svg_string=text,
        zoom=SCALE,
        font_files=[str(_FONT)],
        font_family="DejaVu Sans",
        skip_system_fonts=not _FOREIGN.search(text),
    )


def svg(incident: Incident, found: Line) -> Markup:
    title = headline(incident)
    grave = level_of(incident)
    state = grave if incident.open else f"{grave}, over"
    below = f"{found.name}, {len(found.steps)} windows; {state}"
    few = thinned(found)
    return tag(
        "svg",
        tag("title", shown(title)),
        tag("style", Markup(_STYLE)),
        tag("rect", width="100%", height="100%", fill="#ffffff"),
        tag("text", _short(title), x="16", y="28", style="font-size:17px"),
        tag("text", _short(below, 84), x="16", y="49", fill=_PALE),
        tuple(_plot(few)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=str(WIDTH),
        height=str(HEIGHT),
        fill=_INK,
    )


def thinned(found: Line) -> Line:
    """The same with as many windows as find room, from the newest on at equal distances."""
    every = -(-len(found.steps) // STEPS_MAX)
    return replace(found, steps=found.steps[::-1][::every][::-1])


def _plot(found: Line) -> Iterator[Markup]:
    steps = found.steps
    ends = [end for step in steps for end in (step.value, step.lower, step.upper) if end is not None]
    low, high = _range([*ends, *(value for _, value in found.limits)])

    def x(place: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (place + 0.5) / len(steps)

    def y(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low)

    for value in (low, high):
        yield tag("line", x1=_n(_LEFT), x2=_n(_RIGHT), y1=_n(y(value)), y2=_n(y(value)), stroke=_GRID)
        yield tag("text", f"{value:.3g}", x=_n(_LEFT - 6), y=_n(y(value) + 4), text_anchor="end", fill=_PALE)
    yield from _began(found, x)
    band = [(x(at), y(step.upper)) for at, step in enumerate(steps) if step.upper is not None]
    band += [(x(at), y(step.lower)) for at, step in reversed(list(enumerate(steps))) if step.lower is not None]
    if band:
        yield tag("polygon", points=_points(band), fill=_BAND, fill_opacity="0.2")
    yield from _limits(found, y)
    curve = [(x(at), y(step.value)) for at, step in enumerate(steps)]
    yield tag("polyline", points=_points(curve), fill="none", stroke=_CURVE, stroke_width="2.5")
    for at, (across, down) in enumerate(curve):
        radius = "5" if at == len(curve) - 1 else "2.5"
        yield tag("circle", cx=_n(across), cy=_n(down), r=radius, fill=_CURVE)
    last = steps[-1]
    labels = [(y(last.value), f"now {last.value:.3g}", _CURVE)]
    labels += [(y(value), f"{name} {value:.3g}", _PALE) for name, value in found.limits]
    for place, said, colour in _apart(labels):
        yield tag("text", said, x=_n(_RIGHT + 8), y=_n(place + 4), fill=colour)
    first_ms, last_ms = steps[0].window.start_ms, last.window.end_ms
    yield tag("text", _time(found, first_ms), x=_n(_LEFT), y=_n(_BOTTOM + 20), fill=_PALE)
    yield tag("text", _time(found, last_ms), x=_n(_RIGHT), y=_n(_BOTTOM + 20), text_anchor="end", fill=_PALE)


def _time(found: Line, ms: int) -> str:
    short = found.steps[-1].window.end_ms - found.steps[0].window.start_ms < 600_000
    return utc(ms).strftime("%d %b %H:%M:%S UTC" if short else "%d %b %H:%M UTC")


def _limits(found: Line, y: Callable[[float], float]) -> Iterator[Markup]:
    for at, (_, value) in enumerate(found.limits):
        dash, colour = ("7 4", _ALARM) if at == len(found.limits) - 1 else ("2 3", _PALE)
        place = _n(y(value))
        yield tag(
            "line", x1=_n(_LEFT), x2=_n(_RIGHT), y1=place, y2=place, stroke=colour, stroke_dasharray=dash,
            stroke_width="1.5",
        )  # fmt: skip


def _began(found: Line, x: Callable[[float], float]) -> Iterator[Markup]:
    """The moment from which it is estimated to have gone wrong, and all that came after."""
    starts = [step.window.start_ms for step in found.steps]
    after = bisect_left(starts, found.began_ms)
    if after >= len(starts):
        return
    place = x(after - 0.5) if after else _LEFT
    yield tag("rect", x=_n(place), y=_n(_TOP), width=_n(_RIGHT - place), height=_n(_BOTTOM - _TOP), fill=_ALARM,
              fill_opacity="0.07")  # fmt: skip
    yield tag("line", x1=_n(place), x2=_n(place), y1=_n(_TOP), y2=_n(_BOTTOM), stroke=_ALARM, stroke_width="1.5")
    said = f"{'began about' if after else 'began before, about'} {_time(found, found.began_ms)}"
    room: dict[str, str] = {} if place < (_LEFT + _RIGHT) / 2 else {"text_anchor": "end"}
    yield tag("text", said, x=_n(place), y=_n(_TOP - 6), fill=_ALARM, **room)


def _apart(labels: list[tuple[float, str, str]]) -> Iterator[tuple[float, str, str]]:
    """The same from top to bottom, moved so that none covers another."""
    lowest = -1e9
    for place, said, colour in sorted(labels):
        lowest = max(place, lowest + 15.0)
        yield lowest, said, colour


def _range(values: list[float]) -> tuple[float, float]:
    """A little wider than the values; of what cannot be negative, from 0 where that is near."""
    low, high = min(values), max(values)
    room = (high - low) or abs(high) or 1.0
    padded = low - 0.08 * room
    return (0.0 if low >= 0.0 and padded < 0.25 * room else padded), high + 0.08 * room


def _short(text: str, most: int = _NAME) -> str:
    text = shown(text)
    return text if len(text) <= most else text[: most - 1] + "…"
