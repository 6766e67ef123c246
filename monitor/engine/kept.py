"""What is kept of a closed window, to be shown and reported on later: counts, a sample of its rows, and their basis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.engine.pane import Pane
from monitor.engine.references import Standard
from monitor.profiles.distribution import Basis
from monitor.profiles.sample import SIZE, Sample
from monitor.windows.window import Window

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Of whole traffic. tally: int64[F, WIDTH], rows by decision cell; sample: raw rows; standard: what they were
    compared with.
    """

    window: Window
    tally: Counts
    sample: Sample
    standard: Standard

    @classmethod
    def of(cls, window: Window, pane: Pane, standard: Standard) -> Iterator[Kept]:
        """One, or none where there was no reference to compare with."""
        if standard.reference.layout.features:
            sample = pane.profile.sample
            kept = sample if len(sample.order) <= SIZE else sample.first(SIZE)
            yield cls(window, standard.reference.cells.tally(pane.profile), kept, standard)

    @property
    def basis(self) -> Basis:
        """What is kept of that; worked out when it is asked for, as a back-test never does."""
        return self.standard.basis
