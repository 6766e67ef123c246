from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import timestamps
from monitor.events.batch import INVALID, INVALID_CODE, MISSING, MISSING_CODE, PRESENT, CategoricalColumn
from monitor.events.canonical import canonical
from monitor.runtime.cells import categories, meant, numbers, times


def texts(column: CategoricalColumn) -> list[str | int]:
    return [column.values[code] if code >= 0 else code for code in column.codes.tolist()]


def test_numbers_of_text_are_read_and_the_rest_is_invalid() -> None:
    column = numbers(pa.array(["1.5", " 2 ", None, "?", "inf", "True", "1e3", "1,5"]))
    assert column.state.tolist() == [PRESENT, PRESENT, MISSING, INVALID, INVALID, PRESENT, PRESENT, INVALID]
    assert column.values.tolist() == [1.5, 2.0, 0.0, 0.0, 0.0, 1.0, 1000.0, 0.0]


_FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.none() | _FINITE | st.sampled_from(["?", "NAN", "nan(1)", "inf", "-Infinity", "1e999"])))
def test_one_bad_cell_changes_no_other(values: list[float | str | None]) -> None:
    column = numbers(pa.array([None if value is None else str(value) for value in values], pa.string()))
    expected = [value if isinstance(value, float) else 0.0 for value in values]
    assert column.values.tolist() == expected
    states = {str: INVALID, float: PRESENT, type(None): MISSING}
    assert column.state.tolist() == [states[type(value)] for value in values]


@pytest.mark.parametrize(
    ("values", "expected", "states"),
    [
        (pa.array([1, None]), [1, 0], [PRESENT, MISSING]),
        (pa.array([True, None]), [1, 0], [PRESENT, MISSING]),
        (pa.array([1.5, float("nan"), float("inf")]), [1.5, 0, 0], [PRESENT, MISSING, INVALID]),
        (pa.array([[1], None]), [0, 0], [INVALID, MISSING]),
        (pa.array([None, None]), [0, 0], [MISSING, MISSING]),
        ([1, "2", None, "x", True], [1, 2, 0, 0, 1], [PRESENT, PRESENT, MISSING, INVALID, PRESENT]),
    ],
)
def test_numbers_of_typed_cells(values: object, expected: list[float], states: list[int]) -> None:
    column = numbers(values)  # type: ignore[arg-type]
    assert column.values.tolist() == expected
    assert column.state.tolist() == states


def test_zero_has_one_form() -> None:
    for values in (pa.array([-0.0]), pa.array(["-0.0"]), pa.array(["-0", "x"])):
        assert not np.signbit(numbers(values).values).any()


@given(st.lists(st.none() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0]) | st.booleans()))
def test_categories_of_typed_cells_are_those_of_events(values: list[object]) -> None:
    for kind in (bool, int, float):
        chosen = [value if type(value) is kind else None for value in values]
        expected = [MISSING_CODE if value is None else canonical(value) for value in chosen]
        assert texts(categories(pa.array(chosen, from_pandas=True), typed=True)) == expected
    assert texts(categories(values, typed=True)) == [
        MISSING_CODE if value is None else canonical(value) for value in values
    ]


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        (["1.0", "2.0", "10"], ["1", "2", "10"]),
        (["True", "FALSE"], ["true", "false"]),
        (["01", "2"], ["01", "2"]),
        (["1.0", "1.5"], ["1", "1.5"]),
        (["1.0", "x"], ["1.0", "x"]),
        (["true", "x"], ["true", "x"]),
        ([], []),
    ],
)
def test_untyped_text_means_whole_numbers_or_booleans_where_all_of_it_does(
    written: list[str], meaning: list[str]
) -> None:
    assert list(meant(written)) == meaning


def test_two_spellings_of_one_number_are_one_category() -> None:
    column = categories(pa.array(["1", "1.0", None, "2"]), typed=False)
    assert texts(column) == ["1", "1", MISSING_CODE, "2"]
    assert len(set(column.values)) == len(column.values)


def test_text_with_a_type_is_taken_as_it_is() -> None:
    assert texts(categories(pa.array(["1.0", "True"]), typed=True)) == ["1.0", "True"]


def test_nan_is_a_missing_category_and_a_list_an_invalid_one() -> None:
    assert texts(categories(pa.array([1.0, float("nan")]), typed=True)) == ["1", MISSING_CODE]
    assert texts(categories(pa.array([[1], None]), typed=True)) == [INVALID_CODE, MISSING_CODE]


def test_days_as_categories_are_iso_text() -> None:
    assert texts(categories(pa.array([date(2026, 11, 23)]), typed=True)) == ["2026-11-23"]


NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["2026-11-23T12:00:00Z"]),
        pa.array(["2026-11-23 13:00:00+01:00"]),
        pa.array(["2026-11-23T13:00:00"]),
        pa.array(["2026-11-23 13:00"]),
        pa.array(["2026-11-23 13:00:00.000000001"]),
        pa.array(["2026-11-23T12:00:00Z", "2026-11-23T13:00:00"]),
        pa.array([str(NOON)]),
        pa.array([NOON]),
        pa.array([float(NOON)]),
        pa.array([datetime(2026, 11, 23, 13)]),  # noqa: DTZ001
        pa.array([NOON], pa.timestamp("ms", "America/New_York")),
        [NOON, "2026-11-23T13:00"],
    ],
    ids=str,
)
def test_times_without_offset_are_of_the_time_zone(values: object) -> None:
    assert set(times(values, "Europe/Warsaw").tolist()) == {NOON}  # type: ignore[arg-type]


def test_a_day_begins_at_midnight_of_the_time_zone() -> None:
    for values in (pa.array([date(2026, 11, 23)]), pa.array(["2026-11-23"])):
        assert times(values, "Europe/Warsaw").tolist() == [NOON - 13 * 3_600_000]


@given(st.datetimes(datetime(1991, 1, 1), datetime(2199, 1, 1)))  # noqa: DTZ001
def test_local_times_are_those_of_pandas(time: datetime) -> None:
    expected = pd.Timestamp(time).tz_localize("Europe/Warsaw", ambiguous=True, nonexistent="shift_forward")
    milliseconds = expected.value // 1_000_000
    assert times(pa.array([time]), "Europe/Warsaw").tolist() == [milliseconds]
    assert times(pa.array([time.isoformat()]), "Europe/Warsaw").tolist() == [milliseconds]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),  # Occurs twice.
        ("2026-03-29T02:30:00", "2026-03-29T01:00:00Z"),  # Never occurs.
    ],
)
def test_where_clocks_change_the_earlier_or_the_next_instant_is_meant(local: str, utc: str) -> None:
    expected = pd.Timestamp(utc).value // 1_000_000
    for values in (pa.array([local]), pa.array([datetime.fromisoformat(local)]), [local, 0], pa.array([local, "x"])):
        assert times(values, "Europe/Warsaw")[0] == expected


@pytest.mark.parametrize(
    ("values", "flaw"),
    [
        (pa.array(["x"]), timestamps.NO_TIME),
        (pa.array(["01/02/2026"]), timestamps.NO_TIME),
        (pa.array([None, "2026-11-23"]), timestamps.MISSING),
        (pa.array([NOON // 1000]), timestamps.SECONDS),
        (pa.array([NOON * 1000]), timestamps.MICROSECONDS),
        (pa.array([datetime(1970, 1, 20)]), timestamps.OUT_OF_RANGE),  # noqa: DTZ001
        (pa.array([None], pa.timestamp("us")), timestamps.MISSING),
        (pa.array([float("nan")]), timestamps.OUT_OF_RANGE),
        ([None], timestamps.MISSING),
        (["x"], timestamps.NO_TIME),
    ],
)
def test_what_is_no_time_has_a_code(values: object, flaw: int) -> None:
    assert times(values, "UTC")[0] == flaw  # type: ignore[arg-type]
