"""What is to be expected of a window's performance before its labels come: readings that decide nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from xxhash import xxh3_128_digest

from monitor.profiles.predicted import PredictedScores
from monitor.profiles.reference import Reference
from monitor.snapshot import ESTIMATE
from monitor.spec import ModelSpec
from monitor.statistics.performance.estimate import ESTIMATED, Estimator
from monitor.statistics.reading import Estimate, Reading, Status
from monitor.windows.window import Window

Estimates = dict[str, tuple[Status, int, Estimate | None]]

RECENT = 256
"""Estimates that are remembered: of more windows than one step closes."""


@dataclass
class EstimateReader:
    """Reads the estimates of the versions that are compared with one reference."""

    spec: ModelSpec
    reference: Reference
    _recent: dict[bytes, Estimates] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Those that have an estimate, and the model's own, whether or not it has one."""
        return tuple(dict.fromkeys((*ESTIMATED[self.reference.layout.outcome.task], self.spec.performance.metric)))

    @cached_property
    def estimator(self) -> Estimator:
        return Estimator(self.reference.layout.outcome, self.reference.outcome)

    def _known(self, scores: PredictedScores) -> Estimates:
        """A window is read when it closes, and again with its labels, its span being often itself."""
        counts = scores.counts
        key = b"" if counts is None else xxh3_128_digest(counts.tobytes())
        if key not in self._recent:
            if len(self._recent) == RECENT:
                del self._recent[next(iter(self._recent))]
            self._recent[key] = self.estimator.estimates(scores, self.metrics)
        return self._recent[key]

    def read(self, window: Window, scores: PredictedScores, registered: bool) -> tuple[Reading, ...]:
        """Of a window, or of a span that ends with it. registered: the reference is its version's own; another's labels
        do not tell what this one's scores mean, and it reads as `learning`.
        """
        estimates = self._known(scores) if registered else {}
        if not registered:
            rows = {metric: self.estimator.rows(scores, metric) for metric in self.metrics}
            estimates = {
                metric: ("learning" if some else "not_applicable", some, None) for metric, some in rows.items()
            }
        return tuple(
            Reading(window, "", metric + ESTIMATE, rows, status, *(found or ()))
            for metric, (status, rows, found) in estimates.items()
        )
