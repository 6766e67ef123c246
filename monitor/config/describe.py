"""Every effective value of a configuration as text: what `monitor check` prints."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from monitor.config.config import Config
from monitor.config.document import Location, quoted
from monitor.config.network import without_query

_REFERENCE = (("task",), ("positive",), ("features",))


def describe(config: Config) -> str:
    """YAML of every value, marked where the file leaves it to its default; never a secret."""
    return "\n".join(_lines(config, config.effective(), (), ""))


def _lines(config: Config, value: object, where: Location, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _entry(config, f"{indent}{_scalar(key)}:", child, (*where, key), indent)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            first, *rest = _lines(config, child, (*where, index), f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _entry(config: Config, head: str, value: object, where: Location, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value and not _is_feature(where):
        yield head
        yield from _lines(config, value, where, f"{indent}  ")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield head
        yield from _lines(config, value, where, indent)
    else:
        text = without_query(value) if where[-1] in ("url", "webhook", "runbook") and isinstance(value, str) else value
        yield f"{head} {_flow(text)}{_mark(config, where)}"


def _mark(config: Config, where: Location) -> str:
    if config.given(where):
        return ""
    if where[0] == "models" and config.given(where[2:]):
        return "  # as above"
    return "  # from the reference" if where[2:3] in _REFERENCE else "  # default"


def _is_feature(where: Location) -> bool:
    return len(where) == 4 and where[0] == "models" and where[2] == "features"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """A scalar as YAML, quoted where a reader could take it for anything but itself."""
    if not isinstance(value, str):
        return orjson.dumps(value).decode()
    return quoted(value)
