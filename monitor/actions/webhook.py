"""A receiver that takes the event as it is, signed as Standard Webhooks has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.actions import signing
from monitor.actions.outbox import Message
from monitor.actions.receiver import JSON, TIMEOUT_S, Conversation, Request


@dataclass(frozen=True, slots=True)
class Webhook:
    """secrets: keys to sign with, the first is the current one; the second while it is being replaced."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    timeout_s: float = TIMEOUT_S
    most: int = 1
    pace_ms: int = 0

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """Signed anew: the timestamp is the attempt's, the id and the body are the message's."""
        [message] = messages
        headers = signing.headers(self.secrets, message.id, now_ms // 1000, message.body)
        return (yield Request(self.url, message.body, {**JSON, **headers}))
