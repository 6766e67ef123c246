"""PagerDuty's Events API v2: an incident is an alert, triggered, acknowledged and resolved under one key; so are the
retrainings of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from monitor.actions import telling
from monitor.actions.notification import retraining_of
from monitor.actions.outbox import Message
from monitor.actions.receiver import TIMEOUT_S, Answer, Conversation, NoResponse, Request
from monitor.actions.telling import Event
from monitor.events.timestamps import iso

HOST = "https://events.pagerduty.com"
PATH = "/v2/enqueue"
SUMMARY_MAX = 1_024

_SEVERITIES: Mapping[str, str] = {"critical": "critical", "major": "error", "moderate": "warning", "minor": "info"}
_ACTIONS: Mapping[str, str] = {
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "approved": "resolve",
    "succeeded": "resolve",
}


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """routing_key: the integration's key, a secret. host: of the account's region. pictures: whether others can fetch
    what this service serves.
    """

    name: str
    routing_key: str = field(repr=False)
    host: str = HOST
    pictures: bool = False
    timeout_s: float = TIMEOUT_S
    most: int = 1
    pace_ms: int = 0

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """A test is resolved as soon as it was triggered; what came of a retraining, with its incident, too."""
        [message] = messages
        event = Event.of(message)
        reply = yield self._request(message.subject, event, now_ms, _ACTIONS.get(event.state, "trigger"))
        also = _resolved_with(message, event)
        if also is not None and not isinstance(reply, NoResponse) and reply.status == 202:
            reply = yield self._request(also, event, now_ms, "resolve")
        if not isinstance(reply, NoResponse) and reply.status == 400:
            said = "PagerDuty does not take the event: look whether routing_key_file holds an Events API v2 key"
            return Answer("refused", f"HTTP 400: {said}.", 400)
        return reply

    def _request(self, key: str, event: Event, now_ms: int, action: str) -> Request:
        body: dict[str, Any] = {"routing_key": self.routing_key, "event_action": action, "dedup_key": key}
        if action == "trigger":
            body |= alert(event, now_ms, pictures=self.pictures)
        return Request(self.host.rstrip("/") + PATH, orjson.dumps(body))


def alert(event: Event, now_ms: int, *, pictures: bool) -> dict[str, Any]:
    """What the person on call sees of it."""
    data = event.data
    line = telling.course(event)
    details = {"Since": telling.since(event, now_ms), **dict(telling.facts(event))}
    if line is not None:
        details[line[0]] = line[1]
    picture = event.link("picture") if pictures else None
    alt = line[0] if line is not None else "the last windows"
    return {
        "client": "model-monitor",
        "client_url": event.page,
        "links": [{"href": url, "text": name} for name, url in telling.links(event)],
        "images": [] if picture is None else [{"src": picture, "href": event.link("incident"), "alt": alt}],
        "payload": {
            "summary": _cut(f"{telling.headline(event)}. {telling.summary(event)}", SUMMARY_MAX),
            "source": urlsplit(event.page or "").netloc or "model-monitor",
            "severity": _SEVERITIES[event.level],
            "timestamp": iso(event.time_ms),
            "component": data["model"],
            "group": f"version {data['version']}" if data["version"] else "",
            "class": data.get("cause") or event.kind,
            "custom_details": details,
        },
    }


def _resolved_with(message: Message, event: Event) -> str | None:
    """The key of a second alert that nobody need look at any more."""
    if event.state == "test":
        return message.subject
    over = event.state == "resolved" and event.data["retraining"] is not None
    return retraining_of(event.data["model"]) if over else None


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
