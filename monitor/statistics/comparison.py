"""Is a challenger better than the champion? Both on the same labelled rows, by any metric, however often it is asked.

The gain is by how much the challenger's figure is the better one. Its standard error is a jackknife's over BLOCKS runs
of neighbouring rows, each left out of both models' figures at once: what the two have in common cancels, as does that
neighbouring rows are alike. Nothing is drawn at random.

Whoever asks again with each new label would be told "better" by chance sooner or later, by any interval that holds for
one look. So the interval here is wider, by a factor that grows with the square root of a logarithm, and holds at all
numbers of labels at once: Robbins 1970, Ann. Math. Stat. 41(5); for estimates that are means only in the limit,
Waudby-Smith et al. 2024, Ann. Stat. 52(6).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from monitor.events.batch import PRESENT, CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.decision import runs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome, labelled
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS, ScoreCells
from monitor.profiles.tally import decisions, usable_scores
from monitor.statistics.performance import METRICS, Metric, labels_by_class, performance
from monitor.statistics.performance.intervals import share
from monitor.statistics.performance.metric import Needs
from monitor.statistics.reading import Estimate

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

Verdict = Literal["promote", "keep", "not enough yet"]

PAIRS_MIN = 500
"""Rows from which on an interval is believed."""

CLASS_MIN = 100
"""Labels of either class of a binary task, as the service's own verdicts need. Where none has been positive yet, who
never says positive has the smaller loss, without any doubt."""

BLOCKS = 200
"""Parts that the rows are cut into: a standard error of theirs errs by a twentieth."""

SURE = 2.5003
"""Standard errors of the interval where it begins: a for which 2 (1 - Phi(a) + a phi(a)) is 0.10, so that either end is
wrong at any number of labels with a chance of 5 %. Only one of them matters: what is no better is not to be promoted,
what is better by all of `drop` not to be rejected."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Rows of which only one model is right, or has the smaller error. p_value: of so uneven a split, or a more uneven
    one, if both were equally good, at one look: McNemar's test, exact (1947, Psychometrika 12; sign test of errors).
    """

    wins: int
    losses: int

    @property
    def p_value(self) -> float:
        rows = self.wins + self.losses
        return min(1.0, 2.0 * float(bdtr(min(self.wins, self.losses), rows, 0.5)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """pairs: labelled rows for which both gave what the metric needs; unanswered: others, for which the champion, and
    for which the challenger did not. labels: by class, none of regression. started: whether these are as many as a
    comparison begins with. champion, challenger: figures with 95 % intervals; gain: by how much the challenger's is
    better, with the interval that holds at every look; None where these rows cannot define them. disagreement: None
    where there are no decisions. needed: about how many pairs will decide if the gain stays as it is, or how many it
    takes to begin; None where that cannot be told, or nothing is left to decide.
    """

    metric: str
    drop: float
    verdict: Verdict
    pairs: int
    unanswered: tuple[int, int]
    labels: Mapping[str, int]
    started: bool
    champion: Estimate | None = None
    challenger: Estimate | None = None
    gain: Estimate | None = None
    disagreement: Disagreement | None = None
    needed: int | None = None


def compare(layout: OutcomeLayout, champion: Pairs, challenger: Pairs, metric: str, drop: float) -> Comparison:
    """Compare what two models answered to the same rows, in order of time; both have the same labels.

    drop: the difference that matters, > 0, in the metric's unit. "promote": the challenger is surely better. "keep": it
    is surely not better by `drop`. A gain beyond half of `drop` comes to be the first with labels enough, a smaller one
    the second. The metric must be one of the layout's task, and "higher" or "lower" is better.
    """
    entry = METRICS[metric]
    counted = labelled(layout, champion)
    answers = [_answered(layout, pairs, entry.needs)[counted] for pairs in (champion, challenger)]
    both = np.flatnonzero(counted)[answers[0] & answers[1]]
    rows = [pairs.take(both) for pairs in (champion, challenger)]
    totals = [_outcome(layout, pairs) for pairs in rows]
    labels = labels_by_class(layout, totals[0])
    held = _held(layout, len(both), labels)
    waiting = Comparison(
        metric,
        drop,
        "not enough yet",
        len(both),
        (int(np.count_nonzero(~answers[0])), int(np.count_nonzero(~answers[1]))),
        labels,
        held >= 1.0,
        disagreement=_disagreement(layout, *rows),
    )
    if held < 1.0:
        return replace(waiting, needed=math.ceil(len(both) / held) if held else None)
    if entry.needs == "ranks":
        rows = [_ranked(layout, pairs) for pairs in rows]
        totals = [_outcome(layout, pairs) for pairs in rows]
    figures = _figures(layout, rows, totals, entry)
    if figures is None:
        return waiting
    better = 1.0 if entry.better == "higher" else -1.0
    gains = better * (figures[:, 1] - figures[:, 0])
    value, error = float(gains[0]), _error(gains[1:])
    half = _factor(held) * error
    verdict: Verdict = "promote" if value - half > 0 else "keep" if value + half < drop else "not enough yet"
    least = max(min(labels.values(), default=len(both)), 1)
    shown = [_shown(entry, layout, totals[each], figures[:, each], least) for each in (0, 1)]
    needed = None
    if verdict == "not enough yet":
        needed = _needed(len(both), held, error / max(value, drop - value))
    gain = Estimate(value, value - half, value + half)
    return replace(waiting, verdict=verdict, champion=shown[0], challenger=shown[1], gain=gain, needed=needed)


def _answered(layout: OutcomeLayout, pairs: Pairs, needs: Needs) -> Bools:
    """bool[n]: rows with what a metric needs."""
    rows = len(pairs)
    if needs == "values":
        column = pairs.prediction
        return column.state == PRESENT if isinstance(column, NumericColumn) else np.zeros(rows, dtype=np.bool_)
    if needs == "decisions":
        return _decided(layout, pairs) >= 0
    scored = np.ones(rows, dtype=np.bool_)
    for name in _scored(layout):
        scored &= usable_scores(pairs.scores.get(name), rows)
    return scored


def _scored(layout: OutcomeLayout) -> tuple[str, ...]:
    """Classes that a row has to have scores of."""
    return (layout.positive or "",) if layout.task == "binary" else layout.classes


def _decided(layout: OutcomeLayout, pairs: Pairs) -> NDArray[np.int32]:
    """int32[n]: which class a row was put in, as a code that two models share; negative where in none."""
    if layout.task == "binary":
        return decisions(layout, pairs.prediction, pairs.scores, len(pairs))[0]
    if not isinstance(pairs.prediction, CategoricalColumn):
        return np.full(len(pairs), -1, dtype=np.int32)
    assert isinstance(pairs.label, CategoricalColumn)
    # A class that no label is of is wrong, whichever it is.
    index = {name: code for code, name in enumerate(pairs.label.values)}
    return pairs.prediction.recode(index, other=len(index))


def _outcome(layout: OutcomeLayout, pairs: Pairs) -> Outcome:
    outcome = Outcome.empty(layout)
    outcome.fold(layout, pairs)
    return outcome


def _held(layout: OutcomeLayout, pairs: int, labels: Mapping[str, int]) -> float:
    """How many times the rows are there that a comparison begins with."""
    least = [rows / CLASS_MIN for rows in labels.values()] if layout.task == "binary" else []
    return min(pairs / PAIRS_MIN, *least, math.inf)


def _factor(held: float) -> float:
    """Standard errors of the interval, where there are so many times the rows that it began with."""
    return math.sqrt(SURE**2 + math.log(held))


def _ranked(layout: OutcomeLayout, pairs: Pairs) -> Pairs:
    """With each score's rank among the rows in its place, spread over the score cells.

    A ranking is exact then up to as many different scores as there are cells, however near to each other they are. Of
    more, each cell holds the same share of both classes together: what is left differs by some 1e-5.
    """
    assert isinstance(pairs.label, CategoricalColumn)
    cells = SCORE_CELLS if layout.task == "binary" else CLASS_SCORE_CELLS
    scores = {
        name: _spread(pairs.scores[name].values, pairs.label.recode({name: 1}, other=0), cells)
        for name in _scored(layout)
    }
    return replace(pairs, scores=scores)


def _spread(values: Floats, truth: NDArray[np.int32], cells: ScoreCells) -> NumericColumn:
    distinct, place = np.unique(values, return_inverse=True)
    cell = np.arange(len(distinct))
    if len(distinct) > cells.count:
        rows = np.bincount(2 * place + truth, minlength=2 * len(distinct)).reshape(-1, 2)
        cell = runs(rows @ rows.sum(axis=0)[::-1], cells.count)
    return NumericColumn.of(cells.middles[1 + cell[place]])


def _figures(layout: OutcomeLayout, rows: list[Pairs], totals: list[Outcome], entry: Metric) -> Floats | None:
    """float64[1 + BLOCKS, 2]: champion's and challenger's figure of all rows, then without each block; None where one
    is not defined.
    """
    figures = np.empty((1 + BLOCKS, 2))
    for model, (pairs, total) in enumerate(zip(rows, totals, strict=True)):
        cuts = np.linspace(0, len(pairs), BLOCKS + 1).astype(np.int64)
        for place in range(1 + BLOCKS):
            outcome = total
            if place:
                outcome = total.without(_outcome(layout, pairs.take(slice(cuts[place - 1], cuts[place]))))
            _, estimate = performance(layout, outcome, entry.name)
            if estimate is None:
                return None
            figures[place, model] = estimate.value
    return figures


def _error(without: Floats) -> float:
    """The standard error of a figure, of what it is without each block: Kott 2001, J. Off. Stat. 17(4)."""
    blocks = len(without)
    return math.sqrt((blocks - 1) / blocks * float(np.sum((without - without.mean()) ** 2)))


def _shown(entry: Metric, layout: OutcomeLayout, total: Outcome, figures: Floats, least: int) -> Estimate | None:
    """One model's figure with its own 95 % interval. That of a ranking would take ranks in one cell for untold."""
    if entry.needs == "ranks":
        return share(float(figures[0]), _error(figures[1:]) ** 2, least)
    return performance(layout, total, entry.name)[1]


def _disagreement(layout: OutcomeLayout, champion: Pairs, challenger: Pairs) -> Disagreement | None:
    if layout.task == "regression":
        near, also_near = (_distance(pairs) for pairs in (champion, challenger))
        if near is None or also_near is None:
            return None
        return Disagreement(int(np.count_nonzero(also_near < near)), int(np.count_nonzero(also_near > near)))
    ours, theirs = (_decided(layout, pairs) for pairs in (champion, challenger))
    decided = (ours >= 0) & (theirs >= 0)
    if not decided.any():
        return None
    label = champion.label
    assert isinstance(label, CategoricalColumn)
    truth = label.recode({layout.positive: 1}, other=0) if layout.positive is not None else label.codes
    right, also = (ours == truth)[decided], (theirs == truth)[decided]
    return Disagreement(int(np.count_nonzero(also & ~right)), int(np.count_nonzero(right & ~also)))


def _distance(pairs: Pairs) -> Floats | None:
    """float64[n]: |prediction - label| of rows that have both."""
    if not isinstance(pairs.prediction, NumericColumn) or not isinstance(pairs.label, NumericColumn):
        return None
    with np.errstate(over="ignore"):
        return np.abs(pairs.prediction.values - pairs.label.values)


def _needed(pairs: int, held: float, error: float) -> int | None:
    """Pairs at which the interval is short enough, if its standard error goes on falling with the root of their number.
    error: the standard error now, in the half-length at which it decides.
    """
    times = 1.0
    for _ in range(30):  # A contraction: a logarithm beside a square.
        times = (error * _factor(held * max(times, 1.0))) ** 2
    return math.ceil(pairs * max(times, 1.0)) if math.isfinite(times) else None
