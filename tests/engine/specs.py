"""The model that tests of the engine begin with."""

from __future__ import annotations

from monitor.spec import HOUR_MS, AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import WindowSpec
from tests.profiles import rows as table

HOURLY = ModelSpec(
    "m",
    table.SCHEMA,
    WindowSpec(HOUR_MS),
    PerformanceSpec("accuracy", 0.1),
    lateness_ms=0,
    labelled=False,
    alarms=AlarmSpec(learning_ms=0),
)
"""Hourly windows, no labels, nothing to be learned first."""
