"""Slack's incoming webhooks: incidents that are due together are one message, and nothing in them can ping a channel.

Limits that Slack publishes: 1 message a second, 50 blocks a message, 3,000 characters a section. & < > are escaped, so
that a name like <!channel> or <https://x|y> is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from monitor.actions import telling
from monitor.actions.outbox import Message
from monitor.actions.receiver import TIMEOUT_S, Answer, Conversation, NoResponse, Reply, Request
from monitor.actions.telling import Event
from monitor.events.timestamps import utc

BLOCKS_MAX = 50
SECTION_MAX = 3_000
TEXT_MAX = 2_000
WHOLE_MAX = 3
"""Incidents of which a message tells everything; of more it has a paragraph each."""

COMPACT_MAX = 600
"""Characters of such a paragraph."""

_COLOURS: Mapping[str, str] = {
    "critical": "#8f1522",
    "major": "#dd5a33",
    "moderate": "#f7a75a",
    "minor": "#8a96a3",
    "over": "#2e7d4f",
}
_SIGNS: Mapping[str, str] = {
    "critical": "\N{LARGE RED CIRCLE}",
    "major": "\N{LARGE ORANGE CIRCLE}",
    "moderate": "\N{LARGE YELLOW CIRCLE}",
    "minor": "\N{MEDIUM WHITE CIRCLE}",
    "over": "\N{WHITE HEAVY CHECK MARK}",
}
_REFUSALS: Mapping[str, str] = {
    "no_service": "this webhook does not exist any more: make a new one and write its address to url_file",
    "no_service_id": "the address in url_file is not whole: copy it again",
    "no_team": "the workspace does not exist any more: write another webhook's address to url_file",
    "team_disabled": "the workspace is switched off: write another webhook's address to url_file",
    "invalid_token": "the address in url_file is not right, or was withdrawn: make a new webhook",
    "channel_not_found": "the webhook's channel does not exist any more: make a webhook for another",
    "channel_is_archived": "the webhook's channel is archived: take it out of the archive, or use another",
    "action_prohibited": "an administrator of the workspace does not allow it: ask for the permission",
    "posting_to_general_channel_denied": "the webhook must not write to this channel: use another",
}
"""Slack's words for what is wrong, as published; no other part of an answer is ever shown."""


@dataclass(frozen=True, slots=True)
class Slack:
    """url: holds the secret. pictures: whether Slack can fetch what this service serves."""

    name: str
    url: str = field(repr=False)
    pictures: bool = False
    timeout_s: float = TIMEOUT_S
    most: int = 40
    pace_ms: int = 1_000

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """Where Slack does not take a message it gets it without pictures, which it may not be able to fetch, and if it
        still does not, as bare text: better ugly than unheard.
        """
        events = sorted((Event.of(message) for message in messages), key=lambda event: event.rank)
        pictures = self.pictures and len(events) <= WHOLE_MAX
        made = [body(events, now_ms, pictures=True)] if pictures else []
        for each in (*made, body(events, now_ms), bare(events)):
            reply = yield Request(self.url, each)
            if isinstance(reply, NoResponse) or reply.status != 400:
                break
        return _read(reply)


def _read(reply: Reply) -> Reply | Answer:
    """An archived channel answers 410: it may come back, so what is refused is this message, not the receiver."""
    if isinstance(reply, NoResponse) or not 400 <= reply.status < 500 or reply.status in (408, 425, 429):
        return reply
    said = reply.body.decode(errors="replace").strip()
    why = _REFUSALS.get(said, "it refused the message")
    return Answer("refused", f"HTTP {reply.status}: Slack says that {why}.", reply.status)


def body(events: Sequence[Event], now_ms: int, *, pictures: bool = False) -> bytes:
    """The request's: a coloured part for each event."""
    lead = events[0]
    title = f"{_sign(lead)} {escaped(telling.headline(lead), TEXT_MAX)}"
    if len(events) > 1:
        title += f" (and {len(events) - 1} more)"
    if len(events) <= WHOLE_MAX:
        parts = [_whole(event, now_ms, titled=len(events) > 1, pictures=pictures) for event in events]
    else:
        parts = [[_section(_compact(event))] for event in events]
    attachments = [
        {"color": _COLOURS["over" if event.over else event.level], "blocks": blocks}
        for event, blocks in zip(events, parts, strict=True)
    ]
    assert sum(map(len, parts)) <= BLOCKS_MAX
    return orjson.dumps({"text": title, "parse": "none", "link_names": False, "attachments": attachments})


def bare(events: Sequence[Event]) -> bytes:
    """The request's, with nothing in it that Slack could be particular about."""
    text = "\n\n".join(_compact(event) for event in events)
    return orjson.dumps({"text": text, "parse": "none", "link_names": False})


def _whole(event: Event, now_ms: int, *, titled: bool, pictures: bool) -> list[dict[str, Any]]:
    lines = [_bold(telling.headline(event))] if titled else []
    lines.append(escaped(telling.summary(event), TEXT_MAX))
    lines.append(f"*Since* {_since(event, now_ms)}")
    blocks = [_section("\n".join(lines))]
    told = [f"*{escaped(name, 200)}*  {escaped(text, 600)}" for name, text in telling.facts(event)]
    if told:
        blocks.append(_section(_joined(told)))
    picture = event.link("picture") if pictures else None
    line = telling.course(event)
    if picture is not None:
        alt = line[0] if line is not None else telling.headline(event)
        blocks.append({"type": "image", "image_url": picture, "alt_text": alt[:TEXT_MAX]})
    elif line is not None and not event.over:
        blocks.append(_section(f"{escaped(line[0], 200)}  `{escaped(line[1].replace('`', ''), 400)}`"))
    reading = " · ".join(f"<{escaped(url, 2_000)}|{name}>" for name, url in telling.links(event))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": reading, "verbatim": True}]})
    return blocks


def _compact(event: Event) -> str:
    reading = "" if event.page is None else f"  <{escaped(event.page, 2_000)}|more>"
    said = escaped(telling.summary(event), COMPACT_MAX)
    return f"{_sign(event)} {_bold(telling.headline(event))}\n{said}{reading}"


def _since(event: Event, now_ms: int) -> str:
    """In the reader's own time zone; in UTC where the text is read without Slack."""
    said = telling.since(event, now_ms)
    if event.of_incident and event.over:
        return said
    token = f"<!date^{event.since_ms // 1000}^{{date_short_pretty}} {{time}}|{utc(event.since_ms):%Y-%m-%d %H:%M} UTC>"
    return f"{token}, {telling.span(now_ms - event.since_ms)} ago"


def _sign(event: Event) -> str:
    return _SIGNS["over" if event.over else event.level]


def _bold(text: str) -> str:
    return f"*{escaped(text.replace('*', '∗'), 500)}*"


def _joined(lines: Sequence[str]) -> str:
    """As many whole lines as a section takes: a line cut in two could break what it escapes."""
    return "\n".join(_fitting(lines))


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    room = SECTION_MAX
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def escaped(text: str, most: int) -> str:
    """Text that Slack shows as it is, of at most so many characters."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(safe) <= most:
        return safe
    return re.sub(r"&[a-z]{0,3}$", "", safe[: most - 1]) + "…"
