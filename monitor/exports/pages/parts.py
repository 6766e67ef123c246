"""What pages share: times, figures, badges, bars, tables, entries of lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from monitor.detection.life import TriggerState
from monitor.detection.records import Moved, State
from monitor.detection.severity import Level
from monitor.events.batch import CORRELATION
from monitor.events.timestamps import utc
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.marks import MARKS
from monitor.snapshot import ServiceView

PAGE = 50
"""Entries of a list on one page."""

Standing = Literal["open", "acknowledged", "over"]
"""Of an incident."""


class Bounded(Protocol):
    """What has a 95 % interval, or none."""

    @property
    def lower(self) -> float | None: ...
    @property
    def upper(self) -> float | None: ...


_EVIDENCE_LEAST, _EVIDENCE_MOST = 1e-6, 10.0
"""Evidence over the alarm's limit that a bar spans, in powers of ten."""

_MARKS: Mapping[str, str] = {
    **{state: mark.text for state, mark in MARKS.items()},
    "withheld": "‖",
    "pending": "…",
    "sent": "→",
    "accepted": "→",
    "running": "→",
    "succeeded": "✓",
    "failed": "✕",
    "expired": "✕",
    "minor": "·",
    "moderate": "!",
    "major": "!!",
    "critical": "!!!",
    "open": "◉",
    "acknowledged": "◐",
    "over": "✓",
}
"""Before a state's name, so that it is seen without its colour."""


def trouble(service: ServiceView) -> Content:
    """Why what is shown may be old, if it may."""
    if service.not_ready is None:
        return None
    return tag("p", tag("strong", "Not ready: "), service.not_ready, class_="trouble", role="status")


def as_of(service: ServiceView) -> Content:
    """When what is shown was last added to."""
    if service.committed_ms is None:
        return None
    return tag("p", "As of ", _stamp(utc(service.committed_ms), "%Y-%m-%d %H:%M:%S UTC"), class_="quiet")


def badge(state: State | TriggerState | Level | Standing) -> Markup:
    mark = tag("span", _MARKS[state], aria_hidden="true")
    return tag("span", mark, f" {state}", class_=f"badge {state}")


def bar(state: State, length: float, mark: float) -> Markup:
    """A bar with a mark on it; the numbers stand beside it."""
    return tag(
        "div",
        tag("div", class_=f"fill {state}", style=f"width:{min(length, 1):.1%}"),
        tag("div", class_="mark", style=f"left:{min(mark, 1):.1%}"),
        class_="bar",
        aria_hidden="true",
    )


def powers(ratio: float) -> float:
    """Where evidence lies between the powers of ten that a bar spans, from 0 to 1."""
    span = math.log10(_EVIDENCE_MOST / _EVIDENCE_LEAST)
    return math.log10(max(ratio, _EVIDENCE_LEAST) / _EVIDENCE_LEAST) / span


def percent(ratio: float) -> str:
    """Evidence over the alarm's limit."""
    if ratio >= _EVIDENCE_MOST:
        return f"over {_EVIDENCE_MOST:,.0%}"
    if ratio >= 0.1:
        return f"{ratio:.0%}"
    if ratio >= 1e-3:
        return f"{ratio:.1%}"
    if ratio >= 1e-4:
        return f"{ratio:.2%}"
    return "under 0.01%" if ratio > 0 else "0%"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def between(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:.3f} to {upper:.3f}"


def interval(of: Bounded) -> Content:
    """Beside a figure; None where it has none."""
    return None if of.lower is None else tag("span", f" {between(of.lower, of.upper)}", class_="quiet")


def figure(name: str, *value: Content) -> Markup:
    """One of a row of figures, in a list of class `figures`."""
    return tag("div", tag("dt", name), tag("dd", *value))


def duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def span(start_ms: int, end_ms: int) -> Content:
    start, end = utc(start_ms), utc(end_ms)
    clock = _clock(start_ms, end_ms)
    if start.date() == end.date():
        return [_stamp(start, f"%Y-%m-%d {clock}"), " to ", _stamp(end, f"{clock} UTC")]
    return [_stamp(start, f"%Y-%m-%d {clock} UTC"), " to ", _stamp(end, f"%Y-%m-%d {clock} UTC")]


def span_text(start_ms: int, end_ms: int) -> str:
    """The same where no markup can be."""
    start, end = utc(start_ms), utc(end_ms)
    clock = _clock(start_ms, end_ms)
    date = "" if start.date() == end.date() else "%Y-%m-%d "
    return f"{start:%Y-%m-%d {clock}} to {end:{date}{clock}} UTC"


def time(ms: int) -> Markup:
    return _stamp(utc(ms), f"%Y-%m-%d {_clock(ms)} UTC")


def _clock(*moments: int) -> str:
    """With seconds where they are not all full minutes."""
    return "%H:%M:%S" if any(ms % 60_000 for ms in moments) else "%H:%M"


def _stamp(moment: datetime, shown: str) -> Markup:
    return tag("time", moment.strftime(shown), datetime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def table(heads: Sequence[str], rows: Iterable[Content], caption: str | None = None) -> Markup:
    """A table that scrolls by itself where it is wider than the page, by keyboard too. rows: `tr` elements."""
    return tag(
        "div",
        tag(
            "table",
            None if caption is None else tag("caption", caption),
            tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads])),
            tag("tbody", list(rows)),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption or heads[0],
    )


def listed(title: str, entries: list[Content]) -> Content:
    return [tag("h2", title), tag("ul", [tag("li", entry) for entry in entries])] if entries else None


def version_name(version: str) -> str:
    return f"version {version}" if version else "the version without a name"


def moved(feature: str, cell: Moved) -> Markup:
    """Where a feature moved: from its usual share of the rows to the one now; or which pair, and its correlations."""
    figures = "{:z.2f} → {:z.2f}" if feature == CORRELATION else "{:.0%} → {:.0%}"
    shares = tag("span", figures.format(cell.usual, cell.now), class_="number")
    return tag("div", f"{cell.cell}: ", shares, class_="quiet")


def choice(title: str, entries: Iterable[tuple[Content, str, bool]]) -> Markup:
    """What else there is to look at. entries: what each is called, its address, and whether it is what is shown."""
    links = [tag("a", name, href=address, aria_current="true" if here else None) for name, address, here in entries]
    return tag("nav", tag("ul", [tag("li", link) for link in links], class_="choice"), aria_label=title)


def pager(offset: int, total: int, address: Callable[[int], str]) -> Content:
    """Which part of a list is shown, and the way to the others; nothing where it is the whole. address: of the part
    that begins at an offset.
    """
    end = min(offset + PAGE, total)
    if offset == 0 and end == total:
        return None
    shown = f"{offset + 1:,} to {end:,} of {total:,}" if offset < total else f"there are only {total:,}"
    newer = tag("a", "Previous", href=address(max(min(offset, total) - PAGE, 0)), rel="prev") if offset else None
    older = tag("a", "Next", href=address(end), rel="next") if end < total and offset < total else None
    return tag("nav", newer, tag("span", shown, class_="quiet"), older, aria_label="Pages")
