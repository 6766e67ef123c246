"""How much the order of rows inside score cells can matter, at base rates down to one in a thousand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.special import expit

from monitor.statistics.performance.precision_recall import extremes
from monitor.statistics.performance.ranking import ranking
from tests.statistics.performance.populations import Population, binary

ROWS = 100_000
DOUBT_MAX = 0.002


def concentrated(base: float, centre: float) -> Population:
    """Log-odds of two normal classes, the negatives' around `centre`: an AUC of 0.83."""
    rng = np.random.default_rng(11)
    label = (rng.random(ROWS) < base).astype(np.int64)
    return binary(label, expit(centre + 1.5 * rng.normal(size=ROWS) + 2.0 * label))


@pytest.mark.parametrize("base", [0.001, 0.01, 0.5])
@pytest.mark.parametrize("centre", [-8.0, 8.0, 0.0], ids=["near 0", "near 1", "in the middle"])
def test_the_rows_own_figures_lie_within_a_doubt_of_two_thousandths(base: float, centre: float) -> None:
    population = concentrated(base, centre)
    counts = population.outcome().summary.counts
    ranks = ranking(counts)
    assert abs(ranks.auc - sk.roc_auc_score(population.label, population.scores)) <= ranks.doubt <= DOUBT_MAX
    least, most = extremes(*counts[:, ::-1].astype(np.float64))
    assert least <= sk.average_precision_score(population.label, population.scores) <= most
