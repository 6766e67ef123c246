"""Our own detection on simulated counts: the features' values alone, each an equal share of half the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.detection.baseline import Baseline, learn
from monitor.detection.detector import Detector
from monitor.detection.limits import value_limits
from monitor.detection.streams import StreamState
from monitor.detection.subject import Subject
from monitor.events.schema import Schema
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import WindowSpec
from tests.acceptance.traffic import HOURS, WEEK, Traffic

CELLS = 20
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Ours:
    """budget, tolerance: of the model."""

    budget: float = 0.1
    tolerance: float = 0.02

    @property
    def name(self) -> str:
        return f"model-monitor, budget {self.budget:g}, tolerance {self.tolerance:g}"

    def alarms(self, reference: Traffic, live: Traffic) -> Sequence[tuple[int, int]]:
        """The windows and features at which drift begins, in order of time."""
        return alarms(self.detector(reference), live)

    def detector(self, reference: Traffic) -> Detector:
        """Learned from the reference's windows."""
        history = reference.merged(CELLS)
        at = reference.first + np.arange(reference.windows)
        ordered = np.ones(reference.features, dtype=np.bool_)
        return self.limited(learn(history.sum(axis=0), ordered, history, at % WEEK, at // HOURS))

    def limited(self, baseline: Baseline) -> Detector:
        """Of what was learned before, by this budget and tolerance."""
        names = tuple(f"x{number}" for number in range(len(baseline.season)))
        spec = ModelSpec(
            "simulated",
            Schema("simulated", "regression", dict.fromkeys(names, "numeric")),
            WindowSpec(HOUR_MS),
            PerformanceSpec("mae", 1.0),
            alarms=AlarmSpec(self.budget, self.tolerance),
        )
        return Detector(baseline, value_limits(spec, list(map(Subject, names)), np.ones(len(names), dtype=np.bool_)))


def alarms(detector: Detector, live: Traffic) -> Sequence[tuple[int, int]]:
    """The windows and features at which drift begins, in order of time."""
    state = StreamState.empty(live.features, CELLS)
    counts = live.merged(CELLS).astype(np.float64)
    found = []
    for window in range(live.windows):
        at = live.first + window
        judged = detector.judge(state, counts[window], at * HOUR_MS, at % WEEK, at // HOURS, known=True)
        found += [(window, int(feature)) for feature in np.flatnonzero(judged.alarmed)]
    return found
