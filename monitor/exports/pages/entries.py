"""One line on an incident, and one on a retrain request, wherever pages list them."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.addresses import incident_page, trigger_page
from monitor.detection.life import Life
from monitor.detection.records import Incident
from monitor.detection.sentences import spoken
from monitor.exports.markup import Content, tag
from monitor.exports.pages.parts import Standing, time, version_name
from monitor.exports.text import named
from monitor.snapshot import DeliveryView


def incident(of: Incident, *, model: bool = False) -> Content:
    """One line on an incident, with a link to its page. model: whether it is said of which model it is."""
    features = f": {named([spoken(name) for name in of.features])}" if of.features else ""
    about = [of.opened.model] if model else []
    about += [version_name(of.opened.version)] if of.opened.version else []
    where = tag("span", f" · {', '.join(about)}" if about else "", ", since ", time(of.opened.end_ms), class_="quiet")
    return [tag("a", f"{of.severity} {of.cause}", href=incident_page(of.id)), features, where]


def standing(of: Incident) -> Standing:
    if not of.open:
        return "over"
    return "acknowledged" if of.acknowledged else "open"


def retraining(life: Life, deliveries: Iterable[DeliveryView]) -> Content:
    """One line on a retrain request, with a link to its page and what became of it."""
    trigger, told = life.trigger, life.steps[-1].detail
    tried = [f"{each.attempts} tries to {each.receiver}" for each in deliveries if each.subject == trigger.id]
    match life.state:
        case "withheld":
            fate = trigger.withheld
        case "pending":
            fate = ""
        case "sent":
            fate = ", ".join([*tried, told])
        case "succeeded":
            fate = f"version {life.version}" if life.version else ""
        case _:
            fate = told
    return [
        tag("a", trigger.summary, href=trigger_page(trigger.id)),
        tag("span", ", ", time(trigger.window.end_ms), f", {life.state}", f": {fate}" if fate else "", class_="quiet"),
    ]
