"""The simulated model sends what a real one would."""

from __future__ import annotations

import numpy as np

from monitor.demo.traffic import LATENCY_MS, SCHEMA, Traffic
from monitor.events.batch import PRESENT
from monitor.events.native import NativeDecoder
from tests.events.records import TIME_MS, poll


def test_its_events_say_how_long_they_took() -> None:
    drawn = Traffic(1).draw(2_000)
    decoder = NativeDecoder({SCHEMA.model: SCHEMA}, "prediction")
    (found,) = decoder.decode(poll(*drawn.prediction_events(TIME_MS + np.arange(2_000)))).predictions
    assert found.latency is not None
    assert (found.latency.state == PRESENT).all()
    assert LATENCY_MS / 1.1 < np.median(found.latency.values) < 1.1 * LATENCY_MS
