"""The loop's word on itself: that steps end."""

from __future__ import annotations

import threading

import pytest

from monitor.runtime import loop
from tests.simulation.story import Story


def test_a_step_that_does_not_end_is_said_until_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story()
    story.predict("a", 0.2)
    world = story.world()
    assert world.loop.stalled() is None
    now_s = loop.time.monotonic()
    monkeypatch.setattr(loop.time, "monotonic", lambda: now_s + loop.STALL_S + 7)
    said = world.loop.stalled()
    assert said is not None
    assert "no step has ended for 67 s" in said
    next(world.loop.turns(threading.Event()))
    assert world.loop.stalled() is None
    world.close()
