"""How names and times leave the service."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events.timestamps import utc
from monitor.exports.text import clean, counted, named


@settings(deadline=None)
@given(st.text(st.characters()))
def test_what_is_clean_can_be_encoded_and_is_unchanged_where_it_could_be_before(text: str) -> None:
    assert clean(text).encode("utf-8").decode("utf-8") == clean(text)
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert clean(text) == text


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_the_one_that_the_milliseconds_count_to(moment: datetime) -> None:
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    assert utc(ms) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(("ms", "year"), [(-(10**30), 1), (10**30, 9999)])
def test_a_moment_beyond_the_calendar_is_its_nearest_end(ms: int, year: int) -> None:
    assert utc(ms).year == year


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "none"),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
        (["\ud800"], "\\ud800"),
    ],
)
def test_a_list_of_names_is_cut_short(names: list[str], sentence: str) -> None:
    assert named(names, most=2) == sentence


def test_counts_agree_with_their_noun() -> None:
    assert [counted(number, "label") for number in (0, 1, 1624)] == ["0 labels", "1 label", "1,624 labels"]
