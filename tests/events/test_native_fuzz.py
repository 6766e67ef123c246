"""Any bytes decode to events and rejects, and every record is counted."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import native
from monitor.events.decoder import Decoded
from tests.events.records import decoder, label, poll, prediction

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ["type", "id", "model", "version", "timestamp", "features", "prediction", "score", "label", "columns", "tags"]
EVENTS = st.builds(
    lambda event, changes: event | changes,
    st.sampled_from(
        [prediction(), label(), {"type": "predictions", "model": "fraud", "columns": {"id": ["a"], "timestamp": [1]}}]
    ),
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3),
)
JSON = (EVENTS | st.lists(EVENTS, max_size=3) | ANYTHING).map(lambda value: json.dumps(value).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    payload = bytearray(draw(JSON))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(payload)


def is_counted(decoded: Decoded) -> bool:
    rows = sum(map(len, decoded.predictions)) + sum(map(len, decoded.labels))
    return decoded.read == rows + len(decoded.rejects) + len(decoded.ends)


@given(
    st.lists(st.none() | st.binary(max_size=50) | damaged(), max_size=8), st.sampled_from([None, "prediction", "label"])
)
def test_any_bytes_decode_and_every_record_is_counted(payloads, kind) -> None:
    of = decoder(kind)
    with mock.patch.multiple(native, GROUP_MIN=2, PART_MIN=2):
        for values in (payloads, payloads * 3):
            decoded = of.decode(poll(*values))
            assert is_counted(decoded)
            assert len({(reject.record, reject.row) for reject in decoded.rejects}) == len(decoded.rejects)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"9" * 1_000_000,
        b"-" * 1_000_000,
        b'"' + b"\\" * 1_000_000,
        b"[" + b"[]," * 30_000 + b"[]]",
        json.dumps([prediction()] * 5000).encode()[: 1 << 20],
        json.dumps(prediction(id="9" * 1_000_000, timestamp="9" * 1_000)).encode(),
        json.dumps(prediction(features={"amount": "9" * 500_000, "country": "e\u0301" * 50_000})).encode(),
        json.dumps(prediction()).encode().replace(b"12.5", b"9" * 1_000_000),
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_payload_of_the_largest_size_decodes_whatever_it_is(payload: bytes) -> None:
    assert is_counted(decoder().decode(poll(payload)))
