from __future__ import annotations

import numpy as np

from monitor.events.decoder import RawRecords
from monitor.events.reject import Reason, Reject
from monitor.runtime.dead_letters import HEAD_MAX, DeadLetter, dead_letters

RAW = RawRecords(
    "events",
    [b"{", None, b"x" * (HEAD_MAX + 5)],
    np.array([0, 3, 3], np.int32),
    np.array([7, 8, 9]),
    np.array([-1, 5, 6]),
    np.zeros(3, np.bool_),
    [b"key", None, None],
    [[("trace", b"\0"), ("empty", None)], [], []],
)


def test_a_letter_carries_the_record_and_where_it_was() -> None:
    assert dead_letters(RAW, [Reject(0, -1, Reason.MALFORMED, "not JSON")]) == [
        DeadLetter(
            "events",
            0,
            7,
            -1,
            Reason.MALFORMED,
            "not JSON",
            -1,
            b"key",
            b"{",
            1,
            (("trace", b"\0"), ("empty", None)),
        )
    ]


def test_a_tombstone_has_no_value() -> None:
    (letter,) = dead_letters(RAW, [Reject(1, -1, Reason.MALFORMED, "")])
    assert (letter.value, letter.size, letter.timestamp_ms) == (None, 0, 5)


def test_a_long_payload_is_cut_and_its_size_kept() -> None:
    (letter,) = dead_letters(RAW, [Reject(2, 0, Reason.TOO_LARGE, "")])
    assert (letter.value, letter.size) == (b"x" * HEAD_MAX, HEAD_MAX + 5)


def test_a_record_with_many_bad_events_is_one_letter_for_the_first_of_them() -> None:
    rejects = [Reject(2, row, Reason.WRONG_TYPE, f"event {row}") for row in (5, 3, 4)]
    rejects.insert(1, Reject(0, -1, Reason.MALFORMED, "not JSON"))
    letters = dead_letters(RAW, rejects)
    assert [(letter.offset, letter.row) for letter in letters] == [(7, -1), (9, 3)]
    assert letters[1].detail == "event 3 (and 2 more of this record's events were rejected)"
    assert dead_letters(RAW, []) == []
