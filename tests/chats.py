"""Slack and PagerDuty as they publish their rules: what breaks one is answered as they would, and said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from monitor.actions.outbox import Message
from monitor.actions.receiver import NoResponse, Outcome, Receiver, Reply, Request, Response

LINKS = re.compile(r"https?://[^|<>\s]+\|[A-Za-z ]+")
DATES = re.compile(r"!date\^\d+\^[^|<>]+\|[^<>]*")


class Slack:
    """An incoming webhook. accepted: the bodies that it took; broken: what was against the rules."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.broken: list[str] = []

    def __call__(self, request: Request) -> Response:
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json"
        body = orjson.loads(request.body)
        wrong = list(_slack_faults(body))
        self.broken += wrong
        if wrong:
            return Response(400, body=b"invalid_blocks")
        self.accepted.append(body)
        return Response(200, body=b"ok")

    @property
    def text(self) -> str:
        """All that was taken, as one text."""
        return "\n".join(text for body in self.accepted for text in [body["text"], *_texts(body)])


def _slack_faults(body: dict[str, Any]) -> Iterator[str]:
    if not 0 < len(body["text"]) <= 40_000:
        yield "text"
    blocks = [block for part in body.get("attachments", ()) for block in part["blocks"]]
    if len(blocks) > 50 or len(body.get("attachments", ())) > 100:
        yield "too many blocks"
    for block in blocks:
        if block["type"] == "section" and not 0 < len(block["text"]["text"]) <= 3_000:
            yield "a section's length"
        if block["type"] == "header" and len(block["text"]["text"]) > 150:
            yield "a header's length"
        if block["type"] == "context" and not 0 < len(block["elements"]) <= 10:
            yield "elements of a context"
        if block["type"] == "image" and not (
            block["image_url"].startswith("https://") and 0 < len(block["alt_text"]) <= 2_000
        ):
            yield "an image"
        if block["type"] not in ("section", "context", "image", "divider", "header"):
            yield "a kind of block"
    for text in (body["text"], *_texts(body)):
        yield from pings(text)


def pings(text: str) -> Iterator[str]:
    """What in a text Slack would take for a mention, a command or a link that the sender did not mean."""
    for found in re.findall(r"<([^<>]*)>?", text):
        if not LINKS.fullmatch(found) and not DATES.fullmatch(found):
            yield f"<{found}>"
    bare = re.sub(r"<[^<>]*>", "", text)
    if re.search(r"[<>]|&(?!amp;|lt;|gt;)", bare):
        yield "not escaped"


def _texts(body: dict[str, Any]) -> Iterator[str]:
    for part in body.get("attachments", ()):
        for block in part["blocks"]:
            for element in (block.get("text"), *block.get("elements", ())):
                if element is not None:
                    assert element["type"] == "mrkdwn"
                    assert element["verbatim"] is True, "Slack would look for mentions in it"
                    yield element["text"]


class PagerDuty:
    """The Events API v2. open: the alerts that are not resolved, by key; history: (action, key)."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[str, str]] = []

    def __call__(self, request: Request) -> Response:
        assert request.url.endswith("/v2/enqueue")
        body = orjson.loads(request.body)
        if not _fits(body):
            return Response(400, body=b'{"status":"invalid event"}')
        action, key = body["event_action"], body["dedup_key"]
        self.history.append((action, key))
        if action == "trigger":
            self.open[key] = body
        elif action == "resolve":
            self.open.pop(key, None)
        return Response(202, body=b'{"status":"success"}')


def _fits(body: dict[str, Any]) -> bool:
    if not re.fullmatch(r"[0-9A-Za-z]{1,64}", body["routing_key"]) or not 0 < len(body["dedup_key"]) <= 255:
        return False
    if body["event_action"] in ("acknowledge", "resolve"):
        return set(body) == {"routing_key", "event_action", "dedup_key"}
    payload = body["payload"]
    return (
        body["event_action"] == "trigger"
        and 0 < len(payload["summary"]) <= 1_024
        and len(payload["source"]) > 0
        and payload["severity"] in ("critical", "error", "warning", "info")
        and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", payload["timestamp"]) is not None
        and isinstance(payload["custom_details"], dict)
        and all(image["src"].startswith("https://") for image in body["images"])
        and all(set(link) == {"href", "text"} for link in body["links"])
        and len(orjson.dumps(body)) < 512_000
    )


def talk(receiver: Receiver, messages: list[Message], answer: Any, now_ms: int) -> tuple[Outcome, list[Request]]:
    """A whole conversation: what came of it, and what was asked. answer: what each request is answered with."""
    conversation = receiver.deliver(messages, now_ms)
    asked = [next(conversation)]
    while True:
        reply: Reply = answer(asked[-1])
        assert isinstance(reply, Response | NoResponse)
        try:
            asked.append(conversation.send(reply))
        except StopIteration as ended:
            return ended.value, asked
