"""A crash at any point of any step changes nothing that is stored, decided or sent."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.simulation.scripted import POINTS
from tests.simulation.traffic import Log, Shape, Traffic
from tests.simulation.world import Observed, World

SEED = int(os.environ.get("MODEL_MONITOR_SEED", "7"))


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
