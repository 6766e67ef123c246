"""What a boundary says of the settled windows: performance readings, verdicts and the incidents that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from monitor.detection.incidents import Incidents
from monitor.detection.performance import fallen
from monitor.detection.records import PerformanceEvidence, Severity
from monitor.detection.triggers import Evidence
from monitor.engine.ledger import Ledger
from monitor.engine.losses import LossReader, VersionLosses, Worst
from monitor.engine.spans import Span
from monitor.events.timestamps import iso
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView
from monitor.spec import ModelSpec
from monitor.statistics.performance import METRICS, performance
from monitor.statistics.performance.intervals import wilson
from monitor.statistics.reading import Estimate, Reading, Status

_SAID: Mapping[str, str] = {
    "error_rate": "the error rate",
    "false_negative_rate": "the false-negative rate",
    "false_positive_rate": "the false-positive rate",
    "brier": "the Brier loss",
    "half_brier": "half the Brier loss",
    "large_error_rate": "the share of large errors",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of a window. holds: that performance is worse than it may be; said: a sentence for people."""

    holds: bool
    said: str
    figures: PerformanceEvidence
    onset_ms: int | None = None


@dataclass
class PerformanceReader:
    """Compares the settled windows of one model version with its reference's own figure, where that had labels.

    By two rules, of which either opens an incident. The configured metric's interval over a span of windows lies
    wholly beyond the reference's figure by `drop`: `major`, as that is what the user cares about. Or a loss has risen,
    by the evidence of all windows so far: smaller changes that last, and those that the metric hides; `moderate`.
    """

    spec: ModelSpec
    reference: Reference

    @property
    def layout(self) -> OutcomeLayout:
        return self.reference.layout.outcome

    @cached_property
    def losses(self) -> LossReader:
        return LossReader(self.spec, self.reference)

    @cached_property
    def target(self) -> float | None:
        """The reference's figure of the metric that is watched."""
        if self.reference.outcome is None:
            return None
        _, estimate = performance(self.layout, self.reference.outcome, self.spec.performance.metric)
        return estimate.value if estimate else None

    def read(self, ledger: Ledger, span: Span, outcome: Outcome, settled: bool, worst: Worst) -> PerformanceView:
        """Every metric of the model's task over the span; `insufficient` where the span holds too few labels."""
        readings = []
        for name, metric in METRICS.items():
            if self.layout.task not in metric.tasks:
                continue
            status, estimate = performance(self.layout, outcome, name)
            if status == "ok" and not span.enough:
                status, estimate = "insufficient", None
            readings.append(_reading(ledger, span, name, status, estimate))
        return PerformanceView(
            span.window, span.start_ms, span.labels, span.coverage, tuple(readings), settled, worst.ratio, worst.loss
        )

    def judge(
        self, view: PerformanceView, ledger: Ledger, followed: VersionLosses, incidents: Incidents
    ) -> Evidence | None:
        """The verdict of a window: an incident opens, stays or ends, which it does when neither rule holds any more.
        None where nothing can be said.

        A window whose metric cannot be compared ends no incident that the metric is part of.
        """
        name = self.spec.performance.metric
        interval, risen = self._interval(view), self._risen(view, followed)
        severity: dict[str, Severity] = {name: "major"} if interval is not None and interval.holds else {}
        for loss in followed.alarmed:
            severity.setdefault(loss, "moderate")
        if interval is None and risen is None:
            open_now = incidents.open.get((view.window.version, view.window.segment, "performance"))
            if open_now is None or name in open_now.features:
                return None
        held = [finding for finding in (interval, risen) if finding is not None and finding.holds]
        shown = held or [finding for finding in (interval,) if finding is not None]
        reason = "; ".join(finding.said for finding in shown) or "no loss is above what it may be any more"
        return Evidence(
            window=view.window,
            cause="performance",
            changes=tuple(incidents.update(view.window, "performance", severity, reason)),
            reason=reason,
            rows=ledger.predicted,
            offsets=ledger.offsets,
            profile=ledger.profile,
            performance=shown[0].figures if shown else None,
            onset_ms=None if risen is None else risen.onset_ms,
        )

    def _interval(self, view: PerformanceView) -> Finding | None:
        """By the configured metric; None where it cannot be compared."""
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
        return Finding(
            down,
            said if down else f"{name} is {figures}; the reference had {target:.3g}",
            PerformanceEvidence(name, reading.value, lower, upper, target, view.coverage),
        )

    def _risen(self, view: PerformanceView, followed: VersionLosses) -> Finding | None:
        """By the loss that has risen most surely; None where none has."""
        if not followed.alarmed:
            return None
        name, stream = next(iter(followed.alarmed.items()))
        known, bet = self.losses.known[name], stream.leading
        before = known.total / known.labels
        value, lower, upper = wilson(bet.total / bet.labels, bet.labels)
        assert lower is not None
        assert upper is not None
        began = f"row {bet.since_ms}" if self.spec.window.unit == "numbered rows" else iso(bet.since_ms)
        said = f"{_SAID[name]} rose from {before:.3g} to {value:.3g} ({lower:.3g} to {upper:.3g})"
        reached = "the evidence reached its limit" if stream.ratio >= 1 else "the evidence has not fallen yet"
        return Finding(
            True,
            f"{said} over {bet.labels} labels; {reached}; it began about {began}",
            PerformanceEvidence(name, value, lower, upper, before, view.coverage),
            bet.since_ms,
        )


def worst_shown(view: PerformanceView | None) -> Worst:
    """As a window's view shows it already: later labels change its figures, never its evidence."""
    return Worst(view.evidence_ratio, view.evidence_loss) if view else Worst()


def _reading(ledger: Ledger, span: Span, metric: str, status: Status, estimate: Estimate | None) -> Reading:
    if estimate is None:
        return Reading(span.window, "", metric, span.labels, status, revision=ledger.revision)
    figures = (estimate.value, estimate.lower, estimate.upper)
    return Reading(span.window, "", metric, span.labels, status, *figures, ledger.revision)
