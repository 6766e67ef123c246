"""A receiver that is a pipeline engine: it is asked in its own words, and what it answers is read as it means it."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from monitor.actions import signing
from monitor.actions.outbox import Message
from monitor.actions.receiver import TIMEOUT_S, Answer, Conversation, NoResponse, Reply, Request, Response
from monitor.actions.template import MISSING, at, render, request, scope, text
from monitor.config.presets import Auth, Preset
from monitor.config.template import Call, Expected, Lookup, is_header
from monitor.errors import ConfigError

RUN_MAX = 200
"""Characters that are kept of what an engine calls a run."""

_EXISTS = "the run exists already, of an earlier try"


@dataclass(frozen=True, slots=True)
class Access:
    """How an engine is shown who asks. keys: to sign with, the current one first."""

    way: Auth
    user: str = ""
    secret: str = field(default="", repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(slots=True)
class Pipeline:
    """url: the engine's address. parameters: of the preset, templates among them.

    A token that was exchanged for user and password is kept until the engine refuses it.
    """

    name: str
    url: str = field(repr=False)
    engine: Preset = field(repr=False)
    access: Access
    parameters: Mapping[str, Any] = field(repr=False)
    timeout_s: float = TIMEOUT_S
    most: int = 1
    pace_ms: int = 0
    _token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.access.way == "token" and self.engine.template.shown_in != "body" and not is_header(self.access.secret):
            raise ConfigError(f"the token of webhook {self.name} holds what no header can: write it alone on one line")

    def deliver(self, messages: Sequence[Message], now_ms: int) -> Conversation:
        """Where the engine knows no key for repeats, it is asked first whether the run exists already: a crash may have
        forgotten that it was tried. A first try goes on without an answer, as the right to look may be missing; a known
        repeat does not.
        """
        [message] = messages
        template, known = self.engine.template, self._scope(message)
        if template.lookup is not None:
            found = yield from self._look(template.lookup, message, known, now_ms)
            if found is not None and (message.attempts or _delivered(found)):
                return found
        reply = yield from self._ask(template, message, known, now_ms)
        return self._read(reply, known) if isinstance(reply, Response) else reply

    def requests(self, message: Message, now_ms: int) -> list[tuple[str, Request]]:
        """Every request that a delivery may take, in order, and when it is made."""
        template, known = self.engine.template, self._scope(message)
        requests: list[tuple[str, Request]] = []
        if self.access.way == "login":
            requests.append(("for a token, which is kept while it is valid", self._login_request()))
        if template.lookup is not None:
            looking = self._request(template.lookup, message, known, now_ms)
            requests.append(("first: whether the run exists already, of an earlier try", looking))
        return [*requests, ("for the run", self._request(template, message, known, now_ms))]

    def _scope(self, message: Message) -> dict[str, Any]:
        in_body = self.access.way == "token" and self.engine.template.shown_in == "body"
        return scope(message, self.parameters, {"token": self.access.secret} if in_body else {})

    def _request(self, call: Call, message: Message, known: Mapping[str, Any], now_ms: int) -> Request:
        made = request(call, self.url, self._headers(), known)
        if len(made.body) > (self.engine.template.body_max or len(made.body)):
            made = request(call, self.url, self._headers(), self._scope(_without_evidence(message)))
        if self.access.way == "signed":
            signed = signing.headers(self.access.keys, message.id, now_ms // 1000, made.body)
            made = Request(made.url, made.body, {**made.headers, **signed}, made.method)
        return made

    def _headers(self) -> dict[str, str]:
        place = self.engine.template.shown_in
        if self.access.way == "basic":
            pair = f"{self.access.user}:{self.access.secret}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        if self.access.way == "login":
            return {"authorization": f"Bearer {self._token}"}
        if self.access.way != "token" or place == "body":
            return {}
        return {"authorization": f"Bearer {self.access.secret}"} if place == "bearer" else {place: self.access.secret}

    def _ask(
        self, call: Call, message: Message, known: Mapping[str, Any], now_ms: int
    ) -> Generator[Request, Reply, Reply | Answer]:
        """The answer to a request; with a new token where the engine refuses the one that is kept."""
        kept = bool(self._token)
        failed = None if kept or self.access.way != "login" else (yield from self._login())
        if failed is not None:
            return failed
        reply = yield self._request(call, message, known, now_ms)
        if kept and isinstance(reply, Response) and reply.status in (401, 403):
            failed = yield from self._login()
            if failed is not None:
                return failed
            reply = yield self._request(call, message, known, now_ms)
        return reply

    def _look(
        self, lookup: Lookup, message: Message, known: Mapping[str, Any], now_ms: int
    ) -> Generator[Request, Reply, Reply | Answer | None]:
        """The run of an earlier try, or what came instead of an answer; None where there is no such run."""
        found = yield from self._ask(lookup, message, known, now_ms)
        if isinstance(found, NoResponse | Answer) or not _is_success(found.status):
            return found
        if not _matches(lookup.success, found):
            return _answer("retry", found, "whether the run exists already was not answered")
        run = at(lookup.found, _json(found))
        return None if run is MISSING else _answer("delivered", found, _EXISTS, _run(run))

    def _login_request(self) -> Request:
        assert self.engine.login is not None, "a preset that knows the way login says where"
        secrets = {"user": self.access.user, "password": self.access.secret}
        return request(self.engine.login, self.url, {}, {"secret": secrets})

    def _login(self) -> Generator[Request, Reply, Reply | Answer | None]:
        """Fetch a token; what came instead of one, None where one came."""
        assert self.engine.login is not None, "a preset that knows the way login says where"
        self._token = ""
        reply = yield self._login_request()
        if isinstance(reply, NoResponse) or not _is_success(reply.status):
            return reply
        token = at(self.engine.login.token, _json(reply))
        if not _matches(self.engine.login.success, reply) or not isinstance(token, str) or not is_header(token):
            return _answer("refused", reply, "the answer holds no token")
        self._token = token
        return None

    def _read(self, reply: Response, known: Mapping[str, Any]) -> Response | Answer:
        template = self.engine.template
        if _matches(template.success, reply):
            return _answer("delivered", reply, "", self._run(reply, known))
        if template.duplicate is not None and _matches(template.duplicate, reply):
            return _answer("delivered", reply, _EXISTS, self._run(reply, known))
        if not _is_success(reply.status):
            return reply
        if template.transient is not None and _matches(template.transient, reply):
            return _answer("retry", reply, "the engine failed")
        return _answer("refused", reply, "the engine says that it began no run")

    def _run(self, reply: Response, known: Mapping[str, Any]) -> str:
        """What the engine calls the run; of an address only its path, as the rest may hold credentials."""
        template = self.engine.template.run
        if isinstance(template, dict):
            return _run(render(template, known))
        if template == "location":
            return _run(_path(reply.location or ""))
        return _run(at(template, _json(reply))) if template else ""


def _delivered(outcome: Reply | Answer) -> bool:
    return isinstance(outcome, Answer) and outcome.meaning == "delivered"


def _without_evidence(message: Message) -> Message:
    """The message of an event that an engine would not take whole."""
    body = orjson.loads(message.body)
    body["data"]["evidence"] = []
    return Message(message.id, message.receiver, message.subject, orjson.dumps(body), message.created_ms)


def _answer(meaning: Any, reply: Response, said: str, run: str = "") -> Answer:
    detail = f"HTTP {reply.status}: {said}." if said else f"HTTP {reply.status}."
    return Answer(meaning, detail, reply.status, reply.retry_after, run)


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _matches(expected: Expected, reply: Response) -> bool:
    if reply.status not in expected.status and not (not expected.status and _is_success(reply.status)):
        return False
    document = _json(reply) if expected.values else None
    return all(at(pointer, document) == value for pointer, value in expected.values.items())


def _json(reply: Response) -> Any:
    """The answer's JSON; MISSING where it is none, or was cut short."""
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return MISSING


def _run(value: Any) -> str:
    shown = text(value) if isinstance(value, str | int) else ""
    return "".join(character for character in shown[:RUN_MAX] if character.isprintable())


def _path(location: str) -> str:
    try:
        return urlsplit(location).path
    except ValueError:
        return ""
