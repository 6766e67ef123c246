"""What a receiver is: it turns messages into requests and reads the answers, without any I/O of its own.

A conversation is a generator: it yields a `Request`, is sent what came of it, and returns what that means for the
messages. A token that has to be fetched first, a look whether the run exists already before a message is repeated, or
an answer that says 200 and means failure are plain code here; `monitor.runtime.delivery` does the sending, and one
deadline covers the whole conversation.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

from monitor.actions.outbox import Message

JSON: Mapping[str, str] = MappingProxyType({"content-type": "application/json"})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Nothing of it is ever shown: address, headers and body may carry credentials."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=lambda: JSON)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program of ours, for a library that sends by itself. module: as after `python -m`; input: bytes on
    its standard input, never shown. Its answer has status 200 where it exits with 0 and 500 where it does not, and what
    it has written as body.
    """

    module: str
    input: bytes = field(repr=False)


Problem = Literal["timeout", "dns", "refused", "unreachable", "tls", "reset", "protocol", "internal"]


@dataclass(frozen=True, slots=True)
class Response:
    """The receiver's answer; retry_after and location: the headers' text, if any. body: its first bytes."""

    status: int
    retry_after: str | None = None
    location: str | None = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class NoResponse:
    """There was no answer, and why. The receiver may have acted on the request all the same."""

    problem: Problem


Reply = Response | NoResponse
Meaning = Literal["delivered", "disabled", "refused", "retry"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver reads in a reply where its status does not tell. detail: one sentence, never a response body.
    run: what the receiver calls what it has begun.
    """

    meaning: Meaning
    detail: str
    status: int | None = None
    retry_after: str | None = None
    run: str = ""


Outcome = Reply | Answer
Sent = Request | Run
Conversation = Generator[Sent, Reply, Outcome]


class Receiver(Protocol):
    """One place that messages go to. name: as configured. most: messages that one conversation may carry. pace_ms:
    least time between two conversations. timeout_s: deadline of a whole one.
    """

    @property
    def name(self) -> str: ...
    @property
    def most(self) -> int: ...
    @property
    def pace_ms(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """Deliver at least one and at most `most` messages, oldest first. now_ms: wall clock."""
        ...


TIMEOUT_S = 15.0
"""Deadline of a conversation, as the contract has it."""
