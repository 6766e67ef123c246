"""The configured metric of a model's versions, followed window by window: whether it has fallen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monitor.detection.performance import Fall, bound, p_value
from monitor.engine.ledger import Ledger, packed, unpacked
from monitor.engine.losses import Worst
from monitor.engine.spans import Span, enough
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec
from monitor.statistics.performance import METRICS, Metric, labels_by_class, performance
from monitor.statistics.reading import Estimate, Reading


@dataclass
class MetricReader:
    """Follows the metric of the versions that are compared with one reference."""

    spec: ModelSpec
    reference: Reference

    @property
    def metric(self) -> Metric:
        return METRICS[self.spec.performance.metric]

    @property
    def layout(self) -> OutcomeLayout:
        return self.reference.layout.outcome

    @cached_property
    def target(self) -> Estimate | None:
        """The reference's own figure."""
        if self.reference.outcome is None:
            return None
        return performance(self.layout, self.reference.outcome, self.metric.name)[1]

    @cached_property
    def bound(self) -> float | None:
        """The worst figure that is no alarm; None where the metric cannot be followed."""
        return None if self.target is None else bound(self.metric, self.target, self.spec.performance.drop)

    def follow(self, reading: Reading, span: Span, ledger: Ledger, fall: Fall, limit: float) -> Worst:
        """Look at a window's span, and take in its own labels: each counts once in what is gathered.

        reading: the metric of the span. limit: of the evidence of a stream that may use the metric's whole share of the
        budget, which its two rules have half of each.
        """
        if self.bound is None:
            return Worst()
        if reading.value is not None:
            estimate = Estimate(reading.value, reading.lower, reading.upper)
            fall.look(self._p(estimate, span.labels, span.least), span.start_ms, 2.0 * limit)
        self._gather(ledger, fall, 2.0 * limit)
        return Worst(fall.ratio, self.metric.name)

    def _gather(self, ledger: Ledger, fall: Fall, limit: float) -> None:
        if not ledger.outcome:
            return
        if not fall.gathered:
            fall.gathered_ms = ledger.window.start_ms
        outcome = unpacked(self.layout, fall.gathered).merge(unpacked(self.layout, ledger.outcome))
        by_class = labels_by_class(self.layout, outcome)
        estimate = None
        if enough(self.spec.performance, outcome.rows, by_class):
            _, estimate = performance(self.layout, outcome, self.metric.name)
        if estimate is None:
            fall.gathered = packed(outcome)
            return
        p = self._p(estimate, outcome.rows, min(by_class.values(), default=outcome.rows))
        fall.take_in(p, outcome.rows, fall.gathered_ms, limit, self.spec.alarms.persistence)
        fall.gathered = b""

    def _p(self, estimate: Estimate, labels: int, least: int) -> float:
        assert self.bound is not None
        return p_value(self.metric, estimate, self.bound, least if self.metric.needs == "ranks" else labels)
