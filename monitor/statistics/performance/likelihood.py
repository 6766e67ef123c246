"""How likely the label is the class that a score is of: what a reference's labels say of each score cell.

Scores are taken at their word unless correcting them helps: isotonic regression over the cells replaces them where it
lowers the expected calibration error of rows that it has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from monitor.profiles.decision import runs
from monitor.profiles.outcome_summaries import BINS, Counts
from monitor.profiles.score_cells import ScoreCells

Floats = NDArray[np.float64]

SPLITS = 5
"""Ways to cut the reference's rows in half, each used both ways round."""

GROUPS = 20
"""Groups of neighbouring cells, of nearly equal numbers of rows, whose shares of positives are known apart."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """chance: float64[cells], of the class at a score of the cell. corrected: whether the scores were not taken as they
    are. group: int64[cells]; variance: float64[groups], of the mean chance in each, as the reference's rows are few.
    """

    chance: Floats
    corrected: bool
    group: Counts
    variance: Floats

    @classmethod
    def of(cls, counts: Counts, cells: ScoreCells) -> Likelihood:
        """Learned from counts: int64[2, cells.count + 2], other label or the class, by rising score."""
        corrected = _helps(counts, cells.middles)
        group = runs(counts.sum(axis=0), GROUPS)
        rows, hits = (np.bincount(group, weights=side) for side in (counts.sum(axis=0), counts[1]))
        # A group without a label of one class does not have none for sure: half a row of each is added.
        share = (hits + 0.5) / (rows + 1.0)
        chance = isotonic(counts, cells.middles) if corrected else cells.middles
        return cls(chance, corrected, group, share * (1.0 - share) / (rows + 1.0))

    def grouped(self, weights: Floats | Counts, cells: Counts | slice) -> Floats:
        """float64[groups]: the sums of weights of these cells."""
        sums = np.bincount(self.group[cells], weights, len(self.variance))
        return sums.astype(np.float64)


def isotonic(counts: Counts, middles: Floats) -> Floats:
    """float64[cells]: the share of positives as a rising function of the score, by least squares (pool adjacent
    violators); between cells that hold rows on a straight line, beyond the last of them as there.

    Zadrozny & Elkan 2002, KDD.
    """
    rows = counts.sum(axis=0)
    known = rows > 0
    fitted = isotonic_regression(counts[1, known] / rows[known], weights=rows[known]).x
    return np.interp(middles, middles[known], fitted)


def _helps(counts: Counts, middles: Floats) -> bool:
    """Whether isotonic regression of one half of the rows has a smaller calibration error in the other half.

    The halves are drawn, always alike. Halves that were only cut would resemble each other more than new rows resemble
    either.
    """
    draw = np.random.default_rng(0)
    as_they_are, corrected = 0.0, 0.0
    for _ in range(SPLITS):
        half = draw.binomial(counts, 0.5)
        for learned, held in ((half, counts - half), (counts - half, half)):
            if not learned.any() or not held.any():
                return False
            as_they_are += calibration_error(held, middles)
            corrected += calibration_error(held, isotonic(learned, middles))
    return corrected < as_they_are


def calibration_error(counts: Counts, chance: Floats) -> float:
    """Mean, by rows, of |share of positives - mean chance| in BINS groups of nearly equal size: even a model of rare
    events, whose scores would share one bin of equal width, has so many.
    """
    rows = counts.sum(axis=0)
    gap = np.bincount(runs(rows, BINS), weights=counts[1] - rows * chance)
    return float(np.abs(gap).sum() / rows.sum())
