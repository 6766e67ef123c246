"""Summary of a categorical feature: a count for each category, for the rarer ones together, and for unseen ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import INVALID_CODE, MISSING_CODE, CategoricalColumn
from monitor.profiles.layout import CategoricalLayout


@dataclass(slots=True)
class CategoricalSummary:
    """counts: int64[layout.cells], the last two being others and unseen."""

    counts: NDArray[np.int64]
    missing: int = 0
    invalid: int = 0

    @classmethod
    def empty(cls, layout: CategoricalLayout) -> CategoricalSummary:
        return cls(np.zeros(layout.cells, dtype=np.int64))

    @property
    def present(self) -> int:
        """Rows with a usable value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        return self.present + self.missing + self.invalid

    @property
    def unusual(self) -> int:
        """Rows of a category that the reference never had."""
        return int(self.counts[-1])

    def fold(self, layout: CategoricalLayout, column: CategoricalColumn) -> None:
        """Add rows. Folding parts in any order and any split gives the same bits as folding the whole."""
        cell = column.recode(layout.index, other=layout.cells - 1)
        self.missing += int(np.count_nonzero(cell == MISSING_CODE))
        self.invalid += int(np.count_nonzero(cell == INVALID_CODE))
        self.counts += np.bincount(cell[cell >= 0], minlength=layout.cells)

    def merge(self, other: CategoricalSummary) -> CategoricalSummary:
        """The summary of both summaries' rows; the two stay as they are."""
        if len(self.counts) != len(other.counts):
            raise LayoutMismatchError(f"cannot merge {len(self.counts)} cells with {len(other.counts)}")
        return CategoricalSummary(
            self.counts + other.counts, self.missing + other.missing, self.invalid + other.invalid
        )

    def plain(self) -> list[Any]:
        return [self.counts.tobytes(), self.missing, self.invalid]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> CategoricalSummary:
        counts, missing, invalid = plain
        return cls(np.frombuffer(counts, dtype="<i8").copy(), missing, invalid)
