"""Features by windows, as far as they fit on a page: windows are put together in columns, the worst features stay."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import groupby
from threading import Lock
from typing import NamedTuple

from monitor.detection.records import Cause, Incident, State, Verdict
from monitor.detection.subject import Subject
from monitor.engine import Output
from monitor.snapshot import ModelView, WindowView
from monitor.spec import AlarmSpec
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

COLUMNS_MAX = 240
"""More windows than these are drawn several to a column, the worst of them."""

ROWS_MAX = 60
"""Features that are drawn, the worst ones."""

MADE_MAX = 64
"""Maps that are kept until windows close."""

STEPS = (0.5, 1.0, 2.0, 5.0, 12.5)
"""Effect over tolerance beyond which a cell has the next colour."""

CHANCE = 1e-4
"""p-value of no more than the tolerance, above which a window's change is put down to chance."""

_GRAVITY: Mapping[State, int] = {"drifting": 4, "watch": 3, "learning": 2, "ok": 1, "untestable": 0, "insufficient": 0}


@dataclass(frozen=True, slots=True)
class Cell:
    """The worst windows of a column. ratio: largest effect over tolerance, at most 1 of one that chance explains; None
    where none was tested. state: the gravest; data: whether a cause in the data was found.
    """

    ratio: float | None
    state: State
    data: bool

    @property
    def step(self) -> int | None:
        """Which of the colours it has: one more than there are `STEPS`."""
        return None if self.ratio is None else bisect_left(STEPS, self.ratio)


class Badness(NamedTuple):
    """Of the worst window: drifting is worse than watch, a data problem as bad, then by effect."""

    alarmed: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Row:
    """A feature of a version, in whole traffic or in a segment. cells: by column, None where it has no window."""

    version: str
    feature: str
    segment: str
    badness: Badness
    cells: tuple[Cell | None, ...]

    @property
    def name(self) -> str:
        return Subject(self.feature, self.segment).name


@dataclass(frozen=True, slots=True)
class Span:
    """An incident over columns, first to last; features in the order they joined. onset: the column in which its change
    is estimated to have begun.
    """

    cause: Cause
    severity: str
    onset: int
    first: int
    last: int
    version: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Performance at a column."""

    column: int
    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Heat:
    """columns: start and end of each; windows, per_column: how many in all, and in each. left_out: features that are
    not among the rows. performance: by version. ignored: name of an entry of the calendar, first and last column.
    """

    columns: tuple[tuple[int, int], ...]
    windows: int
    per_column: int
    rows: tuple[Row, ...]
    left_out: int
    incidents: tuple[Span, ...]
    performance: Mapping[str, tuple[Point, ...]]
    ignored: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Lived:
    """An incident as it is last known. onset_ms: when its change is estimated to have begun; ended: the window in which
    it was over.
    """

    incident: Incident
    onset_ms: int
    ended: Window | None


def of_outputs(outputs: Sequence[Output], alarms: AlarmSpec, metric: str) -> Heat:
    """Of a back-test. metric: whose performance is shown."""
    changes = [change for output in outputs for change in output.changes]
    changes.sort(key=lambda change: (change.incident.id, change.window))
    lived = []
    for _, steps in groupby(changes, key=lambda change: change.incident.id):
        known = list(steps)
        last = known[-1]
        lived.append(Lived(last.incident, known[0].onset_ms, last.window if last.event == "resolved" else None))
    views = [view for output in outputs for view in output.windows]
    settled = {view.window: view.readings for output in outputs for view in output.performance}
    return _heat(views, lived, settled, alarms, metric)


class Heats:
    """Of models' versions, each made once for the windows that are held then, at most one at a time: however many ask
    for a wide one, the loop has one thread beside it, and only after a window has closed. For any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: OrderedDict[tuple[str, str], tuple[object, Heat]] = OrderedDict()
        """By model and version, those asked for last behind the others."""

    def of(self, model: ModelView, version: str) -> Heat:
        """As far as its windows are held; incidents and performance are not among it."""
        views = [view for view in model.windows if view.window.version == version and not view.window.segment]
        # Not the views themselves: those of a version that is gone would be held for ever.
        seen = [(id(view), view.window) for view in views], model.alarms
        with self._lock:
            known = self._made.pop((model.name, version), None)
            if known is None or known[0] != seen:
                known = seen, _heat(views, (), {}, model.alarms, model.metric)
            self._made[model.name, version] = known
            if len(self._made) > MADE_MAX:
                self._made.popitem(last=False)
            return known[1]


def _heat(
    views: Sequence[WindowView],
    lived: Sequence[Lived],
    settled: Mapping[Window, Sequence[Reading]],
    alarms: AlarmSpec,
    metric: str,
) -> Heat:
    views = sorted(views, key=lambda view: view.window)
    spans = sorted({(view.window.end_ms, view.window.start_ms) for view in views})
    each = max(1, -(-len(spans) // COLUMNS_MAX))
    column_of = {span: place // each for place, span in enumerate(spans)}
    parts = [spans[first : first + each] for first in range(0, len(spans), each)]
    columns = tuple((part[0][1], part[-1][0]) for part in parts)
    rows, left_out = _rows(views, column_of, len(columns), alarms)
    incidents, performance = _incidents(lived, column_of, columns), _performance(settled, column_of, metric)
    ignored = {column_of[view.window.end_ms, view.window.start_ms]: view.ignored for view in views if view.ignored}
    return Heat(columns, len(spans), each, rows, left_out, incidents, performance, _runs(ignored))


def _runs(named: Mapping[int, str]) -> tuple[tuple[str, int, int], ...]:
    """Names of columns, in order, as (name, first, last) of neighbours that share one."""
    runs: list[tuple[str, int, int]] = []
    for column, name in named.items():
        joined = runs.pop() if runs and runs[-1][::2] == (name, column - 1) else (name, column, column)
        runs.append((name, joined[1], column))
    return tuple(runs)


_Place = tuple[str, str]
"""Version and segment."""


def _rows(
    views: Sequence[WindowView],
    column_of: Mapping[tuple[int, int], int],
    columns: int,
    alarms: AlarmSpec,
) -> tuple[tuple[Row, ...], int]:
    """The worst ones, the worst first, and how many others there are. Of segments only those in which something
    alarmed, or was about to. Of a million verdicts most make no cell: only rows that stay are given any.
    """
    parts: dict[_Place, list[WindowView]] = defaultdict(list)
    for part in (part for view in views for part in view.parts):
        parts[part.window.version, part.window.segment].append(part)
    found = [
        (badness, *place, feature)
        for place, mine in parts.items()
        for feature, badness in _worst(mine, alarms, only_alarmed=bool(place[1])).items()
    ]
    # A sentence on a single row that is left out would take as much room as that row.
    most = ROWS_MAX + (len(found) == ROWS_MAX + 1)
    worst = nsmallest(most, found, key=_order)
    kept: dict[_Place, dict[str, dict[int, list[Verdict]]]] = {}
    for _, version, segment, feature in worst:
        kept.setdefault((version, segment), {})[feature] = defaultdict(list)
    for place, features in kept.items():
        for part in parts[place]:
            column = column_of[part.window.end_ms, part.window.start_ms]
            for verdict in part.verdicts:
                if verdict.feature in features:
                    features[verdict.feature][column].append(verdict)
    rows = tuple(
        Row(version, feature, segment, badness, tuple(
            _cell(kept[version, segment][feature].get(column, ()), alarms.tolerance_of(feature))
            for column in range(columns)))
        for badness, version, segment, feature in worst
    )  # fmt: skip
    return rows, len(found) - len(rows)


def _order(found: tuple[Badness, str, str, str]) -> tuple[int, float, str, str]:
    """Sorts rows, the worst first."""
    (alarmed, ratio), version, segment, feature = found
    return -alarmed, -ratio, version, Subject(feature, segment).name


def _worst(parts: Sequence[WindowView], alarms: AlarmSpec, *, only_alarmed: bool) -> dict[str, Badness]:
    """Of each feature."""
    found: dict[str, Badness] = {}
    for part in parts:
        for verdict in part.verdicts:
            alarmed = 2 if verdict.wrong or verdict.state == "drifting" else int(verdict.state == "watch")
            if only_alarmed and not alarmed:
                continue
            feature = verdict.feature
            known = found.get(feature)
            if known is not None and alarmed < known.alarmed:
                continue
            ratio = 0.0 if verdict.effect is None else _ratio(verdict, alarms.tolerance_of(feature))
            if known is None or known < (alarmed, ratio):
                found[feature] = Badness(alarmed, ratio)
    return found


def _cell(verdicts: Sequence[Verdict], tolerance: float) -> Cell | None:
    if not verdicts:
        return None
    ratios = [_ratio(verdict, tolerance) for verdict in verdicts if verdict.effect is not None]
    # A feature is said to drift where its data is wrong, too: that has a mark of its own.
    states: list[State] = ["ok" if verdict.wrong else verdict.state for verdict in verdicts]
    return Cell(
        max(ratios, default=None),
        max(states, key=_GRAVITY.__getitem__),
        any(verdict.wrong for verdict in verdicts),
    )


def _ratio(verdict: Verdict, tolerance: float) -> float:
    assert verdict.effect is not None
    ratio = verdict.effect / tolerance
    explained = verdict.state != "drifting" and verdict.p_value is not None and verdict.p_value > CHANCE
    return min(ratio, 1.0) if explained else ratio


def _incidents(
    lived: Sequence[Lived], column_of: Mapping[tuple[int, int], int], columns: Sequence[tuple[int, int]]
) -> tuple[Span, ...]:
    starts = [start for start, _ in columns]
    spans = []
    for each in lived:
        opened, incident = each.incident.opened, each.incident
        first = column_of.get((opened.end_ms, opened.start_ms), 0)
        onset = min(max(bisect_right(starts, each.onset_ms) - 1, 0), first)
        end = len(columns) - 1
        if each.ended is not None:
            end = column_of.get((each.ended.end_ms, each.ended.start_ms), end)
        spans.append(Span(incident.cause, incident.severity, onset, first, end, opened.version, incident.features))
    return tuple(sorted(spans, key=lambda span: (span.cause, span.first, span.version)))


def _performance(
    settled: Mapping[Window, Sequence[Reading]], column_of: Mapping[tuple[int, int], int], metric: str
) -> dict[str, tuple[Point, ...]]:
    """The last revision of each window, the newest window of each column."""
    newest: dict[str, dict[int, Point]] = {}
    for window in sorted(settled):
        column = column_of.get((window.end_ms, window.start_ms))
        for reading in settled[window]:
            if reading.statistic == metric and reading.value is not None and column is not None:
                lower = reading.value if reading.lower is None else reading.lower
                upper = reading.value if reading.upper is None else reading.upper
                newest.setdefault(window.version, {})[column] = Point(column, reading.value, lower, upper)
    return {version: tuple(points.values()) for version, points in newest.items()}
