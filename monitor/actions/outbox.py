"""A message on its way to a receiver, and how an attempt to deliver it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeliveryState = Literal["pending", "delivered", "failed", "disabled", "superseded"]


@dataclass(frozen=True, slots=True)
class Message:
    """One durable event for one receiver. id: stable over every attempt and restart (`webhook-id`).

    receiver: its name in the configuration. subject: id of what it is about: a trigger, an incident, or a model's
    retraining; a newer message of the same subject takes the place of one that still waits. body: the event as JSON; a
    receiver makes its own request of it, or sends these bytes. due_ms: wall clock before which it is not tried (again).
    """

    id: str
    receiver: str
    subject: str
    body: bytes
    created_ms: int
    attempts: int = 0
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one try ended. state: pending while it will be tried again at due_ms; disabled: the receiver is gone (410);
    superseded: a newer message of its subject went instead.

    detail: one sentence, never a response body. run: what the receiver calls what it has begun, where it says so.
    """

    message: str
    receiver: str
    subject: str
    at_ms: int
    state: DeliveryState
    attempts: int
    due_ms: int
    status: int | None
    detail: str
    run: str = ""
