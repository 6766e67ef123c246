"""Event times, against the standard library's own reading of ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.timestamps import (
    FLAWS,
    MICROSECONDS,
    MISSING,
    NAIVE,
    NANOSECONDS,
    NO_TIME,
    OUT_OF_RANGE,
    SECONDS,
    instant,
    instants,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime.fromisoformat("1990-01-02"), datetime.fromisoformat("2199-12-30"), timezones=ZONES)


@given(st.lists(TIMES, min_size=1), st.sampled_from(["T", " "]), st.sampled_from(["auto", "minutes", "milliseconds"]))
def test_iso_8601_is_read_as_the_standard_library_reads_it(times, separator, precision) -> None:
    texts = [time.isoformat(separator, precision) for time in times]
    expected = [(datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1) for text in texts]
    assert instants(texts).tolist() == expected
    assert instants(pa.array(texts)).tolist() == expected
    assert [instant(text) for text in texts] == expected


@pytest.mark.parametrize(
    ("value", "time_ms"),
    [
        ("2026-11-23T10:00:00.120Z", 1_795_428_000_120),
        ("2026-11-23T10:00:00.1209999Z", 1_795_428_000_120),
        ("2026-11-23T10:00:00.120999999999Z", 1_795_428_000_120),
        ("2026-11-23T10:00:00,5z", 1_795_428_000_500),
        ("2026-11-23t11:00:00+01", 1_795_428_000_000),
        ("2026-11-23T11:30+0130", 1_795_428_000_000),
        ("1989-12-31T23:30:00-01:00", 631_153_800_000),
        (1_795_428_000_120, 1_795_428_000_120),
        (1_795_428_000_120.0, 1_795_428_000_120),
        (631_152_000_000, 631_152_000_000),
        (None, MISSING),
        ("2026-11-23T10:00:00", NAIVE),
        ("2026-11-23", NO_TIME),
        ("2026-02-30T10:00:00Z", NO_TIME),
        ("2026-11-23T24:00:00Z", NO_TIME),
        ("2026-11-23T10:00:00+24:00", NO_TIME),
        ("\u0662026-11-23T10:00:00Z", NO_TIME),
        ("1795428000120", NO_TIME),
        ("", NO_TIME),
        (True, NO_TIME),
        (1_795_428_000_120.5, NO_TIME),
        (float("nan"), NO_TIME),
        (float("inf"), NO_TIME),
        ({}, NO_TIME),
        ([1], NO_TIME),
        (1_795_428_000, SECONDS),
        (1_795_428_000_120_000, MICROSECONDS),
        (1_795_428_000_120_000_000, NANOSECONDS),
        (0, OUT_OF_RANGE),
        (-1, OUT_OF_RANGE),
        (631_151_999_999, OUT_OF_RANGE),
        (7_258_118_400_000, OUT_OF_RANGE),
        (2**64 - 1, OUT_OF_RANGE),
        (1e300, OUT_OF_RANGE),
        ("0000-01-01T00:00:00Z", OUT_OF_RANGE),
        ("1989-12-31T23:59:59Z", OUT_OF_RANGE),
        ("2200-01-01T00:00:00Z", OUT_OF_RANGE),
        ("9999-01-01T00:00:00.1234567Z", OUT_OF_RANGE),
    ],
)
def test_a_value_is_a_time_or_has_a_flaw(value: object, time_ms: int) -> None:
    assert instant(value) == time_ms
    for beside in (value, None, "2026-11-23T10:00:00Z", 1_795_428_000_120, []):
        assert instants([beside, value])[1] == time_ms
    assert time_ms > 0 or time_ms in FLAWS


@given(st.lists(st.none() | st.text("0123456789-:T.Z+", min_size=14, max_size=30)))
def test_a_column_of_text_is_read_value_by_value(texts: list[str | None]) -> None:
    assert instants(pa.array(texts, pa.string())).tolist() == [instant(text) for text in texts]


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([10**9, 10**12, 10**15, 10**18])))
def test_a_column_of_integers_is_read_value_by_value(numbers: list[int | None]) -> None:
    expected = [instant(number) for number in numbers]
    assert instants(pa.array(numbers, pa.int64())).tolist() == expected
    assert instants(numbers).tolist() == expected
