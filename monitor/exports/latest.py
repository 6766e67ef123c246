"""What is true of each model version and segment now, read from the windows of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from monitor.detection.records import Cause, Severity, State, Verdict
from monitor.detection.sensitivity import Detectable
from monitor.events.timestamps import utc
from monitor.snapshot import ESTIMATE, ModelView, PerformanceView, WatchView, WindowView
from monitor.statistics.reading import Reading

STATES: tuple[State, ...] = get_args(State)
CAUSES: tuple[Cause, ...] = get_args(Cause)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

_GRAVEST_FIRST: tuple[State, ...] = ("drifting", "watch", "ok", "untestable", "learning", "insufficient")
_GRAVITY = {state: rank for rank, state in enumerate(_GRAVEST_FIRST)}


@dataclass(frozen=True, slots=True)
class Slice:
    """One version and segment of a model. segment: empty for all of the version's traffic.

    window: the last closed one. standing: of each feature the newest verdict that could be reached, most drifted
    first: a state holds through windows with too little data, so that a quiet night does not resolve a page.
    performance: the newest settled one. watch: how whole traffic is watched; None of a segment. detectable: as of a
    `WatchView`.
    """

    version: str
    segment: str
    window: WindowView | None
    standing: tuple[Verdict, ...]
    performance: PerformanceView | None
    watch: WatchView | None = None
    detectable: Mapping[str, Detectable | None] = field(default_factory=dict)


def slices(model: ModelView) -> tuple[Slice, ...]:
    """The slices of all versions that are alive, newest version first, whole traffic before its segments."""
    windows: dict[tuple[str, str], list[WindowView]] = {}
    for view in reversed(model.windows):
        windows.setdefault((view.window.version, view.window.segment), []).append(view)
    settled = {(view.window.version, view.window.segment): view for view in model.performance if view.settled}
    age = {version: rank for rank, version in enumerate(reversed(alive(model)))}
    places = sorted(
        (place for place in {**windows, **settled} if place[0] in age), key=lambda place: (age[place[0]], place[1])
    )
    return tuple(
        Slice(
            version,
            segment,
            next(iter(views), None),
            _standing(views),
            settled.get((version, segment)),
            None if segment else model.watches.get(version),
            _detectable(model.watches.get(version), segment),
        )
        for version, segment in places
        for views in [windows.get((version, segment), [])]
    )


def _detectable(watch: WatchView | None, segment: str) -> Mapping[str, Detectable | None]:
    if watch is None:
        return {}
    return watch.segments.get(segment, {}) if segment else watch.detectable


def estimated(readings: Iterable[Reading]) -> dict[str, Reading]:
    """The estimates that there are, by the metric they are of."""
    found = {reading.statistic.removesuffix(ESTIMATE): reading for reading in readings}
    return {metric: reading for metric, reading in found.items() if reading.value is not None}


class Finder:
    """Finds what windows say of one feature. They hold it in the same place, side by side, which is looked at first: to
    search each of a hundred windows for one of ten thousand features takes a second.
    """

    def __init__(self, feature: str) -> None:
        self._feature = feature
        self._verdict_at = self._readings_at = 0

    def verdict(self, view: WindowView) -> Verdict | None:
        self._verdict_at = self._place(view.verdicts, self._verdict_at)
        return view.verdicts[self._verdict_at] if self._verdict_at < len(view.verdicts) else None

    def readings(self, view: WindowView) -> tuple[Reading, ...]:
        readings = view.readings
        self._readings_at = end = self._place(readings, self._readings_at)
        while end < len(readings) and readings[end].feature == self._feature:
            end += 1
        return readings[self._readings_at : end]

    def _place(self, entries: Sequence[Verdict | Reading], before: int) -> int:
        """Of the first that is of the feature; of the end where none is."""
        here = before < len(entries) and entries[before].feature == self._feature
        if here and (before == 0 or entries[before - 1].feature != self._feature):
            return before
        return next((at for at, entry in enumerate(entries) if entry.feature == self._feature), len(entries))


def learning(part: Slice) -> str | None:
    """One sentence on a version that is still learning what is usual; None of any other."""
    if part.watch is None or part.window is None or part.watch.learning_until_ms is None:
        return None
    until_ms = part.watch.learning_until_ms
    if part.window.window.end_ms < until_ms:
        how = f"is learning what is usual: the alarm budget holds from {utc(until_ms):%Y-%m-%d %H:%M UTC} on"
    else:
        how = "is still learning what is usual, as too few hours of the week have been seen twice"
    meanwhile = "only faulty data and major changes alarm" if part.watch.registered else "nothing alarms"
    who = f"Version {part.version}" if part.version else "The version without a name"
    return f"{who} {how}; until then {meanwhile}."


def alive(model: ModelView) -> tuple[str, ...]:
    """Versions to show: the model's own, after any other that still has an open incident."""
    lingering = (incident.opened.version for incident in model.incidents if incident.open)
    return tuple(dict.fromkeys((*(v for v in lingering if v not in model.versions), *model.versions)))


def overall(verdicts: Iterable[Verdict]) -> State:
    """The gravest state among them; `learning` where there is none yet."""
    return min((verdict.state for verdict in verdicts), key=_GRAVITY.__getitem__, default="learning")


def gravity(state: State | None) -> int:
    """Sorts states, the gravest first; None, of what is not watched, last."""
    return len(_GRAVITY) if state is None else _GRAVITY[state]


def _drift_rank(verdict: Verdict) -> tuple[int, float, str]:
    """Sorts features, most drifted first: by state, then by effect, then by name."""
    return gravity(verdict.state), -(verdict.effect or 0.0), verdict.feature


def _standing(newest_first: list[WindowView]) -> tuple[Verdict, ...]:
    newest: dict[str, Verdict] = {}
    judged: dict[str, Verdict] = {}
    for view in newest_first:
        for verdict in view.verdicts:
            last = newest.setdefault(verdict.feature, verdict)
            if verdict.feature not in judged and verdict.state != "insufficient":
                judged[verdict.feature] = _held(verdict, last)
        if newest and len(judged) == len(newest):
            break
    return tuple(sorted({**newest, **judged}.values(), key=_drift_rank))


def _held(verdict: Verdict, last: Verdict) -> Verdict:
    """What stands of a feature whose `last` window held too few rows, by the newest `verdict` that could be reached."""
    if verdict is last or verdict.state == "drifting":
        return last  # A drift lasts through such windows by itself: here it has ended.
    if verdict.evidence_ratio == last.evidence_ratio:
        return verdict
    return replace(verdict, evidence_ratio=last.evidence_ratio)
