"""How much of a difference is more than chance: what decisions are taken on.

Without drift, 8 times the Jensen-Shannon divergence (nats) of B cells has mean (B - 1) / h, with 1/h = 1/n + 1/m for
n current and m reference rows; rows that come in clusters multiply it by their dispersion. Small differences of 8 JSD
are those of PSI, so effects read on PSI's familiar scale. Source: Lin 1991, IEEE Transactions on Information Theory
37(1); the chi-square limit as for PSI (Yurdakul & Naranjo 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.statistics.drift.jensen_shannon import jensen_shannon_divergence
from monitor.statistics.views import Cells, Counts, Floats

EXPECTED_MIN = 5.0
"""Rows that a cell must be expected to hold for the chi-square limit to be near (Cochran 1954, Biometrics 10(4))."""


@dataclass(frozen=True, slots=True)
class Effect:
    """effect: de-biased difference, PSI units, 0 where chance explains it. noise_floor: what chance alone gives.

    cells: number left after pooling; with one left, both figures are 0 and nothing could have been seen.
    """

    effect: float
    noise_floor: float
    cells: int


def debiased_effect(cells: Cells, dispersion: float = 1.0) -> Effect:
    """Effect of one feature's `cells`, which hold a row on each side at least.

    dispersion: factor by which clustered rows vary more than independent ones, 1 + (n - 1) rho.
    """
    return debiased_effects(cells.take(None), dispersion)[0]


def debiased_effects(cells: Cells, dispersion: float = 1.0) -> list[Effect]:
    """The same of each feature of a stack."""
    m, n = cells.totals
    pools = pools_of(cells)
    left = pools.max(axis=-1) + 1
    floor = (left - 1) * dispersion * (1.0 / n + 1.0 / m)
    # Pools are numbered from 0, so that those a feature does not need are empty on both sides and add nothing.
    raw = 8.0 * jensen_shannon_divergence(*cells.merge(pools).shares())
    effect = np.maximum(0.0, raw - floor)
    return [Effect(*each) for each in zip(effect.tolist(), floor.tolist(), left.tolist(), strict=True)]


def pools_of(cells: Cells, expected_min: float = EXPECTED_MIN) -> Counts:
    """int64[..., B]: coarser cells in each of which the reference lets expect `expected_min` current rows, or one cell.

    Ordered cells join their neighbours, categories the other rare ones. The choice does not look at where the current
    rows lie, only at how many there are: looking would bias the effect.
    """
    n = cells.totals[1]
    pools = _pools(cells.reference.tobytes(), n.tobytes(), cells.reference.shape, cells.ordered, expected_min)
    return pools.reshape(cells.reference.shape)


@lru_cache(maxsize=256)  # Windows of one size ask for the same pools again and again.
def _pools(reference: bytes, current_rows: bytes, shape: tuple[int, ...], ordered: bool, expected_min: float) -> Counts:
    counts = np.frombuffer(reference, dtype=np.int64).reshape(-1, shape[-1])
    rows = np.frombuffer(current_rows, dtype=np.int64)
    expected = counts * (rows / counts.sum(axis=-1))[:, None]
    pool = _runs if ordered else _rare_together
    own = np.arange(shape[-1])
    pools = np.stack([own if each.min() >= expected_min else pool(each, expected_min) for each in expected])
    pools.flags.writeable = False
    return pools


def _runs(expected: Floats, expected_min: float) -> Counts:
    """Adjacent cells until a run holds enough; what is left at the end joins the last run."""
    groups = np.zeros(len(expected), dtype=np.int64)
    run, held = 0, 0.0
    for cell, rows in enumerate(expected):
        groups[cell] = run
        held += rows
        if held >= expected_min:
            run, held = run + 1, 0.0
    return np.minimum(groups, max(run - 1, 0))


def _rare_together(expected: Floats, expected_min: float) -> Counts:
    """All rare cells in one, together with the next rarest until it holds enough."""
    rarest_first = np.argsort(expected, kind="stable")
    held = np.cumsum(expected[rarest_first])
    rare = int(np.count_nonzero(expected < expected_min))
    pooled = max(rare, min(int(np.searchsorted(held, expected_min)) + 1, len(expected)))
    groups = np.empty(len(expected), dtype=np.int64)
    groups[rarest_first] = np.maximum(np.arange(len(expected)) - pooled + 1, 0)
    return groups
