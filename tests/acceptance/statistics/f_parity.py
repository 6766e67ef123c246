"""In compatibility mode the scores, the choice of a test and its verdict are the installed Evidently's within 1e-9."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from monitor.statistics import evidently
from tests.acceptance.figures import Figure
from tests.statistics import evidently_oracle as oracle

SEEDS = range(5)
SIZES = ((40, 30), (1_000, 500), (1_001, 500), (15_000, 12_000))


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """The greatest difference of each score over all shapes and sizes; verdicts and choices that differ."""
    pairs = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        pairs += [oracle.samples(shape, m, n, rng) for shape in oracle.SHAPES for m, n in SIZES]
    differences: dict[str, list[float]] = defaultdict(list)
    verdicts = choices = 0
    for pair, said in zip(pairs, oracle.ask(pairs)[0], strict=True):
        if said.kind == "text":  # Forty rows of forty words.
            continue
        samples = evidently.Samples.of(*pair)
        default = evidently.default_drift(*pair)
        choices += (default.name, default.drifted) != (said.default[0], said.default[2])
        for name, score, drifted in said.tests:
            if name in evidently.TESTS:
                ours = evidently.drift(name, samples)
                differences[name].append(difference(ours.score, score))
                verdicts += ours.drifted != drifted
    for name in evidently.TESTS:
        found = differences[name]
        yield Figure.at_most("F", f"{name}: greatest difference in {len(found)} cases", max(found), 1e-9)
    yield Figure.none("F", "verdicts that differ", verdicts)
    yield Figure.none("F", f"default tests and verdicts that differ, of {len(pairs)} cases", choices)


def difference(ours: float, theirs: float | str | None) -> float:
    """In units of the score where it is more than 1; a score that is not a number is one here and there."""
    assert isinstance(theirs, float), theirs
    if math.isnan(ours) and math.isnan(theirs):
        return 0.0
    return abs(ours - theirs) / max(1.0, abs(theirs))
