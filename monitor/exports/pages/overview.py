"""The first page: what is wrong now, and every model in a line, the worst first."""

from __future__ import annotations

from monitor.addresses import model_page
from monitor.detection.records import Incident, State
from monitor.detection.sentences import spoken
from monitor.exports.course import figure
from monitor.exports.latest import STATES, Slice, overall, slices
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.entries import incident
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    PAGE,
    as_of,
    badge,
    interval,
    listed,
    number,
    pager,
    table,
    time,
    trouble,
)
from monitor.exports.text import counted, named
from monitor.snapshot import ModelView, Snapshot

INCIDENTS_MAX = 20
STRIP = 40
"""Windows in the small picture of each model."""

_SEVERITY = ("minor", "moderate", "major")
_HEIGHTS: dict[State, int] = {"drifting": 24, "watch": 15, "ok": 6, "learning": 3, "insufficient": 3, "untestable": 3}


def page(snapshot: Snapshot, offset: int = 0) -> str:
    """offset: of the list of models, to begin at."""
    models = sorted(snapshot.models.values(), key=lambda model: model.name)
    parts = {model.name: slices(model) for model in models}
    states = {name: overall(verdict for part in mine for verdict in part.standing) for name, mine in parts.items()}
    models.sort(key=lambda model: _worst(model, states[model.name]))
    incidents = sorted((each for model in models for each in model.incidents if each.open), key=_gravest)
    return document(
        "Model monitor",
        tag("p", counted(len(models), "model"), ", ", counted(len(incidents), "open incident"), class_="quiet"),
        trouble(snapshot.service),
        _incidents(incidents),
        _models(models[offset : offset + PAGE], parts, states),
        pager(offset, len(models), lambda at: f"/?offset={at}" if at else "/"),
        as_of(snapshot.service),
        here="/",
    )


def _worst(model: ModelView, state: State) -> tuple[bool, int, int, str]:
    """Sorts models: those with open incidents first, then by state."""
    gravest = max((_SEVERITY.index(each.severity) for each in model.incidents if each.open), default=-1)
    return gravest < 0, -gravest, -STATES.index(state), model.name


def _gravest(of: Incident) -> tuple[int, int, str]:
    return -_SEVERITY.index(of.severity), -of.opened.end_ms, of.id


def _incidents(incidents: list[Incident]) -> Content:
    if not incidents:
        return None
    shown = [incident(each, model=True) for each in incidents[:INCIDENTS_MAX]]
    if len(incidents) > INCIDENTS_MAX:
        shown.append(tag("a", f"and {len(incidents) - INCIDENTS_MAX:,} more", href="/incidents?open=true"))
    return card(listed("Open incidents", shown))


def _models(models: list[ModelView], parts: dict[str, tuple[Slice, ...]], states: dict[str, State]) -> Content:
    if not models:
        return None
    heads = ("Model", "State", "Lately", "Performance", "Not as usual", "Last event")
    rows: list[Content] = [_row(model, parts[model.name], states[model.name]) for model in models]
    legend = f"Lately: the last {STRIP} windows, each as high as its worst feature is far from usual."
    return card(table(heads, rows, "Models, the worst first"), tag("p", legend, class_="quiet"))


def _row(model: ModelView, parts: tuple[Slice, ...], state: State) -> Markup:
    newest = next((part for part in parts if not part.segment), None)
    seen = "no event yet" if model.last_event_ms is None else time(model.last_event_ms)
    return tag(
        "tr",
        tag("th", tag("a", model.name, href=model_page(model.name)), _version(newest, model), scope="row"),
        tag("td", badge(state)),
        tag("td", _strip(model)),
        tag("td", _performance(model, newest), class_="number"),
        tag("td", _moved(parts)),
        tag("td", seen),
    )


def _version(newest: Slice | None, model: ModelView) -> Content:
    if newest is None or not newest.version:
        return None
    others = f" and {len(model.versions) - 1} more" if len(model.versions) > 1 else ""
    return tag("div", f"version {newest.version}{others}", class_="quiet")


def _performance(model: ModelView, newest: Slice | None) -> Content:
    if newest is None or newest.performance is None:
        return "–"
    reading = figure(model, newest.performance)
    if reading is None or reading.value is None:
        return "–"
    name = tag("div", model.metric, class_="quiet")
    return [tag("strong", number(reading.value)), interval(reading), name]


def _moved(parts: tuple[Slice, ...]) -> Content:
    found = [verdict.name for part in parts for verdict in part.standing if verdict.state in ("drifting", "watch")]
    return named([spoken(name) for name in dict.fromkeys(found)], 3) if found else "–"


def _strip(model: ModelView) -> Content:
    """The worst state of each of the last windows, whatever its version, as a row of bars."""
    by_end: dict[int, list[State]] = {}
    for view in model.windows:
        by_end.setdefault(view.window.end_ms, []).extend(verdict.state for verdict in view.verdicts)
    last = [(end, states) for end, states in sorted(by_end.items()) if states][-STRIP:]
    if not last:
        return "–"
    worst = [max(states, key=lambda state: _HEIGHTS[state]) for _, states in last]
    bars = [
        tag("rect", x=str(4 * at + 4 * (STRIP - len(worst))), y=str(24 - _HEIGHTS[state]), width="3",
            height=str(_HEIGHTS[state]), class_=state)
        for at, state in enumerate(worst)
    ]  # fmt: skip
    odd = sum(state in ("drifting", "watch") for state in worst)
    said = f"{odd} of the last {counted(len(worst), 'window')} not as usual"
    box = f"0 0 {4 * STRIP} 24"
    return tag("svg", tag("title", said), bars, class_="strip", viewBox=box, role="img", preserveAspectRatio="none")
