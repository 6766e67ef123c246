"""Versions whose reference does not tell what is usual learn it from production, also across restarts."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import pytest

from monitor.engine import Monitor
from monitor.profiles.reference import Reference
from monitor.spec import DAY_MS, AlarmSpec, ModelSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
FORTNIGHT, ROWS = 14 * 24, 60
SPEC = replace(HOURLY, alarms=AlarmSpec())


def reference(version: str = "3", *, rows: int = 4_000, shift: float = 0.0) -> Reference:
    drawn = table.predictions(np.random.default_rng(0), rows, shift=shift)
    return Reference.build(table.SCHEMA, drawn, None, version=version)


REFERENCE = reference()
WRITTEN: WeakKeyDictionary[Monitor, dict[str, bytes | None]] = WeakKeyDictionary()
"""What a store would hold of each engine."""


def monitor(spec: ModelSpec = SPEC, **others: Reference) -> Monitor:
    """others: references of later versions, by "vN"."""
    return Monitor([spec], {"m": {"3": REFERENCE} | {name[1:]: each for name, each in others.items()}})


def restarted(before: Monitor, **others: Reference) -> Monitor:
    """From what was written step by step, which is to be everything."""
    written = {key: piece for key, piece in WRITTEN[before].items() if piece is not None}
    assert written == saved(before)
    return restored(dict(written), before.models["m"].spec, **others)


def restored(written: dict[str, bytes | None], spec: ModelSpec = SPEC, **others: Reference) -> Monitor:
    after = monitor(spec, **others)
    after.restore({key: piece for key, piece in written.items() if piece is not None})
    WRITTEN[after] = dict(written)
    return after


def feed(engine: Monitor, windows: Iterable[int], shift: float = 0.0, version: str = "3") -> list[str]:
    """One window after the other, each closed at once; the states of `amount`."""
    model, states = engine.models["m"], []
    size = model.spec.window.size
    for window in windows:
        times = window * size + np.arange(ROWS, dtype=np.int64) * (size // ROWS)
        first = (window + 1) * ROWS
        batch = table.predictions(
            np.random.default_rng(window), ROWS, first=first, offset=first, time_ms=times, version=version, shift=shift
        )
        model.ingest(batch, (), {}, Now.at(1 << 50))
        closed = model.finish((window + 1) * size).windows
        states += [verdict.state for view in closed for verdict in view.verdicts if verdict.feature == "amount"]
    WRITTEN.setdefault(engine, {}).update(engine.changes())
    return states


@functools.cache
def learned() -> dict[str, bytes | None]:
    """What is written of version 4, which inherits 3, five windows after it has learned."""
    engine = monitor()
    feed(engine, range(FORTNIGHT + 5), version="4")
    return WRITTEN[restarted(engine)]


@pytest.mark.parametrize("version", ["3", "4"])
def test_learning_ends_after_a_fortnight_also_when_it_was_interrupted(version: str) -> None:
    """Whether the version has a reference of its own, which does not tell, or inherits one."""
    whole, parted = monitor(), monitor()
    states = feed(whole, range(FORTNIGHT + 30), version=version)
    first = feed(parted, range(100), version=version)
    parted = restarted(parted)
    second = feed(parted, range(100, FORTNIGHT - 1), version=version)
    parted = restarted(parted)
    third = feed(parted, range(FORTNIGHT - 1, FORTNIGHT + 10), version=version)
    parted = restarted(parted)
    last = feed(parted, range(FORTNIGHT + 10, FORTNIGHT + 30), version=version)
    assert [*first, *second, *third, *last] == states
    assert set(states[:FORTNIGHT]) == {"learning"}
    assert "learning" not in states[FORTNIGHT:]
    kept = [{key: piece for key, piece in saved(each).items() if "/progress/" not in key} for each in (parted, whole)]
    assert kept[0] == kept[1]
    assert any("/watch/" in key for key in kept[0])
    assert sum("/lesson/" in key for key in kept[0]) == FORTNIGHT


def test_a_model_without_weekends_learns_of_its_first_ones_when_they_come() -> None:
    """Time begins on a Thursday: the first Saturday is day 2."""
    weekdays = [hour for hour in range(21 * 24) if hour // 24 % 7 not in (2, 3)]
    engine = monitor()
    states = feed(engine, weekdays)
    assert "learning" not in states[weekdays.index(FORTNIGHT) :]
    engine = restarted(engine)
    weekend, later = range(23 * 24, 25 * 24), range(30 * 24, 32 * 24)
    assert set(feed(engine, range(21 * 24, 23 * 24))) <= {"ok", "watch"}
    assert set(feed(engine, weekend)) == {"learning"}
    engine = restarted(engine)
    assert "learning" not in feed(engine, range(25 * 24, 30 * 24))
    first, *others = feed(engine, later)
    assert first == "learning"
    assert "learning" not in others
    assert "learning" not in feed(restarted(engine), range(32 * 24, 33 * 24))


def test_a_version_that_learned_begins_anew_when_it_is_compared_with_another_reference() -> None:
    """Version 4 inherits 3 and learns in its cells; then 6 is registered, and 4 inherits that one."""
    engine = restored(learned(), v6=reference("6", rows=3_000, shift=3.0))
    assert feed(engine, [FORTNIGHT + 5], version="4") == ["learning"]
    assert set(feed(engine, range(FORTNIGHT + 6, 2 * FORTNIGHT + 5), version="4")) == {"learning"}
    engine = restarted(engine, v6=reference("6", rows=3_000, shift=3.0))
    assert not {"learning", "drifting"} & set(feed(engine, range(2 * FORTNIGHT + 5, 2 * FORTNIGHT + 15), version="4"))


def test_a_version_that_learned_goes_by_its_own_reference_once_it_has_one() -> None:
    engine = restored(learned(), v4=reference("4", rows=3_000))
    assert feed(engine, [FORTNIGHT + 5], version="4") == ["learning"]
    assert {lesson.reference for lesson in engine.models["m"].watching.lessons.values()} == {
        engine.models["m"].references["4"].cells
    }


@pytest.mark.parametrize("before", range(1, 7))
def test_windows_shorter_than_an_hour_end_learning_at_the_same_time_with_a_restart(before: int) -> None:
    """Ten minutes, from Monday on, and two days to learn from; `before` windows before these end."""
    short = replace(SPEC, window=WindowSpec(HOUR_MS // 6), alarms=AlarmSpec(learning_ms=2 * DAY_MS))
    monday, end = 4 * 24 * 6, 6 * 24 * 6
    engine = monitor(short)
    feed(engine, range(monday, end - before))
    states = feed(restarted(engine), range(end - before, end + 2))
    assert [state == "learning" for state in states] == [True] * before + [False] * 2


def test_what_was_learned_is_the_usual_whatever_the_reference_says() -> None:
    """Training and production differ by a quarter of a standard deviation: that is no drift."""
    engine = monitor()
    states = feed(engine, range(FORTNIGHT + 40), shift=0.25)
    assert set(states[:FORTNIGHT]) == {"learning"}
    assert "drifting" not in states
    assert "drifting" in feed(restarted(engine), range(FORTNIGHT + 40, FORTNIGHT + 60), shift=-0.6)


def test_evidence_survives_a_restart_between_the_windows_that_an_alarm_takes() -> None:
    trusted = replace(SPEC, alarms=AlarmSpec(learning_ms=0))
    engine = monitor(trusted)
    assert "drifting" not in feed(engine, [0], shift=1.5)
    assert feed(restarted(engine), [1], shift=1.5) == ["drifting"]


def test_a_version_that_was_silent_for_a_week_begins_anew() -> None:
    engine = restored(learned())
    assert engine.models["m"].watching.lessons
    week = 7 * DAY_MS // HOUR_MS
    assert feed(engine, [FORTNIGHT + 4 + week - 1], version="3") == ["learning"]
    assert {version for version, _ in engine.models["m"].watching.lessons} == {"3", "4"}
    feed(engine, [FORTNIGHT + 4 + week], version="3")
    assert {version for version, _ in engine.models["m"].watching.lessons} == {"3"}
    assert engine.models["m"].watching.states.keys() == {"3"}
    after = restarted(engine)
    assert feed(after, [FORTNIGHT + 5 + week], version="4") == ["learning"]


def test_a_version_that_drifts_retires_with_its_incident_and_begins_anew_when_it_comes_back() -> None:
    trusted = replace(SPEC, alarms=AlarmSpec(learning_ms=0))
    engine = monitor(trusted)
    assert feed(engine, range(3), shift=1.5)[-1] == "drifting"
    (incident,) = engine.models["m"].progress.incidents.standing
    since_ms = dict(engine.views()["m"].since_ms)
    assert since_ms.keys() == {"3"}
    later = 3 + 7 * 24
    feed(engine, [later - 2], version="4")
    assert engine.models["m"].progress.incidents.standing == [incident]
    feed(engine, [later - 1], version="4")
    assert engine.models["m"].progress.incidents.standing == []
    assert [each.id for each in engine.models["m"].progress.resolved] == [incident.id]
    assert "3" not in engine.views()["m"].versions
    assert engine.views()["m"].since_ms == {"4": since_ms["3"] + (later - 2) * HOUR_MS}
    after = restarted(engine)
    assert feed(after, [later, later + 1], shift=1.5) == ["watch", "drifting"]
    assert after.views()["m"].since_ms == {
        "4": since_ms["3"] + (later - 2) * HOUR_MS,
        "3": since_ms["3"] + later * HOUR_MS,
    }


def test_a_version_is_not_forgotten_between_two_windows_of_a_week() -> None:
    weekly = replace(SPEC, window=WindowSpec(7 * DAY_MS))
    engine = monitor(weekly)
    assert feed(engine, range(3)) == ["learning", "learning", "ok"]
    engine = restarted(engine)
    assert feed(engine, [3, 4, 6]) == ["ok"] * 3
    assert feed(restarted(engine), [11, 30]) == ["ok", "ok"], "nobody else shows that it is gone"
