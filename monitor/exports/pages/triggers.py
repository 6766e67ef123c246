"""The list of retrain requests: those that wait for a person first, then the newest."""

from __future__ import annotations

from collections import Counter

from monitor.addresses import trigger_page, triggers_page
from monitor.detection.life import Life, TriggerState
from monitor.detection.records import Trigger
from monitor.detection.sentences import sentence
from monitor.detection.triggers import WAITS_FOR_APPROVAL
from monitor.exports.found import triggers
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.choices import models_choice
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    PAGE,
    as_of,
    badge,
    choice,
    pager,
    time,
    trouble,
    version_name,
)
from monitor.exports.text import counted
from monitor.snapshot import Snapshot


def page(snapshot: Snapshot, model: str | None = None, state: TriggerState | None = None, offset: int = 0) -> str:
    """model: of this one only. state: in this one only. offset: to begin at."""
    found = sorted(triggers(snapshot, model, state), key=lambda life: not waits(life))
    shown = found[offset : offset + PAGE]
    waiting = sum(map(waits, found))
    wait = f", {waiting:,} waiting for approval" if waiting else ""
    return document(
        "Retraining",
        trouble(snapshot.service),
        tag("p", counted(len(found), "request"), wait, class_="quiet"),
        _states(snapshot, model, state),
        _models(snapshot, model, state),
        card(tag("ul", [_entry(each) for each in shown], class_="entries"))
        if shown
        else tag("p", "There is none here." if found else "There is no request."),
        pager(offset, len(found), lambda at: address(model, state, at)),
        as_of(snapshot.service),
        here="/triggers",
    )


def waits(life: Life) -> bool:
    """Whether it waits for a person."""
    return life.state == "withheld" and life.trigger.withheld == WAITS_FOR_APPROVAL


def address(model: str | None, state: TriggerState | None, offset: int = 0) -> str:
    return triggers_page(model=model, state=state, offset=str(offset) if offset else None)


def _states(snapshot: Snapshot, model: str | None, state: TriggerState | None) -> Content:
    """The states that there are, and the one that is asked for."""
    known = Counter(life.state for life in triggers(snapshot, model, None))
    if state is not None:
        known.setdefault(state, 0)
    if len(known) < 2 and state is None:
        return None
    entries: list[tuple[Content, str, bool]] = [("all", address(model, None), state is None)]
    entries += [(f"{name} ({count:,})", address(model, name), name == state) for name, count in known.items()]
    return choice("State", entries)


def _models(snapshot: Snapshot, model: str | None, state: TriggerState | None) -> Content:
    known = {view.name: len(view.triggers) for view in snapshot.models.values() if view.triggers}
    return models_choice(known, model, lambda name: address(name, state))


def _entry(life: Life) -> Markup:
    trigger, told = life.trigger, life.steps[-1].detail
    made = f" · made {version_name(life.version)}" if life.version else None
    said = None if life.state == "pending" or told in ("", trigger.summary) else tag("div", sentence(told))
    return tag(
        "li",
        tag("div", badge(life.state), " ", tag("a", headline(trigger), href=trigger_page(trigger.id))),
        said,
        tag("div", sentence(trigger.summary), class_="quiet"),
        tag("div", time(trigger.window.end_ms), made, class_="quiet"),
    )


def headline(trigger: Trigger) -> str:
    """Of which model and version, and why."""
    model, version = trigger.window.model, trigger.window.version
    why = "asked for by hand" if trigger.reason == "manual" else f"because of {trigger.reason}"
    return f"{model} (version {version}): retraining {why}" if version else f"{model}: retraining {why}"
