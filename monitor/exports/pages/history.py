"""The history of a feature's page: its effect and evidence window by window, and what was wrong with its data."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.addresses import feature_page, window_query
from monitor.detection.records import Cause, Incident, Verdict
from monitor.exports.course import began_ms
from monitor.exports.latest import Finder
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.charts import Layout, Trace, across, began, chart, level, line, marked, times
from monitor.exports.pages.marks import MARKS, key_of
from monitor.exports.pages.parts import (
    badge,
    number,
    percent,
    span,
    table,
)
from monitor.snapshot import ModelView, WindowView

_EVIDENCE = (1e-3, 10.0)  # What is drawn of it: below it is none, and above nothing more is to be said.
_QUALITY = {"missing": "solid", "invalid": "dot", "out_of_range": "dash", "unseen": "dash"}

Step = tuple[WindowView, Verdict]


def history(
    model: ModelView, feature: str, steps: Sequence[Step], incidents: Sequence[Incident], end_ms: int | None
) -> Content:
    """Effect against floor and tolerance above, evidence against the alarm's limit below. steps: oldest first; end_ms:
    of the window that is looked at. None where there is none.
    """
    if not steps:
        return None
    moments = times(view.window.end_ms for view, _ in steps)
    verdicts = [verdict for _, verdict in steps]
    marker = {"symbol": [MARKS[each.state].symbol for each in verdicts], "size": 7, "color": "var(--link)"}
    said = [each.state for each in verdicts]
    traces: list[Trace] = [
        line("what chance alone gives", moments, [each.noise_floor for each in verdicts], mode="lines",
             line={"color": "var(--quiet)", "dash": "dot", "width": 2}, hovertemplate="%{y:.3f}"),
        line("effect", moments, [each.effect for each in verdicts], marker=marker, text=said,
             line={"color": "var(--link)", "width": 2}, hovertemplate="%{y:.3f}, %{text}"),
        level("tolerance", moments, model.alarms.tolerance_of(feature), dash="dash", colour="var(--watch)"),
        line("evidence, of the alarm's limit", moments,
             [min(max(each.evidence_ratio, _EVIDENCE[0]), _EVIDENCE[1]) for each in verdicts], yaxis="y2", text=[
                 percent(each.evidence_ratio) for each in verdicts], hovertemplate="%{text}", marker=marker,
             line={"color": "var(--text)", "width": 1.5, "dash": "longdash"}),
        level("alarm", moments, 1.0, dash="longdashdot", colour="var(--drifting)") | {"yaxis": "y2", "name": "alarm"},
    ]  # fmt: skip
    layout = {
        **_marked(model, incidents, verdicts, end_ms),
        "xaxis": {"anchor": "y2"} | across([view.window.end_ms for view, _ in steps]),
        "yaxis": {"domain": [0.48, 1.0], "title": {"text": "effect"}, "rangemode": "tozero"},
        "yaxis2": {"domain": [0.0, 0.36], "title": {"text": "evidence"}, "type": "log",
                   "tickvals": [1e-3, 1e-2, 0.1, 1, 10], "range": [-3.3, 1.3],
                   "ticktext": ["0.1%", "1%", "10%", "100%", "1,000%"]},
    }  # fmt: skip
    return chart("history", "Effect and evidence, window by window", _says(verdicts), traces, layout, height=460,
                 table=_table(model, feature, steps), key=key_of(each.state for each in verdicts))  # fmt: skip


def _marked(model: ModelView, incidents: Sequence[Incident], verdicts: Sequence[Verdict], end_ms: int | None) -> Layout:
    """Lines where incidents are estimated to have begun, in the span that is shown, and at the window looked at."""
    first, last = verdicts[0].window.start_ms, verdicts[-1].window.end_ms
    causes: dict[int, list[Cause]] = {}
    for each in incidents:
        if first <= (moment := began_ms(model, each)) <= last:
            causes.setdefault(moment, []).append(each.cause)
    said = {moment: ", ".join(words) for moment, words in began(causes, last - first).items()}
    return marked(said, (first, last), notes=0.37, at=end_ms)


def _says(verdicts: Sequence[Verdict]) -> str:
    known = [each.effect for each in verdicts if each.effect is not None]
    drifting = sum(each.state == "drifting" for each in verdicts)
    size = f"effects from {min(known):.3f} to {max(known):.3f}" if known else "no effect could be tested"
    return f"{len(verdicts)} windows, {drifting} of them drifting; {size}, now {verdicts[-1].state}."


def _table(model: ModelView, feature: str, steps: Sequence[Step]) -> Markup:
    rows: list[Content] = [
        tag(
            "tr",
            tag(
                "td",
                tag(
                    "a",
                    span(view.window.start_ms, view.window.end_ms),
                    href=feature_page(model.name, feature, **window_query(view.window)),
                ),
            ),
            tag("td", badge(verdict.state), [tag("div", aspect) for aspect in verdict.wrong]),
            tag("td", number(verdict.effect), class_="number"),
            tag("td", number(verdict.noise_floor), class_="number"),
            tag("td", percent(verdict.evidence_ratio), class_="number"),
            tag("td", f"{verdict.rows:,}", class_="number"),
        )
        for view, verdict in reversed(steps)
    ]
    heads = ("Window", "State", "Effect", "Chance gives", "Evidence, of the limit", "Rows")
    return table(heads, rows, "Windows, the newest first")


def quality(feature: str, views: Sequence[WindowView]) -> Content:
    """Shares of rows without a value, of the wrong type, and never seen; None where they were not read."""
    finder = Finder(feature)
    read = [(view, {each.statistic: each.value for each in finder.readings(view)}) for view in views]
    known = [(view, values) for view, values in read if values]
    drawn = [
        (statistic, statistic.replace("_", " "), dash)
        for statistic, dash in _QUALITY.items()
        if any(values.get(statistic) is not None for _, values in known)
    ]
    if not drawn:
        return None
    moments = times(view.window.end_ms for view, _ in known)
    colours = {"solid": "var(--link)", "dot": "var(--quiet)", "dash": "var(--watch)"}
    traces = [
        line(name, moments, [values.get(statistic) for _, values in known], hovertemplate="%{y:.1%}",
             line={"color": colours[dash], "dash": dash, "width": 2})
        for statistic, name, dash in drawn
    ]  # fmt: skip
    last = known[-1][1]
    says = ", ".join(f"{name} {last.get(statistic) or 0.0:.1%}" for statistic, name, _ in drawn)
    rows: list[Content] = [
        tag(
            "tr",
            tag("td", span(view.window.start_ms, view.window.end_ms)),
            [tag("td", _share(values.get(statistic)), class_="number") for statistic, _, _ in drawn],
        )
        for view, values in reversed(known)
    ]
    heads = ("Window", *(name.capitalize() for _, name, _ in drawn))
    layout = {
        "xaxis": across([view.window.end_ms for view, _ in known]),
        "yaxis": {"tickformat": ".1~%", "rangemode": "tozero"},
    }
    title = "Rows without a usable value, or with one that the reference never had"
    said = f"In the newest window: {says}."
    shares = table(heads, rows, "Shares of rows by window")
    return chart("quality", title, said, traces, layout, height=260, table=shares)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
