"""The loop's word on itself: that steps end."""

from __future__ import annotations

import threading

import pytest

from monitor.actions.outbox import Message
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


def test_of_what_is_kept_only_the_requests_of_triggers_shown_are_in_the_snapshot() -> None:
    story = Story()
    story.predict("a", 0.2)
    world = story.world()
    with world.store.transaction():
        world.store.enqueue([Message(f"msg_{number}", "chat", f"inc_{number}", b"{}", 5) for number in range(3)])
    world.step()
    assert world.loop.snapshot.service.delivery == ()
    assert world.loop.snapshot.service.outbox_pending == {"chat": 3}
    world.close()
