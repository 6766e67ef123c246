"""How many labels a comparison takes, and how often a challenger that is no better is promoted, asked again with every
tenth more labels.

Run as `python -m benchmarks.validation [REPEATS]`. Decided by ROC AUC: binormal scores, three tenths positive, champion
at 0.86, errors of the two correlated by 0.8. By accuracy: champion right in 85 %, the two differ in 10 % of the rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy.stats import norm

from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.statistics.comparison import PAIRS_MIN, compare

LAYOUT = OutcomeLayout("binary", ("no", "yes"), "yes")
DROP = 0.03
LABELS_MAX = 30_000

World = Callable[[np.random.Generator, float], tuple[Pairs, Pairs]]


def scored(random: np.random.Generator, better_by: float, positives: float = 0.3) -> tuple[Pairs, Pairs]:
    label = (random.random(LABELS_MAX) < positives).astype(np.int32)
    errors = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], LABELS_MAX)
    apart = np.sqrt(2) * norm.ppf([0.86, 0.86 + better_by])
    scores = norm.cdf(errors + label[:, None] * apart - 1)
    truth = CategoricalColumn(label, ("no", "yes"))
    champion, challenger = (Pairs(None, {"yes": NumericColumn.of(scores[:, each])}, truth) for each in (0, 1))
    return champion, challenger


def rare(random: np.random.Generator, better_by: float) -> tuple[Pairs, Pairs]:
    return scored(random, better_by, positives=0.02)


def decided(
    random: np.random.Generator, better_by: float, differing: float = 0.1, error: float = 0.15
) -> tuple[Pairs, Pairs]:
    """differing: share of the rows of which only one is right."""
    label = (random.random(LABELS_MAX) < 0.5).astype(np.int32)
    kinds = [(differing + better_by) / 2, (differing - better_by) / 2, error - (differing + better_by) / 2]
    kind = random.choice(4, LABELS_MAX, p=[*kinds, 1 - sum(kinds)])  # Wins, losses, both wrong, both right.
    truth = CategoricalColumn(label, ("no", "yes"))
    champion, challenger = (
        Pairs(CategoricalColumn(label ^ np.isin(kind, wrong).astype(np.int32), ("no", "yes")), {}, truth)
        for wrong in ((0, 2), (1, 2))
    )
    return champion, challenger


def alike(random: np.random.Generator, better_by: float) -> tuple[Pairs, Pairs]:
    return decided(random, better_by, differing=0.01, error=0.02)


def life(pairs: tuple[Pairs, Pairs], metric: str, drop: float = DROP) -> tuple[int, str]:
    """Pairs at the first decision, and which; asked from PAIRS_MIN on with every tenth more."""
    rows = PAIRS_MIN
    while rows <= LABELS_MAX:
        found = compare(LAYOUT, *(each.take(slice(0, rows)) for each in pairs), metric, drop)
        if found.verdict != "not enough yet":
            return rows, found.verdict
        rows = rows * 11 // 10
    return LABELS_MAX, "not enough yet"


def table(name: str, world: World, metric: str, better: tuple[float, ...], repeats: int, drop: float = DROP) -> None:
    for by in better:
        lives = [life(world(np.random.default_rng([seed, 7]), by), metric, drop) for seed in range(repeats)]
        labels = np.array([rows for rows, _ in lives])
        words = [verdict for _, verdict in lives]
        middle, most = np.quantile(labels, [0.5, 0.9])
        print(
            f"| {name} | {drop:g} | {by:+.3f} | {middle:,.0f} | {most:,.0f} | {words.count('promote') / repeats:.1%} | "
            f"{words.count('keep') / repeats:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print("| decided by | drop | truly better by | labels, median | 9 in 10 by | promoted | kept |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    steps = (-0.02, 0.0, 0.01, 0.015, 0.02, 0.03, 0.05)
    table("ROC AUC, 30 % positive", scored, "roc_auc", steps, runs)
    table("accuracy, 10 % differ", decided, "accuracy", steps, runs)
    table("ROC AUC, 2 % positive", rare, "roc_auc", (0.0, 0.03), runs)
    # Nothing is ever kept: every look is a chance to be promoted.
    table("accuracy, 10 % differ", decided, "accuracy", (0.0,), runs, 1e-6)
    table("accuracy, 1 % differ", alike, "accuracy", (0.0,), runs, 1e-6)
    table("ROC AUC, 30 % positive", scored, "roc_auc", (0.0,), runs, 1e-6)
