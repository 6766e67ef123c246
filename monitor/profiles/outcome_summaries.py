"""What is kept of predictions that have a label: integers alone, one kind of summary a task.

Memory: binary 33 kB; multiclass 4 kB a class (up to 50 classes) and 8 bytes a cell of the confusion matrix;
regression 1.2 kB.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT = 1 << 20
"""Fixed point: an integer k means k / UNIT."""

BINS = 15
"""Bins of equal width over the scores of a binary task, for its calibration (Guo et al. 2017)."""

RANKED_CLASSES_MAX = 50
"""Multiclass models with more classes keep no score cells, hence have no ROC AUC."""

ERROR_EDGES = np.unique(np.rint(2.0 ** (np.arange(129) / 4))).astype(np.int64)
"""int64[k]: where the cells of a regression's |e| begin, in 1 / UNIT of its scale: four an octave, from the least error
that is told apart from none to the largest. One more cell, the first, is of no error."""

PROBABILITY_MIN = 1e-15
"""Log loss takes a probability for no closer to 0 or 1 than this: a row loses at most 34.54 nats."""

ROWS_MAX = 1 << 20
"""Below this many rows a float64 sum of integers of at most 2**32 is exact (2**52 < 2**53)."""

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
        return Moments(*map(operator.add, values_of(self), values_of(other)))

    def __sub__(self, other: Moments) -> Moments:
        return Moments(*map(operator.sub, values_of(self), values_of(other)))


@dataclass(frozen=True, slots=True, eq=False)
class BinaryOutcome:
    """Index 0 is the negative class (every class but the positive one), 1 the positive.

    labels: int64[2], labelled rows. confusion: int64[2, 2], label by decision, of rows that have a decision.
    counts: int64[2, SCORE_CELLS.count + 2], label by score cell. bins: int64[3, 2, BINS], label by bin of score: rows,
    and in 1 / UNIT the distances of score and label and their squares (which are brier's). log_loss: nats.
    """

    labels: Counts
    confusion: Counts
    counts: Counts
    bins: Counts
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
    counts: int64[C, 2, CLASS_SCORE_CELLS.count + 2]: per class, other label or this one, by its score's cell; C is 0
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
    the label's own size, clipped to 4096, left out where the label is 0. sizes: int64[len(ERROR_EDGES) + 1], rows by
    cell of |e|; a file from before there were any has none. The rest are sums of products of fixed-point
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
    sizes: Counts = field(default_factory=lambda: np.zeros(len(ERROR_EDGES) + 1, dtype=np.int64))


Summary = BinaryOutcome | MulticlassOutcome | RegressionOutcome


def values_of(summary: Summary | Moments) -> list[Any]:
    """Its fields, in order."""
    return [getattr(summary, name) for name in type(summary).__slots__]
