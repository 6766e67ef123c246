"""What counts and sums by cell say of two distributions inside the cells.

At the limits of a cell, F and G (reference and current) are known. Inside, each rises somehow between its values at
the limits, and the sum of the cell's values gives its mean height: a cell of width w from L to R, whose values have
mean v, has mean height F(L) + p x with x = (R - v) / w. A distance is the integral of a convex function c of F - G:

- by Jensen's inequality it is at least w c(mean of F - G), which is exact where F - G is constant, or where c is the
  absolute value and its sign is known;
- at most what it would be if each took only its extreme heights, F(R) on a share x of the cell and G(R) on y. c(f - g)
  is submodular, so the worst joint shares put as little as possible, max(0, x + y - 1), on both.

Sums hold values rounded to 2**-20 and clipped to `REACH`. Rounding moves an integral by at most `ROUNDING` times c's
slope. What lies beyond `REACH` is bounded by how many values can be there and how far the farthest is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.profiles.numeric import UNIT
from monitor.statistics.views import REACH, Floats, Grid

ROUNDING = 1.0 / UNIT
"""Standard deviations: half a unit for each side, the masses of each summing to 1."""


def integral(grid: Grid, convex: Callable[[Floats], Floats], slope: float) -> tuple[Floats, Floats, Floats]:
    """Value, least and greatest of the integral of convex(F - G) over the line, in standard deviations.

    convex: even, 0 at 0, with at most `slope` between -1 and 1. The value is the least before rounding: the most
    that the data prove.
    """
    limits, x, y = grid.heights
    width = np.diff(limits)
    f, g = grid.cdf
    f_low, f_high, g_low, g_high = f[..., :-1], f[..., 1:], g[..., :-1], g[..., 1:]
    both = np.maximum(0.0, x + y - 1.0)
    greatest = width * (
        convex(f_low - g_low) * (1.0 - x - y + both)
        + convex(f_high - g_low) * (x - both)
        + convex(f_low - g_high) * (y - both)
        + convex(f_high - g_high) * both
    )
    mean = f_low - g_low + np.diff(f) * x - np.diff(g) * y
    value = np.sum(width * convex(mean), axis=-1)
    upper = greatest.sum(axis=-1) + _beyond_reach(grid, convex, limits, x, y)
    return value, np.maximum(0.0, value - slope * ROUNDING), np.maximum(value, upper + slope * ROUNDING)


def pointwise(grid: Grid) -> tuple[Floats, Floats]:
    """Least and greatest |F - G| that is possible inside each cell: float64[..., k+2] each."""
    f, g = grid.cdf
    low, high = f[..., :-1] - g[..., 1:], f[..., 1:] - g[..., :-1]
    return np.maximum(0.0, np.maximum(low, -high)), np.maximum(high, -low)


def _beyond_reach(
    grid: Grid, convex: Callable[[Floats], Floats], limits: Floats, x: Floats, y: Floats
) -> Floats | float:
    """Greatest integral beyond REACH on either side; 0.0 unless a value lies there."""
    sides = ((grid.reference, x), (grid.current, y))
    below = np.maximum(0.0, -REACH - np.minimum(grid.reference.low, grid.current.low))
    above = np.maximum(0.0, np.maximum(grid.reference.high, grid.current.high) - REACH)
    if not below.any() and not above.any():
        return 0.0
    # By Markov's inequality a cell that ends at REACH has at most this share of its values there.
    starts, lies_below = limits[..., :-1] <= -REACH, limits[..., 1:] <= -REACH
    ends = limits[..., 1:] >= REACH
    mass_below = [np.sum(side.counts * np.where(lies_below, 1.0, starts * x), axis=-1) / side.rows for side, x in sides]
    mass_above = [np.sum(side.counts * (ends * (1.0 - x)), axis=-1) / side.rows for side, x in sides]
    return below * convex(np.maximum(*mass_below)) + above * convex(np.maximum(*mass_above))
