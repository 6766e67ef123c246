"""One model: its events in, its windows, verdicts, incidents and triggers out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.engine import strays
from monitor.engine.control import Closed, Note
from monitor.engine.intake import Earlier, Judged, Result, by_pane, judge_predictions, known_labels
from monitor.engine.kept import Kept
from monitor.engine.labels import Due
from monitor.engine.ledger import Ledger
from monitor.engine.maker import Maker
from monitor.engine.memory import Memory
from monitor.engine.output import Output
from monitor.engine.pane import OTHER, Pane, fold_parts, surplus
from monitor.engine.performance import carried
from monitor.engine.progress import Progress
from monitor.engine.references import References
from monitor.engine.retirement import gone, retire, retire_performance
from monitor.engine.settlement import Changes, Settlement, changes_of, windows_of
from monitor.engine.shown import Shown
from monitor.engine.spans import Span, Totals
from monitor.engine.watching import Watching
from monitor.errors import StateError
from monitor.events.batch import BatchEnd, Labels, Matched, Predictions
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView, WindowView
from monitor.spec import ModelSpec
from monitor.statistics.reading import Reading
from monitor.windows.seen import Seen
from monitor.windows.streams import FOREVER, NEVER, Now, Streams
from monitor.windows.window import Place, Window

READ_AT_ONCE = 16
"""Windows that are read together: enough to share the cost of a call, few enough to stay in the processor's cache."""
T = TypeVar("T")


class ModelMonitor:
    """One model's part of the `Monitor`; the same rules hold: no I/O, no clock."""

    def __init__(self, spec: ModelSpec, references: Mapping[str, Reference]) -> None:
        """references: compiled ones by version, oldest first; none where one is to be made of what arrives."""
        self.spec = spec
        self.references = References(spec, references)
        batch = spec.arrival == "batch"
        self.progress = Progress(Streams(spec.lateness_ms, batch), Streams(spec.lateness_ms), spec.window)
        self.settlement = Settlement(spec.performance, spec.window.grid_ms)
        self.panes: dict[tuple[int, str], Pane] = {}
        self.gathered: dict[str, tuple[int, Pane]] = {}
        self.seen: dict[int, Seen] = {}
        self.watching = Watching(spec, self.references)
        self.maker = Maker(spec, self.references, Memory(spec))
        self.dirty: set[tuple[str, str, int]] = set()
        self.windows: Shown[WindowView] = Shown("window", self.dirty)
        self.performance: Shown[PerformanceView] = Shown("performance", self.dirty)
        self.notes: list[Note] = []
        self.saved: bytes | None = None

    def expect(self, predictions: Iterable[Place], labels: Iterable[Place], now: Now) -> None:
        """Count on these partitions of the prediction and label topics."""
        self.progress.predictions.expect(predictions, now.steady_ms, self.progress.closed_ms)
        if self.spec.labelled:
            self.progress.labels.expect(labels, now.steady_ms, self.progress.joint_ms)

    def noted(self) -> list[Note]:
        """What the clock decided since the last call."""
        notes, self.notes = self.notes, []
        return notes

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

    def ingest(self, batch: Predictions, ends: Sequence[BatchEnd], earlier: Earlier, now: Now) -> Judged:
        """Judge predictions and fold those that are accepted."""
        place_rows = {(batch.origin.topic, int(number)) for number in np.unique(batch.origin.partition)}
        places = place_rows | {(batch.origin.topic, end.partition) for end in ends}
        self.progress.predictions.expect(places, now.steady_ms, self.progress.closed_ms)
        judged = judge_predictions(self.spec, self.progress.predictions, self.seen, batch, ends, earlier, now)
        self.notes += judged.notes
        accepted = np.flatnonzero(judged.result == Result.ACCEPTED)
        if len(accepted):
            rows = batch.take(accepted) if len(accepted) < len(batch) else batch
            self._fold(rows, judged.window_end_ms[accepted])
            self.progress.predict(rows)
        return judged

    def _fold(self, rows: Predictions, window_end_ms: NDArray[np.int64]) -> None:
        """Add accepted rows to the panes of their versions, which are made, or joined where they are too many."""
        rows, places, starts = by_pane(rows, window_end_ms)
        shared = surplus({*self.panes, *places}, self.references)
        for end, version in sorted(shared & self.panes.keys()):
            pane, other = self._pane(end, version), self._pane(end, OTHER)
            if pane.reference == other.reference:
                self.panes[(end, OTHER)] = other.merge(self.panes.pop((end, version)))
            else:  # It was opened before the newest reference was registered, and ends under the older one.
                shared.discard((end, version))
        panes = [self._pane(end, OTHER if (end, version) in shared else version) for end, version in places]
        fold_parts(panes, rows, starts, self.references)

    def _pane(self, end_ms: int, version: str) -> Pane:
        """The open pane of a version, about to change."""
        self.dirty.add(("pane", version, end_ms))
        if (end_ms, version) not in self.panes:
            start_ms = end_ms - self.spec.window.grid_ms
            self.panes[(end_ms, version)] = self.maker.empty(version, start_ms)
        return self.panes[(end_ms, version)]

    def ingest_labels(self, batch: Labels, now: Now) -> tuple[Judged, NDArray[np.int64]]:
        """Judge labels, and int64[n]: when each counts from."""
        places = {(batch.origin.topic, int(number)) for number in np.unique(batch.origin.partition)}
        self.progress.labels.expect(places, now.steady_ms, self.progress.joint_ms)
        judged, known = known_labels(self.spec, self.progress.labels, batch, now)
        self.notes += judged.notes
        accepted = known[judged.result == Result.ACCEPTED]
        if len(accepted) and self.spec.labelled:
            self.progress.known_ms = max(self.progress.known_ms, int(accepted.max()))
            self.progress.label_flow.arrive(accepted, self.spec.window.grid_ms)
        return judged, known

    def advance(self, caught_up: Mapping[Place, int], now: Now) -> Output:
        """Move the watermarks on, and close and evaluate every window they have passed.

        caught_up: steady clock, by partition, up to which all that arrived was read; absent where that is not known.
        """
        progress = self.progress
        for streams in (progress.predictions, progress.labels):
            streams.rest(caught_up, self.spec.idle_after_ms)
        # By the clock that is further behind: one that was just set on must not close what is still to come.
        ahead_ms = max(0, now.steady_ms - now.wall_ms)
        predicted, labelled = (each.joint(caught_up, ahead_ms) for each in (progress.predictions, progress.labels))
        if predicted is None:
            closed, joint = self._by_clock(caught_up, labelled, ahead_ms)
            if closed > progress.closed_ms or joint > progress.joint_ms:
                self.notes.append(Closed(self.spec.name, closed, joint))
            return self._advance_to(closed, joint)
        return self._advance_to(predicted, predicted if labelled is None else min(predicted, labelled))

    def _by_clock(self, caught_up: Mapping[Place, int], labelled_ms: int | None, ahead_ms: int) -> tuple[int, int]:
        """Both watermarks where all predictions are idle: the clock closes what is open, and no more, so that a pause
        in a back-fill loses nothing. labelled_ms: the labels' watermark, None where they are idle too.
        """
        progress, after = self.progress, self.spec.lateness_ms + self.spec.idle_after_ms + ahead_ms
        # Only a boundary can close anything, so that a clock that has passed none changes nothing.
        grid = self.spec.window.grid_ms
        quiet_ms = (progress.predictions.confirmed(caught_up) - after) // grid * grid
        open_until = max((end for end, _ in self.panes), default=NEVER)
        closed = max(progress.closed_ms, min(quiet_ms, open_until))
        if not self.spec.labelled:
            return closed, closed
        if labelled_ms is None:
            quiet_ms = min(quiet_ms, (progress.labels.confirmed(caught_up) - after) // grid * grid)
            joint = max(closed, min(quiet_ms, self._boundary_after(progress.known_ms)))
        else:
            joint = (labelled_ms if closed >= open_until else min(closed, labelled_ms)) // grid * grid
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
        for part in _parts(self._closed(), 1 if self.maker.singly else READ_AT_ONCE):
            self._judge(part, output)
        self.windows.trim(self.watching.states)
        return output

    def _closed(self) -> Iterator[tuple[Window, Pane]]:
        """The windows that have ended, in order, each with what it holds."""
        for end, version in sorted(key for key in self.panes if key[0] <= self.progress.closed_ms):
            self.dirty.add(("pane", version, end))
            pane = self.maker.counted(version, end - self.spec.window.grid_ms, self.panes.pop((end, version)))
            yield from self._close(end, version, pane)

    def _close(self, end_ms: int, version: str, pane: Pane) -> Iterator[tuple[Window, Pane]]:
        start_ms = end_ms - self.spec.window.grid_ms
        if self.spec.window.unit == "rows":
            self.dirty.add(("gathered", version, 0))
            if version in self.gathered:
                before_ms, before = self.gathered.pop(version)
                if before.reference == pane.reference:
                    start_ms, pane = before_ms, before.merge(pane)
                else:
                    # A new reference begins with a new window, so this one ends short.
                    yield Window(start_ms, self.spec.name, version, "", before_ms), before
            if pane.profile.rows < self.spec.window.size:
                self.gathered[version] = (start_ms, pane)
                return
        yield Window(end_ms, self.spec.name, version, "", start_ms), pane

    def _judge(self, closed: Sequence[tuple[Window, Pane]], output: Output) -> None:
        """Evaluate windows in their order; those with one reference are read together."""
        standards = [self.maker.compared(window, pane) for window, pane in closed]
        read: dict[Window, list[Reading]] = {}
        for standard in set(standards):
            mine = [each for each, other in zip(closed, standards, strict=True) if other is standard]
            found = standard.drift.read([(window, pane.profile) for window, pane in mine])
            read |= zip((window for window, _ in mine), found, strict=True)
        for (window, pane), standard in zip(closed, standards, strict=True):
            retire(self, window, pane.reference, output)
            verdicts, evidence = self.watching.judge(window, pane, standard, read[window], self.progress.incidents)
            own = self.references.owns(window.version, pane.reference)
            reader = self.references[pane.reference].performance.estimates
            estimates, ignored = reader.read(window, pane.profile.scores, own), self.spec.ignored(window)
            profile = evidence[0].profile
            held = (pane.profile.rows, pane.offsets, profile)
            view = WindowView.of(window, *held, tuple(read[window]), verdicts, estimates, ignored)
            self.settlement.open(window, pane, profile, ignored)
            self.windows.show(view)
            self.dirty.add(("ledger", window.version, window.start_ms))
            output.windows.append(view)
            output.kept += Kept.of(window, pane, standard)
            output.skews += self.watching.measured()
            output.readings.extend((*view.readings, *view.estimates))
            for each in evidence:
                if each.cause == "drift" or each.changes:
                    self.progress.arbiter.note(each)
                output.changes.extend(each.changes)
                self.progress.note(each.changes)
            if self.maker.take(window, pane):
                self.dirty |= {("pane", version, end) for end, version in self.maker.trim(self.panes)}
        self._touch()

    def _touch(self) -> None:
        """What the parts have changed is to be saved."""
        for touched in (self.watching.touched, self.maker.touched):
            self.dirty |= touched
            touched.clear()

    def tidy_references(self) -> None:
        """Forget those that were replaced and that nothing is counted under any more."""
        if len(self.references.made) > 1:
            panes = [*self.panes.values(), *(pane for _, pane in self.gathered.values()), *self.maker.recent.values()]
            used = {pane.reference for pane in panes} | {each.reference for each in self.settlement.ledgers.values()}
            self.maker.drop(used, self.progress.closed_ms)
        self._touch()

    def due(self) -> Due | None:
        """What performance can be settled now."""
        grid, since = self.spec.window.grid_ms, self.progress.boundary_ms
        until = self.progress.joint_ms // grid * grid
        if until <= since:
            return None
        # A window by row count is longer than a pane: its first predictions may lie before the last boundary.
        ended = [ledger.window for ledger in self.settlement.ledgers.values() if ledger.window.end_ms > since]
        return Due(self.spec.name, min([since, *(window.start_ms for window in ended)]), until, self.spec.labelled)

    def settle(self, due: Due, matched: Matched | None) -> Output:
        """Settle every boundary up to `due.until_ms` in order: readings, verdicts, incidents, triggers."""
        windows = [ledger.window for ledger in self.settlement.ledgers.values()]
        since = self.progress.boundary_ms
        changes, output = Changes.none(), Output()
        if matched is not None:
            window_of = windows_of(matched, windows)
            changes, conflicts = changes_of(matched, window_of, windows, self.spec, since, due.until_ms)
            first = changes.added[changes.removed < 0]
            self.progress.count("matched", len(first))
            self.progress.label_flow.match(matched.label_time_ms[first] - matched.time_ms[first])
            self.progress.count("conflict", conflicts)
            waiting, expired = self.progress.label_flow.settle(matched, self.spec, since, due.until_ms)
            self.progress.count("waiting", waiting)
            self.progress.count("expired", expired)
            output.changes += strays.judge(self.progress, self.spec, windows, due.until_ms)
        layouts = {key: standard.reference.layout.outcome for key, standard in self.references.items()}
        topic = min((topic for topic, _ in self.progress.labels.streams), default="")
        labelled_ms = np.unique(changes.boundary_ms)
        boundary = self.settlement.boundary(labelled_ms, since)
        while boundary is not None and boundary <= due.until_ms:
            touched: set[Window] = set()
            if matched is not None:
                touched, unknown = self.settlement.apply(changes.at(boundary), windows, layouts, matched, topic)
                self.progress.count("unknown", unknown)
            self._settle_boundary(boundary, touched, output)
            boundary = self.settlement.boundary(labelled_ms, boundary)
        self.progress.boundary_ms = due.until_ms
        self.performance.trim()
        return output

    def _settle_boundary(self, boundary_ms: int, touched: set[Window], output: Output) -> None:
        totals = Totals(self.settlement.between)
        for ledger, span, verdict in self.settlement.due(boundary_ms, touched):
            self._read_performance(ledger, span, verdict, totals, boundary_ms, output)
        retire_performance(self, boundary_ms, output)
        output.begin(self.progress.decide(boundary_ms, self.spec, self.settlement))
        # At every boundary: what is forgotten no longer counts.
        for version, start in self.settlement.forget(boundary_ms):
            self.dirty.add(("ledger", version, start))
        self.progress.judged = self.settlement.held(self.progress.judged)
        self.maker.settle(boundary_ms, self.settlement)
        self.tidy_references()

    def _read_performance(
        self, ledger: Ledger, span: Span, verdict: bool, totals: Totals, boundary_ms: int, output: Output
    ) -> None:
        window = ledger.window
        self.dirty.add(("ledger", window.version, window.start_ms))
        if not self.spec.labelled:
            self.settlement.drop(window.version, window.start_ms)
            return
        self.settlement.read(ledger, span, verdict)
        reader = self.references[ledger.reference].performance
        # A window that had to wait for its labels must not overrule newer ones.
        newest = window.end_ms > self.progress.judged.get(window.version, NEVER)
        own = self.references.owns(window.version, ledger.reference)
        # What was accepted as a new normal is not held against the old one, however late its labels come.
        left = gone(self, window.version, boundary_ms)
        past = left or ledger.ignored or self.references.leaving(window.version, window.start_ms)
        judged = verdict and newest and own and not past
        before = self.performance.get((window.version, window.end_ms))
        view = reader.read(ledger, span, totals.of(ledger, span, reader.layout), ledger.settled or verdict, own)
        view = reader.follow(view, span, ledger, self.progress.followed) if judged else carried(view, before)
        if not left:
            self.performance.show(view)
        output.performance.append(view)
        output.readings.extend(view.readings)
        if judged:
            self.progress.judged[window.version] = window.end_ms
            evidence = reader.judge(view, ledger, self.progress.followed[window.version], self.progress.incidents)
            if evidence is not None:
                self.progress.arbiter.note(evidence)
                output.changes.extend(evidence.changes)
                self.progress.note(evidence.changes)

    def _boundary_after(self, time_ms: int) -> int:
        """The first boundary at which what is known since `time_ms` counts."""
        grid = self.spec.window.grid_ms
        return NEVER if time_ms == NEVER else (time_ms // grid + 1) * grid


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Successive parts of at most `size`."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part
