"""How far production is from training: the windows that a version learned from, beside the rows of its reference.

It is no drift: the model never saw other traffic than this. So it is said once, and opens nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitor.detection.attribution import moved
from monitor.detection.records import Differing
from monitor.detection.watch import Watch
from monitor.profiles.decision import CELLS, DecisionCells
from monitor.statistics.tolerance import divergence8

Counts = NDArray[np.int64]

LUCK = 1e-4
"""Chance that a feature which does not differ is named, because the reference has so few rows."""


def differing(watch: Watch, cells: DecisionCells, training: Counts, production: Counts) -> tuple[Differing, ...]:
    """Features of whole traffic that differ by at least their tolerance, worst first. training, production: int64[S,
    WIDTH], tallies of what is watched; the effect is de-biased as if rows were independent.
    """
    found = []
    for place, subject in enumerate(watch.subjects[: watch.features]):
        name = subject.name
        usual, now = training[place, :CELLS].astype(np.float64), production[place, :CELLS].astype(np.float64)
        if not watch.watches(subject) or not usual.sum() or not now.sum():
            continue
        free = max(float(np.count_nonzero(usual + now)) - 1.0, 1.0)
        noise = 1.0 / float(usual.sum()) + 1.0 / float(now.sum())
        apart = float(divergence8(usual / usual.sum(), now / now.sum()))
        effect = apart - free * noise
        if effect >= watch.tolerance[name] and apart >= special.chdtri(free, LUCK) * noise:
            cell = moved(cells.layout.features[name], cells.groups[name], usual / usual.sum(), now)
            found.append(Differing(name, effect, cell))
    return tuple(sorted(found, key=lambda each: (-each.effect, each.feature)))
