"""What a boundary says of the settled windows: performance readings, verdicts and the incidents that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from monitor.detection.budget import PERFORMANCE_SHARE, evidence_limit, windows_a_month
from monitor.detection.incidents import Incidents
from monitor.detection.performance import fallen
from monitor.detection.records import PerformanceEvidence, Severity
from monitor.detection.sentences import listed
from monitor.detection.triggers import Evidence
from monitor.engine.estimates import EstimateReader
from monitor.engine.ledger import Ledger
from monitor.engine.losses import Followed, LossReader
from monitor.engine.metric import MetricReader
from monitor.engine.spans import Span, Total
from monitor.events.timestamps import iso
from monitor.profiles.layout import OutcomeLayout
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
    """What one rule says of a window. holds: that performance is worse than it may be; said: a sentence for people.
    onset_ms: since when, where the evidence tells.
    """

    holds: bool
    said: str
    figures: PerformanceEvidence
    onset_ms: int | None = None


@dataclass
class PerformanceReader:
    """Compares the settled windows of one model version with its reference's own figure, where that had labels.

    By two kinds of evidence, of which either opens an incident. The configured metric has fallen by more than `drop`:
    `major`, as that is what the user cares about. Or a loss has risen: smaller changes that last, and those that the
    metric hides; `moderate`, until the metric's interval over the span lies wholly beyond `drop` too. That grades an
    alarm and is none, so it needs no budget. An incident ends when neither evidence holds any more.
    """

    spec: ModelSpec
    reference: Reference

    @property
    def layout(self) -> OutcomeLayout:
        return self.reference.layout.outcome

    @cached_property
    def losses(self) -> LossReader:
        return LossReader(self.reference)

    @cached_property
    def metric(self) -> MetricReader:
        return MetricReader(self.spec, self.reference)

    @cached_property
    def estimates(self) -> EstimateReader:
        return EstimateReader(self.spec, self.reference)

    def read(self, ledger: Ledger, span: Span, total: Total, settled: bool, registered: bool) -> PerformanceView:
        """Every metric of the model's task over the span; `insufficient` where the span holds too few labels. Beside
        them what was to be expected of the same span. registered: the reference is the version's own.
        """
        readings = []
        for name, metric in METRICS.items():
            if self.layout.task not in metric.tasks:
                continue
            status, estimate = performance(self.layout, total.outcome, name)
            if status == "ok" and not span.enough:
                status, estimate = "insufficient", None
            readings.append(_reading(ledger, span, name, status, estimate))
        expected = self.estimates.read(span.window, total.scores, registered)
        figures = (tuple(readings), settled)
        return PerformanceView(span.window, span.start_ms, span.labels, span.coverage, *figures, estimates=expected)

    def follow(
        self, view: PerformanceView, span: Span, ledger: Ledger, versions: dict[str, Followed]
    ) -> PerformanceView:
        """Take in a window, once; the view with its evidence.

        The budget is the model's: it is shared equally by its versions, and by the metric and the losses of each.
        """
        window = ledger.window
        mine = versions.setdefault(window.version, Followed())
        streams = len(self.losses.known) + (self.metric.bound is not None)
        share = PERFORMANCE_SHARE / (max(1, streams) * len(versions))
        limit = float(evidence_limit(windows_a_month(self.spec.window), self.spec.alarms.budget, share))
        found = self.losses.follow(ledger, mine, limit)
        metric = self.metric.follow(self._of_metric(view), span, ledger, mine.fall, limit)
        worst = max(found, metric, key=lambda each: -1.0 if each.ratio is None else each.ratio)
        return replace(view, evidence_ratio=worst.ratio, evidence_loss=worst.loss)

    def judge(self, view: PerformanceView, ledger: Ledger, followed: Followed, incidents: Incidents) -> Evidence | None:
        """The verdict of a window: an incident opens, stays or ends. None where there is nothing to say."""
        metric, risen = self._metric(view, followed), self._risen(view, followed)
        major = followed.fall.alarmed or (metric is not None and metric.holds)
        severity: dict[str, Severity] = {self.spec.performance.metric: "major"} if major else {}
        for loss in followed.risen:
            severity.setdefault(loss, "moderate")
        place = (view.window.version, view.window.segment)
        standing = [
            each
            for each in incidents.standing
            if each.cause == "performance" and (each.opened.version, each.opened.segment) == place
        ]
        if not severity and metric is None and not standing:
            return None
        held = [finding for finding in (metric, risen) if finding is not None and finding.holds]
        shown = held or [finding for finding in (metric,) if finding is not None]
        onset_ms = min((finding.onset_ms for finding in held if finding.onset_ms is not None), default=None)
        over = [] if severity else [_over(incident.features) for incident in standing]
        unread = f"{self.spec.performance.metric} had fallen, and too few labels have come since to read it"
        reason = "; ".join([*over, *(finding.said for finding in shown)]) or unread
        if onset_ms is not None:
            reason += f"; it began about {self._time(onset_ms)}"
        return Evidence(
            window=view.window,
            cause="performance",
            changes=tuple(incidents.update(view.window, "performance", severity, reason, onset_ms)),
            reason=reason,
            rows=ledger.predicted,
            offsets=ledger.offsets,
            profile=ledger.profile,
            performance=shown[0].figures if shown else None,
            onset_ms=onset_ms,
        )

    def _of_metric(self, view: PerformanceView) -> Reading:
        return next(each for each in view.readings if each.statistic == self.spec.performance.metric)

    def _time(self, time_ms: int) -> str:
        return f"row {time_ms}" if self.spec.window.unit == "numbered rows" else iso(time_ms)

    def _metric(self, view: PerformanceView, followed: Followed) -> Finding | None:
        """By the configured metric; None where it cannot be compared."""
        target, reading = self.metric.target, self._of_metric(view)
        if target is None or reading.value is None:
            return None
        fall, metric, before = followed.fall, self.metric.metric, target.value
        estimate = Estimate(reading.value, reading.lower, reading.upper)
        lower = reading.value if reading.lower is None else reading.lower
        upper = reading.value if reading.upper is None else reading.upper
        figures = f"{reading.value:.3g} ({lower:.3g} to {upper:.3g}), {view.coverage:.0%} labelled"
        evidence = PerformanceEvidence(metric.name, reading.value, lower, upper, before, view.coverage)
        beyond = fallen(metric, estimate, before, self.spec.performance.drop)
        if not fall.alarmed and not (followed.risen and beyond):
            return Finding(False, f"{metric.name} is {figures}; the reference had {before:.3g}", evidence)
        onset_ms = fall.stream.leading.since_ms if fall.alarmed else None
        if fall.alarmed and fall.ratio < 1 and not beyond:
            said = f"{metric.name} is {figures} after a fall; the reference had {before:.3g}"
        else:
            said = f"{metric.name} {'fell' if metric.better == 'higher' else 'rose'} from {before:.3g} to {figures}"
        return Finding(True, said, evidence, onset_ms)

    def _risen(self, view: PerformanceView, followed: Followed) -> Finding | None:
        """By the loss that has risen most surely; None where none has."""
        if not followed.risen:
            return None
        name, stream = next(iter(followed.risen.items()))
        known, bet = self.losses.known[name], stream.leading
        before = known.total / known.labels
        value, lower, upper = wilson(bet.total / bet.labels, bet.labels)
        assert lower is not None
        assert upper is not None
        said = f"{_SAID[name]} rose from {before:.3g} to {value:.3g} ({lower:.3g} to {upper:.3g})"
        reached = "the evidence reached its limit" if stream.ratio >= 1 else "the evidence has not fallen yet"
        return Finding(
            True,
            f"{said} over {bet.labels} labels; {reached}",
            PerformanceEvidence(name, value, lower, upper, before, view.coverage),
            bet.since_ms,
        )


def _over(features: Sequence[str]) -> str:
    """A sentence on the metric and losses that an incident was of."""
    names = [_SAID.get(name, name) for name in features]
    return f"{listed(names)} {'is no worse than it' if len(names) == 1 else 'are no worse than they'} may be any more"


def carried(view: PerformanceView, before: PerformanceView | None) -> PerformanceView:
    """With the evidence that a window's view has shown already: later labels change its figures, never that."""
    if before is None:
        return view
    return replace(view, evidence_ratio=before.evidence_ratio, evidence_loss=before.evidence_loss)


def _reading(ledger: Ledger, span: Span, metric: str, status: Status, estimate: Estimate | None) -> Reading:
    if estimate is None:
        return Reading(span.window, "", metric, span.labels, status, revision=ledger.revision)
    figures = (estimate.value, estimate.lower, estimate.upper)
    return Reading(span.window, "", metric, span.labels, status, *figures, ledger.revision)
