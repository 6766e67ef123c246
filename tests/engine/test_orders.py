"""What people ask of the engine: accept a new normal, look after an incident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.records import Incident, IncidentChange, State
from monitor.engine import Acknowledge, Monitor, Rebaseline
from monitor.engine.references import key_of
from monitor.errors import RefusedError
from monitor.events.batch import NumericColumn, Predictions
from monitor.profiles.reference import Reference
from monitor.spec import AlarmSpec
from monitor.windows.streams import Now
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
ROWS = 240
NOW_MS = 1 << 41
"""By the wall clock."""
SPEC = HOURLY


def drawn(seed: int, rows: int, amount: float, age: float) -> Predictions:
    """Rows with `amount` and `age` moved by so many standard deviations."""
    batch = table.predictions(np.random.default_rng(seed), rows, first=seed * 10_000, offset=seed * 10_000)
    moved = {
        "amount": NumericColumn.of(np.random.default_rng(seed).normal(amount, 1.0, rows)),
        "age": NumericColumn.of(np.random.default_rng(seed + 1).normal(age, 1.0, rows)),
    }
    return replace(batch, features={**batch.features, **moved})


def monitor() -> Monitor:
    return Monitor([SPEC], {"m": {"3": Reference.build(table.SCHEMA, drawn(0, 8_000, 0.0, 0.0), None, version="3")}})


class Run:
    """An engine that is given one window after the other."""

    def __init__(self, engine: Monitor) -> None:
        self.engine = engine
        self.changes: list[IncidentChange] = []
        self._window = 0

    def windows(self, number: int, amount: float = 0.0, age: float = 0.0) -> list[dict[str, State]]:
        return list(self._windows(number, amount, age))

    def _windows(self, number: int, amount: float, age: float) -> Iterator[dict[str, State]]:
        for window in range(self._window, self._window + number):
            self.arrive(window, amount, age)
            output = self.engine.models["m"].finish((window + 1) * HOUR_MS)
            self.changes += output.changes
            yield from ({each.feature: each.state for each in view.verdicts} for view in output.windows)
        self._window += number

    def arrive(self, window: int, amount: float, age: float) -> None:
        times = window * HOUR_MS + np.arange(ROWS, dtype=np.int64) * (HOUR_MS // ROWS)
        batch = replace(drawn(window + 1, ROWS, amount, age), time_ms=times)
        self.engine.models["m"].ingest(batch, (), {}, Now.at(1 << 50))

    def obey(self, order: Rebaseline | Acknowledge) -> list[tuple[str, str]]:
        output, _ = self.engine.obey(order, NOW_MS)
        self.changes += output.changes
        return [(change.event, change.incident.cause) for change in output.changes]

    def open(self) -> list[Incident]:
        return [incident for incident in self.engine.views()["m"].incidents if incident.open]

    def restart(self) -> None:
        written = saved(self.engine)
        self.engine = monitor()
        self.engine.restore(written)


def of(states: Iterable[dict[str, State]], feature: str) -> list[State]:
    return [each[feature] for each in states]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_new_normal_ends_the_incident_and_is_what_is_compared_with_from_the_next_window_on(restarted: bool) -> None:
    run = Run(monitor())
    assert of(run.windows(6, amount=2.0), "amount")[-1] == "drifting"
    run.arrive(6, 2.0, 0.0)  # A window that is open ends under what it began with, and is not judged.
    assert run.obey(Rebaseline("m", "a new product")) == [("resolved", "drift")]
    if restarted:
        run.restart()
    assert run.open() == []
    assert of(run.windows(12, amount=2.0), "amount") == ["learning", *["ok"] * 11]
    assert run.open() == []
    assert of(run.windows(4), "amount")[-1] == "drifting"  # What was usual before is drift now.


def test_one_feature_can_have_a_new_normal_and_the_others_go_on_as_before() -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0, age=2.0)
    assert run.obey(Rebaseline("m", "another unit", features=("amount",))) == []
    states = run.windows(8, amount=2.0, age=2.0)
    assert (of(states, "amount")[-1], set(of(states, "age"))) == ("ok", {"drifting"})
    assert [incident.features for incident in run.open()] == [("age", "amount")]
    run.windows(12, amount=2.0)
    assert run.open() == []
    assert "drifting" in of(run.windows(4, amount=0.0), "amount")


def test_a_new_normal_is_of_the_windows_since_the_incident_unless_told_otherwise() -> None:
    whole, since = Run(monitor()), Run(monitor())
    for run in (whole, since):
        run.windows(12)
        run.windows(6, amount=2.0)
    since.obey(Rebaseline("m", "r"))
    whole.obey(Rebaseline("m", "r", from_ms=0))
    rows = [next(iter(run.engine.models["m"].references.made.values())).reference.rows for run in (since, whole)]
    assert rows[1] == 18 * ROWS
    assert rows[0] in (5 * ROWS, 6 * ROWS)  # The window in which it began, or the one after.


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Rebaseline("x", "r"), "there is no model 'x'; the configured ones are m"),
        (Rebaseline("m", "r", features=("b", "amount")), "has no feature b: it has"),
        (Rebaseline("m", "r", version="4"), "version '4' of model 'm' has no reference of its own and recent windows"),
        (
            Rebaseline("m", "r", from_ms=5 * HOUR_MS),
            "1 windows of version '3'.*have passed since 1970-01-01T05:00:00Z.*needs 2",
        ),
        (Acknowledge("inc_none"), "there is no incident 'inc_none'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(order: Rebaseline | Acknowledge, said: str) -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0)
    before = saved(run.engine)
    with pytest.raises(RefusedError, match=said):
        run.obey(order)
    assert saved(run.engine) == before


def test_before_anything_has_closed_there_is_nothing_to_go_by() -> None:
    with pytest.raises(RefusedError, match=r"no version of model 'm' has .* windows that have closed: wait"):
        Run(monitor()).obey(Rebaseline("m", "r"))
    with pytest.raises(RefusedError, match="no version of model 'm' has"):
        Run(monitor()).obey(Rebaseline("m", "r", version="3"))


@pytest.mark.parametrize("restarted", [False, True])
def test_an_acknowledged_incident_takes_in_nothing_more_and_ends_by_itself(restarted: bool) -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0)
    (first,) = run.open()
    assert run.obey(Acknowledge(first.id, "Ann")) == [("acknowledged", "drift")]
    if restarted:
        run.restart()
    run.windows(6, amount=2.0, age=2.0)
    known, new = run.open()
    assert (known.id, known.features, known.acknowledged) == (first.id, ("amount",), True)
    assert (new.features, new.acknowledged) == (("age",), False)
    run.windows(20, age=2.0)
    assert [incident.id for incident in run.open()] == [new.id]
    with pytest.raises(RefusedError, match="is not open"):
        run.obey(Acknowledge(first.id))


def test_every_order_is_kept_as_a_control_event() -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0)
    (incident,) = run.open()
    run.obey(Acknowledge(incident.id, "Ann"))
    run.obey(Rebaseline("m", "a new product", features=("amount",)))
    assert [note.kind for note in run.engine.models["m"].noted()] == ["acknowledged", "rebaselined"]
    assert run.open() == []


def test_references_that_were_replaced_and_are_used_no_more_are_forgotten() -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0)
    for _ in range(4):
        run.obey(Rebaseline("m", "r", from_ms=0))
        run.windows(4, amount=2.0)
        model = run.engine.models["m"]
        due = model.due()
        assert due is not None
        model.settle(due, None)
    assert len(run.engine.models["m"].references.made) <= 2


def test_a_reference_that_was_replaced_under_an_open_window_is_forgotten_once_that_has_closed() -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0)
    run.obey(Rebaseline("m", "first"))
    run.windows(4, amount=2.0)
    run.arrive(10, 2.0, 0.0)
    run.obey(Rebaseline("m", "second", from_ms=0))
    model = run.engine.models["m"]
    assert list(model.references.made) == [key_of("3", 6 * HOUR_MS), key_of("3", 11 * HOUR_MS)]
    run.engine.changes()
    run.windows(2, amount=2.0)
    due = model.due()
    assert due is not None
    model.settle(due, None)
    assert list(model.references.made) == [key_of("3", 11 * HOUR_MS)]
    assert run.engine.changes()[f"m/reference/3/{6 * HOUR_MS}"] is None


def test_a_second_order_while_a_window_is_open_adds_to_the_first() -> None:
    run = Run(monitor())
    run.windows(6, amount=2.0, age=2.0)
    run.arrive(6, 2.0, 2.0)
    run.obey(Rebaseline("m", "first", features=("amount",)))
    run.obey(Rebaseline("m", "second", features=("age",)))
    states = run.windows(8, amount=2.0, age=2.0)
    assert (of(states, "amount")[-1], of(states, "age")[-1]) == ("ok", "ok")
    assert run.open() == []


def test_hours_that_no_window_shows_are_not_guessed() -> None:
    """A reference that knows every hour is not replaced by one of six of them; it may be after a week."""
    knowing = replace(SPEC, alarms=AlarmSpec())
    times = np.arange(21 * 24 * 20, dtype=np.int64) * (HOUR_MS // 20)
    table_rows = replace(drawn(0, len(times), 0.0, 0.0), time_ms=times)
    reference = Reference.build(table.SCHEMA, table_rows, None, version="3", windows=("ms", HOUR_MS))
    run = Run(Monitor([knowing], {"m": {"3": reference}}))
    run.windows(6, amount=2.0)
    for features in ((), ("amount",)):
        with pytest.raises(RefusedError, match=r"do not show every hour .* twice"):
            run.obey(Rebaseline("m", "r", features=features))
    run.windows(14 * 24, amount=2.0)
    run.obey(Rebaseline("m", "r", features=("amount",)))
    assert set(of(run.windows(24, amount=2.0), "amount")[1:]) <= {"ok", "watch"}
