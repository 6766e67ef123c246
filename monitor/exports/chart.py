"""One picture of a back-test: features by windows, incidents above, performance below. SVG, written by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from monitor.config.units import window_text
from monitor.detection.records import Cause
from monitor.detection.sentences import spoken
from monitor.engine import Output
from monitor.errors import ConfigError
from monitor.exports import ticks
from monitor.exports.heat import STEPS, Cell, Heat, Point, Row, Span, of_outputs
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.svg import number as _n
from monitor.exports.svg import points as _points
from monitor.exports.svg import shown
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec
from monitor.statistics.performance import METRICS, performance

Kind = Literal["svg", "html"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LEFT, _WIDTH, _RIGHT = 190, 960, 110
_LANE, _GAP, _PLOT = 18, 14, 110
_NAME = 24  # Characters of a name that fit beside its row.
_INK, _PALE, _LINE = "#1b1f24", "#5b6570", "#c9d1d9"
_COLOURS = ("#eef2f5", "#d5dfe6", "#fcdca6", "#f7a75a", "#dd5a33", "#8f1522")
"""Of a cell by its step; each is darker than the one before."""

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1b1f24}"
    ".small{font-size:11px;fill:#5b6570}"
    ".title{font-size:16px;font-weight:600}"
)


def kind_of(name: str) -> Kind:
    """By the ending of a file's name; ConfigError where it is another."""
    for kind in KINDS:
        if name.lower().endswith(f".{kind}"):
            return kind
    raise ConfigError(f"--chart draws .svg and .html, not {name!r}: give the file one of these endings")


def chart(kind: Kind, spec: ModelSpec, references: Mapping[str, Reference], outputs: Sequence[Output]) -> str:
    """The whole file's text."""
    seen = of_outputs(outputs, spec.alarms, spec.performance.metric)
    drawn = Drawing(spec, references, seen)
    picture = drawn.svg()
    if kind == "svg":
        return picture + "\n"
    fits = tag("style", Markup("svg{max-width:100%;height:auto}"))
    head = tag("head", tag("meta", charset="utf-8"), tag("title", drawn.title), fits)
    return "<!doctype html>\n" + tag("html", head, tag("body", picture), lang="en") + "\n"


@dataclass(frozen=True, eq=False)
class Drawing:
    """Where everything of one heat map goes; lengths in pixels."""

    spec: ModelSpec
    references: Mapping[str, Reference]
    seen: Heat

    @property
    def title(self) -> str:
        return f"{shown(self.spec.name)}: how far each feature was from its reference, window by window"

    @property
    def _many(self) -> bool:
        """Whether there are several versions, so that each must be named."""
        return len({row.version for row in self.seen.rows}) > 1

    @property
    def _by_row(self) -> bool:
        return self.spec.window.unit == "numbered rows"

    @property
    def _row(self) -> int:
        return 22 if len(self.seen.rows) <= 30 else 14

    def _x(self, column: float) -> float:
        return _LEFT + _WIDTH * column / max(len(self.seen.columns), 1)

    def svg(self) -> Markup:
        parts: list[Content] = [tag("text", self.title, x=_n(16), y=_n(26), class_="title")]
        y = 46.0
        for sentence in self._says():
            parts.append(tag("text", sentence, x=_n(16), y=_n(y), class_="small"))
            y += 16
        y += 4
        for cause, spans in groupby(self.seen.incidents, key=lambda span: span.cause):
            parts += self._lane(cause, list(spans), y)
            y += _LANE
        if self.seen.ignored:
            parts += self._calendar(y)
            y += _LANE
        y += 4
        top = y
        for row in self.seen.rows:
            parts += self._feature(row, y)
            y += self._row
        parts += self._axis(top, y)
        y += 34
        parts += self._legend(y)
        y += 62 if self.seen.incidents else 44
        if self.seen.performance:
            parts += self._performance(y)
            y += _PLOT + 34
        size = (_n(_LEFT + _WIDTH + _RIGHT), _n(y))
        body: list[Content] = [tag("title", self.title), tag("style", Markup(_STYLE)), _hatch(), *parts]
        background = tag("rect", width="100%", height="100%", fill="#ffffff")
        return tag(
            "svg",
            body[:3],
            background,
            body[3:],
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {size[0]} {size[1]}",
            width=size[0],
            height=size[1],
            role="img",
        )

    def _says(self) -> Iterator[str]:
        """What is shown, and what is not."""
        seen = self.seen
        if not seen.columns:
            yield "no window was closed"
            return
        size = f"{self.spec.window.size} rows" if self._by_row else window_text(self.spec.window)
        windows = f"{seen.windows:,} windows of {size}, {self._time(seen.columns[0][0])} to {self._end(-1)}"
        if seen.per_column > 1:
            windows += f"; a column is {seen.per_column} successive windows, and shows the worst of them"
        if not self._by_row and self.spec.timezone != "UTC":
            windows += f"; times are of {self.spec.timezone}"
        yield windows + "; features with the largest changes first"
        if seen.left_out:
            yield f"{seen.left_out:,} more features, with smaller changes, are left out"

    def _time(self, ms: int) -> str:
        if self._by_row:
            return f"row {ms:,}"
        return f"{datetime.fromtimestamp(ms / 1000, ZoneInfo(self.spec.timezone)):%Y-%m-%d %H:%M}"

    def _end(self, column: int) -> str:
        end = self.seen.columns[column][1]
        return self._time(end - 1 if self._by_row else end)

    def _lane(self, cause: str, spans: Sequence[Span], y: float) -> Iterator[Markup]:
        yield tag("text", f"incidents: {cause}", x=_n(_LEFT - 8), y=_n(y + 12), text_anchor="end", class_="small")
        for span in spans:
            first, last = self._x(span.first), self._x(span.last + 1)
            version = f", version {span.version}" if span.version else ""
            said = shown(f"{cause} incident ({span.severity}{version}): {', '.join(map(spoken, span.features))}")
            bar = tag("rect", x=_n(first), y=_n(y + 8), width=_n(max(last - first, 2)), height="3", fill=_PALE)
            mark = tag("path", d=_mark(cause, first, y + 9.5), fill=_INK, stroke="#ffffff")
            began = self._x(span.onset)
            before = _onset(began, first, y + 9.5) if began < first else ()
            yield tag("g", tag("title", said), bar, before, mark)

    def _calendar(self, y: float) -> Iterator[Markup]:
        """The columns with windows that were not judged."""
        yield tag("text", "ignored", x=_n(_LEFT - 8), y=_n(y + 12), text_anchor="end", class_="small")
        for name, first, last in self.seen.ignored:
            x, width = self._x(first), self._x(last + 1) - self._x(first)
            bar = tag("rect", x=_n(x), y=_n(y + 3), width=_n(max(width, 2)), height="12", fill="url(#hatch)")
            said = shown(f"not judged, as the calendar says: {name}")
            yield tag("g", tag("title", said), bar)

    def _feature(self, row: Row, y: float) -> Iterator[Markup]:
        height = self._row
        feature = spoken(row.name)
        name = shown(f"{feature} ({row.version})" if self._many else feature)
        short = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        yield tag("text", tag("title", name), short, x=_n(_LEFT - 8), y=_n(y + height / 2 + 4), text_anchor="end")
        for (first, last), cell in _runs(row.cells):
            x, width = self._x(first), self._x(last + 1) - self._x(first)
            # A hair wider than its columns, so that no background shows between neighbours.
            yield tag("rect", x=_n(x), y=_n(y), width=_n(width + 0.3), height=_n(height - 1), fill=_colour(cell))
            if cell.state in ("drifting", "watch"):
                thick = 4.0 if cell.state == "drifting" else 1.5
                yield tag(
                    "rect", x=_n(x), y=_n(y + height - 1 - thick), width=_n(width + 0.3), height=_n(thick), fill=_INK
                )
            elif cell.state == "learning":
                yield tag("line", x1=_n(x), x2=_n(x + width), y1=_n(y + 1), y2=_n(y + 1), stroke=_INK,
                          stroke_dasharray="1 3")  # fmt: skip
        yield from self._data_marks(row, y + height / 2 - 1)

    def _data_marks(self, row: Row, y: float) -> Iterator[Markup]:
        """As many as find room side by side."""
        wrong = [cell is not None and cell.data for cell in row.cells]
        for is_wrong, places in groupby(range(len(wrong)), key=wrong.__getitem__):
            mine = list(places)
            if is_wrong:
                first, last = self._x(mine[0]), self._x(mine[-1] + 1)
                marks = max(1, min(len(mine), int((last - first) // 9)))
                for mark in range(marks):
                    x = first + (mark + 0.5) * (last - first) / marks
                    yield tag("path", d=_mark("data", x, y, 3.5), fill=_INK, stroke="#ffffff")

    def _axis(self, top: float, bottom: float) -> Iterator[Markup]:
        columns = self.seen.columns
        if not columns:
            return
        starts = [start for start, _ in columns]
        first, last = starts[0], columns[-1][1] - 1
        for value, said in ticks.rows(first, last) if self._by_row else ticks.times(first, last, self.spec.timezone):
            column = max(bisect_right(starts, value) - 1, 0)
            start, end = columns[column]
            x = self._x(column + min((value - start) / (end - start), 1.0))
            yield tag("line", x1=_n(x), x2=_n(x), y1=_n(top), y2=_n(bottom + 5), stroke=_INK, stroke_opacity="0.25")
            room = {} if x < _LEFT + _WIDTH else {"text_anchor": "end"}
            yield tag("text", said, x=_n(x + 2), y=_n(bottom + 16), class_="small", **room)

    def _legend(self, y: float) -> Iterator[Markup]:
        x = float(_LEFT)
        yield tag("text", "change, in tolerances", x=_n(x - 8), y=_n(y + 11), text_anchor="end", class_="small")
        note = "of a change that chance explains, 1 tolerance at most is shown"
        yield tag("text", note, x=_n(x), y=_n(y + 27), class_="small")
        if self.seen.incidents:
            yield from self._key(y + 39)
        said_of = [f"{below:g} to {least:g}" for below, least in pairwise((0.0, *STEPS))]
        for said, colour in zip((*said_of, f"over {STEPS[-1]:g}"), _COLOURS, strict=True):
            yield tag("rect", x=_n(x), y=_n(y), width="16", height="14", fill=colour)
            yield tag("text", said, x=_n(x + 21), y=_n(y + 11), class_="small")
            x += 82
        x += 10
        for said, cell in (
            ("drifting", Cell(3.0, "drifting", False)),
            ("watch", Cell(1.5, "watch", False)),
            ("data", Cell(0.0, "ok", True)),
            ("learning", Cell(0.0, "learning", False)),
            ("not tested", Cell(None, "ok", False)),
        ):
            yield from self._sample(cell, x, y)
            yield tag("text", said, x=_n(x + 24), y=_n(y + 11), class_="small")
            x += 28 + 7.2 * len(said)

    def _key(self, y: float) -> Iterator[Markup]:
        """What the marks of incidents mean."""
        x = float(_LEFT)
        yield tag("text", "incidents", x=_n(x - 8), y=_n(y + 11), text_anchor="end", class_="small")
        for cause in get_args(Cause):
            yield tag("path", d=_mark(cause, x + 6, y + 7), fill=_INK, stroke="#ffffff")
            yield tag("text", cause, x=_n(x + 16), y=_n(y + 11), class_="small")
            x += 30 + 6.5 * len(cause)
        yield from _onset(x + 5, x + 30, y + 7)
        said = "from when it is estimated to have begun; the bar, from its first alarm to its end"
        yield tag("text", said, x=_n(x + 36), y=_n(y + 11), class_="small")

    def _sample(self, cell: Cell, x: float, y: float) -> Iterator[Markup]:
        yield tag("rect", x=_n(x), y=_n(y), width="18", height="14", fill=_colour(cell))
        if cell.data:
            yield tag("path", d=_mark("data", x + 9, y + 7, 3.5), fill=_INK, stroke="#ffffff")
        elif cell.state in ("drifting", "watch"):
            thick = 4.0 if cell.state == "drifting" else 1.5
            yield tag("rect", x=_n(x), y=_n(y + 14 - thick), width="18", height=_n(thick), fill=_INK)
        elif cell.state == "learning":
            yield tag("line", x1=_n(x), x2=_n(x + 18), y1=_n(y + 1), y2=_n(y + 1), stroke=_INK, stroke_dasharray="1 3")

    def _performance(self, y: float) -> Iterator[Markup]:
        metric, drop = self.spec.performance.metric, self.spec.performance.drop
        targets = {version: _target(known, metric) for version, known in self.references.items()}
        lines = [target for target in targets.values() if target is not None]
        worse = {"higher": -1.0, "lower": 1.0}.get(METRICS[metric].better)
        limits = [target + worse * drop for target in lines] if worse is not None else []
        points = [point for mine in self.seen.performance.values() for point in mine]
        low = min([*(p.lower for p in points), *lines, *limits])
        high = max([*(p.upper for p in points), *lines, *limits])
        room = (high - low) or abs(high) or 1.0
        low, high = low - 0.05 * room, high + 0.05 * room

        def at(value: float) -> float:
            return y + _PLOT * (high - value) / (high - low)

        yield tag("text", metric, x=_n(_LEFT - 8), y=_n(y + 12), text_anchor="end")
        yield tag("text", "with 95 % interval", x=_n(_LEFT - 8), y=_n(y + 27), text_anchor="end", class_="small")
        yield tag("rect", x=_n(_LEFT), y=_n(y), width=_n(_WIDTH), height=_n(_PLOT), fill="none", stroke=_LINE)
        # Of the two lines, the better one has its name above, so that the names never meet.
        above = -3 if worse == -1.0 else 10
        for values, said, dash, off in ((lines, "reference", "6 3", above), (limits, "limit", "2 3", 7 - above)):
            for value in dict.fromkeys(values):
                yield tag("line", x1=_n(_LEFT), x2=_n(_LEFT + _WIDTH), y1=_n(at(value)), y2=_n(at(value)), stroke=_PALE,
                          stroke_dasharray=dash)  # fmt: skip
                yield tag(
                    "text", f"{said} {value:.3g}", x=_n(_LEFT + _WIDTH + 4), y=_n(at(value) + off), class_="small"
                )
        for version, mine in self.seen.performance.items():
            yield from self._curve(version, mine, at)

    def _curve(self, version: str, points: Sequence[Point], at: Callable[[float], float]) -> Iterator[Markup]:
        middle = [(self._x(point.column + 0.5), point) for point in points]
        band = [(x, at(point.upper)) for x, point in middle] + [(x, at(point.lower)) for x, point in reversed(middle)]
        yield tag("polygon", points=_points(band), fill="#3b6ea5", fill_opacity="0.2")
        line = [(x, at(point.value)) for x, point in middle]
        yield tag("polyline", points=_points(line), fill="none", stroke="#24507e", stroke_width="1.5")
        if self._many:
            x, y = line[-1]
            yield tag("text", shown(f"version {version}"), x=_n(x), y=_n(y - 6), text_anchor="end", class_="small")


def _target(reference: Reference, metric: str) -> float | None:
    if reference.outcome is None:
        return None
    _, estimate = performance(reference.layout.outcome, reference.outcome, metric)
    return None if estimate is None else estimate.value


def _runs(cells: Sequence[Cell | None]) -> Iterator[tuple[tuple[int, int], Cell]]:
    """Neighbours that look alike, as (first, last) and one of them."""
    looks = [None if cell is None else (_colour(cell), cell.state, cell.data) for cell in cells]
    for look, places in groupby(range(len(cells)), key=looks.__getitem__):
        mine = list(places)
        cell = cells[mine[0]]
        if look is not None and cell is not None:
            yield (mine[0], mine[-1]), cell


def _colour(cell: Cell) -> str:
    return "url(#hatch)" if cell.step is None else _COLOURS[cell.step]


def _hatch() -> Markup:
    line = tag("path", d="M0 6L6 0", stroke="#aab4be")
    return tag("defs", tag("pattern", line, id="hatch", width="6", height="6", patternUnits="userSpaceOnUse"))


def _mark(cause: str, x: float, y: float, size: float = 5.0) -> str:
    """A triangle for drift, a diamond for data, a square for performance."""
    left, right, top, bottom = _n(x - size), _n(x + size), _n(y - size), _n(y + size)
    if cause == "drift":
        return f"M{left} {top}H{right}L{_n(x)} {bottom}Z"
    if cause == "data":
        return f"M{_n(x)} {top}L{right} {_n(y)}L{_n(x)} {bottom}L{left} {_n(y)}Z"
    return f"M{left} {top}H{right}V{bottom}H{left}Z"


def _onset(began: float, found: float, y: float) -> tuple[Markup, Markup]:
    """A ring where a change is estimated to have begun, and dots from there to where it was found."""
    dots = tag("line", x1=_n(began), x2=_n(found), y1=_n(y), y2=_n(y), stroke=_PALE, stroke_dasharray="2 3")
    return dots, tag("circle", cx=_n(began), cy=_n(y), r="3.5", fill="#ffffff", stroke=_INK)
