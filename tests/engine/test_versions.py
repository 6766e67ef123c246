"""Versions: whose reference each is compared with, also when one is registered while its windows are open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.engine import Register
from monitor.engine.model import ModelMonitor
from monitor.engine.monitor import Monitor
from monitor.engine.pane import OTHER, VERSIONS_MAX
from monitor.engine.references import Standard
from monitor.errors import NotFoundError, RefusedError
from monitor.events.batch import CategoricalColumn
from monitor.profiles.reference import Reference
from monitor.spec import AlarmSpec, MadeSpec, ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.profiles.rows import SCHEMA, predictions

MINUTE_MS = 60_000
NOW = Now.at(1 << 50)


def reference(seed: int, version: str, shift: float = 0.0) -> Reference:
    return Reference.build(SCHEMA, predictions(np.random.default_rng(seed), 4_000, shift=shift), None, version=version)


OLD, NEW = reference(1, "3"), reference(2, "4", shift=2.0)
SPEC = ModelSpec(
    "m",
    SCHEMA,
    WindowSpec(MINUTE_MS),
    PerformanceSpec("roc_auc", 0.03),
    lateness_ms=0,
    labelled=False,
    alarms=AlarmSpec(learning_ms=0),
)


def feed(model: ModelMonitor, minute: int, version: str, shift: float) -> list[str]:
    """Fill one window and close the ones before; the states of `amount` in what was closed."""
    times = minute * MINUTE_MS + np.arange(500, dtype=np.int64) * 100
    batch = predictions(
        np.random.default_rng(minute),
        500,
        first=minute * 500,
        offset=minute * 500,
        time_ms=times,
        version=version,
        shift=shift,
    )
    model.ingest(batch, (), {}, NOW)
    closed = model.advance({}, Now.at(0)).windows
    return [verdict.state for view in closed for verdict in view.verdicts if verdict.feature == "amount"]


def test_a_version_that_nobody_registered_learns_and_never_alarms() -> None:
    model = Monitor([SPEC], {"m": {"3": OLD}}).models["m"]
    states = [state for minute in range(5) for state in feed(model, minute, "4", shift=2.0)]
    assert states == ["learning"] * 4


def test_a_registered_version_is_judged_by_its_own_reference() -> None:
    model = Monitor([SPEC], {"m": {"3": OLD, "4": NEW}}).models["m"]
    states = [state for minute in range(5) for state in feed(model, minute, "4", shift=2.0)]
    assert states == ["ok"] * 4


def test_a_version_registered_while_its_windows_are_open_is_judged_from_its_next_window_on() -> None:
    before = Monitor([SPEC], {"m": {"3": OLD}})
    assert feed(before.models["m"], 0, "4", shift=2.0) == []
    after = Monitor([SPEC], {"m": {"3": OLD, "4": NEW}})
    after.restore({key: piece for key, piece in before.changes().items() if piece is not None})
    states = [state for minute in range(1, 4) for state in feed(after.models["m"], minute, "4", shift=2.0)]
    assert states == ["learning", "ok", "ok"]


def test_any_version_fits_an_unnamed_reference() -> None:
    model = Monitor([SPEC], {"m": {"": replace(OLD, version="")}}).models["m"]
    states = [state for minute in range(4) for state in feed(model, minute, "9", shift=0.0)]
    assert states == ["ok"] * 3


def test_too_many_versions_are_joined_under_one_reference_alone() -> None:
    names = tuple(f"v{number}" for number in range(VERSIONS_MAX + 10))
    rows = predictions(np.random.default_rng(0), 2 * len(names), time_ms=np.zeros(2 * len(names), dtype=np.int64))
    codes = np.arange(len(rows), dtype=np.int32)
    batch = replace(rows, version=CategoricalColumn(codes % len(names), names))
    before = Monitor([SPEC], {"m": {"3": OLD}})
    before.models["m"].ingest(batch.take(codes < VERSIONS_MAX), (), {}, NOW)
    after = Monitor([SPEC], {"m": {"3": OLD, "4": NEW}})
    after.restore({key: piece for key, piece in before.changes().items() if piece is not None})
    after.models["m"].ingest(batch.take(codes >= VERSIONS_MAX), (), {}, NOW)
    assert sum(pane.profile.rows for pane in after.models["m"].panes.values()) == len(batch)


def test_a_client_that_makes_up_versions_does_not_fill_the_memory() -> None:
    model = Monitor([SPEC], {"m": {"3": OLD}}).models["m"]
    batch = predictions(np.random.default_rng(0), 500, time_ms=np.zeros(500, dtype=np.int64))
    names = tuple(f"v{number}" for number in range(500))
    model.ingest(replace(batch, version=CategoricalColumn(np.arange(500, dtype=np.int32), names)), (), {}, NOW)
    versions = {version for _, version in model.panes}
    assert len(versions - {OTHER}) == VERSIONS_MAX
    assert OTHER in versions
    assert sum(pane.profile.rows for pane in model.panes.values()) == 500


def register(engine: Monitor, reference: Reference) -> str:
    return engine.obey(Register("m", Standard(SPEC, reference.version, reference, why="registered")), 0)[1]


def test_a_version_registered_in_the_running_engine_is_judged_by_its_own_from_its_next_window_on() -> None:
    engine = Monitor([SPEC], {"m": {"3": OLD}})
    assert feed(engine.models["m"], 0, "4", shift=2.0) == []
    said = register(engine, NEW)
    assert said.endswith("from 1970-01-01T00:01:00Z on")
    assert register(engine, NEW) == "version '4' of model 'm' has this reference already"
    states = [state for minute in range(1, 4) for state in feed(engine.models["m"], minute, "4", shift=2.0)]
    assert states == ["learning", "ok", "ok"]
    note = engine.models["m"].noted()[-1]
    assert (note.kind, note.version, note.since_ms, note.reference) == ("registered", "4", MINUTE_MS, NEW.digest)
    again = Monitor([SPEC], {"m": {"3": OLD}})
    again.restore(saved(engine))
    assert feed(again.models["m"], 4, "4", shift=2.0) == ["ok"]


def test_a_version_may_be_registered_before_its_first_event() -> None:
    engine = Monitor([SPEC], {"m": {"3": OLD}})
    assert register(engine, NEW).endswith("from its first window on")
    states = [state for minute in range(3) for state in feed(engine.models["m"], minute, "4", shift=2.0)]
    assert states == ["ok", "ok"]


def test_a_version_keeps_the_reference_that_it_has() -> None:
    engine = Monitor([SPEC], {"m": {"3": OLD, "4": NEW}})
    with pytest.raises(RefusedError, match=r"has another reference, sha256:.*register the new one under a new version"):
        register(engine, reference(5, "4"))
    assert register(engine, NEW).endswith("already")
    with pytest.raises(NotFoundError):
        engine.obey(Register("x", Standard(SPEC, "4", NEW, why="registered")), 0)


def test_a_version_that_was_registered_is_not_said_to_come_unregistered() -> None:
    engine = Monitor([SPEC], {"m": {"3": OLD}})
    model = engine.models["m"]
    first = predictions(np.random.default_rng(9), 500, time_ms=np.zeros(500, dtype=np.int64), version="3")
    model.ingest(first, (), {}, NOW)
    assert register(engine, NEW).endswith("from its first window on"), "another version's open window is not its own"
    states, events = [], []
    for minute in range(3):
        times = minute * MINUTE_MS + np.arange(500, dtype=np.int64) * 100
        rows = predictions(np.random.default_rng(minute), 500, first=9_000 + minute * 500, offset=9_000 + minute * 500)
        batch = replace(rows, time_ms=times, version=CategoricalColumn(np.zeros(500, dtype=np.int32), ("4",)))
        model.ingest(batch, (), {}, NOW)
        output = model.advance({}, Now.at(0))
        events += [change.event for change in output.versions]
        states += [view.window.version for view in output.windows]
    assert "4" in states
    assert events == []


def test_while_a_model_learns_its_first_reference_no_version_is_registered() -> None:
    """It would be what all others are compared with, and the learning would be over."""
    engine = Monitor([replace(SPEC, made=MadeSpec(100 * MINUTE_MS))], {"m": {}})
    feed(engine.models["m"], 0, "3", shift=0.0)
    with pytest.raises(RefusedError, match="is still learning its first reference: wait until it has"):
        register(engine, NEW)
