"""`monitor plan`: what a model's configuration will find, miss and take, worked out from its references alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.detection.baseline import EXPECTED_MIN
from monitor.detection.budget import DAY_WINDOWS, PERFORMANCE_SHARE, ROWS_SHARE, windows_a_month
from monitor.detection.detector import MERGED_MAX
from monitor.detection.sensitivity import Detectable
from monitor.detection.subject import Subject
from monitor.detection.translation import Change, Translator
from monitor.detection.watch import Watch
from monitor.events.batch import SCORE
from monitor.profiles.decision import CELLS
from monitor.profiles.layout import CategoricalLayout, FeatureLayout, Layout, NumericLayout
from monitor.profiles.reference import Reference
from monitor.profiles.sample import SIZE
from monitor.profiles.segments import Segments
from monitor.spec import DAY_MS, CalendarSpec, ModelSpec
from monitor.windows.season import Season

_VANISHING = 0.5  # Share of its values from which on it is said that they may vanish unseen.

CONSTANT = "it has one value in the reference: any other reads as never seen, and alarms as a cause in the data"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Expected rows a window. source: where that is known from."""

    median: float
    lower: float
    upper: float
    source: Literal["reference", "option", "window"]


@dataclass(frozen=True, slots=True)
class Found:
    """A change that is found as often as not. effect: in PSI units; change: in the feature's own, None where the
    reference's rows cannot show it; after: windows, or days, that an alarm takes; merged: how many are judged together.
    """

    effect: float
    change: Change | None
    after: int
    merged: int


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """asked: the configured tolerance; tolerance: the one in force, larger where the reference has few rows; tolerated:
    the same in the feature's own unit. by_window, by_day: the smallest change found by each scale,
    None where it finds none; independent: by window, if rows did not vary together (rho 0). untestable: why not, else
    empty. blind: what is not seen although it is tested, else empty. missing, unseen: the smallest shares of a window's
    rows without a value, and of its values never seen, that alarm at once; None where none does.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    asked: float
    tolerance: float
    tolerated: Change | None
    by_window: Found | None
    by_day: Found | None
    independent: Found | None
    rho: float
    season: Season
    untestable: str = ""
    blind: str = ""
    missing: float | None = None
    unseen: float | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """How features go together. judged: pairs that are; unknown: of which it is not known what is usual in windows like
    these; left_out: columns beyond those whose pairs are watched. change: the change of correlation that windows show
    as often as not, the median pair's and the greatest; None where nobody knows how many rows these hold. blind: pairs
    that the greatest possible one would not show.
    """

    judged: int
    unknown: int
    left_out: int
    change: tuple[float, float] | None
    blind: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """False alarms of a month, by what they are granted for, and the windows that must pass at least between two of one
    feature's values on average.
    """

    budget: float
    values: float
    pairs: float
    data: float
    performance: float
    windows_between: float


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """share: of the rows. found: by feature that is tested, the smallest change that is found by the window in PSI
    units, None where none is; after: windows that its alarm takes, by the same. untestable: features that are not.
    """

    name: str
    share: float
    found: Mapping[str, float | None]
    after: Mapping[str, int]
    untestable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VersionPlan:
    """One version's. version: empty for any. unknown_hours: hours of the week that the reference does not cover, from
    Monday midnight; learning_ms: how much production they are learned from, 0 where nothing is. calendar: spans that
    are not judged. segments: the largest first; left_out: by column, values of the reference that have none.
    """

    model: str
    version: str
    traffic: Traffic | None
    features: tuple[FeaturePlan, ...]
    pairs: Pairs
    unwatched: tuple[str, ...]
    alarms: Alarms
    unknown_hours: tuple[int, ...]
    learning_ms: int
    calendar: tuple[CalendarSpec, ...]
    persistence: int
    segments: tuple[SegmentPlan, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def plan_version(spec: ModelSpec, version: str, reference: Reference, rows: float | None = None) -> VersionPlan:
    """rows: expected of a window, where the reference is not to say."""
    watch = Watch.of(spec, reference)
    traffic = _traffic(spec, reference, rows)
    whole = watch.subjects[: watch.features]
    segmented = reference.segments_of(spec.segments, spec.segments_max)
    return VersionPlan(
        spec.name,
        version,
        traffic,
        tuple(_features(spec, reference, watch, traffic)),
        _pairs(watch, traffic),
        tuple(each.name for each in whole if not watch.watches(each)),
        _alarms(spec, watch),
        tuple(watch.unknown_hours.tolist()),
        0 if watch.complete else spec.alarms.learning_ms,
        spec.calendar,
        spec.alarms.persistence,
        () if segmented is None else _segments(spec, watch, traffic),
        {} if segmented is None else dict(_left_out(reference.layout, segmented.segments)),
    )


def _segments(spec: ModelSpec, watch: Watch, traffic: Traffic | None) -> tuple[SegmentPlan, ...]:
    found = {} if traffic is None else watch.detectable(traffic.median)
    parts: dict[str, list[int]] = {}
    for place, subject in enumerate(watch.subjects):
        if subject.segment and watch.watches(subject):
            parts.setdefault(subject.segment, []).append(place)
    plans = []
    for name, places in parts.items():
        told = {watch.subjects[each].feature: found.get(watch.names[each]) for each in places if watch.testable[each]}
        plans.append(
            SegmentPlan(
                name,
                float(watch.share[places[0]]),
                {feature: each and each.effect for feature, each in told.items()},
                {feature: spec.alarms.persistence * each.windows for feature, each in told.items() if each},
                tuple(watch.subjects[each].feature for each in places if not watch.testable[each]),
            )
        )
    return tuple(sorted(plans, key=lambda plan: -plan.share))


def _left_out(layout: Layout, segments: Segments) -> Iterator[tuple[str, int]]:
    for column, own in segments.values.items():
        cells = layout.features[column]
        assert isinstance(cells, CategoricalLayout)
        yield column, len(cells.vocabulary) + len(cells.others) - len(own)


def _traffic(spec: ModelSpec, reference: Reference, rows: float | None) -> Traffic | None:
    """None where nobody knows."""
    if rows is not None:
        return Traffic(rows, rows, rows, "option")
    if not spec.window.timed:
        size = float(spec.window.size)
        return Traffic(size, size, size, "window")
    past = reference.history
    if past is None or past.unit != "ms" or not len(past.starts) or not past.tallies.shape[1]:
        return None
    past = past.in_windows_of(spec.window.size)
    held = past.tallies[:, 0].sum(axis=1) * (min(spec.window.size / past.size, 1.0))
    lower, median, upper = np.quantile(held, (0.25, 0.5, 0.75)).tolist()
    return Traffic(median, lower, upper, "reference")


def _features(spec: ModelSpec, reference: Reference, watch: Watch, traffic: Traffic | None) -> Iterator[FeaturePlan]:
    by_window: Mapping[str, Detectable | None] = {}
    by_day, independent = by_window, by_window
    shares: Mapping[str, tuple[float, float]] = {}
    if traffic is not None:
        shares = watch.smallest_shares(traffic.median)
        by_window = watch.detectable(traffic.median)
        independent = watch.detectable(traffic.median, independent=True)
        if spec.window.timed and spec.window.size < DAY_MS:
            by_day = watch.detectable(traffic.median * DAY_MS / spec.window.size, 1)
    for stream, subject in enumerate(watch.subjects[: watch.features]):
        if watch.watches(subject):
            name = subject.name
            each = _Feature(spec, reference, watch, stream)
            here, day = by_window.get(name), by_day.get(name)
            why = each.untestable(None if here or day else traffic)
            planned = each.refused(why) if why else each.plan(here, day, independent.get(name))
            missing, unseen = (None if np.isnan(share) else share for share in shares.get(name, (np.nan, np.nan)))
            yield replace(planned, missing=missing, unseen=unseen)


@dataclass(frozen=True, eq=False)
class _Feature:
    """One of a watch's streams."""

    spec: ModelSpec
    reference: Reference
    watch: Watch
    stream: int

    @property
    def name(self) -> str:
        return self.watch.names[self.stream]

    @property
    def layout(self) -> FeatureLayout:
        return self.reference.layout.features[self.name]

    @property
    def translator(self) -> Translator:
        counts = self.reference.profile.features[self.name].counts
        return Translator(self.layout, counts, self.reference.cells.groups[self.name], self.name == SCORE)

    def merged(self, way: int) -> NDArray[np.int64]:
        groups: NDArray[np.int64] = self.watch.values.baseline.groupings.groups[way, self.stream]
        return groups

    def plan(self, here: Detectable | None, day: Detectable | None, independent: Detectable | None) -> FeaturePlan:
        baseline = self.watch.values.baseline
        tolerance = float(self.watch.values.tolerated(0)[0, self.stream])
        return FeaturePlan(
            self.name,
            "numeric" if isinstance(self.layout, NumericLayout) else "categorical",
            self.watch.tolerance[self.name],
            tolerance,
            self.translator.of(tolerance, self.merged(0)),
            self._found(here),
            self._found(day),
            self._found(independent),
            float(baseline.rho[0, 0 if here is None else here.way, self.stream]),
            baseline.season[self.stream],
            blind=self._blind(here or day),
        )

    def refused(self, why: str) -> FeaturePlan:
        return replace(self.plan(None, None, None), untestable=why)

    def _found(self, detectable: Detectable | None) -> Found | None:
        if detectable is None:
            return None
        change = self.translator.of(detectable.apart, self.merged(detectable.way))
        # As its own cells show it: of a share of two categories, a normal's effect would say nothing.
        effect = detectable.effect if change is None else self.translator.effect(change, self.merged(0))
        return Found(effect, change, self.spec.alarms.persistence * detectable.windows, detectable.windows)

    def _blind(self, detectable: Detectable | None) -> str:
        layout = self.layout
        if detectable is None or isinstance(layout, NumericLayout):
            return ""
        values = len(layout.vocabulary) + len(layout.others)
        share = self.translator.vanishing(detectable.apart, self.merged(detectable.way))
        if values <= CELLS or share <= _VANISHING:
            return ""
        return (
            f"its {values:,} values share few cells: up to {share:.0%} of them "
            "may vanish without being missed, if the others take over their rows"
        )

    def untestable(self, too_little: Traffic | None) -> str:
        """Why its values cannot be tested, or empty. too_little: traffic that is not enough."""
        groupings, usable = self.watch.values.baseline.groupings, float(self.watch.usable[self.stream])
        if usable == 0.0:
            return "the reference has no usable value of it"
        if groupings.cells[0, self.stream] < 2:
            return CONSTANT
        if too_little is not None:
            needed = EXPECTED_MIN / (float(groupings.least[:, self.stream].max()) * usable)
            return (
                f"{MERGED_MAX} windows hold {MERGED_MAX * too_little.median:,.0f} rows, and the coarsest cells need "
                f"{np.ceil(needed):,.0f}: make windows longer"
            )
        return ""


def _pairs(watch: Watch, traffic: Traffic | None) -> Pairs:
    together, judged = watch.pairs.together, watch.pairs.judged
    wanted = sum(watch.watches(Subject(one)) and watch.watches(Subject(other)) for one, other in together.pairs)
    found = np.full(1, np.nan)
    if traffic is not None and judged.any():
        found = watch.pairs.detectable(min(traffic.median, SIZE))[judged]
    seen = found[~np.isnan(found)]
    change = (float(np.median(seen)), float(seen.max())) if len(seen) else None
    blind = 0 if traffic is None else int(np.isnan(found).sum()) if judged.any() else 0
    left_out = sum(watch.watches(Subject(name)) for name in together.left_out)
    return Pairs(int(judged.sum()), wanted - int(judged.sum()), left_out, change, blind)


def _alarms(spec: ModelSpec, watch: Watch) -> Alarms:
    """From the limits in force, not from the shares they were made of."""
    month = np.array([[windows_a_month(spec.window)], [DAY_WINDOWS]])
    values = float((month / watch.values.limits.limit).sum())
    pairs = float((month / watch.pairs.detector.limits.limit).sum())
    data = float((month / watch.shares.limits.limit).sum())
    data += spec.alarms.budget * ROWS_SHARE if spec.window.timed else 0.0
    granted = spec.alarms.budget * PERFORMANCE_SHARE
    least = float(watch.values.limits.limit[0].min(initial=np.inf))
    return Alarms(spec.alarms.budget, values, pairs, data, granted if spec.labelled else 0.0, least)
