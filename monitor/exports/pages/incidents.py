"""The list of incidents: the open ones first, then the newest."""

from __future__ import annotations

from monitor.addresses import incident_page, incidents_page, trigger_page
from monitor.detection.life import Life
from monitor.detection.records import Incident
from monitor.detection.severity import level_of
from monitor.exports.course import headline
from monitor.exports.found import incidents
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.choices import models_choice
from monitor.exports.pages.entries import standing
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    PAGE,
    as_of,
    badge,
    choice,
    pager,
    time,
    trouble,
)
from monitor.exports.text import counted
from monitor.snapshot import Snapshot

REQUESTS_MAX = 3
_KINDS: tuple[tuple[str, bool | None], ...] = (("all", None), ("open", True), ("over", False))


def page(snapshot: Snapshot, model: str | None = None, only_open: bool | None = None, offset: int = 0) -> str:
    """model: of this one only. only_open: those that are, or those that are over; None: both. offset: to begin at."""
    found = sorted(incidents(snapshot, model, only_open), key=lambda incident: not incident.open)
    shown = found[offset : offset + PAGE]
    asked = requests(snapshot, {each.id for each in shown})
    open_ones = sum(each.open for each in found)
    return document(
        "Incidents",
        trouble(snapshot.service),
        tag("p", counted(len(found), "incident"), f", {open_ones:,} open", class_="quiet"),
        choice("State", [(name, address(model, kind), kind == only_open) for name, kind in _KINDS]),
        _models(snapshot, model, only_open),
        card(tag("ul", [_entry(each, asked.get(each.id, ())) for each in shown], class_="entries"))
        if shown
        else tag("p", "There is none here." if found else "There is no incident."),
        pager(offset, len(found), lambda at: address(model, only_open, at)),
        as_of(snapshot.service),
        here="/incidents",
    )


def address(model: str | None, only_open: bool | None, offset: int = 0) -> str:
    kind = None if only_open is None else str(only_open).lower()
    return incidents_page(model=model, open=kind, offset=str(offset) if offset else None)


def _models(snapshot: Snapshot, model: str | None, only_open: bool | None) -> Content:
    known = {view.name: len(view.incidents) for view in snapshot.models.values() if view.incidents}
    return models_choice(known, model, lambda name: address(name, only_open))


def requests(snapshot: Snapshot, incidents: set[str]) -> dict[str, list[Life]]:
    """The retrain requests that these incidents led to, newest first."""
    found: dict[str, list[Life]] = {}
    for view in snapshot.models.values():
        for life in reversed(view.triggers):
            if life.trigger.incident in incidents:
                found.setdefault(life.trigger.incident, []).append(life)
    return found


def _entry(incident: Incident, asked: list[Life] | tuple[()]) -> Markup:
    opened, ended = time(incident.opened.end_ms), time(incident.latest.end_ms)
    lasted: Content = ["since ", opened] if incident.open else [opened, " to ", ended]
    return tag(
        "li",
        tag("div", badge(standing(incident)), " ", badge(level_of(incident)), " ", incident.cause),
        tag("a", headline(incident), href=incident_page(incident.id)),
        tag("div", lasted, _asked(asked), class_="quiet"),
    )


def _asked(asked: list[Life] | tuple[()]) -> Content:
    """What became of the retrain requests."""
    if not asked:
        return None
    shown: list[Content] = [
        [", " if at else "", tag("a", life.state, href=trigger_page(life.trigger.id))]
        for at, life in enumerate(asked[:REQUESTS_MAX])
    ]
    more = f" and {len(asked) - REQUESTS_MAX:,} more" if len(asked) > REQUESTS_MAX else None
    return [" · retraining ", shown, more]
