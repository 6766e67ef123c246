"""The distribution of a feature's page: a window beside what it was compared with, and the cells that moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitor.detection.attribution import parts_of
from monitor.detection.sentences import spoken
from monitor.exports.distribution import Compared
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.charts import Layout, Trace, chart
from monitor.exports.pages.parts import cells, table
from monitor.exports.text import counted
from monitor.profiles.distribution import Cell, Distribution, bound

MOVED_MAX = 8
"""Cells that are named first; the others are in the chart's own table."""

_TICKS = 8  # Bounds that fit beneath a chart.
_NAME = 24  # Characters of a category that fit beside it.
_HEIGHT, _ROW, _AXES = 320, 26, 70


def drawn(compared: Compared) -> Content:
    """Bars of both, one within the other, so that no colour need tell them apart."""
    found = compared.distribution
    before, now = shares(found)
    shown = [at for at in range(len(found.cells)) if at < len(found.cells) - 3 or before[at] or now[at]]
    cells = [found.cells[at] for at in shown]
    places = [place + (0.5 if at >= len(found.cells) - 3 else 0.0) for place, at in enumerate(shown)]
    names = [each.name for each in cells]
    across = found.numeric
    traces: list[Trace] = []
    for name, part, width, colour in (
        ("reference", before, 0.9, "var(--none)"),
        ("this window", now, 0.4, "var(--link)"),
    ):
        values = [float(part[at]) for at in shown]
        x, y = (places, values) if across else (values, places)
        value = "y" if across else "x"
        traces.append(
            {"type": "bar", "name": name, "x": x, "y": y, "orientation": "v" if across else "h", "width": width,
             "marker": {"color": colour, "line": {"color": "var(--quiet)", "width": 1}},
             "text": names, "textposition": "none",
             "hovertemplate": Markup(f"%{{text}}: %{{{value}:.1%}}<extra>{name}</extra>")}
        )  # fmt: skip
    layout = _across(cells, places) if across else _down(cells, places)
    height = _HEIGHT if across else _AXES + _ROW * max(len(cells), 4)
    title = "Share of rows: the reference in wide bars, this window in narrow ones"
    return chart("cells", title, _says(found), traces, layout, height=height, table=_table(found))


def shares(found: Distribution) -> tuple[Any, Any]:
    """float64[cells] each: of the reference's rows, and of the window's."""
    counts = np.array([[cell.reference, cell.current] for cell in found.cells], dtype=np.float64)
    before, now = (counts / np.maximum(counts.sum(axis=0), 1.0)).T
    return before, now


def moved(compared: Compared) -> Content:
    """The cells that make up the difference, the worst first."""
    found = compared.distribution
    before, now = shares(found)
    if not found.rows or not found.reference_rows:
        return None
    parts = parts_of(before, now)
    order = [at for at in np.argsort(-parts, kind="stable").tolist() if parts[at] >= 0.005][:MOVED_MAX]
    if not order:
        return tag("p", "No cell has moved: both are distributed alike.")
    heads = (spoken(found.feature), "Reference", "This window", "Points", "Of the difference")
    rows: list[Content] = [
        tag(
            "tr",
            tag("th", found.cells[at].name, scope="row"),
            cells(
                heads,
                (f"{before[at]:.1%}", f"{now[at]:.1%}", _points(now[at] - before[at]), f"{parts[at]:.0%}"),
                heads[1:],
            ),
        )
        for at in order
    ]
    return [
        tag("h3", "Cells that moved"),
        table(heads, rows, "The furthest first, in shares of all rows", cards=True),
        tag(
            "p",
            f"Chance moves cells too: {counted(found.rows, 'row')} are compared with {found.reference_rows:,}. "
            "Whether that is an alarm, the verdict above says: it knows what is usual.",
            class_="quiet",
        ),
    ]


def _points(change: float) -> Content:
    """How a share has changed, with a sign that needs no colour."""
    points = round(100 * change, 1)
    mark = "▲" if points > 0 else "▼" if points < 0 else "="
    return [tag("span", mark, aria_hidden="true"), f" {points:+.1f}"]


def _across(cells: list[Cell], places: list[float]) -> Layout:
    """Numbers from left to right: bounds between the bars, names beneath those that have none."""
    bounded = [(at, cell) for at, cell in zip(places, cells, strict=True) if cell.low is not None]
    edges = [(at - 0.5, cell.low) for at, cell in bounded]
    edges += [(at + 0.5, cell.high) for at, cell in bounded[-1:]]
    step = -(-len(edges) // _TICKS)
    ticks = [(at, bound(value)) for at, value in edges[::step] if value is not None]
    ticks += [(at, cell.name) for at, cell in zip(places, cells, strict=True) if cell.low is None]
    return {
        "barmode": "overlay",
        "hovermode": "closest",
        "xaxis": {
            "tickvals": [at for at, _ in ticks],
            "ticktext": [text for _, text in ticks],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
    }


def _down(cells: list[Cell], places: list[float]) -> Layout:
    """Categories one below the other, each with its name."""
    return {
        "barmode": "overlay",
        "hovermode": "closest",
        "xaxis": {"tickformat": ".0%", "rangemode": "tozero", "side": "top"},
        "legend": {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top"},
        "yaxis": {
            "tickvals": places,
            "ticktext": [cell.name if len(cell.name) <= _NAME else cell.name[: _NAME - 1] + "…" for cell in cells],
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
        },
    }


def _says(found: Distribution) -> str:
    before, now = shares(found)
    most = int(np.argmax(parts_of(before, now))) if found.rows else 0
    return (
        f"{spoken(found.feature)} in {len(found.cells)} cells; most of the difference is {found.cells[most].name}: "
        f"{before[most]:.1%} of the reference, {now[most]:.1%} of this window."
    )


def _table(found: Distribution) -> Markup:
    before, now = shares(found)
    rows: list[Content] = [
        tag(
            "tr",
            tag("th", cell.name, scope="row"),
            tag("td", f"{cell.reference:,}", class_="number"),
            tag("td", f"{before[at]:.1%}", class_="number"),
            tag("td", f"{cell.current:,}", class_="number"),
            tag("td", f"{now[at]:.1%}", class_="number"),
        )
        for at, cell in enumerate(found.cells)
    ]
    heads = (spoken(found.feature), "Reference, rows", "Share", "This window, rows", "Share")
    return table(heads, rows, "Every cell, in its order")
