"""One model: its events in, its windows, verdicts, incidents and triggers out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.detection.drift import FeatureState
from monitor.detection.incidents import Incidents
from monitor.detection.records import Incident, IncidentChange, Trigger
from monitor.detection.triggers import Arbiter
from monitor.engine.drift import DriftReader, judge_window
from monitor.engine.intake import Earlier, Judged, Result, groups_by_pane, judge_predictions, known_labels
from monitor.engine.pane import OTHER, Pane, surplus
from monitor.engine.performance import PerformanceReader
from monitor.engine.settlement import Changes, Ledger, Settlement, changes_of, windows_of
from monitor.errors import StateError
from monitor.events.batch import BatchEnd, Labels, Matched, Predictions
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView, WindowView
from monitor.spec import ModelSpec
from monitor.statistics.reading import Reading
from monitor.windows.seen import Seen
from monitor.windows.streams import FOREVER, NEVER, Streams
from monitor.windows.window import Place, Window, WindowSpec

VIEWS_MAX = 100
"""Closed windows, settled ones, and triggers, that the snapshot of a model shows."""

V = TypeVar("V", WindowView, PerformanceView)


@dataclass(slots=True)
class Output:
    """What one step of one model says, in the order it came about."""

    readings: list[Reading] = field(default_factory=list)
    changes: list[IncidentChange] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    windows: list[WindowView] = field(default_factory=list)
    performance: list[PerformanceView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Due:
    """Performance can be settled up to a boundary. joined: whether the store has to be asked for the labels.

    since_ms, until_ms: what to ask `Store.matched` for.
    """

    model: str
    since_ms: int
    until_ms: int
    joined: bool


@dataclass(slots=True)
class Progress:
    """The small mutable state of a model, saved with every step.

    window: how windows were cut. closed_ms: joint watermark of the predictions: windows up to it are closed. joint_ms:
    of predictions and labels. boundary_ms: performance is settled up to here. known_ms: the latest time that a label
    counts from. features: by (version, feature). counted: totals by name. triggers, resolved incidents: the newest,
    newest last. decided: triggers by (version, requested or withheld). judged: end of the newest window with a verdict,
    by version.
    """

    predictions: Streams
    labels: Streams
    window: WindowSpec
    closed_ms: int = NEVER
    joint_ms: int = NEVER
    boundary_ms: int = NEVER
    known_ms: int = NEVER
    features: dict[tuple[str, str], FeatureState] = field(default_factory=dict)
    incidents: Incidents = field(default_factory=Incidents)
    arbiter: Arbiter = field(default_factory=Arbiter)
    counted: dict[str, int] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)
    resolved: list[Incident] = field(default_factory=list)
    decided: dict[tuple[str, str], int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)

    def note(self, changes: Sequence[IncidentChange]) -> None:
        """Remember the incidents that ended."""
        ended = [change.incident for change in changes if not change.incident.open]
        self.resolved = [*self.resolved, *ended][-VIEWS_MAX:]

    def decide(self, trigger: Trigger) -> None:
        key = (trigger.window.version, "withheld" if trigger.withheld else "requested")
        self.decided[key] = self.decided.get(key, 0) + 1

    def count(self, name: str, rows: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + rows


class ModelMonitor:
    """One model's part of the `Monitor`; the same rules hold: no I/O, no clock."""

    def __init__(self, spec: ModelSpec, references: Mapping[str, Reference]) -> None:
        """references: by version, oldest first; at least one."""
        self.spec = spec
        self.references = dict(references)
        self.readers = {version: DriftReader(spec, reference) for version, reference in references.items()}
        batch = spec.arrival == "batch"
        self.progress = Progress(Streams(spec.lateness_ms, batch), Streams(spec.lateness_ms), spec.window)
        self.settlement = Settlement(spec.performance, spec.window.grid_ms)
        self.panes: dict[tuple[int, str], Pane] = {}
        self.gathered: dict[str, tuple[int, Pane]] = {}
        self.seen: dict[int, Seen] = {}
        self.windows: dict[tuple[str, int], WindowView] = {}
        self.performance: dict[tuple[str, int], PerformanceView] = {}
        self.dirty: set[tuple[str, str, int]] = set()

    def inherited(self, version: str) -> str:
        """The version whose reference a version is compared with: its own, or the newest."""
        return next(name for name in (version, "", next(reversed(self.references))) if name in self.references)

    def learning(self, version: str, reference: str) -> bool:
        """Whether a version is compared with another's reference; an unnamed version, or reference, fits any."""
        return bool(version) and reference not in (version, "")

    def expect(self, predictions: Iterable[Place], labels: Iterable[Place], now_ms: int) -> None:
        """Count on these partitions of the prediction and label topics."""
        self.progress.predictions.expect(predictions, now_ms, self.progress.closed_ms)
        if self.spec.labelled:
            self.progress.labels.expect(labels, now_ms, self.progress.joint_ms)

    def open_since_ms(self) -> int:
        """Windows that end at or before this are closed for every partition."""
        streams = self.progress.predictions
        return min((streams.watermark(place) for place in streams.streams), default=NEVER)

    def remember(self, partition: int, key: NDArray[np.uint64], window_end_ms: NDArray[np.int64]) -> None:
        """Ids that were accepted before a restart, in windows that are still open."""
        self.seen.setdefault(partition, Seen()).add(key, window_end_ms)

    def resume(self, progress: Progress) -> None:
        """Go on from saved progress, under the settings of now. Raises StateError where windows were cut otherwise."""
        self.progress, spec = progress, self.spec
        if progress.window != spec.window:
            raise StateError(
                f"the window of model {spec.name!r} was changed, but its state holds windows of the old length; put "
                "the old one back, or begin with a new state directory"
            )
        progress.predictions.resume(spec.lateness_ms, spec.arrival == "batch", progress.closed_ms)
        progress.labels.resume(spec.lateness_ms, False, progress.joint_ms)

    def keep(self, topics: Collection[str]) -> None:
        """Forget the partitions of all other topics."""
        self.progress.predictions.keep(topics)
        self.progress.labels.keep(topics)

    def expired_ms(self) -> tuple[int, int]:
        """Bounds before which a prediction's window, and a label's `known_ms`, are of no more use: neither is ever
        deleted before it has ceased to count, so when it is deleted changes nothing.

        A model without labels keeps its ids only until no partition has their window open.
        """
        progress, retention = self.progress, self.spec.retention_ms
        if not self.spec.labelled:
            return self.open_since_ms(), progress.boundary_ms
        waiting = self.settlement.changeable(progress.boundary_ms)
        starts = [window.start_ms for window in waiting] + [start for start, _ in self.gathered.values()]
        ends = [window.end_ms for window in waiting]
        return (
            min([progress.joint_ms - retention, self.open_since_ms(), *starts]),
            min([progress.joint_ms, *ends]) - retention,
        )

    def suspects(self, batch: Predictions) -> NDArray[np.uint64]:
        """uint64[k]: ids that may have been accepted in a window that is still open; the store knows."""
        found = np.zeros(len(batch), dtype=np.bool_)
        for partition, seen in self.seen.items():
            rows = batch.origin.partition == partition
            found[rows] = seen.suspects(batch.key[rows])
        return np.unique(batch.key[found & batch.identified])

    def ingest(self, batch: Predictions, ends: Sequence[BatchEnd], earlier: Earlier, now_ms: int) -> Judged:
        """Judge predictions and fold those that are accepted."""
        place_rows = {(batch.origin.topic, int(number)) for number in np.unique(batch.origin.partition)}
        places = place_rows | {(batch.origin.topic, end.partition) for end in ends}
        self.progress.predictions.expect(places, now_ms, self.progress.closed_ms)
        judged = judge_predictions(self.spec, self.progress.predictions, self.seen, batch, ends, earlier, now_ms)
        accepted = np.flatnonzero(judged.result == Result.ACCEPTED)
        if len(accepted):
            rows = batch.take(accepted) if len(accepted) < len(batch) else batch
            self._fold(rows, judged.window_end_ms[accepted])
            self.progress.count("predictions", len(accepted))
        return judged

    def _fold(self, rows: Predictions, window_end_ms: NDArray[np.int64]) -> None:
        """Add accepted rows to the panes of their versions, which are made, or joined where they are too many."""
        groups = groups_by_pane(rows.version, window_end_ms)
        shared = surplus({*self.panes, *((end, version) for version, end, _ in groups)}, self.references)
        for end, version in sorted(shared & self.panes.keys()):
            pane, other = self._pane(end, version), self._pane(end, OTHER)
            if pane.reference == other.reference:
                self.panes[(end, OTHER)] = other.merge(self.panes.pop((end, version)))
            else:  # It was opened before the newest reference was registered, and ends under the older one.
                shared.discard((end, version))
        for version, end, part in groups:
            name = OTHER if (end, version) in shared else version
            self._pane(end, name).fold(rows.take(part) if len(part) < len(rows) else rows)

    def _pane(self, end_ms: int, version: str) -> Pane:
        """The open pane of a version, about to change."""
        self.dirty.add(("pane", version, end_ms))
        if (end_ms, version) not in self.panes:
            reference = self.inherited(version)
            self.panes[(end_ms, version)] = Pane(reference, Profile.empty(self.references[reference].layout))
        return self.panes[(end_ms, version)]

    def ingest_labels(self, batch: Labels, now_ms: int) -> tuple[Judged, NDArray[np.int64]]:
        """Judge labels, and int64[n]: when each counts from."""
        places = {(batch.origin.topic, int(number)) for number in np.unique(batch.origin.partition)}
        self.progress.labels.expect(places, now_ms, self.progress.joint_ms)
        judged, known = known_labels(self.spec, self.progress.labels, batch, now_ms)
        accepted = known[judged.result == Result.ACCEPTED]
        if len(accepted):
            self.progress.known_ms = max(self.progress.known_ms, int(accepted.max()))
            self.progress.count("labels", len(accepted))
        return judged, known

    def advance(self, caught_up: Mapping[Place, int]) -> Output:
        """Move the watermarks on, and close and evaluate every window they have passed.

        caught_up: wall clock, by partition, up to which all that arrived was read; absent where that is not known.
        """
        progress = self.progress
        for streams in (progress.predictions, progress.labels):
            streams.rest(caught_up, self.spec.idle_after_ms)
        predicted, labelled = progress.predictions.joint(), progress.labels.joint()
        if predicted is None:
            return self._advance_to(*self._by_clock(caught_up, labelled))
        return self._advance_to(predicted, predicted if labelled is None else min(predicted, labelled))

    def _by_clock(self, caught_up: Mapping[Place, int], labelled_ms: int | None) -> tuple[int, int]:
        """Both watermarks where all predictions are idle: the clock closes what is open, and no more, so that a pause
        in a back-fill loses nothing. labelled_ms: the labels' watermark, None where they are idle too.
        """
        progress, after = self.progress, self.spec.lateness_ms + self.spec.idle_after_ms
        quiet_ms = progress.predictions.confirmed(caught_up) - after
        open_until = max((end for end, _ in self.panes), default=NEVER)
        closed = max(progress.closed_ms, min(quiet_ms, open_until))
        if not self.spec.labelled:
            return closed, closed
        if labelled_ms is None:
            quiet_ms = min(quiet_ms, progress.labels.confirmed(caught_up) - after)
            joint = max(closed, min(quiet_ms, self._boundary_after(progress.known_ms)))
        else:
            joint = labelled_ms if closed >= open_until else min(closed, labelled_ms)
        return max(closed, joint), joint

    def finish(self, until_ms: int = FOREVER) -> Output:
        """A table has ended: close every window that ends by `until_ms`, and count every label known by then."""
        end = max((end for end, _ in self.panes), default=self.progress.closed_ms)
        end = min(until_ms, max(end, self._boundary_after(self.progress.known_ms)))
        return self._advance_to(end, end)

    def _advance_to(self, closed_ms: int, joint_ms: int) -> Output:
        progress = self.progress
        progress.closed_ms = max(progress.closed_ms, closed_ms)
        progress.joint_ms = max(progress.joint_ms, joint_ms if self.spec.labelled else closed_ms)
        progress.predictions.raise_idle(progress.closed_ms)
        progress.labels.raise_idle(progress.joint_ms)
        output = Output()
        for end, version in sorted(key for key in self.panes if key[0] <= progress.closed_ms):
            self._close(end, version, self.panes.pop((end, version)), output)
        self._trim("window", self.windows)
        return output

    def _close(self, end_ms: int, version: str, pane: Pane, output: Output) -> None:
        self.dirty.add(("pane", version, end_ms))
        start_ms = end_ms - self.spec.window.grid_ms
        if self.spec.window.unit == "rows":
            self.dirty.add(("gathered", version, 0))
            if version in self.gathered:
                before_ms, before = self.gathered.pop(version)
                if before.reference == pane.reference:
                    start_ms, pane = before_ms, before.merge(pane)
                else:
                    # A new reference begins with a new window, so this one ends short.
                    self._judge(Window(start_ms, self.spec.name, version, "", before_ms), before, output)
            if pane.profile.rows < self.spec.window.size:
                self.gathered[version] = (start_ms, pane)
                return
        self._judge(Window(end_ms, self.spec.name, version, "", start_ms), pane, output)

    def _judge(self, window: Window, pane: Pane, output: Output) -> None:
        view, evidence = judge_window(
            self.readers[pane.reference],
            window,
            pane,
            self.progress.features,
            self.progress.incidents,
            not self.learning(window.version, pane.reference),
        )
        self.settlement.open(window, pane)
        self.progress.arbiter.note(evidence)
        self._show("window", self.windows, view)
        self.dirty.add(("ledger", window.version, window.start_ms))
        output.windows.append(view)
        output.readings.extend(view.readings)
        output.changes.extend(evidence.changes)
        self.progress.note(evidence.changes)

    def due(self) -> Due | None:
        """What performance can be settled now."""
        grid, since = self.spec.window.grid_ms, self.progress.boundary_ms
        until = self.progress.joint_ms // grid * grid
        if until <= since:
            return None
        # A window by row count is longer than a pane: its first predictions may lie before the last boundary.
        ended = [ledger.window for ledger in self.settlement.ledgers.values() if ledger.window.end_ms > since]
        joined = self.spec.labelled and (bool(ended) or self.progress.known_ms >= since)
        return Due(self.spec.name, min([since, *(window.start_ms for window in ended)]), until, joined)

    def settle(self, due: Due, matched: Matched | None) -> Output:
        """Settle every boundary up to `due.until_ms` in order: readings, verdicts, incidents, triggers."""
        windows = [ledger.window for ledger in self.settlement.ledgers.values()]
        since = self.progress.boundary_ms
        changes = Changes.none()
        if matched is not None:
            window_of = windows_of(matched, windows)
            changes, conflicts = changes_of(matched, window_of, windows, self.spec, since, due.until_ms)
            self.progress.count("matched", int(np.count_nonzero(changes.removed < 0)))
            self.progress.count("conflict", conflicts)
        layouts = {version: reference.layout.outcome for version, reference in self.references.items()}
        output = Output()
        labelled_ms = np.unique(changes.boundary_ms)
        boundary = self.settlement.boundary(labelled_ms, since)
        while boundary is not None and boundary <= due.until_ms:
            touched: set[Window] = set()
            if matched is not None:
                touched = self.settlement.apply(changes.at(boundary), windows, layouts, matched.pairs)
            self._settle_boundary(boundary, touched, output)
            boundary = self.settlement.boundary(labelled_ms, boundary)
        self.progress.boundary_ms = due.until_ms
        self._trim("performance", self.performance)
        return output

    def _settle_boundary(self, boundary_ms: int, touched: set[Window], output: Output) -> None:
        for ledger, verdict in self.settlement.due(boundary_ms, touched):
            self._read_performance(ledger, verdict, output)
        labels = self.settlement.labels
        arbiter = self.progress.arbiter
        triggers = arbiter.arbitrate(boundary_ms, self.spec.retrain, labels, self.spec.labelled)
        output.triggers.extend(triggers)
        for trigger in triggers:
            self.progress.decide(trigger)
        self.progress.triggers = [*self.progress.triggers, *triggers][-VIEWS_MAX:]
        # At every boundary, not once a step: what is forgotten no longer counts among the labels.
        for version, start in self.settlement.forget(boundary_ms):
            self.dirty.add(("ledger", version, start))

    def _read_performance(self, ledger: Ledger, verdict: bool, output: Output) -> None:
        window = ledger.window
        self.dirty.add(("ledger", window.version, window.start_ms))
        if not self.spec.labelled:
            self.settlement.drop(window.version, window.start_ms)
            return
        self.settlement.read(ledger, verdict)
        reader = PerformanceReader(self.spec, self.references[ledger.reference])
        view = reader.read(ledger, self.settlement.span(ledger, reader.layout), ledger.settled or verdict)
        self._show("performance", self.performance, view)
        output.performance.append(view)
        output.readings.extend(view.readings)
        # A window that had to wait for its labels must not overrule what newer ones have said since.
        newest = window.end_ms > self.progress.judged.get(window.version, NEVER)
        if verdict and newest and not self.learning(window.version, ledger.reference):
            self.progress.judged[window.version] = window.end_ms
            evidence = reader.judge(view, ledger, self.progress.incidents)
            if evidence is not None:
                self.progress.arbiter.note(evidence)
                output.changes.extend(evidence.changes)
                self.progress.note(evidence.changes)

    def _show(self, kind: str, views: dict[tuple[str, int], V], view: V) -> None:
        version, end_ms = view.window.version, view.window.end_ms
        views[(version, end_ms)] = view
        self.dirty.add((kind, version, end_ms))

    def _trim(self, kind: str, views: dict[tuple[str, int], V]) -> None:
        """Show no more than the newest VIEWS_MAX."""
        for view in sorted(views.values(), key=lambda each: each.window)[:-VIEWS_MAX]:
            del views[(view.window.version, view.window.end_ms)]
            self.dirty.add((kind, view.window.version, view.window.end_ms))

    def _boundary_after(self, time_ms: int) -> int:
        """The first boundary at which what is known since `time_ms` counts."""
        grid = self.spec.window.grid_ms
        return NEVER if time_ms == NEVER else (time_ms // grid + 1) * grid
