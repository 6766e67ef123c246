"""Which part of a feature moved: the cells that its difference from the reference consists of.

8 JSD is a sum over cells, so each has its part of it, and the parts add up to one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import kl_div

from monitor.detection.records import Moved
from monitor.profiles.distribution import named
from monitor.profiles.layout import FeatureLayout

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

CELLS_SHOWN = 3
"""Cells that are named, those with the greatest part first."""


def moved(layout: FeatureLayout, groups: Counts, usual: Floats, counts: Floats) -> tuple[Moved, ...]:
    """The cells that moved most; groups: as of `monitor.profiles.decision`; usual: float64[K], shares; counts:
    float64[K], rows of the window.
    """
    now = counts / max(counts.sum(), 1.0)
    parts = parts_of(usual, now)
    most = np.argsort(-parts, kind="stable")[:CELLS_SHOWN]
    return tuple(
        Moved(named(layout, groups, cell), float(usual[cell]), float(now[cell]), float(parts[cell]))
        for cell in most.tolist()
        if parts[cell] > 0
    )


def parts_of(usual: Floats, now: Floats) -> Floats:
    """float64[K]: which part each cell has of the difference of two distributions; zeros where there is none."""
    middle = (usual + now) / 2.0
    parts: Floats = kl_div(usual, middle) + kl_div(now, middle)
    parts /= max(parts.sum(), 1e-300)
    return parts
