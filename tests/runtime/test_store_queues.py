from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.actions.outbox import Attempt, DeliveryState, Message
from monitor.actions.retrain import message_id
from monitor.detection.records import Incident, IncidentChange, PerformanceEvidence, Trigger, Verdict
from monitor.events.reject import Reason
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.store import ControlEvent, Store
from monitor.snapshot import DeliveryView
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

WINDOW = Window(3_600_000, "m", "3", "country=PL", 0)
MESSAGE = Message(message_id("trg_1", "airflow"), "airflow", "trg_1", b"\0{}", 5, due_ms=5)
LETTER = DeadLetter(
    "predictions", 3, 17, -1, Reason.MALFORMED, "not JSON", -1, b"\xff", b"{", 1, (("a", b"\0"), ("b", None))
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def attempt(message: Message, state: DeliveryState, at_ms: int, attempts: int = 1, due_ms: int = 0) -> Attempt:
    detail = "200" if state == "delivered" else "the receiver answered 500"
    return Attempt(message.id, message.receiver, message.subject, at_ms, state, attempts, due_ms, None, detail)


# Readings.


def test_readings_come_back_whole_newest_window_first_and_by_page(store: Store) -> None:
    readings = [
        Reading(WINDOW._replace(end_ms=end, start_ms=end - 1), feature, "psi", 7, "ok", 0.1 * end, None, 1e300)
        for end in (1, 2, 3)
        for feature in ("a", "b")
    ]
    readings.append(Reading(WINDOW._replace(end_ms=3, start_ms=2), "c", "psi", 0, "insufficient"))
    with store.transaction():
        store.add_readings(readings)
        store.add_readings([])
        store.add_readings([readings[0]._replace(window=WINDOW._replace(model="other"))])
    newest_first = [readings[at] for at in (4, 5, 6, 2, 3, 0, 1)]
    assert store.readings("m") == newest_first
    assert store.readings("m", limit=2, offset=3) == newest_first[3:5]
    assert store.readings("m", feature="b") == [readings[5], readings[3], readings[1]]


def test_the_last_revision_of_a_reading_comes_first(store: Store) -> None:
    first = Reading(WINDOW, "", "roc_auc", 100, "ok", 0.9, 0.8, 1.0)
    with store.transaction():
        store.add_readings([first, first._replace(value=0.85, revision=1)])
    assert [reading.revision for reading in store.readings("m")] == [1, 0]


# Incidents and triggers.

INCIDENT = Incident("inc_1", "drift", "minor", WINDOW, WINDOW, ("amount", "zażółć \" '"))
CHANGE = IncidentChange(INCIDENT, "opened", WINDOW, "amount drifted\nfor two windows", 0)
TRIGGER = Trigger(
    "trg_1",
    "performance",
    "major",
    "roc_auc fell",
    WINDOW,
    -5,
    "inc_1",
    (Verdict(WINDOW, "amount", 10, "drifting", 0.1 + 0.2, 5e-324, None),),
    PerformanceEvidence("roc_auc", 0.84, 0.82, 0.86, 0.91, 1 / 3),
    2**40,
    10,
    {"predictions/0": (0, 2**50)},
    (-5, 2**50),
    {"labels/0": (1, 2)},
    "sha256:cc",
    "cool-down",
)


def test_incidents_come_back_to_the_bit_newest_first(store: Store) -> None:
    resolved = IncidentChange(replace(INCIDENT, open=False), "resolved", WINDOW, "", 0)
    other = IncidentChange(replace(INCIDENT, id="inc_2"), "opened", WINDOW._replace(model="other"), "", 0)
    with store.transaction():
        store.add_incident_changes([CHANGE])
        store.add_incident_changes([resolved, other])
        store.add_incident_changes([])
    assert store.incident_changes() == [other, resolved, CHANGE]
    assert store.incident_changes(model="m", limit=1, offset=1) == [CHANGE]
    assert store.incident_changes(incident="inc_2") == [other]


def test_triggers_come_back_to_the_bit_newest_first(store: Store) -> None:
    drifted = replace(TRIGGER, id="trg_2", performance=None, evidence=())
    with store.transaction():
        store.add_triggers([TRIGGER, drifted])
        store.add_triggers([])
    assert store.triggers() == [drifted, TRIGGER]
    assert store.triggers(model="m", trigger="trg_1") == [TRIGGER]
    assert store.triggers(model="other") == []


def test_history_expires_by_the_end_of_its_window(store: Store) -> None:
    later = WINDOW._replace(end_ms=WINDOW.end_ms + 1)
    with store.transaction():
        store.add_readings([Reading(window, "a", "psi", 7, "ok", 0.1) for window in (WINDOW, later)])
        store.add_incident_changes([replace(CHANGE, window=window) for window in (WINDOW, later)])
        store.add_triggers([replace(TRIGGER, window=window) for window in (WINDOW, later)])
    with store.transaction():
        assert store.expire_history(later.end_ms) == 3
    assert [reading.window for reading in store.readings("m")] == [later]
    assert [change.window for change in store.incident_changes()] == [later]
    assert [trigger.window for trigger in store.triggers()] == [later]


# Messages.


def test_a_message_is_pending_until_it_is_delivered(store: Store) -> None:
    with store.transaction():
        store.enqueue([MESSAGE])
    assert store.pending_messages() == [MESSAGE]
    assert store.deliveries(["trg_1"]) == [DeliveryView("trg_1", "airflow", "pending", 0)]
    with store.transaction():
        store.record_attempts([attempt(MESSAGE, "pending", 9, 1, 700)])
    assert store.pending_messages() == [replace(MESSAGE, attempts=1, due_ms=700)]
    assert store.deliveries(["trg_1"]) == [DeliveryView("trg_1", "airflow", "pending", 1, "the receiver answered 500")]
    with store.transaction():
        store.record_attempts([attempt(MESSAGE, "delivered", 10, 2)])
        store.record_attempts([])
    assert store.pending_messages() == []
    assert store.deliveries(["trg_1"]) == [DeliveryView("trg_1", "airflow", "delivered", 2)]


def test_a_request_is_kept_as_it_was_stored_and_nothing_else_that_was_said_of_it(store: Store) -> None:
    told = replace(MESSAGE, id="about it", receiver="chat", body=b"{}")
    with store.transaction():
        store.enqueue([told, MESSAGE])
        store.record_attempts([attempt(MESSAGE, "delivered", 9)])
    assert store.request("trg_1") == MESSAGE.body
    assert store.request("trg_2") is None


@pytest.mark.parametrize("state", ["delivered", "failed", "disabled"])
def test_a_message_that_has_ended_is_not_sent_again(store: Store, state: DeliveryState) -> None:
    with store.transaction():
        store.enqueue([MESSAGE])
        store.record_attempts([attempt(MESSAGE, state, 9)])
        store.record_attempts([attempt(MESSAGE, "pending", 10, 2, 700)])
        store.enqueue([MESSAGE])
    assert store.pending_messages() == []
    assert [delivery.state for delivery in store.deliveries(["trg_1"])] == [state]


def test_the_same_id_twice_is_one_message_whether_in_one_call_or_two(store: Store) -> None:
    again = replace(MESSAGE, body=b"different", created_ms=6)
    with store.transaction():
        store.enqueue([MESSAGE, again])
        store.enqueue([again])
    with store.transaction():
        store.enqueue([again])
        store.enqueue([])
    assert store.pending_messages() == [MESSAGE]


def test_two_receivers_of_one_id_have_a_message_each(store: Store) -> None:
    other = replace(MESSAGE, receiver="pipeline")
    with store.transaction():
        store.enqueue([MESSAGE])
        store.enqueue([other])
        store.record_attempts([attempt(MESSAGE, "failed", 9)])
    assert store.pending_messages() == [other]


def test_the_last_of_several_attempts_at_a_message_counts(store: Store) -> None:
    with store.transaction():
        store.enqueue([MESSAGE])
        store.record_attempts([attempt(MESSAGE, "pending", 9, 1, 700), attempt(MESSAGE, "pending", 10, 2, 800)])
    assert store.pending_messages() == [replace(MESSAGE, attempts=2, due_ms=800)]


@pytest.mark.parametrize("created_ms", [(5, 5, 5), (7, 6, 5)])
def test_messages_come_in_the_order_in_which_they_were_made_whatever_their_id_and_the_clock_say(
    store: Store, created_ms: tuple[int, int, int]
) -> None:
    ids = ("msg_ff", "msg_00", "msg_77")
    opened, other, resolved = (
        replace(MESSAGE, id=each, created_ms=at) for each, at in zip(ids, created_ms, strict=True)
    )
    ended = [replace(MESSAGE, id=f"ended {number}") for number in range(5_000)]
    with store.transaction():
        store.enqueue(ended)
        store.enqueue([opened, other])
        store.record_attempts([attempt(each, "delivered", 9) for each in ended])
    with store.transaction():
        store.enqueue([opened, resolved])
        store.record_attempts([attempt(opened, "pending", 9, 1, 700)])
        store.expire_messages(10)
    store._database.checkpoint()
    assert [message.id for message in store.pending_messages()] == list(ids)


def test_deliveries_are_of_the_requests_asked_for_and_of_nothing_else_that_was_said(store: Store) -> None:
    told = [replace(MESSAGE, id=f"about it {name}", receiver=name) for name in ("chat", "airflow")]
    other = replace(MESSAGE, id=message_id("trg_2", "airflow"), subject="trg_2")
    with store.transaction():
        store.enqueue([*told, MESSAGE, other])
    assert store.deliveries(["trg_1"]) == [DeliveryView("trg_1", "airflow", "pending", 0)]
    assert [each.subject for each in store.deliveries(["trg_2", "trg_1"])] == ["trg_1", "trg_2"]
    assert store.deliveries([]) == []
    with store.transaction():
        store.record_attempts([attempt(each, "superseded", 9) for each in told])
    assert store.pending_counts() == {"airflow": 2, "chat": 0}


def test_only_messages_that_have_ended_expire(store: Store) -> None:
    messages = [replace(MESSAGE, id=f"msg_{number}") for number in range(3)]
    with store.transaction():
        store.enqueue(messages)
        store.record_attempts([attempt(messages[0], "delivered", 100), attempt(messages[1], "failed", 200)])
    with store.transaction():
        assert store.expire_messages(200) == 1
        assert store.expire_messages(1 << 60) == 1
    assert store.pending_messages() == [messages[2]]


# Dead letters.


def test_dead_letters_come_back_byte_for_byte_in_order(store: Store) -> None:
    tombstone = replace(LETTER, reason=Reason.MISSING_FIELD, key=None, value=None, size=0, headers=())
    with store.transaction():
        store.add_dead_letters([LETTER, tombstone])
        store.add_dead_letters([replace(tombstone, row=2**31 - 1)])
        store.add_dead_letters([])
    letters = [letter for _, letter in store.pending_dead_letters(10)]
    assert letters == [LETTER, tombstone, replace(tombstone, row=2**31 - 1)]
    assert type(letters[0].reason) is Reason
    assert [letter for _, letter in store.pending_dead_letters(1)] == [LETTER]


def test_the_number_of_a_forgotten_dead_letter_is_not_used_again(tmp_path: Path) -> None:
    numbers: set[int] = set()
    for _ in range(3):
        with Store.open(tmp_path) as store:
            with store.transaction():
                store.add_dead_letters([LETTER, LETTER])
            found = {number for number, _ in store.pending_dead_letters(10)}
            assert len(found) == 2
            assert not found & numbers
            numbers |= found
            with store.transaction():
                store.forget_dead_letters(sorted(numbers))
                store.forget_dead_letters([])
            assert store.pending_dead_letters(10) == []


# Control events.


def test_control_events_are_numbered_in_their_order(tmp_path: Path) -> None:
    payload = {"nested": [1, None]}

    def add(store: Store, *kinds: str, at_ms: int = 5) -> None:
        with store.transaction():
            store.add_control_events([(kind, payload) for kind in kinds], at_ms)

    def undone(store: Store) -> None:
        with store.transaction():
            store.add_control_events([("undone", {})], 5)
            raise KeyError

    with Store.open(tmp_path) as store:
        add(store, "idle", "gap")
        add(store)
        with pytest.raises(KeyError):
            undone(store)
    with Store.open(tmp_path) as store:
        add(store, "wake", at_ms=6)
        found = store.control_events()
        assert [event.kind for event in found] == ["idle", "gap", "wake"]
        numbers = [event.number for event in found]
        assert numbers == sorted(set(numbers))
        assert store.control_events(numbers[1]) == [ControlEvent(numbers[2], "wake", payload, 6)]
        assert store.control_events(numbers[2]) == []
        with store.transaction():
            assert store.expire_control_events(6) == 2
            assert store.expire_control_events(7) == 1
        add(store, "later")
    with Store.open(tmp_path) as store:
        assert min(event.number for event in store.control_events()) > numbers[2]
