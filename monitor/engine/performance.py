"""What a boundary says of the settled windows: performance readings, verdicts and the incidents that follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monitor.detection.incidents import Incidents
from monitor.detection.performance import fallen
from monitor.detection.records import PerformanceEvidence, Severity
from monitor.detection.triggers import Evidence
from monitor.engine.ledger import Ledger
from monitor.engine.spans import Span
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView
from monitor.spec import ModelSpec
from monitor.statistics.performance import METRICS, performance
from monitor.statistics.reading import Estimate, Reading, Status


@dataclass
class PerformanceReader:
    """Compares the settled windows of one model version with its reference's own figure, where that had labels."""

    spec: ModelSpec
    reference: Reference

    @property
    def layout(self) -> OutcomeLayout:
        return self.reference.layout.outcome

    @cached_property
    def target(self) -> float | None:
        """The reference's figure of the metric that is watched."""
        if self.reference.outcome is None:
            return None
        _, estimate = performance(self.layout, self.reference.outcome, self.spec.performance.metric)
        return estimate.value if estimate else None

    def read(self, ledger: Ledger, span: Span, outcome: Outcome, settled: bool) -> PerformanceView:
        """Every metric of the model's task over the span; `insufficient` where the span holds too few labels."""
        readings = []
        for name, metric in METRICS.items():
            if self.layout.task not in metric.tasks:
                continue
            status, estimate = performance(self.layout, outcome, name)
            if status == "ok" and not span.enough:
                status, estimate = "insufficient", None
            readings.append(_reading(ledger, span, name, status, estimate))
        return PerformanceView(span.window, span.start_ms, span.labels, span.coverage, tuple(readings), settled)

    def judge(self, view: PerformanceView, ledger: Ledger, incidents: Incidents) -> Evidence | None:
        """The verdict of a window: an incident opens, stays or ends. None where nothing can be compared."""
        name, target = self.spec.performance.metric, self.target
        reading = next((each for each in view.readings if each.statistic == name), None)
        if target is None or reading is None or reading.value is None:
            return None
        estimate = Estimate(reading.value, reading.lower, reading.upper)
        better = METRICS[name].better
        down = better != "zero" and fallen(estimate, target, self.spec.performance.drop, better)
        lower = reading.value if reading.lower is None else reading.lower
        upper = reading.value if reading.upper is None else reading.upper
        figures = f"{reading.value:.3g} ({lower:.3g} to {upper:.3g}), {view.coverage:.0%} labelled"
        fell = "fell" if better == "higher" else "rose"
        said = f"{name} {fell} from {target:.3g} to {figures}"
        reason = said if down else f"{name} is {figures}; the reference had {target:.3g}"
        severity: dict[str, Severity] = {name: "major"} if down else {}
        changes = tuple(incidents.update(view.window, "performance", severity, reason))
        evidence = PerformanceEvidence(name, reading.value, lower, upper, target, view.coverage)
        return Evidence(
            window=view.window,
            cause="performance",
            changes=changes,
            reason=reason,
            rows=ledger.predicted,
            offsets=ledger.offsets,
            profile=ledger.profile,
            performance=evidence,
        )


def _reading(ledger: Ledger, span: Span, metric: str, status: Status, estimate: Estimate | None) -> Reading:
    if estimate is None:
        return Reading(span.window, "", metric, span.labels, status, revision=ledger.revision)
    figures = (estimate.value, estimate.lower, estimate.upper)
    return Reading(span.window, "", metric, span.labels, status, *figures, ledger.revision)
