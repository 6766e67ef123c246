"""The performance chart of a model's page: the metric with its interval, what was to be expected, limits, coverage."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.detection.records import Cause
from monitor.exports.course import began_ms, figure
from monitor.exports.latest import estimated
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.charts import Layout, across, band, began, chart, level, line, marked, times
from monitor.exports.pages.parts import between, number, percent, span, table
from monitor.snapshot import ModelView, PerformanceView
from monitor.statistics.reading import Reading

_HEIGHT = 360


def performance_chart(model: ModelView, version: str, end_ms: int | None = None) -> Content:
    """end_ms: of the window that is looked at. None where there is nothing to draw yet."""
    views = [view for view in model.performance if view.window.version == version]
    settled = [(view, reading) for view in views if (reading := figure(model, view)) and reading.value is not None]
    expected = _expected(model, version)
    if not settled and not expected:
        return None
    known = times(view.window.end_ms for view, _ in settled)
    ends = sorted({*(view.window.end_ms for view, _ in settled), *(end for end, _ in expected)})
    moments = times(ends)
    traces = []
    if expected:
        then, readings = times(end for end, _ in expected), [reading for _, reading in expected]
        traces.append(
            line("expected without labels", then, [each.value for each in readings], mode="lines",
                 line={"dash": "dot", "color": "var(--quiet)", "width": 2})
        )  # fmt: skip
    if settled:
        readings = [reading for _, reading in settled]
        lower, upper = [each.lower for each in readings], [each.upper for each in readings]
        traces += band("95 % interval", known, lower, upper, "var(--band)")
        traces.append(
            line(f"{model.metric} by labels", known, [each.value for each in readings],
                 line={"color": "var(--link)", "width": 2.5})
        )  # fmt: skip
    target = model.targets.get(version)
    if target is not None:
        traces.append(level("reference", moments, target.reference, dash="dash", colour="var(--quiet)"))
        if target.limit is not None:
            traces.append(level("limit", moments, target.limit, dash="longdashdot", colour="var(--drifting)"))
    traces.append(
        {"type": "bar", "name": "share labelled", "x": known, "y": [view.coverage for view, _ in settled],
         "yaxis": "y2", "marker": {"color": "var(--none)"}, "hovertemplate": "%{y:.0%}"}
    )  # fmt: skip
    layout = {
        **_began(model, version, ends, end_ms),
        "xaxis": {"anchor": "y2"} | across(ends),
        "yaxis": {"domain": [0.28, 1.0], "title": {"text": model.metric}, "hoverformat": ".4f"},
        "yaxis2": {"domain": [0.0, 0.18], "range": [0, 1], "tickformat": ".0%", "nticks": 3},
    }
    title = f"Performance: {model.metric}, window by window"
    return chart(
        "performance", title, _says(model, settled), traces, layout, height=_HEIGHT, table=_table(model, views)
    )


def _began(model: ModelView, version: str, ends: Sequence[int], end_ms: int | None) -> Layout:
    """Lines where open incidents are estimated to have begun, and at the window looked at."""
    causes: dict[int, list[Cause]] = {}
    for each in model.incidents:
        if each.open and each.opened.version == version:
            causes.setdefault(began_ms(model, each), []).append(each.cause)
    said = {
        moment: Markup(",<br>".join(words) + "<br>about here" if words else "")
        for moment, words in began(causes, ends[-1] - ends[0]).items()
    }
    return marked(said, ends, low=0.28, at=end_ms)


def _expected(model: ModelView, version: str) -> list[tuple[int, Reading]]:
    """The metric as it is to be expected of each window without its labels."""
    return [
        (view.window.end_ms, found)
        for view in model.windows
        if view.window.version == version and not view.window.segment
        if (found := estimated(view.estimates).get(model.metric)) is not None
    ]


def _says(model: ModelView, settled: list[tuple[PerformanceView, Reading]]) -> str:
    if not settled:
        return f"{model.metric} as it is to be expected; no labels have counted yet."
    first, last = settled[0][1], settled[-1][1]
    return f"{model.metric} of {len(settled)} windows, from {number(first.value)} to {number(last.value)}."


def _table(model: ModelView, views: list[PerformanceView]) -> Markup:
    heads = ("Window", model.metric, "95 % interval", "Expected", "Labels", "Labelled", "Evidence, of the limit")
    rows: list[Content] = []
    for view in reversed(views):
        reading, expected = figure(model, view), estimated(view.estimates).get(model.metric)
        evidence = "–" if view.evidence_ratio is None else percent(view.evidence_ratio)
        cells = (
            number(None if reading is None else reading.value),
            "–" if reading is None else between(reading.lower, reading.upper),
            number(None if expected is None else expected.value),
            f"{view.labels:,}",
            f"{view.coverage:.0%}",
            evidence,
        )
        when = tag("td", span(view.window.start_ms, view.window.end_ms))
        rows.append(tag("tr", when, [tag("td", cell, class_="number") for cell in cells]))
    return table(heads, rows, f"{model.metric} by window, the newest first")
