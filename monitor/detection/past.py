"""What is usual, of the windows of a history: of which hours, and of how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.detection.baseline import Baseline, covered, learn
from monitor.profiles.history import History
from monitor.spec import HOUR_MS, ModelSpec
from monitor.windows.season import days, week_hours

Counts = NDArray[np.int64]


def usual(
    total: Counts, ordered: NDArray[np.bool_], history: Counts, hours: Counts, dates: Counts, features: int
) -> Baseline:
    """As `learn`, where the streams of whole traffic come first, `features` of them: where the windows of a segment are
    too few or too small to tell how much they stray, they do as these.
    """
    whole = learn(total[:features], ordered[:features], history[:, :features], hours, dates)
    if len(total) == features:
        return whole
    past = history[:, features:]
    held = past.any(axis=(1, 2))
    theirs = np.tile(whole.rho.max(axis=1), len(total) // max(features, 1) - 1)
    parts = learn(total[features:], ordered[features:], past[held], hours[held], dates[held], theirs)
    return Baseline.concatenate([whole, parts])


def places(past: History | None, spec: ModelSpec) -> tuple[Counts, Counts]:
    """Hour of the week and day of each window; windows by number of rows are each a day of their own. Where the windows
    to be judged have no hours, those of the history are all alike: what the hour makes of them is how much they vary.
    """
    if past is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if past.unit == "rows":
        return np.zeros(len(past.starts), dtype=np.int64), np.arange(len(past.starts))
    starts = past.starts.tolist()
    hours = week_hours(starts, spec.timezone)
    return hours if spec.window.timed else np.zeros_like(hours), days(starts, spec.timezone)


def told_by(history: History | None, spec: ModelSpec) -> History | None:
    """What a history tells of a model's windows: its own in windows of their length; of windows by another unit how
    much they vary, and not how features go together in them.
    """
    if history is None or not len(history.starts):
        return None
    if spec.window.timed != (history.unit == "ms"):
        return replace(history, pairs=np.zeros_like(history.pairs))
    return history.in_windows_of(spec.window.size)


def coverage(past: History | None, spec: ModelSpec, hours: Counts) -> NDArray[np.bool_]:
    if not spec.window.timed or spec.alarms.learning_ms == 0:
        return covered([0, 0], 168)
    if past is None or past.unit == "rows" or past.size > max(spec.window.size, HOUR_MS):
        return covered([], 1)  # Also of windows longer than these: what they hold together tells no hour from another.
    return covered(hours.tolist(), max(1, past.size // HOUR_MS))


def shows_every_hour(spec: ModelSpec, history: History | None) -> bool:
    """Whether a `Watch` of it would be complete."""
    past = told_by(history, spec)
    return bool(coverage(past, spec, places(past, spec)[0]).all())
