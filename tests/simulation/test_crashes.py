"""A crash at any point of any step changes nothing that is stored, decided or sent."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.engine import shown
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.simulation.scripted import POINTS
from tests.simulation.traffic import MINUTE_MS, Log, Shape, Traffic
from tests.simulation.world import CHURN, FRAUD, Observed, World

SEED = int(os.environ.get("MODEL_MONITOR_SEED", "10"))


@pytest.fixture(scope="module")
def log() -> Log:
    return Traffic(2, Shape(minutes=8, predictions_a_minute=220)).log()


@pytest.fixture(scope="module")
def uninterrupted(log: Log) -> Observed:
    world = World(log, seed=SEED)
    try:
        return world.run()
    finally:
        world.close()


@pytest.mark.parametrize("window", [FRAUD.window, WindowSpec(400, "rows", MINUTE_MS)], ids=["minutes", "400 rows"])
def test_after_every_step_the_store_holds_the_whole_state(window: WindowSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what changed is written: nothing that changed may be forgotten, nor anything that is gone be kept."""
    monkeypatch.setattr(shown, "VIEWS_MAX", 5)
    world = World(Traffic(3).log(), (replace(FRAUD, window=window), CHURN), seed=SEED)
    while not world.source.exhausted:
        world.step()
        pieces = {key: piece for key, piece in world.store.state().items() if not key.startswith("service/")}
        assert pieces == saved(world.loop.monitor)
    world.close()


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_in_every_step_changes_nothing(log: Log, uninterrupted: Observed, tmp_path: Path, point: str) -> None:
    print(f"seed {SEED}")
    world = World(log, seed=SEED, directory=tmp_path)
    # Every second attempt dies: before the commit it is repeated, afterwards the next step follows.
    observed = world.run(lambda attempt: point if attempt % 2 else None)
    world.close()
    assert observed == uninterrupted


def test_crashes_at_any_points_of_any_steps_change_nothing(log: Log, uninterrupted: Observed, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    drawn = random.Random(SEED)
    world = World(log, seed=SEED, directory=tmp_path)
    observed = world.run(lambda attempt: drawn.choice((None, *POINTS)))
    world.close()
    assert observed == uninterrupted
