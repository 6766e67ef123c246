"""Charts of pages: figures of plotly as plain values, drawn by its script, each with a table that says the same.

Colours are names of the page's own (`var(--ok)`), which charts.js looks up: light or dark as the page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from monitor.detection.records import Cause
from monitor.events.timestamps import iso
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.text import clean

_MARGINS = 40
"""How many of the margins beside times would go into these."""

_LINE = 15
"""Pixels that a line of text takes."""

_CLOSE = 4
"""Moments within this part of what is drawn have no room for a note each, least of all on a phone."""

_BEGAN: Mapping[Cause, str] = {"drift": "drift began", "performance": "performance fell", "data": "faulty data began"}

Trace = dict[str, Any]
Layout = dict[str, Any]

_IN_SCRIPT = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
"""What could end the script element that holds the figure."""

_NO_HTML = {ord(letter): f"&{name};" for letter, name in (("&", "amp"), ("<", "lt"), (">", "gt"))}


def chart(
    identity: str,
    title: str,
    says: str,
    traces: list[Trace],
    layout: Layout,
    *,
    height: int,
    table: Content,
    key: Content = None,
) -> Markup:
    """A figure. identity: its own on its page. says: what it shows, for who does not see it. height: in pixels. table:
    the same in words and numbers. key: what marks and colours mean, where plotly's legend does not say it.
    """
    figure = {"data": traces, "layout": layout_of(layout, height)}
    # Keys of a figure are ours, but names of features and versions in it are anybody's.
    text = orjson.dumps(_clean(figure), option=orjson.OPT_SERIALIZE_NUMPY).decode().translate(_IN_SCRIPT)
    return tag(
        "figure",
        tag("figcaption", title),
        tag("div", class_="plot", data_figure=f"{identity}-figure", style=f"min-height:{height}px", role="img",
            aria_label=says),
        tag("script", Markup(text), type="application/json", id=f"{identity}-figure"),
        key,
        tag("details", tag("summary", "As a table"), table),
        class_="chart",
    )  # fmt: skip


def layout_of(layout: Layout, height: int) -> Layout:
    """With what all charts share."""
    axis = {
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zerolinecolor": "var(--line)",
        "automargin": True,
        "tickangle": 0,
    }
    axes = {name: axis | layout.get(name, {}) for name in {"xaxis", "yaxis", *filter(_is_axis, layout)}}
    common = {
        "height": height,
        "margin": {"l": 48, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--text)"},
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--line)", "font": {"color": "var(--text)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "hovermode": "x unified",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--quiet)", "activecolor": "var(--text)"},
    }
    return common | layout | axes


def line(name: str, x: list[Any], y: list[float | None], **more: Any) -> Trace:
    """A line with a mark at each point."""
    return {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": y, "marker": {"size": 5}} | more


def band(name: str, x: list[Any], lower: list[float | None], upper: list[float | None], colour: str) -> list[Trace]:
    """What lies between two lines. colour: of the fill, with its transparency."""
    edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip", "connectgaps": False}
    return [
        edge | {"y": lower, "showlegend": False},
        edge | {"y": upper, "fill": "tonexty", "fillcolor": colour, "name": name},
    ]


def level(name: str, x: list[Any], value: float, *, dash: str, colour: str) -> Trace:
    """A line across, such as a limit."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name} {value:.3g}",
        "x": [x[0], x[-1]],
        "y": [value, value],
        "line": {"dash": dash, "color": colour, "width": 1.5},
        "hoverinfo": "skip",
    }


def across(ends: Sequence[int]) -> Layout:
    """An axis of these times: left to plotly, it makes room for texts in the chart, too: on a phone, most of it."""
    margin = (ends[-1] - ends[0]) // _MARGINS
    return {"type": "date"} | ({"range": times((ends[0] - margin, ends[-1] + margin))} if margin else {})


def marked(
    moments: Mapping[int, str],
    ends: Sequence[int],
    *,
    low: float = 0.0,
    notes: float = 0.0,
    at: int | None = None,
) -> Layout:
    """A layout with a line at each moment of the span that is drawn, and what is said of it, if anything; and at the
    window that is looked at, by its end. ends: the times that are drawn. low: where lines end, of the plot's height;
    notes: where what is said begins, if that is higher.
    """
    shapes, annotations, height = [], [], 0
    said = [(moment, text, "var(--drifting)", "dot") for moment, text in moments.items()]
    said += [] if at is None or not ends[0] <= at <= ends[-1] else [(at, "this window", "var(--text)", "solid")]
    for moment, text, colour, dash in said:
        [x] = times([moment])
        line = {"color": colour, "width": 1, "dash": dash}
        shapes.append({"type": "line", "x0": x, "x1": x, "line": line, "yref": "paper", "y0": low, "y1": 1})
        if not text:
            continue
        # Beside the line, where there is more room; moments may lie close together.
        side = "left" if 2 * moment < ends[0] + ends[-1] else "right"
        annotations.append(
            {"x": x, "text": text, "xanchor": side, "align": side, "yref": "paper", "y": max(low, notes),
             "yanchor": "bottom", "yshift": height, "showarrow": False, "font": {"color": colour, "size": 11}}
        )  # fmt: skip
        height += _LINE * (text.count("<br>") + 1)
    return {"shapes": shapes, "annotations": annotations}


def began(causes: Mapping[int, Iterable[Cause]], span_ms: int) -> dict[int, list[str]]:
    """What began at each moment, oldest first; of those that lie close together all is said at the first, and nothing
    at the others. span_ms: of what is drawn.
    """
    said: dict[int, list[str]] = {}
    first = min(causes, default=0)
    for moment in sorted(causes):
        if (moment - first) * _CLOSE > span_ms:
            first = moment
        said[moment] = []
        said[first] += [_BEGAN[cause] for cause in causes[moment]]
    return {moment: list(dict.fromkeys(words)) for moment, words in said.items()}


def times(moments: Iterable[int]) -> list[str]:
    """On an axis of time, which reads them as they are written: UTC."""
    return [iso(ms).removesuffix("Z") for ms in moments]


def _is_axis(name: str) -> bool:
    return re.fullmatch("[xy]axis[0-9]*", name) is not None


def _clean(value: Any) -> Any:
    """The same with text that JSON can carry and that plotly shows as it is: it reads some HTML of its own, links and
    images among it, which only our own Markup is to have. `meta` it does not show: it holds addresses.
    """
    if isinstance(value, str):
        return clean(value) if isinstance(value, Markup) else clean(value).translate(_NO_HTML)
    if isinstance(value, dict):
        return {key: each if key == "meta" else _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value
