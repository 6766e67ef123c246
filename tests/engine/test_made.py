"""Models without a compiled reference make one of what arrives, whatever the interleaving and across restarts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.records import State, Verdict
from monitor.engine import Monitor, Rebaseline
from monitor.engine.memory import Memory
from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Predictions
from monitor.profiles.reference import Reference
from monitor.profiles.sample import Sample
from monitor.snapshot import WindowView
from monitor.spec import AlarmSpec, MadeSpec, ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import Window, WindowSpec
from tests.engine.saved import saved
from tests.profiles import rows as table

HOUR_MS = 3_600_000
ROWS, LEARNED = 120, 48
MADE = {
    "first": MadeSpec(LEARNED * HOUR_MS),
    "rolling": MadeSpec(LEARNED * HOUR_MS, "ms", "rolling", 12),
    "previous": MadeSpec(LEARNED * HOUR_MS, "ms", "previous", 2),
}


REFERENCE = Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(0), 2_000), None, version="z")


def monitor(made: MadeSpec, window: WindowSpec = WindowSpec(HOUR_MS)) -> Monitor:  # noqa: B008 - It is frozen.
    spec = ModelSpec(
        "m",
        table.SCHEMA,
        window,
        PerformanceSpec("accuracy", 0.1),
        lateness_ms=0,
        labelled=False,
        made=made,
        alarms=AlarmSpec(learning_ms=0),
    )
    return Monitor([spec], {})


def arrive(engine: Monitor, window: int, shift: float = 0.0, version: str = "3", partition: int = 0) -> None:
    times = window * HOUR_MS + np.arange(ROWS, dtype=np.int64) * (HOUR_MS // ROWS)
    first = (window + 1) * ROWS
    batch = table.predictions(
        np.random.default_rng(window),
        ROWS,
        first=first,
        offset=first,
        time_ms=times,
        version=version,
        shift=shift,
        partition=partition,
    )
    engine.models["m"].ingest(batch, (), {}, Now.at(1 << 50))


def close(engine: Monitor, window: int) -> list[WindowView]:
    return engine.models["m"].finish((window + 1) * HOUR_MS).windows


def one_by_one(engine: Monitor, windows: Iterable[int], shift: float = 0.0) -> list[WindowView]:
    views = []
    for window in windows:
        arrive(engine, window, shift)
        views += close(engine, window)
    return views


def numbers(batch: Predictions, name: str) -> NumericColumn:
    column = batch.features[name]
    assert isinstance(column, NumericColumn)
    return column


def categories(column: Column | None) -> CategoricalColumn:
    assert isinstance(column, CategoricalColumn)
    return column


def of_amount(views: Iterable[WindowView]) -> list[Verdict]:
    return [verdict for view in views for verdict in view.verdicts if verdict.feature == "amount"]


def states(views: Iterable[WindowView]) -> list[State]:
    return [verdict.state for verdict in of_amount(views)]


@pytest.mark.parametrize("against", MADE)
def test_nothing_depends_on_how_many_windows_are_open_when_it_has_learned(against: str) -> None:
    slow, fast = monitor(MADE[against]), monitor(MADE[against])
    windows = one_by_one(slow, range(LEARNED + 20))
    for window in range(LEARNED + 20):
        arrive(fast, window)
    assert close(fast, LEARNED + 19) == windows
    assert saved(fast) == saved(slow)


@pytest.mark.parametrize("against", MADE)
@pytest.mark.parametrize("stop", [LEARNED - 1, LEARNED, LEARNED + 14])
def test_a_restart_changes_nothing(against: str, stop: int) -> None:
    """While it learns, with rows of a later window waiting to be counted, and when it has."""
    whole, parted = monitor(MADE[against]), monitor(MADE[against])
    expected = one_by_one(whole, range(LEARNED + 30))
    views = one_by_one(parted, range(stop))
    arrive(parted, stop)
    written = {key: piece for key, piece in parted.changes().items() if piece is not None}
    assert written == saved(parted)
    parted = monitor(MADE[against])
    parted.restore(written)
    views += close(parted, stop) + one_by_one(parted, range(stop + 1, LEARNED + 30))
    assert views == expected


def test_the_reference_is_that_of_a_table_of_the_same_rows() -> None:
    engine = monitor(MADE["first"])
    one_by_one(engine, range(LEARNED + 1))
    samples = [table.predictions(np.random.default_rng(window), ROWS) for window in range(LEARNED)]
    columns: dict[str, Column] = {
        "amount": NumericColumn.concatenate([numbers(each, "amount") for each in samples]),
        "age": NumericColumn.concatenate([numbers(each, "age") for each in samples]),
        "country": CategoricalColumn.concatenate([categories(each.features["country"]) for each in samples]),
    }
    whole = replace(
        table.predictions(np.random.default_rng(0), LEARNED * ROWS),
        features=columns,
        prediction=CategoricalColumn.concatenate([categories(each.prediction) for each in samples]),
        scores={"1": NumericColumn.concatenate([each.scores["1"] for each in samples])},
    )
    expected = Reference.build(table.SCHEMA, whole, None)
    (made,) = engine.models["m"].references.made.values()
    assert made.reference.layout.digest == expected.layout.digest
    for name, summary in expected.profile.features.items():
        np.testing.assert_array_equal(made.reference.profile.features[name].counts, summary.counts)


def test_windows_are_learning_until_there_is_a_reference_and_then_a_shift_is_found() -> None:
    engine = monitor(MADE["first"])
    views = one_by_one(engine, range(LEARNED))
    assert set(states(views)) == {"learning"}
    assert {verdict.feature for verdict in views[0].verdicts} == set(table.SCHEMA.features)
    assert set(states(one_by_one(engine, range(LEARNED, LEARNED + 5)))) <= {"ok", "watch", "insufficient"}
    assert states(one_by_one(engine, range(LEARNED + 5, LEARNED + 10), shift=3.0))[-1] == "drifting"


def test_against_the_newest_windows_a_lasting_shift_is_over_when_they_are_all_shifted() -> None:
    engine = monitor(MADE["rolling"])
    one_by_one(engine, range(LEARNED + 12))
    shifted = states(one_by_one(engine, range(LEARNED + 12, LEARNED + 60), shift=3.0))
    assert "drifting" in shifted[:4]
    assert shifted[-1] == "ok"


def test_the_window_before_last_is_what_previous_2_compares_with() -> None:
    """Of windows that take turns, each is like the one before last and unlike the last."""
    alike, unlike = monitor(MADE["previous"]), monitor(MadeSpec(LEARNED * HOUR_MS, "ms", "previous", 1))
    for engine in (alike, unlike):
        one_by_one(engine, range(LEARNED))
        for window in range(LEARNED, LEARNED + 10):
            arrive(engine, window, shift=3.0 * (window % 2))
    effects = [
        [verdict.effect or 0.0 for verdict in of_amount(close(engine, LEARNED + 9))[-6:]] for engine in (alike, unlike)
    ]
    assert max(effects[0]) < 0.2 < min(effects[1])


def test_rows_of_another_version_are_compared_with_the_newest_reference_and_alarm_of_nothing() -> None:
    engine = monitor(MADE["first"])
    one_by_one(engine, range(LEARNED))
    arrive(engine, LEARNED, shift=3.0, version="4")
    (view,) = close(engine, LEARNED)
    assert set(states([view])) == {"learning"}
    assert {reading.feature for reading in view.readings if reading.statistic == "psi"} > set(table.SCHEMA.features)


def test_until_when_it_learns_is_shown() -> None:
    engine = monitor(MADE["first"])
    one_by_one(engine, range(3))
    assert engine.views()["m"].watches["3"].learning_until_ms == LEARNED * HOUR_MS
    one_by_one(engine, range(3, LEARNED + 1))
    assert engine.views()["m"].watches["3"].learning_until_ms is None


def test_made_up_versions_keep_no_other_out_of_the_memory() -> None:
    engine = Monitor([monitor(MADE["first"]).models["m"].spec], {"m": {"z": REFERENCE}})
    for version in "abcdefz":
        arrive(engine, 0, version=version)
    close(engine, 0)
    assert engine.models["m"].maker.memory.versions == ["a", "b", "c", "d", "z"]


def test_windows_by_number_of_rows_learn_from_a_number_of_rows() -> None:
    made = MadeSpec(5 * ROWS, "numbered rows")
    engine = monitor(made, WindowSpec(ROWS, "numbered rows"))
    model = engine.models["m"]
    for window in range(8):
        rows = window * ROWS + np.arange(ROWS, dtype=np.int64)
        batch = table.predictions(
            np.random.default_rng(window), ROWS, first=(window + 1) * ROWS, offset=window * ROWS, time_ms=rows
        )
        model.ingest(batch, (), {}, Now.at(1 << 50))
    found = states(model.finish(8 * ROWS).windows)
    assert [state == "learning" for state in found] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("against", MADE)
def test_a_partition_that_is_far_ahead_or_another_version_changes_nothing(against: str) -> None:
    """Windows that are opened before it is known when the first one was."""
    plain, ahead = monitor(MADE[against]), monitor(MADE[against])
    for engine in (plain, ahead):
        if engine is ahead:
            arrive(engine, LEARNED + 3, partition=1)
            arrive(engine, LEARNED + 3, version="4", partition=2)
        one_by_one(engine, range(2))
        if engine is ahead:
            arrive(engine, LEARNED + 1, version="4", partition=3)
        one_by_one(engine, range(2, LEARNED + 1))
        if engine is plain:
            arrive(engine, LEARNED + 1, version="4", partition=3)
        one_by_one(engine, [LEARNED + 1, LEARNED + 2])
        if engine is plain:
            arrive(engine, LEARNED + 3, partition=1)
            arrive(engine, LEARNED + 3, version="4", partition=2)
    views = close(ahead, LEARNED + 3)
    assert [len(view.readings) > 0 for view in views] == [True, True]
    assert views == close(plain, LEARNED + 3)


def test_a_restart_after_orders_finds_every_reference_that_is_still_compared_with() -> None:
    engine = monitor(MADE["rolling"])
    one_by_one(engine, range(LEARNED + 14))
    for last in (LEARNED + 14, LEARNED + 18):
        engine.obey(Rebaseline("m", "r", from_ms=0), 0)
        again = monitor(MADE["rolling"])
        again.restore(saved(engine))
        one_by_one(engine, range(last, last + 4))


@pytest.mark.parametrize("minutes", [1, 15])
def test_of_short_windows_rows_are_kept_by_the_hour(minutes: int) -> None:
    window = WindowSpec(minutes * 60_000)
    memory = Memory(replace(monitor(MADE["first"]).models["m"].spec, window=window))
    whole = Sample()
    for start in range(0, HOUR_MS, window.size):
        batch = table.predictions(np.random.default_rng(start), 50, first=start)
        sample = Sample()
        sample.fold(batch)
        whole.fold(batch)
        memory.keep(Window(start + window.size, "m", "3", "", start), sample, owner=True)
    (kept,) = memory.kept.values()
    assert kept.end_ms == HOUR_MS
    np.testing.assert_array_equal(kept.sample.order, whole.order)
