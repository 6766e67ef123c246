"""Everybody that the Apprise library can reach, by its URLs: mail, Teams, Telegram and more than a hundred others.

The library does its own sending, so that the request here is to a program of ours (`monitor.runtime.apprise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from monitor.actions import telling
from monitor.actions.outbox import Message
from monitor.actions.receiver import Answer, Conversation, NoResponse, Run
from monitor.actions.telling import Event

PROGRAM = "monitor.runtime.apprise"
WHOLE_MAX = 3
"""Incidents of which a message tells everything; of more it has two lines each."""

_TYPES = {"critical": "failure", "major": "failure", "moderate": "warning", "minor": "info"}


@dataclass(frozen=True, slots=True)
class Apprise:
    """urls: Apprise's, one a line; they hold secrets. own_url: where this machine reaches the pictures,
    token: that it asks for.
    """

    name: str
    urls: str = field(repr=False)
    own_url: str
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    most: int = 20
    pace_ms: int = 1_000

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """Delivered once any address has it: to send to all again would tell the others twice."""
        events = sorted((Event.of(message) for message in messages), key=lambda event: event.rank)
        reply = yield Run(PROGRAM, self._input(events, now_ms))
        if isinstance(reply, NoResponse):
            return reply
        said = reply.body.decode(errors="replace")
        return Answer("delivered" if reply.status == 200 else "retry", said)

    def _input(self, events: Sequence[Event], now_ms: int) -> bytes:
        lead = events[0]
        title = telling.headline(lead) + (f" (and {len(events) - 1} more)" if len(events) > 1 else "")
        if len(events) == 1:
            body = telling.plain(lead, now_ms)
        elif len(events) <= WHOLE_MAX:
            body = "\n\n".join(f"{telling.headline(event)}\n{telling.plain(event, now_ms)}" for event in events)
        else:
            body = "\n\n".join(f"{telling.headline(event)}\n{telling.summary(event)}" for event in events)
        return orjson.dumps(
            {
                "urls": self.urls,
                "title": title,
                "body": body,
                "type": "success" if lead.over else _TYPES[lead.level],
                "picture": self._picture(lead) if len(events) == 1 else None,
                "token": self.token,
            }
        )

    def _picture(self, event: Event) -> str | None:
        """Where this machine reaches what others reach at `server.public_url`."""
        link = event.link("picture")
        if link is None:
            return None
        path = urlsplit(link).path
        return self.own_url.rstrip("/") + path[path.index("/api/v1/") :]
