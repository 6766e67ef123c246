"""What is kept of windows, in a service: all that closed, and where room is short, those that incidents name."""

from __future__ import annotations

import pytest

from monitor.runtime.store import kept
from tests.simulation.traffic import Log, Traffic
from tests.simulation.world import World

MODELS = ("fraud", "churn")


@pytest.fixture(scope="module")
def log() -> Log:
    return Traffic(1).log()


def test_of_every_window_that_closed_the_counts_and_the_rows_are_kept(log: Log) -> None:
    world = World(log)
    world.run()
    for name in MODELS:
        closed = {view.window for output in world.outputs for view in output.windows if view.window.model == name}
        assert closed
        for part in kept.KEPT_MAX:
            assert set(world.store.kept_windows(name, part)) == closed
        for window in closed:
            counts = world.store.kept_counts(name, window.version, window.end_ms)
            rows = world.store.kept_rows(name, window.version, window.end_ms)
            assert counts is not None
            assert rows is not None
            assert rows.rows == counts.tally[0].sum() >= len(rows.sample.order) > 0
    assert all(not output.kept for output in world.outputs), "written down, and let go of"
    world.close()


def test_where_room_is_short_the_windows_of_incidents_stay(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kept.KEPT_MAX, "rows", 45_000)  # Half of what all take; of that half, four windows.
    world = World(log)
    world.run()
    held = set(world.store.kept_windows("fraud", "rows"))
    every = set(world.store.kept_windows("fraud", "counts"))
    incidents = world.loop.snapshot.models["fraud"].incidents
    named = {window for each in incidents for window in (each.opened, each.latest)}
    assert named <= held < every
    dropped = every - held
    assert min(named) < max(dropped), "they are older than others that had to go"
    assert max(every) in held
    world.close()
