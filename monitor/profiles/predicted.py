"""How many predictions had each score and each decision, labelled or not: what performance is estimated from.

Counts alone, so the laws of a profile hold: any order and any split of the rows gives the same bits. Memory: nothing
until a row has a score, then 49 kB for a binary task and 2 kB a class for a multiclass one; on disk, 10 bytes a cell
that holds any row, before compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import CategoricalColumn, Predictions
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome_summaries import RANKED_CLASSES_MAX, Counts
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS
from monitor.profiles.tally import decisions, usable_scores

UNDECIDED, NEGATIVE, POSITIVE = range(3)
"""Rows of a binary task's counts."""


@dataclass(slots=True)
class PredictedScores:
    """counts: int64[answers, cells], or None where no row had a score.

    Binary: by UNDECIDED, NEGATIVE and POSITIVE decision and by cell of the positive class's score. Multiclass: by
    predicted class, in the layout's order, and by cell of that class's own score; none beyond RANKED_CLASSES_MAX.
    """

    counts: Counts | None = None

    def merge(self, other: PredictedScores) -> PredictedScores:
        """The scores of both sides' rows; the two stay as they are."""
        if self.counts is None or other.counts is None:
            return PredictedScores(other.counts if self.counts is None else self.counts)
        if self.counts.shape != other.counts.shape:
            raise LayoutMismatchError("cannot merge scores of different tasks or classes")
        return PredictedScores(self.counts + other.counts)

    def without(self, other: PredictedScores) -> PredictedScores:
        """What is left of scores that others were merged into, without those; the two stay as they are."""
        return self if other.counts is None else self.merge(PredictedScores(-other.counts))

    def add(self, counts: Counts) -> None:
        """Take in the counts of further rows; an array that another holds too is left alone."""
        self.counts = counts if self.counts is None else self.counts + counts

    def plain(self) -> list[object] | None:
        """The cells that hold any row; the same rows give the same value."""
        if self.counts is None or not self.counts.any():
            return None
        places = np.flatnonzero(self.counts)
        counts = self.counts.ravel()[places]
        return [list(self.counts.shape), places.astype("<u2").tobytes(), counts.astype("<i8").tobytes()]

    @classmethod
    def of_plain(cls, plain: list[object] | None) -> PredictedScores:
        if plain is None:
            return cls()
        shape, places, counts = plain
        assert isinstance(shape, list)
        assert isinstance(places, bytes)
        assert isinstance(counts, bytes)
        whole = np.zeros(shape, dtype=np.int64)
        whole.ravel()[np.frombuffer(places, dtype="<u2")] = np.frombuffer(counts, dtype="<i8")
        return cls(whole)


def fold_parts(
    summaries: Sequence[PredictedScores], layout: OutcomeLayout, batch: Predictions, starts: NDArray[np.intp]
) -> None:
    """Add the rows from starts[i] on, up to the next start or the end, to summary i; a summary may have several parts.

    starts: intp[parts], from 0, ascending.
    """
    if not batch.scores or layout.task == "regression":
        return
    place, shape = (_binary if layout.task == "binary" else _multiclass)(layout, batch)
    ends = np.append(starts[1:], len(batch))
    for summary, start, end in zip(summaries, starts.tolist(), ends.tolist(), strict=True):
        mine = place[start:end]
        mine = mine[mine >= 0]
        if len(mine):
            summary.add(np.bincount(mine, minlength=shape[0] * shape[1]).reshape(shape))


def _binary(layout: OutcomeLayout, batch: Predictions) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """int64[n]: the flat place of each row in counts of this shape, -1 without a usable score."""
    assert layout.positive is not None
    decision, scored = decisions(layout, batch.prediction, batch.scores, len(batch))
    cells = SCORE_CELLS.count + 2
    place = np.full(len(batch), -1, dtype=np.int64)
    if scored.any():
        score = batch.scores[layout.positive].values[scored]
        place[scored] = (decision[scored] + 1) * cells + SCORE_CELLS.place(score)
    return place, (3, cells)


def _multiclass(layout: OutcomeLayout, batch: Predictions) -> tuple[NDArray[np.int64], tuple[int, int]]:
    cells, classes = CLASS_SCORE_CELLS.count + 2, len(layout.classes)
    place = np.full(len(batch), -1, dtype=np.int64)
    if classes <= RANKED_CLASSES_MAX and isinstance(batch.prediction, CategoricalColumn):
        index = {name: code for code, name in enumerate(layout.classes)}
        guess = batch.prediction.recode(index, other=-1)
        for code, name in enumerate(layout.classes):
            rows = np.flatnonzero((guess == code) & usable_scores(batch.scores.get(name), len(batch)))
            if len(rows):
                place[rows] = code * cells + CLASS_SCORE_CELLS.place(batch.scores[name].values[rows])
    return place, (classes, cells)
