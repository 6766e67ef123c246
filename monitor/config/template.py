"""Templates of requests: structures with typed placeholders, in which no text is ever pasted into text.

A mapping that begins with $ stands for a value; everything else is what it is.

    {"$": "event.model"}                   the value of that name, with its type; `default` for null
    {"$text": X}  {"$json": X}             X as text: a number or a time as it is written, null as ""; X as JSON text
    {"$texts": M}                          the mapping M with every value as text
    {"$pairs": M}                          a list of texts, name=value
    {"$entries": M, "name": "key"}         a list of {name, value}; `name` is what the first of the two is called
    {"$split": X, "between": "job"}        of a path only: the parts of X between slashes, each a segment

What the names stand for is in `names`: a placeholder that stands for nothing is found when the file is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.config.document import Location
from monitor.config.problems import Problem, listed, near, refuse
from monitor.config.settings import Settings, one_or_more

Tree = Mapping[str, Any]
"""Names by name: a mapping of what lies beneath, or None."""

EVENT: Tree = MappingProxyType(
    {
        **dict.fromkeys(("trigger", "model", "version", "reason", "severity", "summary")),
        "window": dict.fromkeys(("start", "end")),
        "onset": None,
        "training_window": dict.fromkeys(("start", "end")),
        **dict.fromkeys(("labels_available", "evidence")),
        "performance": dict.fromkeys(("metric", "value", "lower", "upper", "reference", "label_coverage")),
        "data": {"rows": None, "offsets": {"predictions": {}, "labels": {}}},
        "receipt": dict.fromkeys(("monitor", "config", "reference", "profile")),
        "links": dict.fromkeys(("incident", "report", "status")),
    }
)
"""What `data` of a retrain request holds."""

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("trigger", "model", "version", "reason", "severity", "summary", "onset")},
        "window_start": "window.start",
        "window_end": "window.end",
        "training_start": "training_window.start",
        "training_end": "training_window.end",
        "labels_available": "labels_available",
        "offsets": "data.offsets",
        "incident_url": "links.incident",
        "status_url": "links.status",
    }
)
"""What an engine that takes names and values is given unless the file says otherwise, and where in the event it is."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED = frozenset({"host", "connection", "content-length", "transfer-encoding", "authorization", "user-agent"})
_BESIDE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "$": frozenset({"default"}),
        **dict.fromkeys(("$text", "$json", "$texts", "$pairs"), frozenset()),
        "$entries": frozenset({"name"}),
        "$split": frozenset({"between"}),
    }
)
_OF_MAPPINGS = frozenset({"$texts", "$pairs", "$entries"})


def directive(value: object) -> str:
    """The word by which a mapping stands for a value; empty where it is what it is."""
    return next((key for key in value if key.startswith("$")), "") if isinstance(value, Mapping) else ""


def _pointer(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("is not a JSON pointer: begin with a slash, as in /run/id")
    return text


def _header_problem(name: str) -> str:
    """What is wrong with the name of a header, or nothing."""
    if not _HEADER.fullmatch(name):
        return "is not the name of a header: write letters, digits and dashes"
    if name.lower() in _RESERVED:
        return "is a header that is written for you: remove it, and name secrets by their files"
    return ""


def _run(value: object) -> object:
    if not isinstance(value, str) and not directive(value):
        raise ValueError("must be a JSON pointer as /run/id, location, or a placeholder")
    return _pointer(value) if isinstance(value, str) and value not in ("", "location") else value


def _values(value: object) -> object:
    if not isinstance(value, Mapping) or not all(isinstance(wanted, str | int) for wanted in value.values()):
        raise ValueError("must be a mapping of JSON pointers to text, numbers or booleans, as {/ok: true}")
    for pointer in value:
        _pointer(pointer)
    return value


def _statuses(value: object) -> object:
    return one_or_more([value] if isinstance(value, int) else value)


def _shown_in(place: str) -> str:
    if place not in ("bearer", "body") and (problem := _header_problem(place)):
        raise ValueError(problem)
    return place


Pointer = Annotated[str, AfterValidator(_pointer)]
Statuses = Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], BeforeValidator(_statuses)]
Segments = Annotated[tuple[Any, ...], BeforeValidator(one_or_more)]


class Expected(Settings):
    """An answer. status: one of these, any from 200 to 299 where there are none. values: what its JSON holds where."""

    status: Statuses = ()
    values: Annotated[dict[str, Any], BeforeValidator(_values)] = Field(default_factory=dict)


class Call(Settings):
    """One request. path: segments after those of the receiver's address. success: the answer that means yes."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    path: Segments = ()
    query: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    encoding: Literal["json", "form"] = "json"
    success: Expected = Expected()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems: list[Problem] = []
        if self.encoding == "form" and not isinstance(self.body, Mapping):
            problems.append((("body",), "must be a mapping where encoding is form"))
        for name, value in self.headers.items():
            if problem := _header_problem(name):
                problems.append((("headers", name), problem))
            if not directive(value) and not (isinstance(value, str) and is_header(value)):
                text = "holds what no header can: write printable ASCII, or a placeholder"
                problems.append((("headers", name), text))
        refuse(*problems)
        return self

    @property
    def templates(self) -> Iterator[tuple[Location, object]]:
        """Its parts that may hold placeholders."""
        yield from ((("path", place), value) for place, value in enumerate(self.path))
        yield from ((("query", name), value) for name, value in self.query.items())
        yield from ((("headers", name), value) for name, value in self.headers.items())
        yield ("body",), self.body


class Lookup(Call):
    """The question whether a run exists already. found: where the answer names it."""

    found: Pointer


class Login(Call):
    """The request that gives a token. token: where in its answer."""

    token: Pointer


class Template(Call):
    """The request that asks for a retrained model.

    duplicate: the answer that means that an earlier try has arrived. transient: an answer below 300 that is a failure
    which may pass. run: what the engine calls the run: a place in its answer, `location` for that header, or a value.
    lookup: asked before the run is. shown_in: bearer, body (`secret.token`), or a header's name. body_max: bytes; a
    larger event goes without `evidence`.
    """

    duplicate: Expected | None = None
    transient: Expected | None = None
    run: Annotated[Any, BeforeValidator(_run)] = ""
    lookup: Lookup | None = None
    shown_in: Annotated[str, AfterValidator(_shown_in)] = "bearer"
    body_max: int | None = Field(None, ge=1)

    @property
    def templates(self) -> Iterator[tuple[Location, object]]:
        yield from super().templates
        if isinstance(self.run, dict):
            yield ("run",), self.run
        if self.lookup is not None:
            yield from ((("lookup", *where), value) for where, value in self.lookup.templates)


def is_header(text: str) -> bool:
    """Whether a text can be the value of a header as it is."""
    return bool(text) and text == text.strip() and all(" " <= character <= "~" for character in text)


def names(parameters: Tree | None = None, secrets: tuple[str, ...] = ()) -> Tree:
    """What a placeholder may name. id: the message's, the same on every try (`webhook-id`); name: the same in letters,
    digits and dashes; type, timestamp and event: of the canonical event; fields: `FIELDS`.
    """
    return {
        **dict.fromkeys(("id", "name", "type", "timestamp")),
        "event": EVENT,
        "fields": dict.fromkeys(FIELDS),
        **({"param": parameters} if parameters else {}),
        **({"secret": dict.fromkeys(secrets)} if secrets else {}),
    }


def placeholder_problems(value: object, known: Tree, where: Location) -> Iterator[Problem]:
    """What is wrong with the placeholders of a value."""
    word = directive(value)
    if isinstance(value, Mapping) and word:
        yield from _directive_problems(word, value, known, where)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from placeholder_problems(inner, known, (*where, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from placeholder_problems(inner, known, (*where, place))


def _directive_problems(word: str, value: Mapping[str, Any], known: Tree, where: Location) -> Iterator[Problem]:
    if word not in _BESIDE:
        guess = near(word, _BESIDE)
        yield (
            (*where, word),
            "is no placeholder: " + (f"did you mean {guess!r}?" if guess else f"use {listed(_BESIDE)}"),
        )
        return
    for key in value:
        if key != word and key not in _BESIDE[word]:
            yield (*where, key), f"cannot stand beside {word}: remove it"
    if word == "$split" and where[-2:-1] != ("path",):
        yield where, "holds $split, which only a segment of path can be: use $text"
    argument = value[word]
    if word == "$":
        found = _found(argument, known)
        if isinstance(found, str):
            yield (*where, word), found
        return
    if word in _OF_MAPPINGS and not _is_mapping(argument, known):
        yield (*where, word), "must be a mapping, or a placeholder of one as {$: fields}"
    yield from placeholder_problems(argument, known, (*where, word))


def _found(path: object, known: Tree) -> Tree | str | None:
    """What a placeholder's name stands for; a text is what is wrong with it."""
    if not isinstance(path, str):
        return "must be the name of a value, as event.model"
    place: Tree | None = known
    for part in path.split("."):
        if place is None or part not in place:
            guess = near(path, _paths(known))
            advice = f"did you mean {guess!r}?" if guess else f"names begin with {listed(known)}"
            return f"names {path!r}, which is nothing: {advice}"
        place = place[part]
    return place


def _is_mapping(value: object, known: Tree) -> bool:
    if directive(value) == "$" and isinstance(value, Mapping):
        return not isinstance(found := _found(value["$"], known), str) and found is not None
    return isinstance(value, Mapping) and not directive(value)


def _paths(known: Tree, before: str = "") -> Iterator[str]:
    for name, inner in known.items():
        yield before + name
        if inner:
            yield from _paths(inner, f"{before}{name}.")
