"""What is a number, what is missing, and what is neither."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.numbers import feature_column, missing_column, number_column
from tests.events.records import values


@pytest.mark.parametrize(
    ("raw", "feature", "number"),
    [
        (1, "1.0", "1.0"),
        (-0.0, "0.0", "0.0"),
        (2**64 - 1, "1.8446744073709552e+19", "1.8446744073709552e+19"),
        (True, "1.0", ...),
        (False, "0.0", ...),
        ("12.5", "12.5", ...),
        (" -1e3 ", "-1000.0", ...),
        ("+.5", "0.5", ...),
        ("1e999", ..., ...),
        ("1_0", ..., ...),
        ("\u0661", ..., ...),
        ("nan", ..., ...),
        ("0x10", ..., ...),
        ("", ..., ...),
        (math.nan, ..., ...),
        (-math.inf, ..., ...),
        ([1], ..., ...),
        ({}, ..., ...),
        (None, None, None),
    ],
)
def test_a_value_is_usable_missing_or_invalid(raw: object, feature: object, number: object) -> None:
    for beside in (raw, 1.5, None, "x"):
        assert values(feature_column([beside, raw]), 2)[1] == feature
        assert values(number_column([beside, raw]), 2)[1] == number


@given(
    st.sampled_from(
        [st.floats(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.sampled_from(["1", "x"])]
    ).flatmap(lambda kind: st.lists(st.none() | kind))
)
def test_an_arrow_column_is_what_the_same_list_is(raw: list[object]) -> None:
    for column in (feature_column, number_column):
        assert values(column(pa.array(raw)), len(raw)) == values(column(raw), len(raw))


@given(st.lists(st.none() | st.floats()))
def test_unusable_values_are_zero_and_finite(raw: list[float | None]) -> None:
    column = feature_column(raw)
    assert np.isfinite(column.values).all()
    assert not column.values[column.state != 0].any()


def test_a_missing_column_has_no_value() -> None:
    assert values(missing_column(2), 2) == [None, None]
