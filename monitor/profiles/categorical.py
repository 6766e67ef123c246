"""Summary of a categorical feature: a count for each category, for the rarer ones together, and for unseen ones."""

from __future__ import annotations

from collections.abc import Sequence
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


def fold_parts(
    summaries: Sequence[CategoricalSummary],
    layout: CategoricalLayout,
    column: CategoricalColumn,
    starts: NDArray[np.intp],
) -> NDArray[np.int32]:
    """Add the rows from starts[i] on, up to the next start or the end, to summary i: one pass over the column.

    starts: intp[parts], from 0, ascending; a part may be empty, and a summary may have several. Folding parts in any
    order and any split gives the same bits as folding the whole. Returns int32[n]: each row's cell, or a code below 0.
    """
    codes = column.recode(layout.index, other=layout.cells - 1)
    # The two codes below 0 that say why there is no category have places of their own before the cells.
    place = codes + 2
    width = layout.cells + 2
    sizes = np.diff(np.append(starts, len(place)))
    place += np.repeat(width * np.arange(len(starts), dtype=np.int32), sizes)
    counts = np.bincount(place, minlength=width * len(starts)).reshape(len(starts), width)
    for summary, found in zip(summaries, counts, strict=True):
        summary.counts += found[2:]
        summary.missing += int(found[2 + MISSING_CODE])
        summary.invalid += int(found[2 + INVALID_CODE])
    return codes


def came_once(column: CategoricalColumn) -> NDArray[np.bool_]:
    """bool[len(column.values)], or one that is False where there are none: values that a single row has."""
    once: NDArray[np.bool_] = np.bincount(column.codes[column.codes >= 0], minlength=max(len(column.values), 1)) == 1
    return once
