"""What may be wrong with a feature's data, and the shares of its rows that show it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import Aspect
from monitor.detection.units import Conversion
from monitor.detection.volume import Rows
from monitor.profiles.decision import INVALID, MISSING, UNUSUAL

Counts = NDArray[np.int64]

_NEVER_SEEN = 2  # Rows outside a numeric reference's range that as many more rows would hold: one at either end.


class Share(NamedTuple):
    """A share of a feature's rows that went wrong: what it is now, and what it was. onset_ms: start of the window from
    which the evidence has grown.
    """

    aspect: Aspect
    now: float
    usual: float
    effect: float
    onset_ms: int


class Converted(NamedTuple):
    """A feature whose unit changed; onset_ms as of a share."""

    aspect: Aspect
    conversion: Conversion
    effect: float
    onset_ms: int


Wrong = Share | Converted | Rows
"""What is wrong with the data."""


def shares_of(tallies: Counts) -> Counts:
    """int64[W, 3 S, 2] of int64[W, S, WIDTH]: rows wrong and right: missing, then of the wrong type, then never seen
    among the usable.
    """
    rows = tallies.sum(axis=2, dtype=np.int64)
    missing, invalid, unusual = tallies[:, :, MISSING], tallies[:, :, INVALID], tallies[:, :, UNUSUAL]
    usable = rows - missing - invalid
    wrong = np.concatenate([missing, invalid, unusual], axis=1)
    right: Counts = np.concatenate([rows - missing, rows - invalid, usable - unusual], axis=1)
    shares: Counts = np.stack([wrong, right], axis=2)
    return shares


def usual_shares(total: Counts, numeric: NDArray[np.bool_]) -> Counts:
    """int64[3 S, 2]: the same of a whole reference, int64[S, WIDTH], with the rows never seen that are to be expected.
    numeric: bool[S].
    """
    shares: Counts = shares_of(total[None])[0]
    shares[2 * len(total) :, 0] += np.where(numeric, _NEVER_SEEN, 0)
    return shares
