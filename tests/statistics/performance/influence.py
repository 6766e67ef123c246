"""Variance of any weighted metric by brute force: the infinitesimal jackknife on raw rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

STEP = 1e-4


def variance(metric: Callable[[NDArray[np.float64]], float], rows: int) -> float:
    """Sum over rows of the squared derivative of `metric`, a function of row weights, by that row's weight."""
    total = 0.0
    for row in range(rows):
        more, less = np.ones(rows), np.ones(rows)
        more[row] += STEP
        less[row] -= STEP
        total += ((metric(more) - metric(less)) / (2 * STEP)) ** 2
    return total
