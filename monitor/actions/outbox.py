"""A message on its way to a receiver, and how an attempt to deliver it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeliveryState = Literal["pending", "delivered", "failed", "disabled"]


@dataclass(frozen=True, slots=True)
class Message:
    """One durable request. id: stable over every attempt and restart (`webhook-id`). body: the exact bytes signed.

    receiver: its name in the configuration. due_ms: wall clock before which it is not tried (again).
    """

    id: str
    receiver: str
    trigger: str
    body: bytes
    created_ms: int
    attempts: int = 0
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try ended. state: pending while it will be tried again at due_ms; disabled: the receiver is gone (410).

    detail: one sentence, never a response body.
    """

    message: str
    receiver: str
    at_ms: int
    state: DeliveryState
    attempts: int
    due_ms: int
    status: int | None
    detail: str
