"""One version's features and outputs under watch: their streams, what is usual for them, and what a window says.

Each feature is four streams: its values in decision cells; and the shares of its rows that are missing, of the wrong
type, and never seen (out of the reference's range, or of no category of it). The last three are causes in the data:
they alarm in one window. Values never seen are none while the others have changed by at least as much: a real shift
takes some values beyond what was known, and that is to be learned, not to be repaired. A change of unit is a cause in
the data, too: it is what a numeric feature's values that moved, or left the range, are put down to where it explains
them.

A feature in a segment is four streams more. Segments share cells with whole traffic, and have what is usual of their
own; of a change of unit, and of how features go together, only whole traffic is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from monitor.detection.attribution import moved
from monitor.detection.baseline import learn
from monitor.detection.correlation import Correlations
from monitor.detection.detector import Detector
from monitor.detection.faults import Converted, Share, Wrong, shares_of, usual_shares
from monitor.detection.limits import judged, share_limits, told_of, value_limits
from monitor.detection.past import coverage, places, told_by, usual
from monitor.detection.records import Aspect, Moved
from monitor.detection.sensitivity import Detectable, sensitivity, smallest_shares
from monitor.detection.streams import Judged, StreamState
from monitor.detection.subject import Subject
from monitor.detection.units import Conversion, Seen, Units
from monitor.detection.volume import VolumeState
from monitor.events.batch import CORRELATION, SCORE
from monitor.profiles.decision import CELLS, DecisionCells
from monitor.profiles.history import History
from monitor.profiles.layout import NumericLayout
from monitor.profiles.reference import Reference
from monitor.profiles.segments import NONE, ROWS_MIN, Segments
from monitor.profiles.together import Together
from monitor.spec import HOUR_MS, ModelSpec
from monitor.windows.season import days, week_hours
from monitor.windows.window import Window

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class WatchState:
    """What is remembered of one version. tested_ms: int64[S], end of the newest window that held enough rows to test a
    subject's values; paired_ms: of the newest that tested a pair. end_ms: of its newest window. reference: digest of
    the one in whose cells it was counted. units: by feature, the change of unit that it is found to have. wrong: by
    subject, what was wrong with its data in the newest window that was judged. volume: how many rows came.
    """

    values: StreamState
    shares: StreamState
    pairs: StreamState
    tested_ms: Counts
    paired_ms: int = -1
    end_ms: int = 0
    reference: str = ""
    units: dict[str, Conversion] = field(default_factory=dict)
    wrong: dict[str, tuple[Aspect, ...]] = field(default_factory=dict)
    volume: VolumeState = field(default_factory=VolumeState)

    @property
    def drifting(self) -> bool:
        """Whether anything is."""
        return any(streams.drifting.any() for streams in (self.values, self.shares, self.pairs))

    def forget(self, which: NDArray[np.bool_], pairs: NDArray[np.bool_]) -> None:
        """Begin anew with some subjects, and with some pairs."""
        self.values.forget(which)
        self.shares.forget(np.tile(which, 3))
        self.pairs.forget(pairs)
        self.tested_ms[which] = -1


@dataclass(frozen=True, slots=True)
class Findings:
    """What one window says, subjects in the order of the watch. known: whether windows like it are known. wrong: by
    subject, what is not as it should be; moved: by subject that drifts, the cells that did. A feature whose unit
    changed does not drift. pairs: how features go together; the pairs that changed are what moved of CORRELATION.
    """

    values: Judged
    shares: Judged
    pairs: Judged
    known: bool
    wrong: Mapping[str, tuple[Wrong, ...]]
    moved: Mapping[str, tuple[Moved, ...]]


class Watch:
    """Judges the windows of one version; what it remembers is the caller's `WatchState`."""

    @classmethod
    def of(cls, spec: ModelSpec, reference: Reference) -> Watch:
        """Against a compiled reference."""
        segmented = reference.segments_of(spec.segments, spec.segments_max)
        segments = NONE if segmented is None else segmented.segments
        return cls(spec, reference.cells, *reference.streams(segmented), segments)

    def __init__(
        self,
        spec: ModelSpec,
        cells: DecisionCells,
        total: Counts,
        history: History | None,
        segments: Segments = NONE,
    ) -> None:
        """total: int64[S, WIDTH], the tally of the whole reference, of all features in whole traffic and then in each
        segment; history: how its rows came.
        """
        layouts = cells.layout.features
        self.subjects = tuple(Subject(name) for name in layouts) + tuple(
            Subject(name, segment, own=name == column)
            for segment, column in zip(segments.names, segments.columns, strict=True)
            for name in layouts
        )
        self.names = tuple(each.name for each in self.subjects)
        self._watched = {each for each in self.subjects if judged(spec, each)}
        self.features, self.segments = len(layouts), segments.names
        self._spec = spec
        self._cells = cells
        of_layout = np.array([isinstance(part, NumericLayout) for part in layouts.values()], dtype=np.bool_)
        self._numeric = numeric = np.tile(of_layout, 1 + len(segments))
        self._aspects: list[tuple[Aspect, ...]] = [
            ("missing", "invalid", "out of range" if is_numeric else "unseen") for is_numeric in numeric
        ]
        past = told_by(history, spec)
        tallies = np.zeros((0, *total.shape), dtype=np.int64) if past is None else past.tallies
        hours, dates = places(past, spec)
        self._covered = coverage(past, spec, hours)
        streams = len(self.names)
        values = usual(total[:, :CELLS], numeric, tallies[:, :, :CELLS], hours, dates, self.features)
        # What no row of a reference was cannot be learned from its own windows: their rows made the cells.
        past_shares = shares_of(tallies)
        past_shares[:, 2 * streams :] = 0
        shares = learn(usual_shares(total, numeric), np.ones(3 * streams, dtype=np.bool_), past_shares, hours, dates)
        # How alike rows of one window are, its values within the range tell: a slow sensor leaves it with many at once.
        alike = np.concatenate([np.zeros((2, 1, 2 * streams)), values.rho.max(axis=1, keepdims=True) * numeric], axis=2)
        shares = replace(shares, rho=np.maximum(shares.rho, alike))
        rows = total.sum(axis=1)
        whole = np.maximum(np.tile(rows[: self.features], 1 + len(segments)), 1)
        usable = total[:, :CELLS].sum(axis=1)
        self.share = rows / whole
        """float64[S]: share of the reference's rows that are of the subject's segment; 1 of whole traffic."""
        self.usable = usable / whole
        """float64[S]: the same, of those alone that have a value it knows."""
        parts = np.arange(streams) >= self.features
        self.testable = ~parts | ((usable >= ROWS_MIN) & (values.groupings.cells[0] > 1))
        """bool[S]: false of a segment's feature of which the reference has too few rows, or a single cell."""
        limits = value_limits(spec, self.subjects, self.testable)
        self.tolerance = dict(zip(self.names, limits.tolerance.tolist(), strict=True))
        self.values = Detector(values, limits)
        self.shares = Detector(shares, share_limits(spec, self.subjects, ~parts | (rows >= ROWS_MIN)))
        together = Together.of(cells.layout)
        pairs = np.zeros((0, *together.none.shape), dtype=np.int64) if past is None else past.pairs
        self.pairs = Correlations(spec, together, pairs, hours, dates)
        self.tolerance[CORRELATION] = spec.alarms.tolerance
        with_unit = [
            told_of(spec, each.feature).monitor != "off" and each.feature != SCORE and not each.segment
            for each in self.subjects
        ]
        self._units = Units(cells, values, numeric & np.array(with_unit, dtype=np.bool_))
        self._by_size: dict[int, dict[str, Detectable | None]] = {}

    def facing(self, total: Counts, pairs: Counts, windows: float, days: float) -> Watch:
        """A watch that compares with other rows, int64[S, WIDTH] in the same cells and int64[P, 2], of so many windows
        and days, whatever the hour.
        """
        other = copy(self)
        other.values = self.values.facing(total[:, :CELLS], windows, days)
        other.shares = self.shares.facing(usual_shares(total, self._numeric), windows, days)
        other.pairs = self.pairs.facing(pairs, windows, days)
        other._covered = np.ones_like(self._covered)
        return other

    def watches(self, subject: Subject) -> bool:
        """Whether its distribution is to be judged."""
        return subject in self._watched

    @property
    def complete(self) -> bool:
        """Whether windows of every hour of the week are known."""
        return bool(self._covered.all())

    @property
    def knows_some(self) -> bool:
        """Whether windows of some hour of the week are known."""
        return bool(self._covered.any())

    @property
    def unknown_hours(self) -> Counts:
        """int64[n]: the hours of the week of which no like windows are known."""
        return np.flatnonzero(~self._covered).astype(np.int64)

    def detectable(self, rows: float, scale: int = 0, *, independent: bool = False) -> dict[str, Detectable | None]:
        """The smallest change that windows of `rows` rows would show, by subject that is judged; None where it cannot
        be tested. scale: 1 for days of so many rows. independent: if rows were, so that nothing is lost to rho.
        """
        detector = self.values
        if independent:
            baseline = replace(detector.baseline, rho=np.zeros_like(detector.baseline.rho))
            detector = Detector(baseline, detector.limits)
        found = sensitivity(detector, scale, rows * self.usable)
        return {
            subject.name: each if testable else None
            for subject, each, testable in zip(self.subjects, found, self.testable.tolist(), strict=True)
            if self.watches(subject)
        }

    def smallest_shares(self, rows: float) -> dict[str, tuple[float, float]]:
        """Of each subject, the smallest shares of a window of `rows` rows that alarm at once: of rows without a value,
        and of values never seen; NaN where none does.
        """
        held = np.concatenate([rows * self.share, rows * self.share, np.maximum(rows * self.usable, 1.0)])
        missing, _, unusual = smallest_shares(self.shares, held).reshape(3, -1).tolist()
        return dict(zip(self.names, zip(missing, unusual, strict=True), strict=True))

    def detectable_about(self, rows: float) -> Mapping[str, Detectable | None]:
        """The same of windows of about so many rows, if anything a little more: worked out once for each size that the
        detector tells apart.
        """
        size = math.floor(2.0 * math.log2(max(rows, 1.0)))
        if size not in self._by_size:
            self._by_size[size] = self.detectable(2.0 ** (size / 2.0))
        return self._by_size[size]

    def blank(self) -> WatchState:
        """The state of a version of which nothing has been seen."""
        streams = len(self.names)
        untested = np.full(streams, -1, dtype=np.int64)
        pairs = StreamState.empty(len(self.pairs.together.pairs), 2)
        return WatchState(StreamState.empty(streams, CELLS), StreamState.empty(3 * streams, 2), pairs, untested)

    def knows(self, window: Window) -> bool:
        """Whether the baseline was learned from windows like this one."""
        if not self._spec.window.timed or self._spec.alarms.learning_ms == 0:
            return True
        first = int(week_hours([window.start_ms], self._spec.timezone)[0])
        hours = -(-(window.end_ms - window.start_ms) // HOUR_MS)
        return bool(self._covered[(first + np.arange(min(hours, len(self._covered)))) % len(self._covered)].all())

    def judge(
        self,
        state: WatchState,
        window: Window,
        tally: Counts,
        versions: int = 1,
        seen: Callable[[str], Seen] | None = None,
        paired: Counts | None = None,
    ) -> Findings:
        """One more window of the version, in their order. tally: int64[S, WIDTH]. versions: how many of the
        model share its budget now. seen: a numeric feature's values; without it no unit is asked about. paired:
        int64[P, 2], as of `Together`; without it nothing is known of how features go together.
        """
        state.end_ms = window.end_ms
        by_clock = self._spec.window.timed
        hour = int(week_hours([window.start_ms], self._spec.timezone)[0]) if by_clock else 0
        day = int(days([window.start_ms], self._spec.timezone)[0]) if by_clock else 0
        known, when = self.knows(window), (window.start_ms, hour, day)
        quiet = ~state.values.drifting & ~state.shares.drifting[2 * len(self.names) :]
        units, unclear = self._units.find(state.units, quiet, tally, hour, seen)
        values = self.values.judge(
            state.values,
            tally[:, :CELLS].astype(np.float64),
            *when,
            known=known,
            versions=versions,
            explained=np.array([name in units for name in self.names], dtype=np.bool_),
            unclear=unclear,
        )
        counts = shares_of(tally[None])[0].astype(np.float64)
        unclear = np.pad(unclear, (2 * len(unclear), 0))  # Of values never seen.
        # A cause in the data is one whatever the hour: it does not wait until the seasons are known.
        shares = self.shares.judge(state.shares, counts, *when, known=True, versions=versions, unclear=unclear)
        values.untestable |= ~self.testable
        state.tested_ms[values.tested] = window.end_ms
        wrong = self._wrong(values, shares, counts, hour)
        wrong |= self._keep_units(state, units, values, shares, wrong)
        state.wrong = {name: tuple(each.aspect for each in found) for name, found in wrong.items()}
        moved = self._moved(values, tally, hour)
        # A feature that broke or changed has been told of: its pairs have to wait. Not where only a segment shows it.
        told = {*wrong, *(self.names[place] for place in np.flatnonzero(values.drifting).tolist())}
        paired = self.pairs.together.none if paired is None else paired
        pairs, changed = self.pairs.judge(state.pairs, paired, *when, known=known, versions=versions, explained=told)
        if pairs.tested.any():
            state.paired_ms = window.end_ms
        return Findings(values, shares, pairs, known, wrong, moved | ({CORRELATION: changed} if changed else {}))

    def ignore(self, state: WatchState, versions: int = 1) -> Findings:
        """A window that is not judged: what stood before it stands, and it says nothing else."""
        values, shares = self.values.unjudged(state.values, versions), self.shares.unjudged(state.shares, versions)
        values.untestable |= ~self.testable
        return Findings(values, shares, self.pairs.detector.unjudged(state.pairs, versions), True, {}, {})

    def _keep_units(
        self,
        state: WatchState,
        units: Mapping[str, Conversion],
        values: Judged,
        shares: Judged,
        wrong: Mapping[str, tuple[Wrong, ...]],
    ) -> dict[str, tuple[Wrong, ...]]:
        """Put what was found down to the changes of unit that explain it: it is no drift then, nor out of range."""
        found: dict[str, tuple[Wrong, ...]] = {}
        streams, state.units = len(self.names), {}
        for name, change in units.items():
            place = self.names.index(name)
            unseen = 2 * streams + place
            if not values.drifting[place] and not shares.drifting[unseen]:
                continue
            effect = float(np.nanmax([values.effect[place], shares.effect[unseen], 0.0]))
            others = [each for each in wrong.get(name, ()) if each.aspect != "out of range"]
            onset = values.onset_ms[place] if values.drifting[place] else shares.onset_ms[unseen]
            found[name] = (*others, Converted("unit", change, effect, int(onset)))
            state.units[name] = change
            values.drifting[place] = False
        return found

    def _moved(self, judged: Judged, tally: Counts, hour: int) -> dict[str, tuple[Moved, ...]]:
        usual, cells = self.values.baseline.at(hour)[0], self._cells
        found = {}
        for place in np.flatnonzero(judged.drifting).tolist():
            subject, counts = self.subjects[place], tally[place, :CELLS].astype(np.float64)
            name = subject.feature
            found[subject.name] = moved(cells.layout.features[name], cells.groups[name], usual[place], counts)
        return found

    def _wrong(self, values: Judged, judged: Judged, counts: Floats, hour: int) -> dict[str, tuple[Wrong, ...]]:
        usual = self.shares.baseline.at(hour)[0][:, 0]
        found: dict[str, tuple[Wrong, ...]] = {}
        for stream in np.flatnonzero(judged.drifting & ~self._shifted(values, judged)).tolist():
            kind, place = divmod(stream, len(self.names))
            bad, good = counts[stream]
            effect = judged.effect[stream]
            share = Share(
                self._aspects[place][kind],
                bad / max(bad + good, 1.0),
                float(usual[stream]),
                0.0 if np.isnan(effect) else float(effect),
                int(judged.onset_ms[stream]),
            )
            found[self.names[place]] = (*found.get(self.names[place], ()), share)
        return found

    def _shifted(self, values: Judged, shares: Judged) -> NDArray[np.bool_]:
        """bool[3 F]: shares of values never seen that go with a shift of the others, as far as one can be seen."""
        streams = len(self.names)
        unusual = shares.effect[2 * streams :]
        unseen = np.isnan(values.effect) | np.isnan(unusual)
        with_others = np.where(unseen, values.drifting, values.effect >= unusual)
        return np.concatenate([np.zeros(2 * streams, dtype=np.bool_), with_others])
