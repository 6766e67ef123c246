"""The immutable view that metrics, API and pages read: what was last committed, never what is being computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.detection.life import Life
from monitor.detection.records import Incident, Skew, Verdict
from monitor.detection.sensitivity import Detectable
from monitor.events.schema import Task
from monitor.spec import AlarmSpec
from monitor.statistics.reading import Reading
from monitor.windows.window import Offsets, Window

ESTIMATE = "_estimate"
"""After a metric's name, it makes the name of the reading that estimates it without labels."""

LABEL_RESULTS = ("matched", "waiting", "expired", "conflict", "unknown")
"""What becomes of labels: joined with their prediction; kept for one that has not come, counted when the wait begins;
given up without one; at odds with another partition's label of the same id; joined, but of no class of the model."""

TRIGGER_RESULTS = ("requested", "withheld", "accepted", "succeeded", "failed", "expired")
"""What becomes of retrain triggers, counted at each step: asked for, or withheld; taken by the pipeline; over with a
new version, without, or not heard of."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """rows: (upper end, inclusive, values up to it that no smaller one holds), in order; beyond: larger values. total:
    sum of all values.
    """

    rows: tuple[tuple[float, int], ...]
    beyond: int
    total: float

    @property
    def count(self) -> int:
        return sum(rows for _, rows in self.rows) + self.beyond

    def quantile(self, share: float) -> float | None:
        """As PromQL's `histogram_quantile`: straight between the ends of a cell, the last end for what lies beyond it;
        None where there is no value.
        """
        if not self.count:
            return None
        rank, start = share * self.count, 0.0
        for end, rows in self.rows:
            if rows and rank <= rows:
                return start + (end - start) * rank / rows
            rank, start = rank - rows, end
        return start


@dataclass(frozen=True, slots=True)
class WindowView:
    """One closed window: its drift and data-quality readings, a verdict a feature, and its performance as it is to be
    expected before labels come. ignored: the calendar's entry by which it was not judged, if any. segments: the same
    of each segment, verdicts alone. offsets: [first, last + 1) of its rows' records, by "topic/partition". profile:
    digest of what was counted.
    """

    window: Window
    rows: int
    readings: tuple[Reading, ...]
    verdicts: tuple[Verdict, ...]
    estimates: tuple[Reading, ...] = ()
    ignored: str = ""
    segments: tuple[WindowView, ...] = ()
    offsets: Offsets = field(default_factory=dict)
    profile: str = ""

    @classmethod
    def of(
        cls,
        window: Window,
        rows: int,
        offsets: Offsets,
        profile: str,
        readings: tuple[Reading, ...],
        verdicts: Sequence[Verdict],
        estimates: tuple[Reading, ...],
        ignored: str,
    ) -> WindowView:
        """verdicts: of whole traffic and of segments."""
        by_window: dict[Window, list[Verdict]] = {window: []}
        for verdict in verdicts:
            by_window.setdefault(verdict.window, []).append(verdict)
        whole = tuple(by_window.pop(window))
        segments = (cls(part, mine[0].rows, (), tuple(mine), (), ignored) for part, mine in by_window.items())
        return cls(window, rows, readings, whole, estimates, ignored, tuple(segments), offsets, profile)

    @property
    def parts(self) -> tuple[WindowView, ...]:
        """Itself, then its segments."""
        return (self, *self.segments)


@dataclass(frozen=True, slots=True)
class PerformanceView:
    """The newest settled performance of one window: over a span of whole windows that holds enough labels.

    coverage: labelled over predicted in the span. settled: whether the window has had its one verdict. evidence_ratio:
    then, evidence over alarm limit of what is nearest to it, the metric or a loss: evidence_loss names it; None where
    nothing was followed. estimates: of the same span, without its labels.
    """

    window: Window
    span_start_ms: int
    labels: int
    coverage: float
    readings: tuple[Reading, ...]
    settled: bool
    evidence_ratio: float | None = None
    evidence_loss: str = ""
    estimates: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchView:
    """How one version is watched for drift.

    registered: whether the reference is its own. learning_until_ms: event time from which the alarm budget holds, None
    where it holds; until then a registered version alarms only of causes in the data and of major changes, another one
    of nothing. detectable: the smallest change that windows of its usual size would show, by feature, None where it
    cannot be tested; empty where what is usual is not known yet; segments: the same of each segment. skew: how
    production differs from training, of a version that has learned all that is usual in production.
    """

    registered: bool
    learning_until_ms: int | None
    detectable: Mapping[str, Detectable | None]
    skew: Skew | None = None
    segments: Mapping[str, Mapping[str, Detectable | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What the model's metric is held against: the reference's own figure, and the worst that is no alarm, if any."""

    reference: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model.

    windows, performance and triggers: oldest first, bounded in number; windows with those of their segments behind
    them. decided: triggers in all, by (version, one of TRIGGER_RESULTS). in_flight: requests that the pipeline has not
    done with. labels: in all, by LABEL_RESULTS. label_delay_s: of the first label of
    each prediction, seconds. last_event_ms, watermark_ms: None before the first event. alarms: the settings in force.
    watches: by version. targets: by version that has a reference of its own with labels. latency_s: of predictions that
    say how long they took, seconds; None where none does. latencies_invalid: of those, how many said what can be no
    latency. since_ms: start of the first window, by version.
    """

    name: str
    task: Task
    metric: str
    features: tuple[str, ...]
    versions: tuple[str, ...]
    last_event_ms: int | None
    watermark_ms: int | None
    predictions: int
    labels: Mapping[str, int]
    label_delay_s: Histogram
    windows: tuple[WindowView, ...]
    performance: tuple[PerformanceView, ...]
    incidents: tuple[Incident, ...]
    triggers: tuple[Life, ...]
    decided: Mapping[tuple[str, str], int] = field(default_factory=dict)
    in_flight: int = 0
    alarms: AlarmSpec = field(default_factory=AlarmSpec)
    watches: Mapping[str, WatchView] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    latency_s: Histogram | None = None
    latencies_invalid: int = 0
    since_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """Where a trigger's request to one receiver stands: pending, delivered, failed (given up) or disabled (the receiver
    is gone). run: what the receiver calls what it has begun.
    """

    subject: str
    receiver: str
    state: str
    attempts: int
    last_error: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """The service itself. ready: None, or one sentence that says why not.

    events: count by (topic, result). lag: records by (topic, partition). delivery: of the requests of triggers that are
    shown. commits, commit_seconds: number and total duration of committed steps; committed_ms: wall clock of the last
    one. poll_returned_ms: wall clock of the last poll that returned.
    """

    not_ready: str | None = None
    events: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unknown_keys: int = 0
    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    gaps: int = 0
    outbox_pending: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    delivery: tuple[DeliveryView, ...] = ()
    commits: int = 0
    commit_seconds: float = 0.0
    committed_ms: int | None = None
    poll_returned_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that may be shown, of one commit."""

    sequence: int
    models: Mapping[str, ModelView]
    service: ServiceView
