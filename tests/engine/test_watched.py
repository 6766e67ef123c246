"""What the snapshot says of how versions are watched: what would be found, until when they learn, what was tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.records import Verdict
from monitor.detection.watch import Watch
from monitor.engine import Monitor
from monitor.engine.shown import VIEWS_MAX
from monitor.profiles.reference import Reference
from monitor.snapshot import WatchView
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.profiles.rows import SCHEMA, predictions

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
REFERENCE = Reference.build(SCHEMA, predictions(np.random.default_rng(1), 4_000), None, version="3")
LEARNING = ModelSpec("m", SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("roc_auc", 0.03), lateness_ms=0, labelled=False)
TRUSTING = replace(LEARNING, alarms=AlarmSpec(learning_ms=0))


def engine(spec: ModelSpec) -> Monitor:
    return Monitor([spec], {"m": {"3": REFERENCE}})


def feed(monitor: Monitor, hour: int, number: int, version: str = "3", shift: float = 0.0) -> None:
    """Send `number` rows in an hour, and close the ones before."""
    model, random = monitor.models["m"], np.random.default_rng(hour)
    times = hour * HOUR_MS + np.arange(number, dtype=np.int64)
    first = 10_000 * hour + 5_000 * (version != "3")
    batch = predictions(random, number, first=first, offset=first, time_ms=times, version=version, shift=shift)
    model.ingest(batch, (), {}, Now.at(1 << 50))
    model.advance({}, Now.at(0))


def watch_of(monitor: Monitor, version: str = "3") -> WatchView:
    return monitor.views()["m"].watches[version]


def newest(monitor: Monitor, version: str = "3") -> Verdict:
    view = [view for view in monitor.views()["m"].windows if view.window.version == version][-1]
    return next(verdict for verdict in view.verdicts if verdict.feature == "amount")


def test_what_would_be_found_is_of_windows_of_the_usual_size() -> None:
    monitor = engine(TRUSTING)
    for hour, number in enumerate([2_000, 50, 900, 1_000, 3_000, 1]):
        feed(monitor, hour, number)  # The last hour stays open, so that the usual window has 1,000 rows.
    found, watch = watch_of(monitor).detectable["amount"], Watch.of(TRUSTING, REFERENCE)
    larger, smaller = (watch.detectable(rows)["amount"] for rows in (1_000, 1_000 / 2**0.5))
    assert found is not None
    assert larger is not None
    assert smaller is not None
    assert larger.effect <= found.effect < smaller.effect
    assert watch_of(monitor).detectable.keys() >= {"amount", "@score"}


def test_a_version_says_until_when_it_learns_and_meanwhile_not_what_would_be_found() -> None:
    monitor = engine(LEARNING)
    for hour in range(5, 8):
        feed(monitor, hour, 500)
        feed(monitor, hour, 500, version="4")
    assert watch_of(monitor) == WatchView(True, 5 * HOUR_MS + 14 * DAY_MS, {})
    assert watch_of(monitor, "4") == WatchView(False, 5 * HOUR_MS + 14 * DAY_MS, {})


def test_a_reference_that_is_trusted_needs_no_learning_and_another_version_is_not_tested_by_it() -> None:
    monitor = engine(TRUSTING)
    for hour in range(2):
        feed(monitor, hour, 500)
        feed(monitor, hour, 500, version="4")
    assert watch_of(monitor).learning_until_ms is None
    assert watch_of(monitor).registered
    assert watch_of(monitor, "4") == WatchView(False, None, {})


def test_a_version_that_has_learned_learns_no_more() -> None:
    monitor = engine(replace(LEARNING, window=WindowSpec(6 * HOUR_MS)))
    for hour in range(0, 14 * 24 + 6, 6):
        feed(monitor, hour, 300)
    assert watch_of(monitor).learning_until_ms is None
    assert watch_of(monitor).detectable["amount"] is not None


@pytest.mark.parametrize("restarted", [False, True])
def test_the_last_test_and_the_drift_are_remembered_through_windows_with_too_few_rows(restarted: bool) -> None:
    monitor = engine(TRUSTING)
    for hour in range(4):
        feed(monitor, hour, 1_000, shift=2.0)
    for hour in range(4, 8):
        feed(monitor, hour, 2)
    if restarted:
        before, monitor = monitor, engine(TRUSTING)
        monitor.restore({key: piece for key, piece in before.changes().items() if piece is not None})
        assert newest(monitor).tested_ms == 4 * HOUR_MS
        feed(monitor, 8, 2)
    verdict = newest(monitor)
    assert (verdict.state, verdict.effect) == ("drifting", None)
    assert verdict.evidence_ratio >= 1.0
    assert verdict.tested_ms == 4 * HOUR_MS


def test_nothing_has_been_tested_where_every_window_held_too_few_rows() -> None:
    monitor = engine(TRUSTING)
    for hour in range(3):
        feed(monitor, hour, 2)
    assert newest(monitor).tested_ms == -1


def test_a_version_that_is_quiet_for_now_keeps_its_newest_window() -> None:
    monitor = engine(TRUSTING)
    for hour in range(2):
        feed(monitor, hour, 20, version="unknown")
    for hour in range(4):
        feed(monitor, hour, 1_000, shift=2.0)
    for hour in range(4, VIEWS_MAX + 10):
        feed(monitor, hour, 20, version="busy")
    windows = monitor.views()["m"].windows
    assert [view.window.end_ms for view in windows if view.window.version == "3"] == [4 * HOUR_MS]
    assert newest(monitor).state == "drifting"
    assert "unknown" not in monitor.views()["m"].versions
    assert len(windows) == VIEWS_MAX + 1
    pieces = {key for key in saved(monitor) if key.startswith("m/window/3/")}
    assert pieces == {f"m/window/3/{4 * HOUR_MS}"}
