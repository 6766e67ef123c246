"""An incident and what was known of it, as tests tell it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from monitor.actions.notification import Audience, Course, Scene, incident_message
from monitor.actions.outbox import Message
from monitor.detection.life import Life, TriggerChange, TriggerState
from monitor.detection.records import (
    Incident,
    IncidentChange,
    IncidentEvent,
    Moved,
    PerformanceEvidence,
    Trigger,
    Verdict,
)
from monitor.windows.window import Window

HOSTILE = (
    "<!channel>",
    "<!here|x>",
    "<@U123>",
    "<https://evil.example|click>",
    "</script><img src=x onerror=alert(1)>",
    "{{7*7}}",
    "=cmd|' /C calc'!A0",
    '"},{"text":"x"',
    "a&b;&amp;",
    "*bold* `code` _x_",
    "\ud800",
    "new\nline\r\x00\x1b[31m",
    "\u202eabc",
    "x" * 10_000,
    "&" * 5_000,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


CREATED_MS = at("2026-11-23T11:00:05Z")
WINDOW = Window(at("2026-11-23T11:00:00Z"), "fraud", "3", "", at("2026-11-23T10:00:00Z"))
FELL = Incident("inc_41", "performance", "major", WINDOW, WINDOW, ("roc_auc",))
DRIFTED = Incident("inc_42", "drift", "moderate", WINDOW, WINDOW, ("amount", "@score"))
BROKEN = Incident("inc_43", "data", "minor", WINDOW, WINDOW, ("country",))
AMOUNT = Verdict(
    WINDOW, "amount", 812, "drifting", 0.31, moved=(Moved("20 to 45", 0.05, 0.21, 0.6), Moved("over 45", 0.5, 0.4, 0.2))
)
PAIRS = Verdict(WINDOW, "@correlation", 812, "drifting", 0.1, moved=(Moved("amount and age", 0.61, -0.02, 1.0),))
COUNTRY = Verdict(WINDOW, "country", 812, "ok", 0.01, wrong=("missing", "unseen"))
FIGURES = PerformanceEvidence("roc_auc", 0.84, 0.82, 0.86, 0.91, 0.71)
COURSE = Course("roc_auc", (0.91, 0.9, 0.92, 0.86, 0.84), 0.88)
SINCE_MS = at("2026-11-23T09:14:00Z")
SCENE = Scene(SINCE_MS, (AMOUNT,), FIGURES, COURSE)
EVERYBODY = Audience("chat")
BASE = "https://monitor.example/"
SAID = "roc_auc fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled; it began about 2026-11-23T09:14:00Z"


def change(incident: Incident = FELL, event: IncidentEvent = "opened", reason: str = SAID) -> IncidentChange:
    return IncidentChange(
        replace(incident, open=event != "resolved"), event, WINDOW, reason, at("2026-11-23T09:14:00Z")
    )


def message(
    told: IncidentChange | None = None, scene: Scene = SCENE, audience: Audience = EVERYBODY, base: str = BASE
) -> Message:
    made = incident_message(told or change(), scene, audience, base, CREATED_MS)
    assert made is not None
    return made


def named(name: str, number: int = 0) -> Message:
    """Everything that can have a name has this one."""
    window = WINDOW._replace(model=name, version=name, segment=name)
    verdict = replace(AMOUNT, window=window, feature=name, moved=(Moved(name, 0.1, 0.2, 1.0),))
    incident = Incident(f"inc_{number}", "drift", "major", window, window, (name,) * 30)
    told = IncidentChange(incident, "opened", window, name * 3, window.start_ms)
    return message(told, Scene(SINCE_MS, (verdict,) * 9, FIGURES, replace(COURSE, of=name), lived(name)))


TRIGGER = Trigger(
    "trg_9", "drift", "major", "amount drifted", WINDOW, WINDOW.start_ms, "inc_42", (), None, 0, 812, {}, (0, 1)
)  # fmt: skip


def stepped(
    after: TriggerState,
    reason: str = "",
    trigger: Trigger = TRIGGER,
    version: str = "",
    before: TriggerState | None = "sent",
) -> TriggerChange:
    """A step in the life of a retrain request."""
    return TriggerChange(trigger, before, after, reason, version)


def lived(withheld: str = "") -> Life:
    """A retrain request, or one that was withheld."""
    return Life.begun(replace(TRIGGER, withheld=withheld), CREATED_MS)


def flat(value: Any) -> list[str]:
    """Every text within."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, child in value.items() for text in (key, *flat(child))]
    return [text for child in value for text in flat(child)] if isinstance(value, list) else []
