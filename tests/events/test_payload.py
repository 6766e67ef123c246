"""From bytes to a JSON value, within limits."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.decoder import BYTES_MAX, DEPTH_MAX
from monitor.events.payload import EMPTY, NO_JSON, TOO_DEEP, TOO_LARGE, depth, parse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text('a"\\[{]}é', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\[{', max_size=3), inner, max_size=3),
    max_leaves=40,
)


def nesting(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    return 1 + max(map(nesting, value), default=0) if isinstance(value, list) else 0


@given(JSON)
def test_depth_is_that_of_the_value(value: object) -> None:
    assert depth(json.dumps(value).encode()) == nesting(value)


@given(JSON, st.integers(0, 2 * DEPTH_MAX))
def test_what_is_deep_is_refused_and_the_rest_is_json(value: object, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    payload = json.dumps(value).encode()
    assert parse(payload) == (TOO_DEEP if nesting(value) > DEPTH_MAX else json.loads(payload))


@pytest.mark.parametrize("levels", [10_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_bottomless_payload_is_too_deep(levels: int, opening: bytes) -> None:
    assert parse(opening * levels) == TOO_DEEP


def test_brackets_in_strings_are_no_levels() -> None:
    assert parse(json.dumps(["[" * 1000, "\\", '"' + "{" * 1000]).encode()) == ["[" * 1000, "\\", '"' + "{" * 1000]


@pytest.mark.parametrize("bytes_more", [0, 1, BYTES_MAX // 10, 50 << 20])
def test_a_payload_above_the_limit_is_not_read(bytes_more: int) -> None:
    payload = b'"' + b"a" * (BYTES_MAX - 2 + bytes_more) + b'"'
    assert parse(payload) == (TOO_LARGE if bytes_more else "a" * (BYTES_MAX - 2))


@pytest.mark.parametrize("payload", [None, b""])
def test_a_tombstone_and_nothing_are_empty(payload: bytes | None) -> None:
    assert parse(payload) == EMPTY


@pytest.mark.parametrize(
    "payload",
    [
        b" ",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} {"b": 2}',
        b'{"a": 01}',
        b'{"a": Inf}',
        b'{"a": -NaN}',
        b'{"a": nan}',
        b'"a\nb"',
        b'"\\x41"',
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
        b"]" * 10_000,
    ],
)
def test_what_is_no_json_in_utf_8_is_malformed(payload: bytes) -> None:
    assert parse(payload) == NO_JSON


def test_numbers_that_json_lacks_are_floats() -> None:
    value = parse(b"[NaN, Infinity, -Infinity, 1e999, -1e999, " + b"9" * 5000 + b", 12345678901234567890123]")
    assert isinstance(value, list)
    assert math.isnan(value[0])
    assert value[1:] == [math.inf, -math.inf, math.inf, -math.inf, math.inf, 1.2345678901234568e22]


def test_integers_are_read_alike_beside_nan_and_without() -> None:
    integers = [0, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30]
    plain = parse(json.dumps(integers).encode())
    beside = parse(json.dumps([*integers, math.nan]).encode())
    assert isinstance(beside, list)
    assert [repr(value) for value in beside[:-1]] == [repr(value) for value in plain]  # type: ignore[attr-defined]


def test_lone_surrogates_are_replaced_in_keys_and_values() -> None:
    assert parse(rb'{"a\ud800": ["\udc00", {"b": "\ud83d\ude00"}]}') == {"a\ufffd": ["\ufffd", {"b": "\U0001f600"}]}


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert parse(b'{"a": 1, "a": 2}') == {"a": 2}
    assert parse(b'{"a": 1, "a": NaN, "a": 2}') == {"a": 2}
