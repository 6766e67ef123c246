"""The span of a window: the fewest whole windows up to it that hold enough labels; where all that there are hold too
few, the window alone.

A later window's span never begins before an earlier one's of the same reference, so the spans of windows in a row are
found, and what they hold added up, by taking each window in once and letting it go once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.engine.ledger import Alike, Ledger, unpacked, unpacked_scores
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.predicted import PredictedScores
from monitor.spec import PerformanceSpec
from monitor.windows.window import Window


@dataclass(frozen=True, slots=True)
class Span:
    """The windows that one is judged by: those that start in [start_ms, window.start_ms], and their labels together.

    enough: whether they hold as many labels as a figure needs; it is the window alone where even all could not. least:
    labels of the rarest class; all of them where there are no classes.
    """

    window: Window
    start_ms: int
    labels: int
    coverage: float
    enough: bool
    least: int


def enough(rules: PerformanceSpec, labels: int, by_class: Mapping[str, int]) -> bool:
    """Whether a figure may be read of so many labels."""
    return labels >= rules.labels_min and all(rows >= rules.class_min for rows in by_class.values())


@dataclass(slots=True)
class Sweep:
    """The fewest windows up to the newest one that hold enough labels, or all that may be taken in, oldest first."""

    rules: PerformanceSpec
    members: deque[Ledger] = field(default_factory=deque)
    labels: int = 0
    predicted: int = 0
    by_class: Counter[str] = field(default_factory=Counter)

    @property
    def newest(self) -> Ledger:
        return self.members[-1]

    @property
    def start_ms(self) -> int:
        return self.members[0].window.start_ms

    @property
    def enough(self) -> bool:
        return enough(self.rules, self.labels, self.by_class)

    def extend(self, older: Ledger) -> None:
        """Take in the window before the oldest."""
        self.members.appendleft(older)
        self._count(older, 1)

    def add(self, newer: Ledger) -> None:
        """Come to a later window, and let go of what its span no longer needs."""
        self.members.append(newer)
        self._count(newer, 1)
        earliest = newer.window.end_ms - self.rules.span_max_ms
        while len(self.members) > 1:
            oldest = self.members[0]
            self._count(oldest, -1)
            if oldest.window.start_ms >= earliest and not self.enough:
                self._count(oldest, 1)
                break
            self.members.popleft()

    def span(self) -> Span:
        """The newest window's."""
        ledger = self.newest
        if not self.enough:
            least = min(ledger.by_class.values(), default=ledger.labels)
            return Span(ledger.window, ledger.window.start_ms, ledger.labels, ledger.coverage, False, least)
        coverage = min(1.0, self.labels / self.predicted) if self.predicted else 0.0
        least = min(self.by_class.values(), default=self.labels)
        return Span(ledger.window, self.start_ms, self.labels, coverage, True, least)

    def _count(self, ledger: Ledger, sign: int) -> None:
        self.labels += sign * ledger.labels
        self.predicted += sign * ledger.predicted
        for name, rows in ledger.by_class.items():
            self.by_class[name] += sign * rows


def reaches(sweep: Sweep, touched: list[int]) -> bool:
    """Whether the newest window's span holds a touched one, or did when it was last read. touched: starts, in order.

    Labels that come to a window, or change, never alter whether the fewest windows that hold enough reach back to it:
    they reach it exactly where the untouched ones behind it hold too few.
    """
    own = sweep.newest.window.start_ms
    last = touched[bisect_right(touched, own) - 1]
    return last == own or (last >= sweep.start_ms and (sweep.enough or sweep.newest.enough))


class Total(NamedTuple):
    """What all windows of a span hold together: of labelled predictions, and of all of them."""

    outcome: Outcome
    scores: PredictedScores


class Totals:
    """What spans hold, to be asked for in order of their windows: each is made from the one before it."""

    def __init__(self, between: Callable[[str, Alike, int, int], Iterator[Ledger]]) -> None:
        """between: like windows of a version that start in [since, until)."""
        self._between = between
        self._last: dict[tuple[str, Alike], tuple[Span, Total]] = {}

    def of(self, ledger: Ledger, span: Span, layout: OutcomeLayout) -> Total:
        """Of all windows of a span."""
        if span.start_ms == ledger.window.start_ms:
            return Total(unpacked(layout, ledger.outcome), unpacked_scores(ledger.scores))
        key = (ledger.window.version, ledger.alike)
        last = self._last.get(key)
        if last is None or last[0].window.start_ms < span.start_ms:
            outcome, scores, added_ms = Outcome.empty(layout), PredictedScores(), span.start_ms
        else:
            before, (outcome, scores) = last
            added_ms = before.window.start_ms + 1
            for member in self._between(*key, before.start_ms, span.start_ms):
                scores = scores.without(unpacked_scores(member.scores))
                if member.outcome:
                    outcome = outcome.without(unpacked(layout, member.outcome))
        for member in self._between(*key, added_ms, ledger.window.start_ms + 1):
            scores = scores.merge(unpacked_scores(member.scores))
            if member.outcome:
                outcome = outcome.merge(unpacked(layout, member.outcome))
        self._last[key] = (span, Total(outcome, scores))
        return Total(outcome, scores)
