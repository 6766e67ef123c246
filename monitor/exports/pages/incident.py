"""An incident's page: what happened and how bad it is, how it went, what moved, and what it was computed from."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.addresses import API, incident_page, model_page, report_page, window_query
from monitor.detection.life import Life
from monitor.detection.records import Incident, IncidentChange, IncidentEvent
from monitor.detection.sentences import sentence
from monitor.detection.severity import Level, level_of
from monitor.exports.behind import STEPS_MAX
from monitor.exports.course import Line, began_ms, concerned, headline, last, line, within
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.orders import TEXT_MAX
from monitor.exports.pages import evidence
from monitor.exports.pages.charts import across, band, chart, level, marked, times
from monitor.exports.pages.charts import line as curve
from monitor.exports.pages.entries import retraining, standing
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    as_of,
    badge,
    between,
    figure,
    listed,
    number,
    span,
    table,
    time,
    trouble,
    version_name,
)
from monitor.exports.text import counted
from monitor.snapshot import DeliveryView, ModelView, ServiceView

WINDOWS_MAX = 12
"""Windows of which the receipt is shown."""

REQUESTS_MAX = 20
_HEIGHT = 320

_MEANS: dict[Level, str] = {
    "minor": "a small change",
    "moderate": "a change to look into",
    "major": "a large change",
    "critical": "a consequence, which somebody has to look at now",
}
_SAID: frozenset[IncidentEvent] = frozenset({"opened", "joined", "worsened"})
"""Steps that say what is wrong."""


def page(
    service: ServiceView,
    model: ModelView,
    incident: Incident,
    steps: Sequence[IncidentChange] = (),
) -> str:
    """steps: of its life, oldest first."""
    # As messages say it: of fallen performance only the steps tell when it began.
    began = min([began_ms(model, incident), *(each.onset_ms for each in steps if each.event in _SAID)])
    return document(
        headline(incident),
        trouble(service),
        _sentence(incident, steps),
        _figures(incident, began),
        _links(incident),
        _acknowledge(incident),
        _course(model, incident, began),
        _timeline(steps, began),
        _moved(model, incident),
        _requests(model, incident, service.delivery),
        _receipt(model, incident),
        as_of(service),
        above=[tag("a", "Incidents", href="/incidents"), " · ", tag("a", model.name, href=model_page(model.name))],
        charts=True,
    )


def _sentence(incident: Incident, steps: Sequence[IncidentChange]) -> Content:
    """How bad it is, and in its newest words what it is."""
    how_bad = level_of(incident)
    means = f": {_MEANS[how_bad]}" if incident.open else ""
    said = [change.reason for change in steps if change.event in _SAID]
    return [
        tag("p", badge(standing(incident)), " ", badge(how_bad), f" {incident.cause}{means}."),
        tag("p", sentence(said[-1])) if said else None,
    ]


def _figures(incident: Incident, began: int) -> Markup:
    opened = incident.opened
    part = f", {opened.segment}" if opened.segment else ""
    return tag(
        "dl",
        figure("began about", time(began)),
        figure("opened", time(opened.end_ms)),
        figure("last seen" if incident.open else "over", time(incident.latest.end_ms)),
        figure("of", version_name(opened.version), part),
        class_="figures",
    )


def _links(incident: Incident) -> Markup:
    """Where to read on, as of the newest window."""
    window = incident.latest
    return tag(
        "p",
        tag("a", "The model then", href=model_page(window.model, **window_query(window))),
        " · ",
        tag("a", "Report of the window", href=report_page(window)),
        " · ",
        tag("a", "For programs", href=f"{API}{incident_page(incident.id)}"),
    )


def _acknowledge(incident: Incident) -> Content:
    if standing(incident) != "open":
        return None
    return card(
        tag("h2", "Who looks after it?"),
        tag("p", "Whoever was told is told, too. What alarms later opens an incident of its own.", class_="quiet"),
        tag(
            "form",
            tag("label", "Your name, or what is to be remembered", tag("br"),
                tag("input", name="note", maxlength=str(TEXT_MAX), autocomplete="name")),
            tag("button", "Acknowledge", type="submit"),
            method="post",
            action=f"{incident_page(incident.id)}/acknowledge",
        ),
    )  # fmt: skip


def _course(model: ModelView, incident: Incident, began: int) -> Content:
    """What it is about, window by window, as the picture of messages draws it."""
    found = line(model, incident, incident.latest, began)
    if found is None or not found.steps:
        return card(tag("p", "The windows that it is about are no longer held, so that there is nothing to draw."))
    moments = [step.window.end_ms for step in found.steps]
    ends = times(moments)
    lower, upper = [step.lower for step in found.steps], [step.upper for step in found.steps]
    traces = []
    if any(each is not None for each in lower):
        traces += band("95 % interval", ends, lower, upper, "var(--band)")
    traces.append(curve(found.name, ends, list(found.values), line={"color": "var(--link)", "width": 2.5}))
    styles = (("dash", "var(--quiet)"), ("longdashdot", "var(--drifting)"))[-len(found.limits) :]
    for (name, value), (dash, colour) in zip(found.limits, styles, strict=False):
        traces.append(level(name, ends, value, dash=dash, colour=colour))
    layout = {
        **marked({found.began_ms: "began about here"}, moments),
        "xaxis": across(moments),
        "yaxis": {"title": {"text": found.name}, "hoverformat": ".4f"},
    }
    first, last = found.values[0], found.values[-1]
    says = f"{found.name} of {counted(len(found.steps), 'window')}, from {first:.3g} to {last:.3g}."
    title = f"Window by window: {found.name}"
    return card(chart("course", title, says, traces, layout, height=_HEIGHT, table=_table(found)))


def _table(found: Line) -> Markup:
    rows: list[Content] = [
        tag(
            "tr",
            tag("td", span(step.window.start_ms, step.window.end_ms)),
            tag("td", number(step.value), class_="number"),
            tag("td", between(step.lower, step.upper), class_="number"),
            tag("td", "yes" if step.window.end_ms > found.began_ms else "no"),
        )
        for step in reversed(found.steps)
    ]
    limits = "".join(f"; {name} {value:.3g}" for name, value in found.limits)
    heads = ("Window", found.name, "95 % interval", "After it began")
    return table(heads, rows, f"{found.name}, the newest first{limits}")


def _timeline(steps: Sequence[IncidentChange], began: int) -> Content:
    if not steps:
        return None
    entries: list[Content] = []
    if steps[0].event == "opened":
        entries.append([time(began), " ", tag("strong", "began"), tag("div", "About then, by what the windows say.")])
    else:
        most = f"The newest {STEPS_MAX} steps are shown." if len(steps) >= STEPS_MAX else "Earlier ones are not kept."
        entries.append(tag("span", most, class_="quiet"))
    for each in steps:
        grave = [" ", badge(level_of(each.incident))] if each.event in ("opened", "worsened") else None
        said = tag("div", sentence(each.reason))
        entries.append([time(each.window.end_ms), " ", tag("strong", each.event), grave, said])
    return card(tag("h2", "What happened"), tag("ol", [tag("li", entry) for entry in entries], class_="timeline"))


def _moved(model: ModelView, incident: Incident) -> Content:
    """The features it is about as they last were; of fallen performance, how it was read, and what moved then."""
    if incident.cause != "performance":
        return _card(evidence.features(last(model, incident), "The features, as they last were"))
    window = incident.latest
    read = next(
        (view for view in reversed(model.performance) if view.window.version == window.version
         and view.window.end_ms <= window.end_ms),
        None,
    )  # fmt: skip
    drifting = [each for each in concerned(model, incident, window) if each.state == "drifting"]
    return [
        None if read is None else _card(evidence.readings(read, "Performance, as it was last read")),
        _card(evidence.features(drifting, "Features that drifted at the same time")),
    ]


def _card(content: Content) -> Content:
    return None if content is None else card(content)


def _requests(model: ModelView, incident: Incident, deliveries: Sequence[DeliveryView]) -> Content:
    asked: list[Life] = [life for life in reversed(model.triggers) if life.trigger.incident == incident.id]
    entries = [retraining(life, deliveries) for life in asked[:REQUESTS_MAX]]
    if len(asked) > REQUESTS_MAX:
        entries.append(f"and {len(asked) - REQUESTS_MAX:,} more")
    return _card(listed("Retraining that was asked for", entries))


def _receipt(model: ModelView, incident: Incident) -> Content:
    """The windows, where their records are in Kafka, and digests of what was counted: what a replay has to give."""
    mine = [view for view in reversed(model.windows) if not view.window.segment and within(incident, view.window)]
    if not mine:
        return None
    rows: list[Content] = [
        tag(
            "tr",
            tag("td", span(view.window.start_ms, view.window.end_ms)),
            tag("td", f"{view.rows:,}", class_="number"),
            tag("td", evidence.places(view.offsets), class_="number"),
            tag("td", evidence.digest(view.profile)),
        )
        for view in mine[:WINDOWS_MAX]
    ]
    left = len(mine) - WINDOWS_MAX
    heads = ("Window", "Rows", "Offsets in Kafka", "Digest of what was counted")
    return card(
        tag("h2", "Receipt"),
        tag("p", "The same records, read again, give the same digests.", class_="quiet"),
        tag(
            "details",
            tag("summary", counted(len(mine), "window")),
            table(heads, rows, "Windows of the incident, the newest first"),
            tag("p", f"and {counted(left, 'window')} before", class_="quiet") if left > 0 else None,
        ),
    )
