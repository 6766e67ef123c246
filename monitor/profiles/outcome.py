"""Summary of how predictions compare with their labels, in integers: any order, any split and any correction agree.

Every real is rounded once, row by row, to a multiple of 2**-20; every sum is then a sum of integers. A summary is
an element of a group: folding a pair and retracting it leaves exactly what was there, so a corrected label costs one
retraction and one fold. A row without a decision or a score still counts as labelled, and in what it has.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import PRESENT, CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome_summaries import (
    ROWS_MAX,
    BinaryOutcome,
    Counts,
    Moments,
    MulticlassOutcome,
    RegressionOutcome,
    Summary,
    values_of,
)
from monitor.profiles.tally import tally

_KINDS: Mapping[str, Callable[..., Summary]] = {
    "binary": BinaryOutcome,
    "multiclass": MulticlassOutcome,
    "regression": RegressionOutcome,
}


@dataclass(slots=True)
class Outcome:
    """A mutable holder of one immutable summary."""

    summary: Summary

    @classmethod
    def empty(cls, layout: OutcomeLayout) -> Outcome:
        """Of no pairs: the identity of `merge`."""
        return cls(_nothing(layout))

    @property
    def rows(self) -> int:
        """Labelled pairs, whether or not they have a prediction or a score."""
        return self.summary.rows

    def fold(self, layout: OutcomeLayout, pairs: Pairs) -> None:
        """Add pairs. Folding parts in any order and any split gives the same bits as folding the whole."""
        self._apply(operator.add, layout, pairs)

    def retract(self, layout: OutcomeLayout, pairs: Pairs) -> None:
        """Take pairs out that were folded before, here or in a part merged since: fold's exact inverse."""
        self._apply(operator.sub, layout, pairs)

    def merge(self, other: Outcome) -> Outcome:
        """The outcome of both outcomes' pairs; the two stay as they are."""
        return Outcome(_combine(operator.add, self.summary, other.summary))

    def without(self, other: Outcome) -> Outcome:
        """What is left of an outcome that another was merged into, without that one; the two stay as they are."""
        return Outcome(_combine(operator.sub, self.summary, other.summary))

    def _apply(self, sign: Callable[[Any, Any], Any], layout: OutcomeLayout, pairs: Pairs) -> None:
        counted = labelled(layout, pairs)
        if not counted.all():
            pairs = pairs.take(counted)
        for start in range(0, len(pairs), ROWS_MAX):
            part = pairs.take(np.arange(start, min(start + ROWS_MAX, len(pairs))))
            self.summary = _combine(sign, self.summary, tally(layout, part))

    def plain(self) -> list[Any]:
        kind = next(kind for kind, cls in _KINDS.items() if type(self.summary) is cls)
        return [kind, *(_plain(value) for value in values_of(self.summary))]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> Outcome:
        kind, *values = plain
        return cls(_KINDS[kind](*(_of_plain(value) for value in values)))


def labelled(layout: OutcomeLayout, pairs: Pairs) -> NDArray[np.bool_]:
    """bool[n]: rows whose label counts."""
    label = pairs.label
    given: NDArray[np.bool_] = label.codes >= 0 if isinstance(label, CategoricalColumn) else label.state == PRESENT
    return given & ~unknown(layout, pairs) if layout.task == "binary" else given


def unknown(layout: OutcomeLayout, pairs: Pairs) -> NDArray[np.bool_]:
    """bool[n]: labels that name no class of the model, where two of its classes or more are known. A binary task takes
    these for no label, as they are no more of its negative class than of its positive; with more classes they are
    wrong.
    """
    label = pairs.label
    if len(layout.classes) < 2 or not isinstance(label, CategoricalColumn):
        return np.zeros(len(pairs), dtype=np.bool_)
    foreign = [value not in layout.classes for value in label.values]
    return np.array([*foreign, False, False], dtype=np.bool_)[label.codes]


@lru_cache(maxsize=64)  # A summary is immutable, and every window begins with this one.
def _nothing(layout: OutcomeLayout) -> Summary:
    numbers = NumericColumn(np.empty(0), np.empty(0, dtype=np.uint8))
    classes = CategoricalColumn(np.empty(0, dtype=np.int32), ())
    return tally(layout, Pairs(None, {}, numbers if layout.task == "regression" else classes))


def _combine(sign: Callable[[Any, Any], Any], one: Summary, other: Summary) -> Summary:
    ours, theirs = values_of(one), values_of(other)
    if type(one) is not type(other) or any(
        isinstance(mine, np.ndarray) and mine.shape != value.shape for mine, value in zip(ours, theirs, strict=True)
    ):
        raise LayoutMismatchError("cannot combine outcomes of different tasks or classes")
    return type(one)(*map(sign, ours, theirs))


def _plain(value: int | Moments | Counts) -> Any:
    if isinstance(value, int):
        return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if isinstance(value, Moments):
        return [_plain(part) for part in values_of(value)]
    return {"shape": list(value.shape), "data": value.tobytes()}


def _of_plain(plain: Any) -> int | Moments | Counts:
    if isinstance(plain, bytes):
        return int.from_bytes(plain, "little", signed=True)
    if isinstance(plain, list):
        return Moments(*(int.from_bytes(part, "little", signed=True) for part in plain))
    return np.frombuffer(plain["data"], dtype="<i8").reshape(plain["shape"]).copy()
