"""What is to be expected of a window's performance before its labels come: readings that decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monitor.profiles.predicted import PredictedScores
from monitor.profiles.reference import Reference
from monitor.snapshot import ESTIMATE
from monitor.spec import ModelSpec
from monitor.statistics.performance.estimate import ESTIMATED, Estimator
from monitor.statistics.reading import Reading
from monitor.windows.window import Window


@dataclass
class EstimateReader:
    """Reads the estimates of the versions that are compared with one reference."""

    spec: ModelSpec
    reference: Reference

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Those that have an estimate, and the model's own, whether or not it has one."""
        return tuple(dict.fromkeys((*ESTIMATED[self.reference.layout.outcome.task], self.spec.performance.metric)))

    @cached_property
    def estimator(self) -> Estimator:
        return Estimator(self.reference.layout.outcome, self.reference.outcome)

    def read(self, window: Window, scores: PredictedScores, registered: bool) -> tuple[Reading, ...]:
        """Of a window, or of a span that ends with it. registered: the reference is its version's own; another's labels
        do not tell what this one's scores mean, and it reads as `learning`.
        """
        estimates = self.estimator.estimates(scores, self.metrics if registered else ())
        if not registered:
            rows = {metric: self.estimator.rows(scores, metric) for metric in self.metrics}
            estimates = {
                metric: ("learning" if some else "not_applicable", some, None) for metric, some in rows.items()
            }
        return tuple(
            Reading(window, "", metric + ESTIMATE, rows, status, *(found or ()))
            for metric, (status, rows, found) in estimates.items()
        )
