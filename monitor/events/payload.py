"""From the bytes of a record to a JSON value, within limits of size and depth, or to what is wrong with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import orjson

from monitor.events.canonical import replace_surrogates
from monitor.events.decoder import BYTES_MAX, DEPTH_MAX
from monitor.events.reject import Reason


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a record, or an event in it, cannot be used: what a `Reject` says of it."""

    reason: Reason
    detail: str


EMPTY = Flaw(Reason.MALFORMED, "The record has no payload.")
NO_JSON = Flaw(Reason.MALFORMED, "The payload is not JSON in UTF-8.")
TOO_LARGE = Flaw(Reason.TOO_LARGE, f"The payload is larger than {BYTES_MAX} bytes.")
TOO_DEEP = Flaw(Reason.TOO_DEEP, f"The payload is nested deeper than {DEPTH_MAX} levels.")

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_STRUCTURE = bytes(sorted(set(range(256)) - set(b'[{]}"')))


def parse(payload: bytes | None) -> object:
    """The JSON value of `payload`, or a `Flaw`.

    Beyond JSON it takes NaN, Infinity, numbers that overflow to one, and lone surrogates (replaced): those spoil a
    value, not its event. Integers beyond 64 bits are floats.
    """
    if not payload:
        return EMPTY
    if len(payload) > BYTES_MAX:
        return TOO_LARGE
    if payload.count(b"[") + payload.count(b"{") > DEPTH_MAX and depth(payload) > DEPTH_MAX:
        return TOO_DEEP
    try:
        return orjson.loads(payload)
    except ValueError:
        return _tolerant(payload)


def depth(payload: bytes) -> int:
    """How many brackets of JSON text are open at once at most, those inside strings aside."""
    if b"\\" in payload:
        payload = _ESCAPE.sub(b"", payload)
    brackets = b"".join(payload.translate(None, _NO_STRUCTURE).split(b'"')[::2])
    steps = np.frombuffer(brackets.translate(_STEPS), dtype=np.int8)
    return int(steps.cumsum(dtype=np.int64).max(initial=0))


def _tolerant(payload: bytes) -> object:
    try:
        return _clean(json.loads(payload.decode("utf-8"), parse_int=_integer))
    except (ValueError, RecursionError, MemoryError):
        return NO_JSON


def _integer(digits: str) -> int | float:
    # The length is looked at first: int() refuses more than 4300 digits.
    if len(digits) <= 20 and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return float(digits)


def _clean(value: object) -> object:
    """`value`, at most DEPTH_MAX deep, without lone surrogates in keys and strings."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {replace_surrogates(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
