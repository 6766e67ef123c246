"""Performance of a model's windows, settled at the boundaries that predictions and labels have both reached.

A window gets one verdict: at the first boundary with enough labels, or when it has waited long enough. Labels that
come later revise its reading and raise nothing. What a label changes is an exact integer retraction and addition, so
the figures are those of one pass over all labels known before the boundary.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import Trigger
from monitor.engine.ledger import Alike, Ledger, packed_scores, unpacked
from monitor.engine.pane import Pane
from monitor.engine.spans import Span, Sweep, reaches
from monitor.events.batch import Matched
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import unknown
from monitor.spec import ModelSpec, PerformanceSpec
from monitor.windows.streams import NEVER
from monitor.windows.window import Window, reaching_rows

COVERAGE = 0.8
"""Share of a window's predictions that must be labelled before it is judged early."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What matched labels change, n rows: from `boundary_ms` (int64, ascending) on, in the window of index `window`
    (intp), pair `added` counts and pair `removed` no longer does (intp, -1: none).
    """

    boundary_ms: NDArray[np.int64]
    window: NDArray[np.intp]
    added: NDArray[np.intp]
    removed: NDArray[np.intp]

    @classmethod
    def none(cls) -> Changes:
        empty = np.empty(0, dtype=np.intp)
        return cls(empty, empty, empty, empty)

    def at(self, boundary_ms: int) -> Changes:
        rows = slice(*np.searchsorted(self.boundary_ms, [boundary_ms, boundary_ms + 1]))
        return Changes(self.boundary_ms[rows], self.window[rows], self.added[rows], self.removed[rows])


@dataclass(slots=True)
class Settlement:
    """The windows of one model whose performance can still change, by (version, start).

    Windows of a version do not overlap, so in order of their starts their ends are in order too, and what a boundary
    has to look at is found without a walk over all of them.
    """

    spec: PerformanceSpec
    grid_ms: int
    ledgers: dict[tuple[str, int], Ledger] = field(default_factory=dict)
    _starts: dict[str, list[int]] = field(default_factory=dict)
    _waiting: dict[str, list[int]] = field(default_factory=dict)
    _joined: int = 0
    _newest_ms: tuple[int, int] = (NEVER, NEVER)

    def open(self, window: Window, pane: Pane, profile: str, ignored: str) -> None:
        """A window has closed: its labels count from now on. profile, ignored: as of `Ledger`."""
        rows, scores = pane.profile.rows, packed_scores(pane.profile.scores)
        self.hold(
            Ledger(window, rows, pane.reference, offsets=pane.offsets, profile=profile, scores=scores, ignored=ignored)
        )

    def hold(self, ledger: Ledger) -> None:
        """Take in a window that has closed, or that was saved."""
        version, start = ledger.window.version, ledger.window.start_ms
        self.ledgers[(version, start)] = ledger
        insort(self._starts.setdefault(version, []), start)
        if not ledger.settled:
            insort(self._waiting.setdefault(version, []), start)
        self._joined += ledger.labels

    def drop(self, version: str, start_ms: int) -> None:
        """Forget a window."""
        self._joined -= self.ledgers.pop((version, start_ms)).labels
        _discard(self._starts, version, start_ms)
        _discard(self._waiting, version, start_ms)

    def held(self, by_version: Mapping[str, int]) -> dict[str, int]:
        """The entries of versions of which any window is held: the others have nothing left to be judged."""
        return {version: entry for version, entry in by_version.items() if version in self._starts}

    def boundary(self, labelled_ms: NDArray[np.int64], after_ms: int) -> int | None:
        """The first boundary after `after_ms` at which a window ends or waits no longer, or a label begins to count.

        labelled_ms: the boundaries of the last kind. To be asked anew after each boundary: a window that has had its
        verdict waits no longer, whether or not the two lie in one step.
        """
        found = labelled_ms[labelled_ms > after_ms].tolist()
        for version, starts in self._starts.items():
            ends = (self.ledgers[(version, start)].window.end_ms for start in starts[_before(starts, after_ms) :])
            found += islice((end for end in ends if end > after_ms), 1)
        for version, waiting in self._waiting.items():
            deadlines = (self._deadline(self.ledgers[(version, start)].window) for start in waiting)
            found += islice((deadline for deadline in deadlines if deadline > after_ms), 1)
        return min(found, default=None)

    def apply(
        self,
        changes: Changes,
        windows: list[Window],
        layouts: Mapping[str, OutcomeLayout],
        matched: Matched,
        topic: str,
    ) -> tuple[set[Window], int]:
        """Count the changes of one boundary; the windows that were touched, and how many of the labels that came name
        no class of their model.

        layouts: by version of the reference. topic: of the labels.
        """
        touched = np.unique(changes.window).tolist()
        foreign = 0
        for index in touched:
            window = windows[index]
            mine = changes.window == index
            added, removed = changes.added[mine], changes.removed[mine]
            key = (window.version, window.start_ms)
            layout = layouts[self.ledgers[key].reference]
            self._joined -= self.ledgers[key].labels
            outcome = unpacked(layout, self.ledgers[key].outcome)
            outcome.fold(layout, matched.pairs.take(added))
            foreign += int(unknown(layout, matched.pairs.take(added)).sum())
            outcome.retract(layout, matched.pairs.take(removed[removed >= 0]))
            partition, offset = matched.label_partition[added], matched.label_offset[added]
            offsets = reaching_rows(self.ledgers[key].label_offsets, topic, partition, offset)
            self.ledgers[key] = self.ledgers[key].holding(layout, outcome, offsets)
            self._joined += outcome.rows
        return {windows[index] for index in touched}, foreign

    def due(self, boundary_ms: int, touched: set[Window]) -> list[tuple[Ledger, Span, bool]]:
        """Windows to be read at a boundary, in order, each with its span and whether it gets its verdict now.

        Those that end here, those whose labels or whose span's labels have changed, and those that wait no longer.
        """
        spans = self._spanning(boundary_ms, touched)
        for version, start in {*self._ending(boundary_ms), *self._overdue(boundary_ms)} - spans.keys():
            spans[version, start] = self._sweep(self.ledgers[version, start]).span()
        found = [(self.ledgers[key], span) for key, span in spans.items()]
        found.sort(key=lambda each: each[0].window)
        return [(ledger, span, self._ready(ledger, span, boundary_ms)) for ledger, span in found]

    def _ending(self, boundary_ms: int) -> Iterator[tuple[str, int]]:
        for version, starts in self._starts.items():
            last = bisect_left(starts, boundary_ms) - 1
            if last >= 0 and self.ledgers[(version, starts[last])].window.end_ms == boundary_ms:
                yield version, starts[last]

    def _overdue(self, boundary_ms: int) -> Iterator[tuple[str, int]]:
        for version, waiting in self._waiting.items():
            for start in waiting:
                if self._deadline(self.ledgers[(version, start)].window) > boundary_ms:
                    break
                yield version, start

    def _spanning(self, boundary_ms: int, touched: set[Window]) -> dict[tuple[str, int], Span]:
        """The windows that have ended whose span holds a touched one, now or when they were last read."""
        found: dict[tuple[str, int], Span] = {}
        changed: dict[tuple[str, Alike], list[int]] = {}
        for window in sorted(touched):
            alike = self.ledgers[(window.version, window.start_ms)].alike
            changed.setdefault((window.version, alike), []).append(window.start_ms)
        for (version, alike), starts in changed.items():
            sweep = self._sweep(self.ledgers[(version, starts[0])])
            for ledger in self.between(version, alike, starts[0], boundary_ms):
                if ledger.window.start_ms > starts[0]:
                    sweep.add(ledger)
                if ledger.window.end_ms > boundary_ms or sweep.start_ms > starts[-1]:
                    break
                if reaches(sweep, starts):
                    found[(version, ledger.window.start_ms)] = sweep.span()
        return found

    def between(self, version: str, alike: Alike, since_ms: int, until_ms: int) -> Iterator[Ledger]:
        """Windows that start in [since_ms, until_ms) and may share a span, in order."""
        starts = self._starts.get(version, [])
        for place in range(bisect_left(starts, since_ms), bisect_left(starts, until_ms)):
            ledger = self.ledgers[(version, starts[place])]
            if ledger.alike == alike:
                yield ledger

    def newest(self, version: str, boundary_ms: int) -> Window | None:
        """The newest window of a version that ends by a boundary, where one is held."""
        starts = self._starts.get(version, [])
        for place in range(bisect_left(starts, boundary_ms) - 1, -1, -1):
            window = self.ledgers[(version, starts[place])].window
            if window.end_ms <= boundary_ms:
                return window
        return None

    def newest_ms(self, boundary_ms: int) -> int:
        """End of the newest window of any version that ends by a boundary."""
        if self._newest_ms[0] != boundary_ms:
            found = (self.newest(version, boundary_ms) for version in self._starts)
            ends = [window.end_ms for window in found if window is not None]
            self._newest_ms = boundary_ms, max(ends, default=boundary_ms)
        return self._newest_ms[1]

    def read(self, ledger: Ledger, span: Span, verdict: bool) -> None:
        """A window's reading has been given, and its verdict where there was one."""
        version, start = ledger.window.version, ledger.window.start_ms
        settled = ledger.settled or verdict
        self.ledgers[(version, start)] = replace(
            ledger, revision=ledger.revision + 1, settled=settled, enough=span.enough
        )
        if settled:
            _discard(self._waiting, version, start)

    def completed(self, trigger: Trigger, labels_min: int) -> Trigger:
        """A trigger with where the labels of its window lie, and a training window.

        That begins with the change, or as many whole windows earlier as it takes to hold `labels_min` labels, of all
        versions together; where they are fewer, with the earliest window that has any.
        """
        ledger = self.ledgers.get((trigger.window.version, trigger.window.start_ms))
        start_ms, end_ms = trigger.training_ms
        counted = [each for each in self.ledgers.values() if each.labels and each.window.end_ms <= end_ms]
        labels = 0
        for each in sorted(counted, key=lambda each: each.window.start_ms, reverse=True):
            if labels >= labels_min and each.window.start_ms < start_ms:
                break
            labels += each.labels
            start_ms = min(start_ms, each.window.start_ms)
        return replace(trigger, label_offsets=ledger.label_offsets if ledger else {}, training_ms=(start_ms, end_ms))

    @property
    def labels(self) -> int:
        """Labels joined so far: a window counts none before it has ended."""
        return self._joined

    def changeable(self, boundary_ms: int) -> list[Window]:
        """The windows that a label may still change after a boundary."""
        earliest = boundary_ms - self.spec.wait_ms
        return [ledger.window for ledger in self.ledgers.values() if ledger.window.end_ms >= earliest]

    def forget(self, boundary_ms: int) -> list[tuple[str, int]]:
        """Drop the windows that neither a label nor the span of one that a label may change can reach; their keys."""
        bound = boundary_ms - self.spec.wait_ms - self.spec.span_max_ms - 2 * self.grid_ms
        old = [key for key, ledger in self.ledgers.items() if ledger.settled and ledger.window.end_ms < bound]
        for version, start in old:
            self.drop(version, start)
        return old

    def _deadline(self, window: Window) -> int:
        return -(-(window.end_ms + self.spec.wait_ms) // self.grid_ms) * self.grid_ms

    def _ready(self, ledger: Ledger, span: Span, boundary_ms: int) -> bool:
        if ledger.settled:
            return False
        return boundary_ms >= self._deadline(ledger.window) or (ledger.coverage >= COVERAGE and span.enough)

    def _sweep(self, ledger: Ledger) -> Sweep:
        """A sweep that has come to a window."""
        version, starts = ledger.window.version, self._starts[ledger.window.version]
        earliest = ledger.window.end_ms - self.spec.span_max_ms
        sweep = Sweep(self.spec)
        for place in range(bisect_left(starts, ledger.window.start_ms), -1, -1):
            member = self.ledgers[(version, starts[place])]
            if sweep.members and (sweep.enough or member.window.start_ms < earliest):
                break
            if member.alike == ledger.alike:
                sweep.extend(member)
        return sweep


def _before(starts: list[int], time_ms: int) -> int:
    """Place of the last window that starts at or before a time; 0 where none does."""
    return max(bisect_right(starts, time_ms) - 1, 0)


def _discard(windows: dict[str, list[int]], version: str, start_ms: int) -> None:
    """Take a window out; a version without any leaves nothing behind."""
    starts = windows.get(version, [])
    place = bisect_left(starts, start_ms)
    if place < len(starts) and starts[place] == start_ms:
        del starts[place]
    if version in windows and not starts:
        del windows[version]


def windows_of(matched: Matched, windows: list[Window]) -> NDArray[np.intp]:
    """intp[n]: index into `windows` of the closed window that each matched prediction fell into, or -1."""
    found = np.full(len(matched), -1, dtype=np.intp)
    for code, version in enumerate(matched.version.values):
        rows = np.flatnonzero(matched.version.codes == code)
        mine = sorted(
            (window.start_ms, window.end_ms, index) for index, window in enumerate(windows) if window.version == version
        )
        if len(rows) and mine:
            start, end, index = np.array(mine, dtype=np.int64).T
            place = np.searchsorted(start, matched.time_ms[rows], side="right") - 1
            inside = (place >= 0) & (matched.time_ms[rows] < end[place])
            found[rows[inside]] = index[place[inside]]
    return found


def changes_of(
    matched: Matched, window_of: NDArray[np.intp], windows: list[Window], spec: ModelSpec, since_ms: int, until_ms: int
) -> tuple[Changes, int]:
    """What the matched labels change at boundaries after `since_ms` up to `until_ms`, and how many ids had their first
    conflict there.

    window_of: intp[n], each row's index into `windows`, or -1 where its window is not closed. A label counts from the
    first boundary after it became known, and not at all once its window has waited for it, or where it came so early
    that it was not to be kept. Among those that count the one of the latest (event time, digest) is the label.
    """
    grid_ms = spec.window.grid_ms
    ends = np.array([window.end_ms for window in windows] + [0], dtype=np.int64)[window_of]
    boundary = np.maximum(ends, (matched.known_ms // grid_ms + 1) * grid_ms)
    in_time = (ends - spec.retention_ms <= matched.known_ms) & (matched.known_ms <= ends + spec.performance.wait_ms)
    # A row window may have closed and yet end after the last boundary that labels have reached.
    rows = np.flatnonzero((window_of >= 0) & in_time & (boundary <= until_ms))
    rows = rows[np.lexsort((matched.key[rows], matched.version.codes[rows]))]
    key, version = matched.key[rows], matched.version.codes[rows]
    starts = np.flatnonzero(np.r_[True, (key[1:] != key[:-1]) | (version[1:] != version[:-1])][: len(rows)])
    sizes = np.diff(np.r_[starts, len(rows)])
    single = rows[starts[sizes == 1]]
    single = single[boundary[single] > since_ms]
    added, removed = [single], [np.full(len(single), -1)]
    conflicts = 0
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        group = rows[start : start + size]
        conflicts += _conflicting(matched, group) and not _conflicting(matched, group[boundary[group] <= since_ms])
        pairs = _succession(matched, group, boundary, since_ms)
        added.append(np.array([new for new, _ in pairs], dtype=np.intp))
        removed.append(np.array([old for _, old in pairs], dtype=np.intp))
    new, old = np.concatenate(added), np.concatenate(removed)
    order = np.argsort(boundary[new], kind="stable")
    new, old = new[order], old[order]
    return Changes(boundary[new], window_of[new], new, old), conflicts


def _succession(
    matched: Matched, group: NDArray[np.int64], boundary: NDArray[np.int64], since_ms: int
) -> list[tuple[int, int]]:
    """Which label replaces which (-1: none) after `since_ms`, for one prediction with several."""
    changes = []
    current = -1
    for at in np.unique(boundary[group]).tolist():
        known = group[boundary[group] <= at].tolist()
        latest = max(known, key=lambda row: (matched.label_time_ms[row], matched.label_digest[row]))
        if latest != current and at > since_ms:
            changes.append((latest, current))
        current = latest
    return changes


def _conflicting(matched: Matched, group: NDArray[np.int64]) -> bool:
    """Whether partitions disagree on one id's label: its producer does not key by id."""
    differ = len(np.unique(matched.label_digest[group])) > 1
    return differ and len(np.unique(matched.label_partition[group])) > 1
