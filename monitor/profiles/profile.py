"""Summary of the prediction events of one window, or of a reference: everything drift is computed from, and what
performance is estimated from before labels come.

The laws, for every layout: `merge` is commutative and associative and `empty` is its identity; folding parts in any
order and any split gives the same bits as folding the whole. Memory: about 4 kB a numeric feature, 8 bytes a
category, SIZE raw rows and what `predicted` keeps of scores; it does not grow with traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.errors import LayoutMismatchError
from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Predictions
from monitor.profiles import categorical, codec, numeric, predicted
from monitor.profiles.categorical import CategoricalSummary
from monitor.profiles.layout import CategoricalLayout, FeatureLayout, Layout, NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.predicted import PredictedScores
from monitor.profiles.sample import Sample

Summary = NumericSummary | CategoricalSummary

_VERSION = 2
_PARTS = 256  # Profiles that are folded together: their cells side by side take half a megabyte a feature.


@dataclass(slots=True)
class Profile:
    """rows: events folded; features: one summary a feature of the layout, in its order; sample: raw rows; scores: what
    is kept of all predictions' scores, nothing in a file from before there was any.
    """

    layout: Layout
    rows: int
    features: dict[str, Summary]
    sample: Sample
    scores: PredictedScores

    @classmethod
    def empty(cls, layout: Layout) -> Profile:
        features = {name: _empty(part) for name, part in layout.features.items()}
        return cls(layout, 0, features, Sample(), PredictedScores())

    def fold(self, batch: Predictions) -> None:
        """Add the rows of a batch that has a column for every feature of the layout."""
        fold_parts([self], batch, np.zeros(1, dtype=np.intp))

    def merge(self, other: Profile) -> Profile:
        """The profile of both profiles' rows; the two stay as they are. Refuses another layout."""
        if self.layout is not other.layout and self.layout.digest != other.layout.digest:
            raise LayoutMismatchError("these profiles have different cells: build one of them anew from its rows")
        features = {name: _merge(summary, other.features[name]) for name, summary in self.features.items()}
        sample, scores = self.sample.merge(other.sample), self.scores.merge(other.scores)
        return Profile(self.layout, self.rows + other.rows, features, sample, scores)

    def plain(self) -> list[Any]:
        features = [summary.plain() for summary in self.features.values()]
        return [self.rows, features, self.sample.plain(), self.scores.plain()]

    @classmethod
    def of_plain(cls, layout: Layout, plain: list[Any]) -> Profile:
        rows, summaries, sample, *scores = plain
        features = {
            name: _of_plain(part, summary)
            for (name, part), summary in zip(layout.features.items(), summaries, strict=True)
        }
        return cls(
            layout, rows, features, Sample.of_plain(sample), PredictedScores.of_plain(scores[0] if scores else None)
        )

    @property
    def digest(self) -> str:
        """Sha-256 of the profile and its layout, with the algorithm's name before it; of the values, not of a file."""
        content = msgspec.msgpack.encode((self.layout.digest, self.plain()))
        return codec.sha256(content)

    def dump(self) -> bytes:
        """Bytes of this profile without its layout, of which they hold the digest."""
        return codec.pack("PROF", _VERSION, (self.layout.digest, self.plain()))

    @classmethod
    def load(cls, layout: Layout, data: bytes) -> Profile:
        """The profile of `dump`; LayoutMismatchError where it was made under another layout."""
        digest, plain = codec.unpack("PROF", _VERSION, data, tuple[str, list[Any]])
        if digest != layout.digest:
            raise LayoutMismatchError("this profile was made under another layout: its reference has been replaced")
        return cls.of_plain(layout, plain)


def _empty(layout: FeatureLayout) -> Summary:
    return NumericSummary.empty(layout) if isinstance(layout, NumericLayout) else CategoricalSummary.empty(layout)


def column_of(batch: Predictions, name: str, layout: FeatureLayout) -> Column:
    """The column that a layout's feature, or output, is folded from."""
    return batch.column(name, isinstance(layout, NumericLayout))


Fold = Callable[[str, slice, Column, NDArray[np.integer[Any]]], None]
"""Is told of each feature, for some rows of a batch: their column, and the cells that `_fold` gives."""


def fold_parts(
    profiles: Sequence[Profile], batch: Predictions, starts: NDArray[np.intp], tell: Fold | None = None
) -> None:
    """Add the rows from starts[i] on, up to the next start or the end, to profile i; all profiles are of one layout.

    starts: intp[parts], from 0, ascending. A few small windows' rows cost as much in one pass as those of one.
    """
    ends = np.append(starts[1:], len(batch))
    for first in range(0, len(profiles), _PARTS):
        block = slice(first, first + _PARTS)
        rows = slice(int(starts[first]), int(ends[block][-1]))
        _fold_block(profiles[block], batch.take(rows), starts[block] - starts[first], rows, tell)


def _fold_block(
    profiles: Sequence[Profile], batch: Predictions, starts: NDArray[np.intp], rows: slice, tell: Fold | None
) -> None:
    for name, layout in profiles[0].layout.features.items():
        column = column_of(batch, name, layout)
        cells = _fold(layout, [profile.features[name] for profile in profiles], column, starts)
        if tell is not None:
            tell(name, rows, column, cells)
    predicted.fold_parts([profile.scores for profile in profiles], profiles[0].layout.outcome, batch, starts)
    for profile, start, end in zip(profiles, starts, np.append(starts[1:], len(batch)), strict=True):
        profile.rows += int(end - start)
        profile.sample.fold(batch.take(slice(int(start), int(end))))


def _fold(
    layout: FeatureLayout, summaries: Sequence[Summary], column: Column, starts: NDArray[np.intp]
) -> NDArray[np.integer[Any]]:
    """The cells of a numeric column's usable values, or the cell or code of each row of a categorical one."""
    match layout, column:
        case NumericLayout(), NumericColumn():
            numbers = [each for each in summaries if isinstance(each, NumericSummary)]
            return numeric.fold_parts(numbers, layout, column, starts)
        case CategoricalLayout(), CategoricalColumn():
            categories = [each for each in summaries if isinstance(each, CategoricalSummary)]
            return categorical.fold_parts(categories, layout, column, starts)
        case _:
            raise LayoutMismatchError(
                "a column is of another type than its cells: the reference does not fit the schema"
            )


def _merge(one: Summary, other: Summary) -> Summary:
    match one, other:
        case NumericSummary(), NumericSummary():
            return one.merge(other)
        case CategoricalSummary(), CategoricalSummary():
            return one.merge(other)
        case _:
            raise LayoutMismatchError("a numeric summary cannot be merged with a categorical one")


def _of_plain(layout: FeatureLayout, plain: list[Any]) -> Summary:
    return (NumericSummary if isinstance(layout, NumericLayout) else CategoricalSummary).of_plain(plain)
