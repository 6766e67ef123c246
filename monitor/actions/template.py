"""A template becomes a request: values keep their types, and each part of an address is encoded by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from monitor.actions.outbox import Message
from monitor.actions.receiver import Request
from monitor.config.template import FIELDS, Call, directive, is_header

SUMMARY_MAX = 1000
"""Characters of `fields.summary`: engines bound what a parameter may hold."""

_MEDIA = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class _Missing:
    """What a name stands for that nothing was given for."""


MISSING: Final = _Missing()


def scope(message: Message, parameters: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """What placeholders stand for in the requests about one message; parameters that are templates are rendered."""
    body = orjson.loads(message.body)
    event = body["data"]
    fields = {name: look_up(path, event) for name, path in FIELDS.items()}
    fields["summary"] = str(fields["summary"])[:SUMMARY_MAX]
    known = {
        "id": message.id,
        "name": "retrain-" + re.sub("[^a-z0-9]+", "-", message.id.removeprefix("msg_").lower()),
        "type": body["type"],
        "timestamp": body["timestamp"],
        "event": event,
        "fields": fields,
    }
    return known | {"param": {name: render(value, known) for name, value in parameters.items()}, "secret": secrets}


def look_up(path: str, known: Any) -> Any:
    """What a dotted name stands for: None beneath null, MISSING where nothing was given."""
    for part in path.split("."):
        if known is None:
            return None
        if part not in known:
            return MISSING
        known = known[part]
    return known


def render(value: Any, known: Mapping[str, Any]) -> Any:
    """A template's value. What stands for something that was not given is left out of mappings and lists."""
    word = directive(value)
    if word:
        return _directed(word, value, known)
    if isinstance(value, Mapping):
        return {key: done for key, inner in value.items() if (done := render(inner, known)) is not MISSING}
    if isinstance(value, list):
        return [done for inner in value if (done := render(inner, known)) is not MISSING]
    return value


def text(value: Any) -> str:
    """A value as an engine that wants text is given it."""
    if value is None or value is MISSING:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def request(call: Call, url: str, headers: Mapping[str, str], known: Mapping[str, Any]) -> Request:
    """The request of a call to an engine at `url`."""
    own = {name.lower(): _header(value, known) for name, value in call.headers.items()}
    body = b"" if call.body is None else _body(call, known)
    media = {"content-type": _MEDIA[call.encoding]} if body else {}
    return Request(_address(call, url, known), body, {**media, **own, **headers}, call.method)


def at(pointer: str, document: Any) -> Any:
    """What a JSON pointer (RFC 6901) points at; MISSING where there is nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and key.isascii() and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return MISSING
    return document


def _directed(word: str, value: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    argument = value[word]
    if word == "$":
        found = look_up(argument, known)
        return value["default"] if found in (None, MISSING) and "default" in value else found
    done = render(argument, known)
    if word == "$json":
        return orjson.dumps(None if done is MISSING else done).decode()
    if word in ("$text", "$split"):
        return text(done)
    texts = {name: text(inner) for name, inner in (done or {}).items()}
    if word == "$texts":
        return texts
    if word == "$pairs":
        return [f"{name}={inner}" for name, inner in texts.items()]
    return [{value.get("name", "name"): name, "value": inner} for name, inner in texts.items()]


def _body(call: Call, known: Mapping[str, Any]) -> bytes:
    done = render(call.body, known)
    if call.encoding == "form":
        return urlencode({name: text(value) for name, value in done.items()}).encode()
    return orjson.dumps(done)


def _header(value: Any, known: Mapping[str, Any]) -> str:
    """As it is where a header can carry it, else percent-encoded: no value ends the header that it stands in."""
    done = text(render(value, known))
    return done if is_header(done) and "%" not in done else quote(done, safe="!#$&'()*+,/:;=?@[]<>{}|^`~")


def _address(call: Call, url: str, known: Mapping[str, Any]) -> str:
    """The engine's address with the call's segments and query behind its own."""
    base = urlsplit(url)
    segments = [segment for value in call.path for segment in _segments(value, known)]
    path = base.path.rstrip("/") + "".join(f"/{segment}" for segment in segments) if segments else base.path
    given = {name: render(value, known) for name, value in call.query.items()}
    own = urlencode({name: text(value) for name, value in given.items() if value is not MISSING}, quote_via=quote)
    return base._replace(path=path, query="&".join(part for part in (base.query, own) if part)).geturl()


def _segments(value: Any, known: Mapping[str, Any]) -> list[str]:
    done = text(render(value, known))
    if directive(value) != "$split":
        return [_segment(done)]
    parts = [_segment(part) for part in done.split("/")]
    between = value.get("between")
    return parts if between is None else [each for part in parts for each in (_segment(str(between)), part)][1:]


def _segment(part: str) -> str:
    """Dots alone would lead to another place, so these are encoded too."""
    return part.replace(".", "%2E") if part in (".", "..") else quote(part, safe="")
