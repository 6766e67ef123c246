"""Whether a metric has fallen below what it may be, by evidence with a bound on false alarms.

H0: over the labels looked at, the metric is no worse than its bound: the reference's figure less the agreed `drop` or,
where that is more, less what the reference's own labels leave in doubt. Each look at a span of labels is a p-value. Two
rules have half of the metric's budget each, with c the evidence at which a stream alarms that may use so much:

- at once: one span's p-value is at most 1 / c. Of W looks a month W / c are so by chance, whatever their spans have in
  common: every window is judged by its whole span, although the spans of neighbours overlap;
- by and by: labels that were not used yet are gathered until they are enough. With z the normal law's quantile of their
  p-value, exp(s z - s^2 / 2) is a fair bet for every s > 0. Bets on each of SHIFTS are the evidence, as in
  `monitor.detection.betting`; no span alone makes it an alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scipy import special

from monitor.detection.betting import Bet, Stream, divergence
from monitor.statistics.performance.intervals import Z
from monitor.statistics.performance.metric import Metric
from monitor.statistics.reading import Estimate

GUARD = 3.72
"""Standard errors that a reference's own figure may be off: one reference in ten thousand is so lucky."""

SHIFTS = (0.5, 1.0, 2.0, 4.0)
"""The alternatives: by how many standard errors of a span the metric lies beyond its bound."""


def bound(metric: Metric, reference: Estimate, drop: float) -> float | None:
    """The worst figure that is no alarm; None where the metric has no worse side, or no figure would be an alarm."""
    if metric.better == "zero":
        return None
    worse = -1.0 if metric.better == "higher" else 1.0
    tolerated = reference.value + worse * drop
    end = reference.lower if metric.better == "higher" else reference.upper
    if end is None:
        return None
    if metric.range == (0.0, 1.0):
        in_doubt = _limit(reference.value, end, worse)
        found = min(tolerated, in_doubt) if worse < 0 else max(tolerated, in_doubt)
        return found if 0.0 < found < 1.0 else None
    in_doubt = reference.value + (end - reference.value) * GUARD / Z
    return min(tolerated, in_doubt) if worse < 0 else max(tolerated, in_doubt)


def _limit(value: float, end: float, worse: float) -> float:
    """The share that lies GUARD standard errors beyond another, on its worse side. end: of its interval there."""
    near, far = value, 0.5 + worse / 2
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (middle, far) if _errors(value, end, middle, shares=True) <= GUARD else (near, middle)
    return near


def fallen(metric: Metric, estimate: Estimate, reference: float, drop: float) -> bool:
    """Whether even the kindest end of the 95 % interval is worse than the reference by more than `drop`: how grave a
    window is, no alarm.
    """
    if metric.better == "higher":
        return (estimate.value if estimate.upper is None else estimate.upper) < reference - drop
    return (
        metric.better == "lower" and (estimate.value if estimate.lower is None else estimate.lower) > reference + drop
    )


def p_value(metric: Metric, estimate: Estimate, bound: float, rows: int) -> float:
    """Chance of a figure as bad as this or worse, were the metric at its bound. rows: labels that its spread was
    learned from.

    The spread comes from the figure's 95 % interval, hence Student's law. A share's distance is the signed root of its
    likelihood ratio, which holds in the far tail near 0 and 1, where a difference over a standard error does not.
    """
    better = bound - estimate.value if metric.better == "lower" else estimate.value - bound
    end = estimate.upper if bound > estimate.value else estimate.lower
    if end is None or rows < 2:
        return 1.0
    distance = _errors(estimate.value, end, bound, shares=metric.range == (0.0, 1.0))
    return float(special.stdtr(rows - 1, math.copysign(distance, better)))


def _errors(value: float, end: float, other: float, *, shares: bool) -> float:
    """By how many standard errors two figures differ; end: of the 95 % interval of `value`, on the other's side."""
    if end == value:
        return 0.0  # Nothing is known of its spread.
    if not shares:
        return Z * abs((other - value) / (end - value))
    # As many independent rows as give Wilson's interval its end.
    rows = Z * Z * end * (1.0 - end) / (end - value) ** 2
    return math.sqrt(2.0 * rows * divergence(value, min(max(other, 1e-12), 1.0 - 1e-12)))


@dataclass(slots=True)
class Fall:
    """The evidence that the metric of one version has fallen. ratio: over the limit, by either rule, as of the last
    look. gathered: labels not used yet, packed; gathered_ms: start of the first window of these.
    """

    stream: Stream = field(default_factory=lambda: Stream([Bet() for _ in SHIFTS]))
    ratio: float = 0.0
    gathered: bytes = b""
    gathered_ms: int = 0

    @property
    def alarmed(self) -> bool:
        return self.stream.alarmed

    def look(self, p: float, start_ms: int, limit: float) -> None:
        """Judge a span by itself: any labels, as often as there are windows. start_ms: of its first window."""
        self.ratio = max(self.stream.ratio, min(1.0 / max(p, 1e-300), 1e3 * limit) / limit)
        if self.ratio >= 1.0:
            self.stream.raise_alarm(start_ms, limit)

    def take_in(self, p: float, labels: int, start_ms: int, limit: float, persistence: int) -> None:
        """Labels that were not taken in before. start_ms: of the first window of theirs."""
        z = -float(special.ndtri(min(max(p, 1e-300), 1.0 - 1e-16)))
        most = math.log(limit) / persistence
        won = [min(shift * z - shift**2 / 2.0, most) for shift in SHIFTS]
        self.stream.take_in(won, labels, 0.0, start_ms, limit)
        self.ratio = max(self.ratio, self.stream.ratio)
