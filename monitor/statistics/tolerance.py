"""Is a difference more than nobody cares about? p-values of "no more than the tolerance", from counts.

Differences are 8 times the Jensen-Shannon divergence (nats), small ones of which are those of PSI. Without a difference
it has the law of a chi-square with B - 1 degrees of freedom times the noise 1/n + 1/m; at a difference of `delta`, of a
noncentral one with delta / noise: Potgieter et al. 2023, arXiv 2307.11878.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.statistics.drift.jensen_shannon import jensen_shannon_divergence

Floats = NDArray[np.float64]

P_MIN = 1e-13
"""Smallest p-value that is told from 0: the distribution function is a double below 1, and errs by up to 1e-14."""

_SANKARAN = 20_000.0  # Noncentrality from which the exact series would be slow and the approximation errs by 1e-4.


def divergence8(p: Floats, q: Floats) -> Floats:
    """8 JSD along the last axis."""
    return 8.0 * jensen_shannon_divergence(p, q)


def noncentral_sf(x: Floats, free: Floats, noncentral: Floats) -> Floats:
    """P(X >= x) of a noncentral chi-square, at least P_MIN; free: degrees of freedom > 0."""
    if (free == 1.0).all():  # The square of a normal.
        root, middle = np.sqrt(np.maximum(x, 0.0)), np.sqrt(noncentral)
        outside: Floats = special.ndtr(middle - root) + special.ndtr(-middle - root)
        return np.clip(outside, P_MIN, 1.0)
    exact = noncentral < _SANKARAN
    near = 1.0 - special.chndtr(x, free, np.where(exact, noncentral, 0.0))
    if exact.all():
        return np.clip(near, P_MIN, 1.0)
    # Sankaran 1963, Biometrika 50(1/2), without terms that only matter for a small noncentrality.
    mean, spread = free + noncentral, free + 2.0 * noncentral
    h = 1.0 - 2.0 * mean * (free + 3.0 * noncentral) / (3.0 * spread**2)
    p = spread / mean**2
    z = ((x / mean) ** h - 1.0 - h * (h - 1.0) * p) / (np.sqrt(2.0 * p) * h)
    return np.clip(np.where(exact, near, special.ndtr(-z)), P_MIN, 1.0)


def noncentral_isf(p: Floats, free: Floats, noncentral: Floats) -> Floats:
    """About the x that `noncentral_sf` gives p for, too large by a fifth at most where p >= 1e-6: Patnaik 1949,
    Biometrika 36(1/2).
    """
    mean, spread = free + noncentral, free + 2.0 * noncentral
    found: Floats = spread / mean * special.chdtri(mean**2 / spread, p)
    return found


def share_p_values(bad: Floats, rows: Floats, least: Floats, most: Floats) -> tuple[Floats, Floats]:
    """P of at least, and of at most, `bad` rows of `rows` where the share is at most `most`, or at least `least`.

    Rows may be fractions, as an effective number is. Binomial tails as incomplete beta functions.
    """
    inside = np.clip(bad, 0.0, rows)
    upper = np.where(inside > 0, special.betainc(np.maximum(inside, 1e-9), rows - inside + 1.0, most), 1.0)
    whole = inside >= rows
    lower = np.where(whole, 1.0, special.betaincc(inside + 1.0, np.where(whole, 1.0, rows - inside), least))
    return np.clip(upper, P_MIN, 1.0), np.clip(lower, P_MIN, 1.0)


@lru_cache(maxsize=64)
def _tolerated(delta: float) -> tuple[Floats, Floats, Floats]:
    """Shares, and the least and the greatest share that differ from each by no more than `delta`."""
    p = np.concatenate([[0.0], np.geomspace(1e-7, 0.5, 400)])
    p = np.concatenate([p, 1.0 - p[-2::-1]])
    found = []
    for end in (np.zeros_like(p), np.ones_like(p)):
        inner, outer = p.copy(), end.copy()
        for _ in range(60):
            middle = (inner + outer) / 2.0
            pairs = np.stack([p, 1.0 - p], axis=-1), np.stack([middle, 1.0 - middle], axis=-1)
            within = divergence8(*pairs) <= delta
            inner, outer = np.where(within, middle, inner), np.where(within, outer, middle)
        found.append(inner)
    return p, found[0], found[1]


def tolerated_shares(share: Floats, delta: float) -> tuple[Floats, Floats]:
    """The least and the greatest share that differ from `share` by no more than `delta`: of 0, up to 0.7 % at 0.02."""
    at, least, greatest = _tolerated(delta)
    return np.interp(share, at, least), np.interp(share, at, greatest)
