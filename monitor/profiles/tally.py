"""From labelled pairs to the summary of their task: every real is rounded once, row by row, to a multiple of 2**-20."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import PRESENT, CategoricalColumn, Column, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome_summaries import (
    BINS,
    ERROR_EDGES,
    PROBABILITY_MIN,
    RANKED_CLASSES_MAX,
    UNIT,
    BinaryOutcome,
    Counts,
    Floats,
    Moments,
    MulticlassOutcome,
    RegressionOutcome,
    Summary,
)
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS

_CLIP = float(1 << 32)  # 4096 once UNIT is taken out.


def tally(layout: OutcomeLayout, pairs: Pairs) -> Summary:
    """The summary of at most ROWS_MAX labelled pairs."""
    if layout.task == "binary":
        return _binary(layout, pairs)
    return _multiclass(layout, pairs) if layout.task == "multiclass" else _regression(layout, pairs)


def _binary(layout: OutcomeLayout, pairs: Pairs) -> BinaryOutcome:
    assert isinstance(pairs.label, CategoricalColumn)
    assert layout.positive is not None
    label = pairs.label.recode({layout.positive: 1}, other=0)
    decision, scored = decisions(layout, pairs.prediction, pairs.scores, len(label))
    score = pairs.scores[layout.positive].values[scored] if scored.any() else np.empty(0)
    decided = decision >= 0
    truth = label[scored]
    cells = SCORE_CELLS.count + 2
    place = truth * cells + SCORE_CELLS.place(score)
    distance = np.abs(score - truth)
    square = _fixed(distance**2)
    return BinaryOutcome(
        np.bincount(label, minlength=2),
        np.bincount(2 * label[decided] + decision[decided], minlength=4).reshape(2, 2),
        np.bincount(place, minlength=2 * cells).reshape(2, cells),
        _bins(score, truth, _fixed(distance), square),
        Moments.of(_log_loss(np.where(truth == 1, score, 1.0 - score))),
        Moments.of(square),
    )


def decisions(
    layout: OutcomeLayout, prediction: Column | None, scores: Mapping[str, NumericColumn], rows: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Of a binary task, int32[rows]: 1 positive, 0 negative, -1 none; and bool[rows]: where there is a usable score.

    A decision is the event's own; where it has none, that of its score by the layout's threshold.
    """
    assert layout.positive is not None
    scored = usable_scores(scores.get(layout.positive), rows)
    decision = np.full(rows, -1, dtype=np.int32)
    if layout.threshold is not None and scored.any():
        decision[scored] = scores[layout.positive].values[scored] >= layout.threshold
    if isinstance(prediction, CategoricalColumn):
        carried = prediction.recode({layout.positive: 1}, other=0)
        decision = np.where(carried >= 0, carried, decision)
    return decision, scored


def _bins(score: Floats, truth: NDArray[np.int32], *sums: Floats) -> Counts:
    """int64[1 + len(sums), 2, BINS]: rows, then sums, of each label by bin."""
    place = truth * BINS + np.minimum(score * BINS, BINS - 1).astype(np.int64)
    each = [np.bincount(place, weights, 2 * BINS) for weights in (None, *sums)]
    return np.array(each).astype(np.int64).reshape(-1, 2, BINS)


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
    cells = CLASS_SCORE_CELLS.count + 2
    ranked = len(layout.classes) if len(layout.classes) <= RANKED_CLASSES_MAX else 0
    counts = np.zeros((ranked, 2, cells), dtype=np.int64)
    scored = np.full(len(label), bool(layout.classes))
    for name in layout.classes:
        scored &= usable_scores(scores.get(name), len(label))
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
            joint = this * cells + CLASS_SCORE_CELLS.place(score)
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
        _sizes(np.abs(error)),
    )


def _sizes(absolute: Floats) -> Counts:
    """int64[len(ERROR_EDGES) + 1]: rows by size of their error in fixed point."""
    return np.bincount(np.searchsorted(ERROR_EDGES, absolute, side="right"), minlength=len(ERROR_EDGES) + 1)


def usable_scores(column: NumericColumn | None, rows: int) -> NDArray[np.bool_]:
    """bool[rows]: where there is a score and it can be a probability."""
    if column is None:
        return np.zeros(rows, dtype=np.bool_)
    usable: NDArray[np.bool_] = (column.state == PRESENT) & (column.values >= 0.0) & (column.values <= 1.0)
    return usable


def _log_loss(given: Floats) -> Floats:
    """Fixed-point -ln of the probability given to the true class."""
    return _fixed(-np.log(np.clip(given, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)))


def _fixed(values: Floats) -> Floats:
    """Reals as integer-valued fixed point, clipped to 4096 in size."""
    return np.rint(np.clip(values * UNIT, -_CLIP, _CLIP))


def _total(values: Floats) -> int:
    """The exact sum of at most ROWS_MAX integer-valued doubles of at most 2**128 in size."""
    total = 0
    for power in (96, 64, 32, 0):
        limb = np.trunc(np.ldexp(values, -power))
        values = values - np.ldexp(limb, power)
        total += int(limb.sum()) << power
    return total
