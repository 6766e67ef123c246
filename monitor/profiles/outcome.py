"""Summary of how predictions compare with their labels, in integers: any order, any split and any correction agree.

Every real is rounded once, row by row, to a multiple of 2**-20; every sum is then a sum of integers. A summary is
an element of a group: folding a pair and retracting it leaves exactly what was there, so a corrected label costs one
retraction and one fold. A row without a decision or a score still counts as labelled, and in what it has.

Memory: binary 33 kB; multiclass 4 kB a class (up to 50 classes) and 8 bytes a cell of the confusion matrix;
regression below 1 kB.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import PRESENT, CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout

UNIT = 1 << 20
"""Fixed point: an integer k means k / UNIT."""

SCORE_CELLS = 1024
"""Score cells of a binary task: (0, 1) in equal steps, between a cell of exactly 0 and one of exactly 1."""

CLASS_SCORE_CELLS = 256
"""Score cells of each class of a multiclass task, likewise between exactly 0 and exactly 1."""

RANKED_CLASSES_MAX = 50
"""Multiclass models with more classes keep no score cells, hence have no ROC AUC."""

PROBABILITY_MIN = 1e-15
"""Log loss takes a probability for no closer to 0 or 1 than this: a row loses at most 34.54 nats."""

_CLIP = float(1 << 32)  # 4096 once UNIT is taken out.
_ROWS_MAX = 1 << 20  # Below this many rows a float64 sum of integers of at most 2**32 is exact (2**52 < 2**53).

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Number, sum and sum of squares of fixed-point reals: `total` in 1 / UNIT, `square` in 1 / UNIT**2, exact."""

    rows: int = 0
    total: int = 0
    square: int = 0

    @classmethod
    def of(cls, fixed: Floats) -> Moments:
        """Of integer-valued fixed: float64[n], n <= 2**20, each at most 2**32 in size."""
        high = np.floor(fixed / 65536.0)
        low = fixed - high * 65536.0
        square = (int(high @ high) << 32) + (int(high @ low) << 17) + int(low @ low)
        return cls(len(fixed), int(fixed.sum()), square)

    @property
    def mean(self) -> float:
        """Of at least one row."""
        return self.total / (self.rows * UNIT)

    @property
    def mean_square(self) -> float:
        """Of at least one row."""
        return self.square / (self.rows * UNIT**2)

    @property
    def variance(self) -> float:
        """Population variance of at least one row; exactly 0.0 where all are equal, as integers cannot cancel."""
        return (self.rows * self.square - self.total**2) / (self.rows * UNIT) ** 2

    def __add__(self, other: Moments) -> Moments:
        return Moments(*map(operator.add, _values(self), _values(other)))

    def __sub__(self, other: Moments) -> Moments:
        return Moments(*map(operator.sub, _values(self), _values(other)))


@dataclass(frozen=True, slots=True, eq=False)
class BinaryOutcome:
    """Index 0 is the negative class (every class but the positive one), 1 the positive.

    labels: int64[2], labelled rows. confusion: int64[2, 2], label by decision, of rows that have a decision.
    counts: int64[2, SCORE_CELLS + 2], label by score cell; scores: likewise, sums of scores in 1 / UNIT.
    log_loss: nats. brier: squared distance of score and label.
    """

    labels: Counts
    confusion: Counts
    counts: Counts
    scores: Counts
    log_loss: Moments
    brier: Moments

    @property
    def rows(self) -> int:
        """Labelled pairs."""
        return int(self.labels.sum())

    @property
    def decided(self) -> int:
        """Rows with a decision: the event's, or of the score by the layout's threshold."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(self.confusion.trace())


@dataclass(frozen=True, slots=True, eq=False)
class MulticlassOutcome:
    """Of C classes in the layout's order; whatever the layout does not name shares one more index, C.

    labels: int64[C + 1], labelled rows. confusion: int64[C + 1, C + 1], label by prediction, of predicted rows.
    agreed: rows of the last diagonal cell whose label and prediction are the same class.
    counts: int64[C, 2, CLASS_SCORE_CELLS + 2]: per class, other label or this one, by its score's cell; int64[0, ...]
    beyond RANKED_CLASSES_MAX. log_loss: nats. brier: sum over the classes of squared distances, at most 2. A class
    outside the layout has probability 0.
    """

    labels: Counts
    confusion: Counts
    agreed: int
    counts: Counts
    log_loss: Moments
    brier: Moments

    @property
    def rows(self) -> int:
        """Labelled pairs."""
        return int(self.labels.sum())

    @property
    def decided(self) -> int:
        """Rows with a predicted class."""
        return int(self.confusion.sum())

    @property
    def hits(self) -> Counts:
        """int64[C + 1]: correct rows by class."""
        return np.append(self.confusion.diagonal()[:-1], self.agreed)

    @property
    def correct(self) -> int:
        return int(self.hits.sum())


@dataclass(frozen=True, slots=True, eq=False)
class RegressionOutcome:
    """Errors e = prediction - label and labels y, as e / scale and (y - centre) / scale, each clipped to +-4096.

    rows: labelled pairs. error, absolute, label: of e, |e| and y over rows with a prediction. relative: of |e| over
    the label's own size, clipped to 4096, left out where the label is 0. The rest are sums of products of fixed-point
    values (e^4, y^3, y^4, e^2 y, e^2 y^2), each rounded to a double row by row: only intervals use them.
    """

    rows: int
    error: Moments
    absolute: Moments
    relative: Moments
    label: Moments
    error_4: int
    label_3: int
    label_4: int
    error_2_label: int
    error_2_label_2: int


Summary = BinaryOutcome | MulticlassOutcome | RegressionOutcome
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
        label = pairs.label
        labelled = label.codes >= 0 if isinstance(label, CategoricalColumn) else label.state == PRESENT
        if not labelled.all():
            pairs = pairs.take(labelled)
        for start in range(0, len(pairs), _ROWS_MAX):
            part = pairs.take(np.arange(start, min(start + _ROWS_MAX, len(pairs))))
            self.summary = _combine(sign, self.summary, _tally(layout, part))

    def plain(self) -> list[Any]:
        kind = next(kind for kind, cls in _KINDS.items() if type(self.summary) is cls)
        return [kind, *(_plain(value) for value in _values(self.summary))]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> Outcome:
        kind, *values = plain
        return cls(_KINDS[kind](*(_of_plain(value) for value in values)))


@lru_cache(maxsize=64)  # A summary is immutable, and every window begins with this one.
def _nothing(layout: OutcomeLayout) -> Summary:
    numbers = NumericColumn(np.empty(0), np.empty(0, dtype=np.uint8))
    classes = CategoricalColumn(np.empty(0, dtype=np.int32), ())
    return _tally(layout, Pairs(None, {}, numbers if layout.task == "regression" else classes))


def _values(summary: Summary | Moments) -> list[Any]:
    return [getattr(summary, field.name) for field in fields(summary)]


def _combine(sign: Callable[[Any, Any], Any], one: Summary, other: Summary) -> Summary:
    ours, theirs = _values(one), _values(other)
    if type(one) is not type(other) or [np.shape(value) for value in ours] != [np.shape(value) for value in theirs]:
        raise LayoutMismatchError("cannot combine outcomes of different tasks or classes")
    return type(one)(*map(sign, ours, theirs))


def _plain(value: int | Moments | Counts) -> Any:
    if isinstance(value, int):
        return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if isinstance(value, Moments):
        return [_plain(part) for part in _values(value)]
    return {"shape": list(value.shape), "data": value.tobytes()}


def _of_plain(plain: Any) -> int | Moments | Counts:
    if isinstance(plain, bytes):
        return int.from_bytes(plain, "little", signed=True)
    if isinstance(plain, list):
        return Moments(*(int.from_bytes(part, "little", signed=True) for part in plain))
    return np.frombuffer(plain["data"], dtype="<i8").reshape(plain["shape"]).copy()


def _tally(layout: OutcomeLayout, pairs: Pairs) -> Summary:
    """The summary of at most _ROWS_MAX labelled pairs."""
    if layout.task == "binary":
        return _binary(layout, pairs)
    return _multiclass(layout, pairs) if layout.task == "multiclass" else _regression(layout, pairs)


def _binary(layout: OutcomeLayout, pairs: Pairs) -> BinaryOutcome:
    assert isinstance(pairs.label, CategoricalColumn)
    assert layout.positive is not None
    index = {layout.positive: 1}
    label = pairs.label.recode(index, other=0)
    scored = _usable(pairs.scores.get(layout.positive), len(label))
    score = pairs.scores[layout.positive].values[scored] if scored.any() else np.empty(0)
    decision = np.full(len(label), -1, dtype=np.int32)
    if layout.threshold is not None:
        decision[scored] = score >= layout.threshold
    if isinstance(pairs.prediction, CategoricalColumn):
        carried = pairs.prediction.recode(index, other=0)
        decision = np.where(carried >= 0, carried, decision)
    decided = decision >= 0
    truth = label[scored]
    cells = SCORE_CELLS + 2
    place = truth * cells + _cell(score, SCORE_CELLS)
    return BinaryOutcome(
        np.bincount(label, minlength=2),
        np.bincount(2 * label[decided] + decision[decided], minlength=4).reshape(2, 2),
        np.bincount(place, minlength=2 * cells).reshape(2, cells),
        np.bincount(place, weights=np.rint(score * UNIT), minlength=2 * cells).astype(np.int64).reshape(2, cells),
        Moments.of(_log_loss(np.where(truth == 1, score, 1.0 - score))),
        Moments.of(_fixed((score - truth) ** 2)),
    )


def _multiclass(layout: OutcomeLayout, pairs: Pairs) -> MulticlassOutcome:
    assert isinstance(pairs.label, CategoricalColumn)
    classes = len(layout.classes)
    index = {name: place for place, name in enumerate(layout.classes)}
    label = pairs.label.recode(index, other=classes)
    guess, agreed = np.full(len(label), -1, dtype=np.int32), 0
    if isinstance(pairs.prediction, CategoricalColumn):
        guess = pairs.prediction.recode(index, other=classes)
        same = pairs.prediction.recode({name: code for code, name in enumerate(pairs.label.values)})
        agreed = int(np.count_nonzero((same == pairs.label.codes) & (label == classes)))
    decided = guess >= 0
    width = classes + 1
    confusion = np.bincount(width * label[decided] + guess[decided], minlength=width**2)
    return MulticlassOutcome(
        np.bincount(label, minlength=width),
        confusion.reshape(width, width),
        agreed,
        *_class_scores(layout, pairs.scores, label),
    )


def _class_scores(
    layout: OutcomeLayout, scores: Mapping[str, NumericColumn], label: NDArray[np.int32]
) -> tuple[Counts, Moments, Moments]:
    """Score cells, log loss and Brier loss of the rows that have a usable score for every class."""
    cells = CLASS_SCORE_CELLS + 2
    ranked = len(layout.classes) if len(layout.classes) <= RANKED_CLASSES_MAX else 0
    counts = np.zeros((ranked, 2, cells), dtype=np.int64)
    scored = np.full(len(label), bool(layout.classes))
    for name in layout.classes:
        scored &= _usable(scores.get(name), len(label))
    if not scored.any():
        return counts, Moments(), Moments()
    truth = label[scored]
    given = np.zeros(len(truth))  # The probability that the true class was given.
    distance = (truth == len(layout.classes)).astype(np.float64)
    for place, name in enumerate(layout.classes):
        score, this = scores[name].values[scored], truth == place
        given[this] = score[this]
        distance += (score - this) ** 2
        if ranked:
            joint = this * cells + _cell(score, CLASS_SCORE_CELLS)
            counts[place] = np.bincount(joint, minlength=2 * cells).reshape(2, cells)
    return counts, Moments.of(_log_loss(given)), Moments.of(_fixed(distance))


def _regression(layout: OutcomeLayout, pairs: Pairs) -> RegressionOutcome:
    assert isinstance(pairs.label, NumericColumn)
    if not isinstance(pairs.prediction, NumericColumn):
        nothing = Moments()
        return RegressionOutcome(len(pairs), nothing, nothing, nothing, nothing, 0, 0, 0, 0, 0)
    compared = pairs.prediction.state == PRESENT
    actual = pairs.label.values[compared]
    with np.errstate(over="ignore"):  # An enormous value overflows to infinity and is clipped.
        difference = pairs.prediction.values[compared] - actual
        error = _fixed(difference / layout.scale)
        label = _fixed((actual - layout.centre) / layout.scale)
        relative = _fixed(np.abs(difference[actual != 0.0] / actual[actual != 0.0]))
    error_2, label_2 = error * error, label * label
    return RegressionOutcome(
        len(pairs),
        Moments.of(error),
        Moments.of(np.abs(error)),
        Moments.of(relative),
        Moments.of(label),
        _total(error_2 * error_2),
        _total(label_2 * label),
        _total(label_2 * label_2),
        _total(error_2 * label),
        _total(error_2 * label_2),
    )


def _usable(column: NumericColumn | None, rows: int) -> NDArray[np.bool_]:
    """bool[rows]: where there is a score and it can be a probability."""
    if column is None:
        return np.zeros(rows, dtype=np.bool_)
    usable: NDArray[np.bool_] = (column.state == PRESENT) & (column.values >= 0.0) & (column.values <= 1.0)
    return usable


def _cell(score: Floats, steps: int) -> NDArray[np.int64]:
    """int64[n]: 0 for exactly 0, 1 to `steps` between, steps + 1 for exactly 1."""
    return np.where(score == 0.0, 0, 1 + np.floor(score * steps)).astype(np.int64)


def _log_loss(given: Floats) -> Floats:
    """Fixed-point -ln of the probability given to the true class."""
    return _fixed(-np.log(np.clip(given, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)))


def _fixed(values: Floats) -> Floats:
    """Reals as integer-valued fixed point, clipped to 4096 in size."""
    return np.rint(np.clip(values * UNIT, -_CLIP, _CLIP))


def _total(values: Floats) -> int:
    """The exact sum of at most _ROWS_MAX integer-valued doubles of at most 2**128 in size."""
    total = 0
    for power in (96, 64, 32, 0):
        limb = np.trunc(np.ldexp(values, -power))
        values = values - np.ldexp(limb, power)
        total += int(limb.sum()) << power
    return total
