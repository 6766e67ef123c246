"""What people are told: a change of an incident or of a retraining as the exact bytes that are stored and sent.

One message for each receiver and change, so that what one of them could not take does not concern the others. Its id is
a digest of what it is about: two instances that see the same tell it under the same id. Receivers make their own
requests of the event (`monitor.actions.slack` and others); the generic webhook sends it as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from monitor.actions.outbox import Message
from monitor.addresses import API, incident_page, public, report_page, trigger_page
from monitor.detection.life import Life, TriggerChange
from monitor.detection.records import IncidentChange, PerformanceEvidence, Verdict
from monitor.detection.sentences import spoken
from monitor.detection.severity import LEVELS, Level, level_of
from monitor.detection.triggers import WAITS_FOR_APPROVAL
from monitor.events.batch import CORRELATION
from monitor.events.timestamps import iso
from monitor.windows.window import Window

EVIDENCE_MAX = 5
"""Features of which a message says how they moved."""

FEATURES_MAX = 20
TEXT_MAX = 1_000
"""Most characters of any one text: a name may be as long as its producer likes."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told what. name: of the receiver, as configured. level_min: of incidents, at least. models: of these only;
    empty: of all. resolved: whether to be told of the end. wait_ms: to gather what belongs together, before a message
    goes. runbook: where people read on, None where nothing is configured.
    """

    name: str
    level_min: Level = "minor"
    models: frozenset[str] = frozenset()
    resolved: bool = True
    wait_ms: int = 0
    runbook: str | None = None

    def hears(self, model: str, level: Level) -> bool:
        """An incident's level never falls, so whoever heard of it hears of its end too."""
        return (not self.models or model in self.models) and LEVELS.index(level) >= LEVELS.index(self.level_min)


@dataclass(frozen=True, slots=True)
class Course:
    """How something went over the last windows, oldest first. of: what it is; limit: the line that it should not cross,
    None where there is none.
    """

    of: str
    values: tuple[float, ...]
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What else was known when an incident changed. since_ms: when it is estimated to have begun. verdicts: of the
    features concerned, worst first. performance: the newest settled figure. retraining: the newest that
    was asked for since then; else, why the newest one for it was not.
    """

    since_ms: int
    verdicts: Sequence[Verdict] = ()
    performance: PerformanceEvidence | None = None
    course: Course | None = None
    retraining: Life | None = None


def last_of_each(changes: Sequence[IncidentChange]) -> list[IncidentChange]:
    """Of one step, what is still to be said of each incident: a backlog must not tell its whole history."""
    return list({change.incident.id: change for change in changes}.values())


def incident_message(
    change: IncidentChange, scene: Scene, audience: Audience, base_url: str, created_ms: int
) -> Message | None:
    """What an audience is told of a change; None where it is not to hear of it. base_url: of the HTTP API."""
    incident, window = change.incident, change.window
    level = level_of(incident)
    if not audience.hears(incident.opened.model, level) or (change.event == "resolved" and not audience.resolved):
        return None
    data = {
        "incident": incident.id,
        "model": window.model,
        "version": window.version,
        "segment": window.segment,
        "cause": incident.cause,
        "severity": incident.severity,
        "level": level,
        "features": [spoken(name) for name in incident.features[:FEATURES_MAX]],
        "inputs": [name for name in incident.features[:FEATURES_MAX] if spoken(name) == name],
        "summary": change.reason,
        "since": iso(scene.since_ms),
        "opened": iso(incident.opened.end_ms),
        "window": {"start": iso(window.start_ms), "end": iso(window.end_ms)},
        "evidence": [_evidence(verdict) for verdict in scene.verdicts[:EVIDENCE_MAX]],
        "performance": asdict(scene.performance) if scene.performance else None,
        "course": _course(scene.course),
        "retraining": _retraining(scene.retraining),
        "links": _links(base_url, audience.runbook, incident=incident.id, window=window),
    }
    about = (incident.id, change.event, str(window.start_ms), str(window.end_ms))
    return _message(f"model.incident.{change.event}", data, incident.id, about, audience, created_ms)


def trigger_message(change: TriggerChange, audience: Audience, base_url: str, created_ms: int) -> Message | None:
    """What an audience is told of a retraining: that it waits for a person, that one has sent it, has failed, has
    expired, or is done; None for every other step, and for whom it does not concern. Nobody is woken for it: it is
    never `critical`.
    """
    trigger, window, state = change.trigger, change.trigger.window, _told(change)
    ends = state in ("approved", "succeeded")
    if state is None or not audience.hears(window.model, trigger.severity) or (ends and not audience.resolved):
        return None
    data = {
        "trigger": trigger.id,
        "model": window.model,
        "version": window.version,
        "segment": window.segment,
        "severity": trigger.severity,
        "level": trigger.severity,
        "summary": trigger.summary,
        "reason": change.reason,
        "new_version": change.version,
        "since": iso(trigger.onset_ms),
        "window": {"start": iso(window.start_ms), "end": iso(window.end_ms)},
        "links": _links(base_url, audience.runbook, incident=trigger.incident, trigger=trigger.id),
    }
    subject = retraining_of(_shown(window.model))
    return _message(f"model.retrain.{state}", data, subject, (trigger.id, state), audience, created_ms)


def retraining_of(model: str) -> str:
    """The subject of all messages on retrainings of a model, by its name as messages show it: one is in flight, each
    try has an id of its own, and the newest says how it stands.
    """
    return "retrain_" + hashlib.sha256(model.encode()).hexdigest()[:32]


def _told(change: TriggerChange) -> str | None:
    """The state that people are told of, if any."""
    if change.after in ("failed", "expired", "succeeded"):
        return change.after
    if change.after == "withheld":
        return "waiting" if change.reason == WAITS_FOR_APPROVAL else None
    return "approved" if (change.before, change.after) == ("withheld", "pending") else None


def trial_message(audience: Audience, base_url: str, created_ms: int) -> Message:
    """What `monitor notify test` sends: nothing has happened, and it says so."""
    data = {
        "model": "none",
        "version": "",
        "severity": "minor",
        "level": "minor",
        "summary": "somebody ran `monitor notify test`: nothing has happened, and nothing needs to be done",
        "since": iso(created_ms),
        "links": _links(base_url, audience.runbook),
    }
    about = ("test", str(created_ms))
    return replace(_message("model.test", data, "test", about, audience, created_ms), due_ms=0)


def _message(
    kind: str, data: dict[str, Any], subject: str, about: Sequence[str], audience: Audience, created_ms: int
) -> Message:
    digest = hashlib.sha256("\0".join((*about, audience.name)).encode(errors="backslashreplace")).hexdigest()
    return Message(
        id=f"msg_{digest[:32]}",
        receiver=audience.name,
        subject=subject,
        body=orjson.dumps(_shown({"type": kind, "timestamp": iso(created_ms), "data": data})),
        created_ms=created_ms,
        due_ms=created_ms + audience.wait_ms,
    )


def _evidence(verdict: Verdict) -> dict[str, Any]:
    """values: of a feature, those between two numbers or some categories, with their share of the rows; of how features
    go together, two of them, with their correlation.
    """
    together = verdict.feature == CORRELATION
    return {
        "feature": spoken(verdict.name),
        "effect": verdict.standing,
        "wrong": list(verdict.wrong),
        "measure": "correlation" if together else "share of rows",
        "moved": [{"values": cell.cell, "before": cell.usual, "now": cell.now} for cell in verdict.moved],
    }


def _course(course: Course | None) -> dict[str, Any] | None:
    return None if course is None else {"of": course.of, "values": list(course.values), "limit": course.limit}


def _retraining(life: Life | None) -> dict[str, Any] | None:
    if life is None:
        return None
    trigger = life.trigger
    decided = iso(trigger.window.end_ms)
    return {"trigger": trigger.id, "state": life.state, "reason": trigger.withheld, "decided": decided}


def _links(
    base_url: str, runbook: str | None, *, incident: str = "", trigger: str = "", window: Window | None = None
) -> dict[str, str | None]:
    """The picture's address changes with the window: whoever shows it may keep what it had fetched before."""
    picture = f"{API}{incident_page(incident)}/picture.png?at={window.end_ms}" if incident and window else None
    paths = {
        "page": "/",
        "incident": incident_page(incident) if incident else None,
        "trigger": trigger_page(trigger) if trigger else None,
        "picture": picture,
        "report": report_page(window) if window else None,
    }
    return {
        **{name: None if path is None else public(base_url, path) for name, path in paths.items()},
        "runbook": runbook,
    }


def _shown(value: Any) -> Any:
    """The same with texts that can be shown: what producers chose may hold control characters, signs that turn the
    direction of writing, or half of a character, and may be of any length.
    """
    if isinstance(value, str):
        text = value if len(value) <= TEXT_MAX else value[: TEXT_MAX - 1] + "…"
        return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if isinstance(value, dict):
        return {key: _shown(child) for key, child in value.items()}
    return [_shown(child) for child in value] if isinstance(value, list) else value
