"""Three months in which nothing is wrong, by the hour: the budget is kept on all traffic, of values and of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.acceptance import pairs
from tests.acceptance.figures import Figure
from tests.acceptance.ours import Ours, alarms
from tests.acceptance.pairs import STEADY
from tests.acceptance.traffic import MONTH, NULLS, watched

SEEDS = (1, 2, 3)
WEEKS = 4
MONTHS = 3


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Alarms of all seeds together at the default budget, and a month at one fifty times as large."""
    for name, model in NULLS.items():
        small = large = 0
        for seed in seeds:
            reference, live = watched(model, WEEKS, MONTHS * MONTH, seed)
            detector = Ours(budget=0.1).detector(reference)
            small += len(alarms(detector, live))
            large += len(alarms(Ours(budget=5.0).limited(detector.baseline), live))
        months = MONTHS * len(seeds)
        yield Figure.at_most("A", f"{name}: false alarms in {months} months, budget 0.1", small, 1)
        yield Figure.at_most("A", f"{name}: false alarms a month, budget 5", large / months, 5)
    for name in STEADY:
        found = np.sum([pairs.alarms(name, WEEKS, MONTHS * MONTH, seed, (0.1, 5.0)) for seed in seeds], axis=0)
        months = MONTHS * len(seeds)
        yield Figure.at_most("A", f"pairs, {name}: false alarms in {months} months, budget 0.1", int(found[0]), 1)
        yield Figure.at_most("A", f"pairs, {name}: false alarms a month, budget 5", float(found[1]) / months, 5)
