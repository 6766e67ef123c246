"""A log that grows while it is read: what may be said of how much of it was read, by an oracle that knows it all."""

from __future__ import annotations

import random

import pytest

from monitor.runtime.kafka_ends import BEHIND_MS, Ends

P, Q = ("t", 0), ("t", 1)


def test_what_ends_where_reading_stands_was_read_whole() -> None:
    assert Ends().note(5, {P: 0, Q: 7}, {P: 0, Q: 7}) == {P: 5, Q: 5}


def test_a_place_that_never_pauses_is_confirmed_as_of_an_earlier_time() -> None:
    ends = Ends()
    assert ends.note(1_000, {P: 10}, {P: 4}) == {}
    assert ends.note(2_000, {P: 20}, {P: 14}) == {P: 1_000}
    assert ends.note(3_000, {P: 30}, {P: 24}) == {P: 2_000}
    assert ends.note(4_000, {P: 40}, {P: 24}) == {P: 2_000}, "what was true stays true"


def test_behind_a_steady_backlog_the_older_question_is_the_one_that_is_answered() -> None:
    ends = Ends()
    said = [ends.note(now, {P: now}, {P: now - 3_000}) for now in range(3_000, 10_000, 1_000)]
    assert said == [{}, {}, {}, {P: 3_000}, {P: 3_000}, {P: 3_000}, {P: 6_000}]


def test_a_place_that_falls_behind_is_confirmed_no_more_and_one_beside_it_still_is() -> None:
    ends = Ends()
    assert ends.note(0, {P: 5, Q: 5}, {P: 5, Q: 5}) == {P: 0, Q: 0}
    assert ends.note(BEHIND_MS, {P: 9_999, Q: 5}, {P: 50, Q: 5}) == {P: 0, Q: BEHIND_MS}
    assert ends.note(BEHIND_MS + 1, {P: 9_999, Q: 5}, {P: 80, Q: 5}) == {Q: BEHIND_MS + 1}
    assert ends.note(BEHIND_MS + 2, {P: 10_000, Q: 5}, {P: 9_999, Q: 5}) == {P: BEHIND_MS, Q: BEHIND_MS + 2}


def test_a_position_behind_the_end_of_the_log_confirms_nothing() -> None:
    """The records that were read there are gone: what stands in their place is yet to be read."""
    ends = Ends()
    assert ends.note(1, {P: 10}, {P: 10}) == {P: 1}
    assert ends.note(2, {P: 4}, {P: 10}) == {}


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_confirmed_that_was_not_read_and_what_is_confirmed_only_grows(seed: int) -> None:
    drawn = random.Random(seed)
    arrivals: list[int] = []  # When each record came, by offset.
    position, now, ends, before = 0, 0, Ends(), -1
    for _ in range(300):
        asked = now
        now += drawn.randrange(1_000)
        arrivals += sorted(drawn.randrange(asked, now + 1) for _ in range(drawn.choice((0, 3, 40))))
        said = ends.note(asked, {P: len(arrivals)}, {P: position})
        whole_ms = said.get(P)
        if whole_ms is not None:
            assert all(arrived >= whole_ms for arrived in arrivals[position:])
            assert before <= whole_ms
            assert asked - whole_ms <= BEHIND_MS
            before = whole_ms
        elif position == len(arrivals):
            raise AssertionError("all there is was read")
        position = min(len(arrivals), position + drawn.choice((0, 5, 100)))
    assert before >= 0
