"""Whatever values arrive, what is kept of them is bounded, and what is said of them is finite or has a reason."""

from __future__ import annotations

import json
import math
import resource
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Monitor
from monitor.engine.model import Output
from monitor.events.native import NativeDecoder
from monitor.events.schema import Schema
from monitor.exports.budget import Budget
from monitor.profiles.reference import Reference
from monitor.snapshot import ServiceView, Snapshot
from monitor.spec import ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.events.records import TIME_MS, poll

HOUR_MS = 3_600_000
NOW = Now(1 << 50, 1 << 50)
SCHEMA = Schema("m", "binary", {"number": "numeric", "name": "categorical"}, positive="yes")
SPEC = ModelSpec("m", SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("accuracy", 0.1), lateness_ms=0, labelled=False)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324, 10**400, "1e999", "NaN", "-0", ""])
    | st.text(st.characters(), max_size=5)
)


def event(at: int, **features: Any) -> bytes:
    said = {"model": "m", "version": "1", "timestamp": at, "prediction": "yes", "score": 0.5, "features": features}
    return json.dumps(said).encode()


def _reference() -> Reference:
    random = np.random.default_rng(0)
    rows = [event(TIME_MS, number=value, name="ab"[value > 0]) for value in random.normal(size=2_000).tolist()]
    (predictions,) = NativeDecoder({"m": SCHEMA}, "prediction").decode(poll(*rows)).predictions
    return Reference.build(SCHEMA, predictions, None, version="1")


REFERENCE = _reference()


def ingest(monitor: Monitor, decoder: NativeDecoder, payloads: list[bytes]) -> Output:
    decoded = decoder.decode(poll(*payloads))
    assert not decoded.rejects
    for batch in decoded.predictions:
        monitor.models["m"].ingest(batch, (), {}, NOW)
    return monitor.models["m"].advance({}, NOW)


@settings(deadline=None, max_examples=60)
@given(st.lists(SCALARS, min_size=1, max_size=8), st.integers(1, 60))
def test_any_scalars_give_finite_figures_or_none(values: list[Any], times: int) -> None:
    monitor, decoder = Monitor([SPEC], {"m": {"1": REFERENCE}}), NativeDecoder({"m": SCHEMA}, "prediction")
    ingest(monitor, decoder, [event(TIME_MS, number=value, name=value) for value in values * times])
    (view,) = ingest(monitor, decoder, [event(TIME_MS + HOUR_MS * 2)] * 2).windows
    assert view.rows == len(values) * times
    for reading in view.readings:
        assert (reading.status == "ok") == (reading.value is not None)
    infinite = sum(isinstance(value, float) and not math.isfinite(value) for value in values)
    invalid = next(each.value for each in view.readings if (each.feature, each.statistic) == ("number", "invalid"))
    assert invalid is not None
    assert infinite / len(values) <= invalid + 1e-9
    for series in Budget(10_000).of(Snapshot(1, monitor.views(), ServiceView())).series:
        assert math.isfinite(series.value)


def test_a_million_categories_take_no_more_memory_than_a_few() -> None:
    monitor, decoder = Monitor([SPEC], {"m": {"1": REFERENCE}}), NativeDecoder({"m": SCHEMA}, "prediction")
    memory = []
    for part in range(50):
        ingest(monitor, decoder, [_named(f"{part}/{row}") for row in range(20_000)])
        memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
    (pane,) = monitor.models["m"].panes.values()
    assert pane.profile.rows == 1_000_000
    assert len(pane.dump()) < 20_000
    # A dictionary of a million such names would take 100 MB.
    assert max(memory[-5:]) - max(memory[:5]) < 40 << 20, memory


def _named(name: str) -> bytes:
    return b'{"model":"m","version":"1","timestamp":%d,"features":{"number":0,"name":"%b"}}' % (TIME_MS, name.encode())
