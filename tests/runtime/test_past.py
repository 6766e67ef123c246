"""What the store tells HTTP of what was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detection.records import IncidentChange
from monitor.errors import UnavailableError
from monitor.exports.behind import STEPS_MAX
from monitor.runtime import past
from monitor.runtime.store import Store
from tests.exports.snapshots import drifting, window

INCIDENT = drifting().models["fraud"].incidents[1]


def test_the_newest_steps_of_an_incident_come_oldest_first() -> None:
    steps = [IncidentChange(INCIDENT, "joined", window(1), f"step {at}", 0) for at in range(STEPS_MAX + 5)]
    other = replace(steps[0], incident=replace(INCIDENT, id="inc_2"))
    with Store.in_memory() as store:
        with store.transaction():
            store.add_incident_changes([*steps, other])
        assert past.steps(store, "inc_1") == steps[5:]
        assert past.steps(store, "inc_2") == [other]
        assert past.steps(store, "inc_3") == []
        assert past.request(store, "trg_1") is None


def test_a_store_that_cannot_be_read_is_said_to_be_away() -> None:
    store = Store.in_memory()
    store.close()
    with pytest.raises(UnavailableError, match="cannot be read"):
        past.steps(store, "inc_1")
    with pytest.raises(UnavailableError, match="cannot be read"):
        past.request(store, "trg_1")
