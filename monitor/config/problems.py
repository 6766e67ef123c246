"""Problems of a configuration as sentences: file and line, path, what is wrong, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from monitor.config.document import Document, Location

Problem = tuple[Location, str]
"""Where, and the sentence's end: "is missing: ..."."""

_LATER = frozenset(
    {
        "kafka.client",
        "models.*.performance.window",
        "webhooks.*.url_file",
    }
)
"""Keys of the published contract that a later version brings; accepting one now would promise what is not done."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TIME = "must be a time with its offset from UTC, as in 2026-11-23T10:00:00Z"
_SHAPES = {
    "missing": "is missing",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping, one `key: value` a line",
    "model_type": "must be a mapping, one `key: value` a line",
    "model_attributes_type": "must be a mapping, one `key: value` a line",
    "tuple_type": "must be a list, one `- item` a line",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt:,.15g}",
    "greater_than_equal": "must be at least {ge:,.15g}",
    "less_than": "must be less than {lt:,.15g}",
    "less_than_equal": "must be at most {le:,.15g}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length:,} characters",
    "string_unicode": "must be text",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length:,} items",
    "timezone_aware": _TIME,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "string_pattern_mismatch": "must be the name of a topic: letters, digits, dots, dashes and underscores",
}
_MISSING = {
    "kafka": "add `kafka: {bootstrap_servers: host:9092}`",
    "bootstrap_servers": "name a broker, as in localhost:9092",
    "models": "add a list of models, each with a name and a reference",
    "name": "name the model as its events do",
    "task": "write binary, multiclass or regression",
    "reference": "name the compiled profile that `monitor init` wrote, or write {learn: 14d}",
    "features": "name the model's features, each numeric or categorical",
    "type": "write numeric or categorical",
    "metric": "name a metric of the task",
    "drop": "say by how much the metric may worsen, in its own units, before that is an incident",
    "webhook": "name one of `webhooks`",
    "url": "write the address that requests are sent to",
    "token_file": "name the file that holds a token of a service account",
    "from": "write the first moment that is like no other, as in 2026-11-27",
    "to": "write the first moment that is like others again, as in 2026-12-01",
}


def refuse(*problems: Problem) -> None:
    """Raise pydantic's error for these problems, located relative to the validator that calls; none raise nothing."""
    if problems:
        raise ValidationError.from_exception_data(
            "configuration",
            [
                InitErrorDetails(
                    type=PydanticCustomError("configuration", "{text}", {"text": text}), loc=where, input=0
                )
                for where, text in problems
            ],
        )


def _custom(text: str) -> PydanticCustomError:
    return PydanticCustomError("configuration", "{text}", {"text": text})


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: at most ten, then how many more."""
    given = list(names)
    return ", ".join(given[:10]) + (f" and {len(given) - 10} more" if len(given) > 10 else "")


def near(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or an empty text."""
    folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), folded, 1)
    return folded[found[0]] if found else ""


def problems_of(error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """Every problem of a validation. Values are not quoted but where they are one of a few words."""
    return [(item["loc"], _sentence(item, root)) for item in error.errors(include_url=False)]


def sentences(document: Document, problems: Sequence[Problem]) -> list[str]:
    """One sentence a problem, in the order of the file."""
    ordered = sorted((document.line(where), path(where), text) for where, text in problems)
    return list(dict.fromkeys(f"{document.path}:{line}: {name} {text}" for line, name, text in ordered))


def path(location: Location) -> str:
    """A location as people write it: models[0].features.amount.type."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}"
        else:
            text += f"[{part!r}]"
    return text.removeprefix(".") or "the file"


def _sentence(item: Mapping[str, Any], root: type[BaseModel]) -> str:
    where: Location = item["loc"]
    if item["type"] == "extra_forbidden":
        return unknown_key(where, _keys(root, where[:-1]))
    text = shape(item)
    advice = _MISSING.get(str(where[-1])) if item["type"] == "missing" else None
    return f"{text}: {advice}" if advice else text


def shape(item: Mapping[str, Any]) -> str:
    """The end of a sentence on a value that is not as it must be; `item` is one of pydantic's errors."""
    context: Mapping[str, Any] = item.get("ctx", {})
    kind = item["type"]
    if kind == "literal_error":
        return _one_of(item["input"], context["expected"])
    if kind == "value_error":
        return str(context["error"])
    return _SHAPES[kind].format(**context) if kind in _SHAPES else str(item["msg"])


def unknown_key(where: Location, known: Sequence[str]) -> str:
    """What to say of a key that does not exist: not yet, or never."""
    if later(where):
        return "is not available in this version: remove it"
    guess = near(str(where[-1]), known)
    return "is not a known key: " + (f"did you mean {guess!r}?" if guess else f"the keys here are {listed(known)}")


def later(where: Location) -> bool:
    """Whether a later version will know this key."""
    return any(_matches(where, pattern.split(".")) for pattern in _LATER)


def _matches(where: Location, pattern: Sequence[str]) -> bool:
    return len(where) == len(pattern) and all(want in ("*", part) for part, want in zip(where, pattern, strict=True))


def _one_of(value: object, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected)
    if not isinstance(value, str):
        return f"must be one of {listed(words)}"
    guess = near(value, words)
    return f"is {value!r}, not one of {listed(words)}" + (f": did you mean {guess!r}?" if guess else "")


def _keys(root: type[BaseModel], where: Location) -> list[str]:
    """The keys of the model at a location, found by following the annotations of `root`."""
    model: type[BaseModel] | None = root
    for part in where:
        if model is not None and part in model.model_fields:
            model = _model(model.model_fields[str(part)].annotation)
    return [field.alias or name for name, field in model.model_fields.items()] if model is not None else []


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model(inner))), None)
