"""What the core is told of a model: plain values, made by `monitor.config`, never read from a file here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from monitor.events.schema import Schema
from monitor.windows.window import Window, WindowSpec

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """budget: false alarms that are accepted of one model in a month. tolerance: largest difference, in PSI units, that
    nobody cares about; tolerances: of the features that have their own. persistence: windows that a change of values
    takes to alarm. learning_ms: what is usual is learned from so much production where the reference does not tell; 0:
    the reference is trusted as it is.
    """

    budget: float = 0.1
    tolerance: float = 0.02
    persistence: int = 2
    learning_ms: int = 14 * DAY_MS
    tolerances: Mapping[str, float] = field(default_factory=dict)

    def tolerance_of(self, feature: str) -> float:
        """A feature's or an output's own, or the model's."""
        return self.tolerances.get(feature, self.tolerance)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """How one feature is watched: for drift, for its data quality only, or not at all. importance: its share of the
    alarm budget, beside the others'.
    """

    monitor: Literal["drift", "quality", "off"] = "drift"
    importance: float = 1.0


@dataclass(frozen=True, slots=True)
class PerformanceSpec:
    """When performance has fallen: `metric` is surely worse than the reference's figure by more than `drop`.

    wait_ms: age of a window from which its verdict no longer waits for labels. threshold: decision threshold of
    scores where predictions carry no class. labels_min, class_min: labels, and labels of each class, that a span of
    windows needs before it is judged.
    """

    metric: str
    drop: float
    wait_ms: int = 14 * DAY_MS
    threshold: float | None = None
    labels_min: int = 500
    class_min: int = 100
    span_max_ms: int = 90 * DAY_MS


@dataclass(frozen=True, slots=True)
class RetrainSpec:
    """Whom to ask for a retrained model, and when. budget: requests in any seven days. approval: whether a person sends
    each. expires_ms: wall clock from the last that was heard of a request until it counts as expired; 0: nothing is
    ever heard, and a request is over when it is made.
    """

    receiver: str
    on: frozenset[Literal["performance", "drift"]]
    cooldown_ms: int = DAY_MS
    labels_min: int = 2000
    budget: int = 3
    approval: Literal["automatic", "manual"] = "automatic"
    expires_ms: int = DAY_MS


Against = Literal["first", "rolling", "previous"]


@dataclass(frozen=True, slots=True)
class MadeSpec:
    """A reference that is made of what arrives: cells, and what is usual, of the first `size` milliseconds of event
    time, or rows. against: what windows are compared with: those first ones; the newest `windows` before them together;
    or the one so many before.
    """

    size: int
    unit: Literal["ms", "rows", "numbered rows"] = "ms"
    against: Against = "first"
    windows: int = 0


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """A span of event time, [from_ms, to_ms), that is like no other: windows that it touches are not judged."""

    name: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model. arrival: rows as they happen, or in batches that a `batch_end` or `idle_after_ms` closes.

    future_ms: how far event time may run ahead of the broker's clock. timezone: whose hours and days the model lives
    by. retention_ms: how long a prediction waits for its label; retire_ms: how long a version may be silent, by event
    time, before it counts as gone; labelled False keeps none waiting. made: how a model
    without a compiled reference comes by one. calendar: windows that are not judged. segments: categorical features by
    whose values parts of the traffic are watched by themselves, at most segments_max of them.
    """

    name: str
    schema: Schema
    window: WindowSpec
    performance: PerformanceSpec
    retrain: RetrainSpec | None = None
    features: Mapping[str, FeatureSpec] = field(default_factory=dict)
    lateness_ms: int = 300_000
    idle_after_ms: int = 60_000
    future_ms: int = 300_000
    arrival: Literal["stream", "batch"] = "stream"
    labelled: bool = True
    retention_ms: int = 90 * DAY_MS
    retire_ms: int = 7 * DAY_MS
    alarms: AlarmSpec = AlarmSpec()
    timezone: str = "UTC"
    made: MadeSpec | None = None
    segments: tuple[str, ...] = ()
    segments_max: int = 0

    @property
    def part(self) -> int:
        """What is remembered of windows is kept by: the window, or the hour where that is longer; milliseconds, or rows
        where windows are by these.
        """
        return max(HOUR_MS, self.window.size) if self.window.timed else self.window.size

    calendar: tuple[CalendarSpec, ...] = ()

    @property
    def retrain_labels(self) -> int:
        """Labels that a retraining needs."""
        return self.retrain.labels_min if self.retrain and self.labelled else 0

    def ignored(self, window: Window) -> str:
        """Name of the calendar's entry by which a window is not judged, or nothing. Numbers of rows are no times."""
        if self.window.unit == "numbered rows":
            return ""
        touched = (each.name for each in self.calendar if each.from_ms < window.end_ms and window.start_ms < each.to_ms)
        return next(touched, "")

    def silent_since(self, end_ms: int, silent_ms: int) -> int:
        """The time that lies so long before another, not counting what the calendar says to ignore."""
        since_ms = end_ms - silent_ms
        for each in sorted(self.calendar, key=lambda each: -each.to_ms):
            if since_ms < each.to_ms:
                since_ms -= max(min(each.to_ms, end_ms) - each.from_ms, 0)
        return since_ms
