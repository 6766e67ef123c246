"""Equal categories have equal text."""

from __future__ import annotations

import math
import unicodedata

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.canonical import canonical, canonical_column
from tests.events.records import values

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (-3, "-3"),
        (0.1, "0.1"),
        (1e15, "1000000000000000"),
        (2**64 - 1, "18446744073709551615"),
        (2.0**63, "9223372036854775808"),
        (2**70, "1.1805916207174113e+21"),
        (2.0**70, "1.1805916207174113e+21"),
        ("", ""),
        ("PL", "PL"),
        ("e\u0301", "\u00e9"),
        ("a\x00b\x07\x7f\x9fc", "abc"),
        ("\ud800x", "\ufffdx"),
        ("a\x00\u0301", "\u00e1"),
        ("\u202eabc", "\u202eabc"),
    ],
)
def test_values_that_mean_the_same_have_one_text(value: object, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 10**400, [], {}, b"a", object()])
def test_what_is_no_category_has_no_text(value: object) -> None:
    assert canonical(value) is None


def test_a_long_text_keeps_its_beginning_and_the_digest_of_the_whole() -> None:
    text = "é" + "a" * 200
    assert canonical(text) == "é" + "a" * 110 + "~" + xxhash.xxh3_64_hexdigest(text.encode())
    assert canonical("b" * 128) == "b" * 128
    assert len(canonical("b" * 129) or "") == 128


@given(st.text())
def test_the_canonical_form_is_its_own_canonical_form(text: str) -> None:
    once = canonical(text)
    assert once is not None
    assert canonical(once) == once == unicodedata.normalize("NFC", once)
    assert len(once) <= 128


@given(
    st.lists(SCALARS | st.lists(st.none(), max_size=1) | st.dictionaries(st.text(max_size=1), st.none(), max_size=1))
)
def test_a_column_holds_the_canonical_form_of_every_value(raw: list[object]) -> None:
    column = canonical_column(raw)
    expected = [None if value is None else canonical(value) for value in raw]
    told = [None if value is ... else value for value in values(column, len(raw))]
    assert told == expected
    assert [value is None for value in values(column, len(raw))] == [value is None for value in raw]
    assert len(set(column.values)) == len(column.values)


@given(
    st.sampled_from([st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=3)]).flatmap(
        lambda kind: st.lists(st.none() | kind)
    )
)
def test_an_arrow_column_is_what_the_same_list_is(raw: list[object]) -> None:
    expected = values(canonical_column(raw), len(raw))
    array = pa.array(raw)
    assert values(canonical_column(array), len(raw)) == expected
    assert values(canonical_column(pa.chunked_array([array[:2], array[2:]])), len(raw)) == expected


def test_an_arrow_dictionary_is_read_by_its_values() -> None:
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2], pa.int8()), pa.array(["a", None, "a\x00"]))
    column = canonical_column(encoded)
    assert values(column, 4) == ["a", None, None, "a"]
    assert column.values == ("a",)
